package provider_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// previewed is `preview` below a domain.
func previewed(domain string, lines ...string) string {
	return fmt.Sprintf("preview = {\n    hostname = \"{name}.%s\"\n    parent_refs = [{ name = \"public\", namespace = \"gateway\" }]\n    %s\n  }", domain, strings.Join(lines, "\n    "))
}

// wantPreview is the host name of a release's own address, which leads to the release;
// empty: it has none.
func (l *lab) wantPreview(name, host string) {
	l.t.Helper()
	if !slices.Contains(l.routes("httproutes"), name) {
		if host != "" {
			l.t.Errorf("%s has no preview", name)
		}
		return
	}
	text, err := l.cluster.Client().Discovery().RESTClient().Get().AbsPath(l.routesPath("httproutes"), name).SetHeader("Accept", "application/json").DoRaw(l.t.Context())
	l.must(err)
	route := &gatewayv1.HTTPRoute{}
	l.must(json.Unmarshal(text, route))
	ref := route.Spec.Rules[0].BackendRefs[0]
	if got := string(route.Spec.Hostnames[0]); got != host || string(ref.Name) != name || *ref.Port != 8080 {
		l.t.Errorf("the preview of %s is %q, and leads to %s:%d, want %q", name, got, ref.Name, *ref.Port, host)
	}
}

// touchRoute is what somebody does to a route; an empty patch removes it.
func (l *lab) touchRoute(name, patch string) {
	l.t.Helper()
	client, at := l.cluster.Client().Discovery().RESTClient(), l.routesPath("httproutes")
	if patch == "" {
		l.must(client.Delete().AbsPath(at, name).Do(l.t.Context()).Error())
		return
	}
	l.must(client.Patch(types.MergePatchType).AbsPath(at, name).Param("fieldManager", somebody).Body([]byte(patch)).Do(l.t.Context()).Error())
}

func TestAccPreview(t *testing.T) {
	t.Parallel()
	t.Run("without the Gateway API", func(t *testing.T) { labOn(t, testcluster.Start(t)).previewWithoutKind() }) // others teach the shared one
	c := withGateways(t)
	for name, test := range map[string]func(*lab){
		"comes, changes, goes": (*lab).previewComesAndGoes,
		"beside main":          (*lab).previewBesideMain,
		"is put right":         (*lab).previewIsPutRight,
		"of a stopped one":     (*lab).previewOfStopped,
		"without permission":   (*lab).previewWithoutPermission,
		"of somebody else":     (*lab).previewOfSomebodyElse,
		"in place":             (*lab).previewInPlace,
		"addresses of main":    (*lab).addressesOfMain,
		"forgotten":            (*lab).previewForgotten,
		"not served":           (*lab).previewNotServed,
		"served by another":    (*lab).previewServedByAnother,
	} {
		t.Run(name, func(t *testing.T) { test(onGateway(t, c)) })
	}
}

// previewWithoutKind says so before anything is written, also to what is there already.
func (l *lab) previewWithoutKind() {
	w := l.inProcess()
	const told = "does not know the kind HTTPRoute of the Gateway API"
	w.applyFails(l.config(l.deployment(previewed("example.com")))).tells("Gateway API is not installed", told, "httproutes.gateway.networking.k8s.io", "depends_on")
	l.wantNothingLeft()
	w.apply(l.config(l.deployment()))
	w.applyFails(l.config(l.deployment(previewed("example.com")))).tells(told)
	w.apply(l.config(l.deployment()))
	w.wantNoChanges()
	w.write(l.config(l.deployment(), l.main(routed())))
	w.plan().warns("Cluster does not know the route's kind", "HTTPRoute")
	w.applyFails(l.config(l.deployment(), l.main(routed()))).tells("Gateway API is not installed", told)
	w.destroy()
	l.wantNothingLeft()
	l.kindOfTheSameApply()
}

// kindOfTheSameApply: the plan cannot know that this apply brings the kind, ahead of what
// asks for it. The apply finds it there.
func (l *lab) kindOfTheSameApply() {
	proxy := l.cluster.Proxy(l.t)
	l.provider = connection(proxy.KubeconfigPath)
	w := l.inProcess()
	var installs sync.Once
	proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Write() && !r.DryRun() && strings.Contains(r.Path, "/apps/v1/") { // the deployment, on which main depends
			installs.Do(func() {
				l.cluster.HTTPRoutes(l.t)
				l.cluster.DataPlane(l.t, l.namespace, "httproutes")
			})
		}
		return testcluster.Fault{}
	})
	config := l.config(l.deployment(createFirst), l.main(routed()))
	w.write(config)
	w.plan().warns("Cluster does not know the route's kind", "Unless this same apply installs the CustomResourceDefinitions of the Gateway API first")
	w.apply(config)
	w.wantState(theMain, "status", "finalized", "split", shares(nameOf("v1"), 100))
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

func (l *lab) previewComesAndGoes() {
	w := l.inProcess()
	name := nameOf("v1")
	url := output("url", theDeployment+".preview_url")
	w.applyFails(l.config(l.deployment(strings.ReplaceAll(previewed("a.example.com"), "{name}", "next")))).tells("Previews would have the same address", "{name}")
	w.write(l.config(l.deployment(previewed("a.example.com")), url))
	w.plan().wantPlannedOutput("url", "http://"+name+".a.example.com")
	w.apply(l.config(l.deployment(previewed("a.example.com")), url)).silent("Preview is not served yet")
	l.wantPreview(name, name+".a.example.com") // and nothing is main
	internal := fmt.Sprintf("http://%s.%s.svc:8080", name, l.namespace)
	w.wantState(theDeployment, "preview_url", "http://"+name+".a.example.com", "status", "started", "urls", map[string]any{"internal": internal, "preview": "http://" + name + ".a.example.com"})
	w.wantNoChanges()
	pods := l.wantPods(name, 1)
	secure := l.config(l.deployment(previewed("b.example.com", `scheme = "https"`, `port = "http"`)), url)
	w.write(secure)
	w.plan().wantPlannedOutput("url", "https://"+name+".b.example.com")
	w.apply(secure).wantActions(theDeployment, "update")
	l.wantPreview(name, name+".b.example.com")
	w.wantNoChanges()

	imported := l.inProcess()
	imported.write(secure)
	imported.do("import", theDeployment, l.namespace+"/"+name)
	imported.wantState(theDeployment, "preview_url", "https://"+name+".b.example.com")
	if r := imported.plan(); len(r.actions[theDeployment]) > 0 {
		l.t.Errorf("the plan after an import is not empty:\n%s", imported.explain())
	}
	w = imported
	w.apply(l.config(l.deployment())).wantActions(theDeployment, "update")
	l.wantPreview(name, "")
	w.wantState(theDeployment, "preview_url", nil, "urls", map[string]any{"internal": internal, "preview": nil})
	w.wantNoChanges()
	w.apply(l.config(l.deployment(previewed("a.example.com"))))
	l.wantPreview(name, name+".a.example.com")
	l.wantSamePods(name, pods)
	w.destroy()
	l.wantPreview(name, "")
	l.wantNothingLeft()
}

// previewBesideMain: each version has its own, no promotion touches it, and it keeps no
// release that is not needed any more.
func (l *lab) previewBesideMain() {
	w := l.inProcess()
	config := func(tag string, keep int) string {
		return l.config(l.deployment(image(tag), createFirst, previewed("example.com")), l.main(routed(), keepPrevious(keep)))
	}
	v1, v2, v3 := nameOf("v1"), nameOf("v2"), nameOf("v3")
	w.apply(config("v1", 1))
	w.apply(config("v2", 1))
	w.wantState(theMain, "urls", map[string]any{"internal": "http://api." + l.namespace + ".svc:80", "main": "http://api.example.com"})
	for _, name := range []string{v1, v2} { // v1 is retained
		l.wantPreview(name, name+".example.com")
	}
	if split := l.routeSplit(); split[v2] != 100 {
		l.t.Errorf("the application's own route leads to %v", split)
	}
	w.wantNoChanges()
	w.apply(config("v3", 0)).silent("keeps running")
	for name, host := range map[string]string{v1: "", v2: "", v3: v3 + ".example.com"} {
		l.wantPreview(name, host)
	}
	w.destroy()
	if left := l.routes("httproutes"); len(left) > 0 {
		l.t.Errorf("left are %v", left)
	}
	l.wantNothingLeft()
}

func (l *lab) previewIsPutRight() {
	w := l.inProcess()
	config, name := l.config(l.deployment(previewed("example.com"))), nameOf("v1")
	w.apply(config)
	for _, tt := range []struct {
		patch string
		want  driftLine
	}{
		{`{"spec":{"hostnames":["www.example.com"]}}`, driftLine{Object: "HTTPRoute/" + name, Field: "spec.hostnames", Manager: somebody}},
		{`{"spec":{"rules":[{"backendRefs":[{"name":"other","port":80}]}]}}`, driftLine{Object: "HTTPRoute/" + name, Field: "spec.rules", Manager: somebody}},
		{"", driftLine{Object: "HTTPRoute/" + name, Manager: unrecorded}},
	} {
		l.touchRoute(name, tt.patch)
		w.refresh()
		if found := w.drift(theDeployment); len(found) != 1 || !tt.want.in(found[0]) {
			l.t.Errorf("%s: drift is %+v", tt.patch, found)
		}
		w.apply(config).wantActions(theDeployment, "update")
		l.wantPreview(name, name+".example.com")
		w.wantNoChanges()
	}
	// What somebody has to themselves again, as it was, changes all the same.
	for _, host := range []string{"www", name} {
		l.touchRoute(name, fmt.Sprintf(`{"spec":{"hostnames":["%s.example.com"]}}`, host))
	}
	w.wantNoChanges()
	w.apply(l.config(l.deployment(previewed("b.example.com"))))
	l.wantPreview(name, name+".b.example.com")
	w.wantNoChanges()
	l.touchRoute(name, "")
	w.destroy()
	l.wantNothingLeft()
}

// previewOfStopped stays, and is made for what is stopped, too.
func (l *lab) previewOfStopped() {
	w := l.inProcess()
	name := nameOf("v1")
	w.apply(l.config(l.deployment(previewed("example.com"))))
	w.apply(l.config(l.deployment(previewed("example.com"), `desired_state = "stopped"`))).silent("Preview is not served yet")
	l.wantPods(name, 0)
	l.wantPreview(name, name+".example.com")
	w.wantNoChanges()
	w.apply(l.config(l.deployment(previewed("other.example.com"), `desired_state = "stopped"`)))
	l.wantPreview(name, name+".other.example.com")
	w.wantNoChanges()
	w.destroy()
	l.wantPreview(name, "")
	l.wantNothingLeft()
}

// previewWithoutPermission is told before the first write.
func (l *lab) previewWithoutPermission() {
	rules, clusterRules := policyRules(slices.DeleteFunc(cluster.Features(), func(f cluster.Feature) bool { return f == cluster.FeatureHTTPRoute })...)
	l.provider = connection(l.cluster.RestrictedKubeconfig(l.t, l.namespace, rules, clusterRules...))
	w := l.inProcess()
	w.applyFails(l.config(l.deployment(previewed("example.com")))).tells("Permissions are missing", `to http_route: verb "create" on httproutes.gateway.networking.k8s.io`)
	l.wantNothingLeft()
	w.apply(l.config(l.deployment()))
	w.wantNoChanges()
	w.applyFails(l.config(l.deployment(), l.main(routed()))).tells("Permissions are missing", `to http_route: verb "delete" on httproutes.gateway.networking.k8s.io`)
	w.apply(l.config(l.deployment()))
	w.destroy()
}

// previewOfSomebodyElse is left alone, and nothing is begun.
func (l *lab) previewOfSomebodyElse() {
	w := l.inProcess()
	l.makeRoute(fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":%q},"spec":{"parentRefs":[{"name":"public"}]}}`, nameOf("v1")))
	w.applyFails(l.config(l.deployment(previewed("example.com")))).tells("Object belongs to somebody else", "HTTPRoute")
	l.wantNothingLeft()
}

// previewInPlace follows a port that changes in place, forth and back.
func (l *lab) previewInPlace() {
	w := l.inProcess()
	config := func(tag string, port int) string {
		return l.config(l.deployment(image(tag), `strategy = "rolling"`, fmt.Sprintf(`container = { ports = { http = %d } }`, port), previewed("example.com")))
	}
	w.apply(config("v1", 9090))
	name := w.nameInState()
	w.apply(config("v2", 8080)).wantActions(theDeployment, "update")
	l.wantPreview(name, name+".example.com")
	w.wantState(theDeployment, "preview_url", "http://"+name+".example.com")
	w.wantNoChanges()
	w.applyFails(config("crash", 9091))
	l.wantPreview(name, name+".example.com") // 8080, as its Service
	w.apply(config("v2", 8080))
	w.wantNoChanges()
	w.destroy()
	l.wantPreview(name, "")
	l.wantNothingLeft()
}

// previewForgotten: what removes by hand what is forgotten removes the routes, too.
func (l *lab) previewForgotten() {
	proxy := l.cluster.Proxy(l.t)
	l.provider = connection(proxy.KubeconfigPath)
	w := l.inProcess()
	w.apply(l.config(l.deployment(previewed("example.com"), abandoning), l.main(routed(), abandoning)))
	proxy.Down(l.t)
	w.destroy().warns("Forgotten, not removed", "delete httproute/api service/api configmap/api-switchback",
		"delete deployment,service,configmap,hpa,pdb,httproute --selector switchback.dev/deployment="+nameOf("v1"))
}

// previewNotServed: what the Gateway says is told at plan, each on its own attribute, and
// nothing fails for it. Once it is there, a plan of something else does not look again.
func (l *lab) previewNotServed() {
	l.makeGateway("mine", `"protocol":"HTTP","hostname":"*.example.org"`)
	l.makeGateway("plain", `"protocol":"TCP"`)
	p := l.speak()
	for _, wrong := range []struct {
		parent data
		host   string
		at     string
		says   []string
	}{
		{data{"name": "none"}, "{name}.example.org", `AttributeName("preview").AttributeName("parent_refs")`, []string{"Gateway is not there", l.namespace + "/none"}},
		{data{"name": "mine"}, "{name}.example.com", `AttributeName("preview").AttributeName("hostname")`, []string{"Gateway does not serve the preview", "listener for any of these host names", "*.example.org"}},
		{data{"name": "mine", "section_name": "https"}, "{name}.example.org", `ElementKeyInt(0).AttributeName("section_name")`, []string{`no listener "https"`}},
		{data{"name": "mine", "port": 8080}, "{name}.example.org", `ElementKeyInt(0).AttributeName("port")`, []string{"no listener on port 8080"}},
		{data{"name": "plain"}, "{name}.example.org", `AttributeName("parent_refs").ElementKeyInt(0)`, []string{"no listener for a HTTPRoute"}},
	} {
		preview := data{"preview": data{"hostname": wrong.host, "parent_refs": []any{wrong.parent}}}
		said := p.answer(deploymentType, changed(l.deploymentData("v1"), preview), object{}).Diagnostics
		wantSays(l.t, said, tfprotov6.DiagnosticSeverityWarning, append(wrong.says, wrong.at)...)
	}
	w := l.inProcess()
	config := func(domain string, lines ...string) string {
		here := strings.ReplaceAll(previewed(domain), `name = "public", namespace = "gateway"`, `name = "mine"`)
		return l.config(l.deployment(append(lines, here)...))
	}
	w.write(config("example.org"))
	first := w.plan()
	first.silent("Gateway does not serve the preview")
	first.warns("Gateway may not serve the preview", "has the class none, which is not there")
	w.apply(config("example.com")).warns("Gateway does not serve the preview", "The deployment is made all the same")
	w.write(config("example.com", "replicas = 2"))
	w.plan().silent("Gateway does not serve the preview")
	w.write(config("example.net"))
	w.plan().warns("Gateway does not serve the preview")
}

// makeGateway makes one in the lab's namespace, with a listener.
func (l *lab) makeGateway(name, listener string) {
	l.t.Helper()
	l.makeAt(gatewayAPI+"/namespaces/"+l.namespace+"/gateways", fmt.Sprintf(
		`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":%q},"spec":{"gatewayClassName":"none","listeners":[{"name":"web","port":80,%s}]}}`, name, listener))
}

// previewServedByAnother: one of the same name in another namespace has been there longer.
func (l *lab) previewServedByAnother() {
	l.makeGateway("open", `"protocol":"HTTP","allowedRoutes":{"namespaces":{"from":"All"}}`)
	other := *l
	other.namespace = l.cluster.Namespace(l.t)
	config := func(l2 *lab, domain string) string {
		return l2.config(l2.deployment(strings.ReplaceAll(previewed(domain+"example.com"), `name = "public", namespace = "gateway"`, fmt.Sprintf(`name = "open", namespace = %q`, l.namespace))))
	}
	l.inProcess().apply(config(l, "")).silent("Another route serves")
	w := other.inProcess()
	w.write(config(&other, ""))
	w.plan().warns("Another route serves", l.namespace+"/"+nameOf("v1"), "{namespace}")
	w.write(config(&other, "{namespace}."))
	w.plan().silent("Another route serves")
}
