package provider_test

import (
	"fmt"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const gatewayAPI = "/apis/gateway.networking.k8s.io/v1"

// gateway makes the Gateway "mine", which takes routes of every namespace.
func (l *lab) gateway() {
	l.t.Helper()
	all := `"allowedRoutes":{"namespaces":{"from":"All"}}`
	l.makeAt(gatewayAPI+"/namespaces/"+l.namespace+"/gateways", fmt.Sprintf(
		`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"mine"},"spec":{"gatewayClassName":"none","listeners":[{"name":"web","port":80,"protocol":"HTTP",%s},{"name":"db","port":9000,"protocol":"TCP",%s},{"name":"queue","port":9001,"protocol":"TCP",%s}]}}`, all, all, all))
}

// routeBeside makes somebody's route through that Gateway, and waits until a look sees it
// that may be a moment old.
func (l *lab) routeBeside(namespace, kind, name, spec string) {
	l.t.Helper()
	at := gatewayAPI + "/namespaces/" + namespace + "/" + strings.ToLower(kind) + "s"
	l.makeAt(at, fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":%q,"metadata":{"name":%q},"spec":{"parentRefs":[{"name":"mine","namespace":%q%s}}`, kind, name, l.namespace, spec))
	testcluster.Eventually(l.t, hang, "the route "+name, func() error {
		text, err := l.cluster.Client().Discovery().RESTClient().Get().AbsPath(at).Param("resourceVersion", "0").SetHeader("Accept", "application/json").DoRaw(l.t.Context())
		if err == nil && !strings.Contains(string(text), fmt.Sprintf(`"name":%q`, name)) {
			err = fmt.Errorf("it is not seen yet")
		}
		return err
	})
}

// routeBesideAnother: a plan tells of another route that asks for the same, and which of
// them serves; of TCPRoutes it refuses the second one.
func (l *lab) routeBesideAnother() {
	l.gateway()
	other := l.cluster.Namespace(l.t)
	here := func(lines ...string) string {
		return strings.ReplaceAll(routed(lines...), `name = "public", namespace = "gateway"`, `name = "mine"`)
	}
	tcp := func(section string) string {
		return strings.ReplaceAll(strings.ReplaceAll(here(`kind = "TCPRoute"`), `hostnames = ["api.example.com"]`, ""), `name = "mine"`, fmt.Sprintf(`name = "mine", section_name = %q`, section))
	}
	planOf := func(traffic string) *result {
		w := l.inProcess()
		w.write(l.config(l.deployment(), l.main(traffic)))
		return w.plan()
	}
	main := changed(l.mainData(), data{"traffic": data{"service": data{"ports": data{"http": 80}}, "gateway": data{"parent_refs": []any{data{"name": "mine"}}, "hostnames": []any{"api.example.com"}}}})
	before := l.speak().plans(mainType, main, object{})
	l.routeBeside(other, "HTTPRoute", "shop", `}],"hostnames":["api.example.com"],"rules":[{}]`)
	after := l.speak().plans(mainType, main, object{})
	wantSame(l.t, "what is planned", after.Planned, before.Planned)
	if after.said == before.said {
		l.t.Errorf("of a route that has come, it says\n%s", after.said)
	}
	planOf(here()).warns("Another route serves", fmt.Sprintf("asks Gateway %s/mine for the same as this one", l.namespace), other+"/shop", "the path / (PathPrefix) for api.example.com", "a canary moves nothing")
	planOf(here(`matches = [{ path = { value = "/v1" } }]`)).silent("Another route")

	l.routeBeside(other, "TCPRoute", "pg", `,"sectionName":"db"}],"rules":[{"backendRefs":[{"name":"pg","port":5432}]}]`)
	l.inProcess().applyFails(l.config(l.deployment(), l.main(tcp("db")))).tells("Listener has another TCPRoute", other+"/pg", "section_name")
	planOf(tcp("queue")).silent("Another route")

	w := l.inProcess()
	w.apply(l.config(l.deployment(), l.main(here())))
	l.routeBeside(l.namespace, "HTTPRoute", "late", `}],"hostnames":["api.example.com"],"rules":[{}]`)
	w.write(l.config(l.deployment(), l.main(here(), `drain = "2s"`)))
	w.plan().warns("Another route does not serve", l.namespace+"/late", "Another route serves", other+"/shop")
}

// routesAreListedOnce: a plan of several addresses looks at the routes of a cluster once,
// and at those of its own namespace where it may not see the others.
func (l *lab) routesAreListedOnce() {
	l.gateway()
	l.routeBeside(l.cluster.Namespace(l.t), "HTTPRoute", "there", `}],"hostnames":["api.example.com"],"rules":[{}]`)
	l.routeBeside(l.namespace, "HTTPRoute", "here", `}],"hostnames":["api.example.com"],"rules":[{}]`)
	config := func() string {
		traffic := strings.ReplaceAll(routed(), `name = "public", namespace = "gateway"`, `name = "mine"`)
		blocks := []string{}
		for _, name := range []string{"api", "web", "shop"} {
			blocks = append(blocks, l.application(name, "v1"), l.mainNamed(name, traffic, fmt.Sprintf("application = %q", name), fmt.Sprintf("deployment_id = switchback_deployment.%s.id", name)))
		}
		return l.config(blocks...)
	}
	for _, everywhere := range []bool{true, false} {
		proxy := l.cluster.Proxy(l.t)
		kubeconfig := proxy.KubeconfigPath
		if !everywhere {
			rules, clusterRules := policyRules(cluster.Features()...)
			kubeconfig = proxy.Through(l.t, l.cluster.RestrictedKubeconfig(l.t, l.namespace, rules, clusterRules...))
		}
		l.provider = connection(kubeconfig)
		w := l.inProcess()
		w.write(config())
		r := w.plan()
		r.warns("Another route serves", "/here")
		if !everywhere {
			r.silent("/there")
		}
		lists := map[string]int{}
		for _, request := range proxy.Requests() {
			if strings.HasSuffix(request.Path, "/httproutes") {
				lists[request.Path]++
			}
		}
		if got := lists[gatewayAPI+"/httproutes"]; got != 1 || lists[l.routesPath("httproutes")] > 1 {
			l.t.Errorf("where routes are seen everywhere: %t, they were looked at %v", everywhere, lists)
		}
	}
}
