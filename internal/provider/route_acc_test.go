package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"k8s.io/apimachinery/pkg/types"
)

func (l *lab) routesOfOtherKinds() {
	for kind, lines := range map[string][]string{
		"GRPCRoute": {`kind = "GRPCRoute"`, `matches = [{ grpc = { service = "shop.v1.Orders" }, headers = [{ name = "x-team", value = "shop" }] }]`, `filters = { request_header_modifier = { set = { x-team = "shop" } }, response_header_modifier = { remove = ["server"] } }`},
		"HTTPRoute": {`matches = [{ path = { value = "/v1" }, method = "GET", headers = [{ name = "x-team", value = "a.*", type = "RegularExpression" }], query_params = [{ name = "a", value = "b" }] }]`},
		"TCPRoute":  {`kind = "TCPRoute"`, `name = "plain"`},
	} {
		l.t.Run(kind, func(t *testing.T) {
			l := onGateway(t, l.cluster, "grpcroutes", "tcproutes")
			w := l.inProcess()
			config := func(tag string) string {
				main := l.main(routed(lines...), keepPrevious(1), canaryOf(`{ weight = 25, pause = "1s" }`))
				if kind == "TCPRoute" {
					main = strings.ReplaceAll(main, `hostnames = ["api.example.com"]`, "")
				}
				return l.config(l.deployment(image(tag), createFirst), main)
			}
			w.apply(config("v1"))
			w.wantNoChanges()
			summary, _ := w.apply(config("v2")).plannedValue(theMain, "plan_summary")
			const connections = "These are shares of the connections, when they are made: one that is open stays where it is."
			if text := fmt.Sprint(summary); strings.Contains(text, connections) != (kind == "TCPRoute") {
				t.Errorf("the plan says %q", text)
			}
			w.wantState(theMain, "status", "finalized", "split", shares(nameOf("v2"), 100))
			w.wantNoChanges()
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// routeToUDP: no route shares what is no TCP. The plan says so, at the port.
func (l *lab) routeToUDP() {
	w := l.inProcess()
	config := func(gateway string) string {
		resolves := l.deployment(`container = { ports = { http = 8080, dns = 53 }, port_protocols = { dns = "UDP" } }`)
		main := []string{`traffic = { service = { ports = { http = 80, dns = 53 } }` + gateway + ` }`}
		if gateway != "" {
			main = append(main, canaryOf(`{ weight = 10 }`))
		}
		return l.config(resolves, l.main(main...))
	}
	w.apply(config(""))
	for _, kind := range []string{"TCPRoute", "HTTPRoute"} {
		gateway := fmt.Sprintf(`, gateway = { kind = %q, port = "dns", parent_refs = [{ name = "public" }] }`, kind)
		w.planFails(config(gateway)).tells("Port does not fit the route", `"dns"`, "UDP", "a "+kind, "Where: traffic.gateway.port\n")
	}
	if left := l.routes("tcproutes"); len(left) > 0 {
		l.t.Errorf("there are %v", left)
	}
	w.apply(config(`, gateway = { kind = "TCPRoute", port = "http", parent_refs = [{ name = "public" }], settle = "0s" }`))
}

func (l *lab) routeComesAndGoes() {
	w := l.inProcess()
	config := func(traffic string) string { return l.config(l.deployment(image("v1"), createFirst), l.main(traffic)) }
	w.apply(config(exposed("")))
	w.apply(config(routed())).wantActions(theMain, "update")
	w.wantNoChanges()
	if l.routeSplit()[nameOf("v1")] != 100 {
		l.t.Error("the route does not lead to v1")
	}
	w.apply(config(routed(`name = "shop"`)))
	w.wantNoChanges()
	w.apply(config(exposed("")))
	w.wantNoChanges()
	if left := l.routes("httproutes"); len(left) > 0 {
		l.t.Errorf("left are %v", left)
	}
}

// routeOfSomebodyElse is left alone.
func (l *lab) routeOfSomebodyElse() {
	w := l.inProcess()
	l.makeRoute(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"api"},"spec":{"parentRefs":[{"name":"public"}]}}`)
	w.applyFails(l.config(l.deployment(), l.main(routed()))).tells("HTTPRoute", "api", "traffic.gateway.adopt = true", "traffic.gateway.name")
}

func (l *lab) routeIsImported() {
	w := l.inProcess()
	config := l.config(l.deployment(image("v1"), createFirst), l.main(routed(`matches = [{ path = { value = "/v1" } }]`, `probe = { url = "https://api.example.com/healthz", status = 204, timeout = "2s" }`),
		canaryOf(`{ weight = 10, pause = "90s", gate = "manual" }, { weight = 50, replicas = 1 }`, "max_weight = 50", `match = [{ header = { name = "x-canary", exact = "1" } }]`, "scale_with_weight = true", `on_abandon = "hold"`)))
	w.apply(config)
	imported := l.inProcess()
	imported.write(config)
	imported.do("import", theDeployment, l.namespace+"/"+nameOf("v1"))
	imported.do("import", theMain, l.namespace+"/api")
	imported.wantNoChanges()
}

// routeWithFilters: filters are of both rules of a canary, change in place, are put right
// where somebody has changed them, and are found by an import.
func (l *lab) routeWithFilters() {
	w := l.inProcess()
	filters := `filters = {
        request_header_modifier  = { set = { x-team = "shop", X-Env = "test" }, add = { x-via = "gateway" }, remove = ["x-debug"] }
        response_header_modifier = { set = { cache-control = "no-store" } }
        url_rewrite              = { hostname = "api.internal", path = { value = "/" } }
      }`
	config := func(tag, filters string, lines ...string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(append(lines, routed(`matches = [{ path = { value = "/v1" } }]`, filters), keepPrevious(1))...))
	}
	w.apply(config("v1", filters))
	w.wantNoChanges()
	imported := l.inProcess()
	imported.write(config("v1", filters))
	imported.do("import", theDeployment, l.namespace+"/"+nameOf("v1"))
	imported.do("import", theMain, l.namespace+"/api")
	imported.wantNoChanges()

	w = imported // which holds the claim now
	canary := canaryOf(`{ weight = 10, gate = "manual" }`, `match = [{ header = { name = "x-canary", exact = "1" } }]`)
	w.apply(config("v2", filters, canary))
	rules := l.rules()
	if len(rules) != 2 || len(rules[0].Filters) != 3 || len(rules[1].Filters) != 3 || len(rules[1].Filters[0].RequestHeaderModifier.Set) != 2 || *rules[1].Filters[2].URLRewrite.Path.ReplacePrefixMatch != "/" {
		l.t.Errorf("the route has %+v", rules)
	}
	w.apply(config("v1", filters, canary))
	full := `filters = { url_rewrite = { path = { value = "/all", type = "ReplaceFullPath" } } }`
	w.apply(config("v1", full, canary)).wantActions(theMain, "update")
	w.wantNoChanges()
	l.patchRoute(fmt.Sprintf(`{"spec":{"rules":[{"name":"switchback","backendRefs":[{"name":%q,"port":8080,"weight":100}]}]}}`, nameOf("v1")))
	w.refresh()
	if found := w.drift(theMain); len(found) != 1 || !(driftLine{Object: "HTTPRoute/api", Field: "spec.rules", Manager: somebody}).in(found[0]) {
		l.t.Errorf("drift is %+v", found)
	}
	w.apply(config("v1", full, canary))
	if rules := l.rules(); len(rules) != 1 || len(rules[0].Filters) != 1 || *rules[0].Filters[0].URLRewrite.Path.ReplaceFullPath != "/all" {
		l.t.Errorf("the route has %+v", rules)
	}
	w.apply(config("v1", "", canary))
	if rules := l.rules(); len(rules[0].Filters) != 0 {
		l.t.Errorf("filters that are not asked for any more are %+v", rules[0].Filters)
	}
	w.applyFails(config("v1", filters, strings.ReplaceAll(canary, `}]`, `}, { header = { name = "x-team", exact = "shop" } }]`))).tells("Too many matches", "ReplaceFullPath")
}

// gatewayThatDoesNotServe: what the Gateway says is told at plan, each on its own attribute.
func (l *lab) gatewayThatDoesNotServe() {
	l.t.Helper()
	api := "/apis/gateway.networking.k8s.io/v1"
	l.makeAt(api+"/gatewayclasses", fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GatewayClass","metadata":{"name":%q},"spec":{"controllerName":"example.com/none"}}`, l.namespace))
	l.makeAt(api+"/namespaces/"+l.namespace+"/gateways", fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"mine"},"spec":{"gatewayClassName":%q,"listeners":[{"name":"web","port":80,"protocol":"HTTP","hostname":"*.example.org"}]}}`, l.namespace))
	w := l.inProcess()
	here := strings.ReplaceAll(routed(), `name = "public", namespace = "gateway"`, `name = "mine"`)
	w.planFails(l.config(l.deployment(), l.main(here))).tells("Gateway does not serve the route", "listener for any of these host names", "*.example.org")
	other := l.cluster.Namespace(l.t)
	l.makeAt(api+"/namespaces/"+other+"/gateways", fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"theirs"},"spec":{"gatewayClassName":%q,"listeners":[{"name":"web","port":80,"protocol":"HTTP"}]}}`, l.namespace))
	p := l.speak()
	for _, wrong := range []struct {
		parent data
		host   string
		at     string
		says   string
	}{
		{data{"name": "mine"}, "api.example.com", `AttributeName("hostnames")`, "listener for any of these host names"},
		{data{"name": "mine", "section_name": "https"}, "api.example.org", `ElementKeyInt(0).AttributeName("section_name")`, `no listener "https"`},
		{data{"name": "mine", "port": 8080}, "api.example.org", `ElementKeyInt(0).AttributeName("port")`, "no listener on port 8080"},
		{data{"name": "theirs", "namespace": other}, "api.example.org", `AttributeName("parent_refs").ElementKeyInt(0))`, "takes no routes of the namespace " + l.namespace},
	} {
		main := changed(l.mainData(), data{"traffic": data{"service": data{"ports": data{"http": 80}}, "gateway": data{"parent_refs": []any{wrong.parent}, "hostnames": []any{wrong.host}}}})
		said := p.answer(mainType, main, object{}).Diagnostics
		wantSays(l.t, said, tfprotov6.DiagnosticSeverityError, "Gateway does not serve the route", wrong.at, wrong.says)
	}
	w.write(l.config(l.deployment(), l.main(routed())))
	w.plan().warns("Gateway is not there", "gateway/public")
	w.write(l.config(l.deployment(), l.main(strings.ReplaceAll(here, "api.example.com", "api.example.org"))))
	w.plan().warns("Gateway may not serve the route", "no controller has accepted so far", "example.com/none")
	class := l.cluster.Client().Discovery().RESTClient()
	l.must(class.Patch(types.MergePatchType).AbsPath(api, "gatewayclasses", l.namespace, "status").
		Body([]byte(`{"status":{"conditions":[{"type":"Accepted","status":"True","reason":"Accepted","message":"","lastTransitionTime":"2026-12-01T09:30:00Z"}]}}`)).Do(l.t.Context()).Error())
	w.plan().silent("Gateway")
	l.must(class.Delete().AbsPath(api, "gatewayclasses", l.namespace).Do(l.t.Context()).Error())
	w.plan().warns("Gateway may not serve the route", "has the class "+l.namespace+", which is not there")
}

// routeOfMesh: who serves it is a mesh, for the callers of the application's own Service.
func (l *lab) routeOfMesh() {
	w := l.inProcess()
	meshed := `traffic = { service = { ports = { http = 80 } }, gateway = { parent_refs = [{ kind = "Service", name = "api", port = 80 }], settle = "0s" } }`
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(meshed, keepPrevious(1), canaryOf(`{ weight = 10, gate = "manual" }`)))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1")).silent("Gateway")
	w.wantNoChanges()
	route, err := l.route("api")
	l.must(err)
	if refs := route.Spec.ParentRefs; len(refs) != 1 || *refs[0].Group != "" || *refs[0].Kind != "Service" || refs[0].Name != "api" || *refs[0].Port != 80 || refs[0].Namespace != nil {
		l.t.Errorf("its parents are %+v", refs)
	}
	w.apply(config("v2")).silent("Gateway")
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	w.wantNoChanges()
	imported := l.inProcess()
	imported.write(config("v2"))
	imported.do("import", theDeployment, l.namespace+"/"+v2)
	imported.do("import", theMain, l.namespace+"/api")
	imported.wantNoChanges()
	plain := strings.ReplaceAll(config("v2"), `kind = "Service", `, "")
	imported.write(plain)
	imported.planFails(plain).tells("Route changes while it shares the traffic")
	imported.apply(strings.ReplaceAll(config("v2"), `, gate = "manual"`, ""))
	imported.wantState(theMain, "status", "finalized", "split", shares(v2, 100))
	imported.destroy()
	l.wantNothingLeft()
}
