package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// mirrors are whom a route copies requests to, as text.
func mirrors(rules []gatewayv1.HTTPRouteRule) (to []string) {
	for _, rule := range rules {
		for _, f := range rule.Filters {
			if m := f.RequestMirror; m != nil && m.Percent != nil {
				to = append(to, fmt.Sprintf("%d%% to %s", *m.Percent, m.BackendRef.Name))
			}
		}
	}
	return to
}

// wantMirrors fails the test unless the route copies requests just so.
func (l *lab) wantMirrors(want ...string) {
	l.t.Helper()
	if got := mirrors(l.rules()); strings.Join(got, ", ") != strings.Join(want, ", ") {
		l.t.Errorf("the route copies %q, want %q", got, want)
	}
}

// canaryWithMirror: copies come before the first share. The state tells that nobody's traffic
// has moved, and a copy that somebody has ended by hand is sent again.
func (l *lab) canaryWithMirror() {
	w := l.inProcess()
	config := func(tag, traffic string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(traffic, keepPrevious(1), canaryOf(`{ weight = 10, pause = "1s" }`, `mirror = { percent = 20, pause = "2s", gate = "manual" }`)))
	}
	own := routed(`filters = { request_header_modifier = { remove = ["x-debug"] } }`)
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1", own))
	w.write(config("v2", own))
	w.plan().wantSummary(theMain, map[string]any{
		"action": "promote", "steps": []any{"ready", "mirror 20%", "pause 2s, manual", "shift 10%", "pause 1s", "shift 100%", "commit", "collect"},
		"text": "It gets copies of 20 % of the requests first, which " + l.namespace + "/" + v1 + " answers",
	})
	w.apply(config("v2", own)).warns("Promotion is paused", v2+" gets copies of 20 % of the requests until somebody lets it go on")
	w.wantState(theMain, "deployment_id", l.namespace+"/"+v2, "status", "paused", "split", shares(v1, 100))
	w.wantNoChanges()
	l.wantMirrors("20% to " + v2)

	w.applyFails(config("v2", routed(`name = "other"`))).tells("Route changes while it shares the traffic", "the traffic is copied by the HTTPRoute api")
	l.patchRoute(fmt.Sprintf(`{"spec":{"rules":[{"name":"switchback","backendRefs":[{"name":%q,"port":8080,"weight":100}]}]}}`, v1))
	w.refresh()
	if found := w.drift(theMain); len(found) != 1 || !(driftLine{Object: "HTTPRoute/api", Field: "spec.rules", Manager: somebody}).in(found[0]) {
		l.t.Errorf("drift is %+v", found)
	}
	w.apply(config("v2", own))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 100))
	w.wantNoChanges()
	l.wantMirrors("20% to " + v2)

	imported := l.inProcess()
	imported.write(config("v2", own))
	imported.do("import", theDeployment, l.namespace+"/"+v2)
	imported.do("import", theMain, l.namespace+"/api")
	imported.wantNoChanges()
	w = imported // which holds the claim now
	state, _ := w.attributes(theMain)
	l.letGoOn("api: "+state["status_reason"].(string), "api") // as of a group of one
	w.apply(config("v2", own))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+v2, "status", "finalized", "split", shares(v2, 100))
	w.wantNoChanges()
	l.wantMirrors()
	if rules := l.rules(); len(rules) != 1 || len(rules[0].Filters) != 1 {
		l.t.Errorf("in the end, the route has %+v", rules)
	}
	w.apply(config("v3", own))
	l.wantMirrors("20% to " + nameOf("v3"))
	w.apply(config("v2", own)) // back
	w.wantState(theMain, "deployment_id", l.namespace+"/"+v2, "status", "finalized", "split", shares(v2, 100))
	w.wantNoChanges()
	l.wantMirrors()
	w.apply(config("v3", own))
	w.destroy()
	l.wantNothingLeft()
}

// gatewayWithoutMirror: what its class does not list is an error of the plan.
func (l *lab) gatewayWithoutMirror() {
	api := "/apis/gateway.networking.k8s.io/v1"
	l.makeAt(api+"/gatewayclasses", fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GatewayClass","metadata":{"name":%q},"spec":{"controllerName":"example.com/none"}}`, l.namespace))
	l.makeAt(api+"/namespaces/"+l.namespace+"/gateways", fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"mine"},"spec":{"gatewayClassName":%q,"listeners":[{"name":"web","port":80,"protocol":"HTTP"}]}}`, l.namespace))
	w := l.inProcess()
	config := func(percent int) string {
		return l.config(l.deployment(), l.main(strings.ReplaceAll(routed(), `name = "public", namespace = "gateway"`, `name = "mine"`),
			canaryOf(`{ weight = 10 }`, fmt.Sprintf(`mirror = { percent = %d, pause = "1m" }`, percent))))
	}
	w.write(config(20))
	w.plan().warns("Gateway may not serve the route", "HTTPRouteRequestMirror, HTTPRouteRequestPercentageMirror is seen when traffic arrives")
	says := func(features string) {
		l.must(l.cluster.Client().Discovery().RESTClient().Patch(types.MergePatchType).AbsPath(api, "gatewayclasses", l.namespace, "status").
			Body([]byte(`{"status":{"conditions":[],"supportedFeatures":[` + features + `]}}`)).Do(l.t.Context()).Error())
	}
	says(`{"name":"HTTPRoute"}`)
	w.applyFails(config(100)).tells("Gateway does not serve the route", "does not support HTTPRouteRequestMirror")
	says(`{"name":"HTTPRoute"},{"name":"HTTPRouteRequestMirror"}`)
	w.applyFails(config(20)).tells("does not support HTTPRouteRequestPercentageMirror")
	w.write(config(100))
	w.plan().silent("Gateway")
}

// TestAccMirrorIsAsked: what cannot be meant is an error of the plan, on its attribute.
func TestAccMirrorIsAsked(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	with := func(mirror string) string { return canaryOf(`{ weight = 10 }`, "mirror = "+mirror) }
	fine := with(`{ percent = 20, pause = "1m" }`)
	for _, tt := range []struct {
		main  []string
		tells []string
	}{
		{[]string{routed(), with(`{ percent = 0, pause = "1m" }`)}, []string{"canary.mirror.percent", "between 1 and 100"}},
		{[]string{routed(), with(`{ percent = 101, pause = "1m" }`)}, []string{"canary.mirror.percent", "between 1 and 100"}},
		{[]string{routed(), with(`{ pause = "1m" }`)}, []string{"`canary.mirror` must have `percent`"}},
		{[]string{routed(), with(`{ percent = 20 }`)}, []string{"Copies that end at once", "`pause`", "`gate"}},
		{[]string{routed(), with(`{ percent = 20, pause = "soon" }`)}, []string{"Invalid duration", "canary.mirror.pause"}},
		{[]string{routed(), with(`{ percent = 20, gate = "me" }`)}, []string{"manual"}},
		{[]string{routed(), with(`{ percent = 20, gate = "manual", replicas = 0 }`)}, []string{"at least 1"}},
		{[]string{fine}, []string{"Nothing can share the traffic", "traffic.gateway"}},
		{[]string{strings.ReplaceAll(routed(`kind = "TCPRoute"`), `hostnames = ["api.example.com"]`, ""), fine}, []string{"Copies of another kind of route", "An HTTPRoute and a GRPCRoute can"}},
		{[]string{`traffic = { service = { ports = { http = 80 } }, gateway = { name = "shop", rule = "api", adopt = true } }`, fine}, []string{"Copies of an adopted route", "A route of Switchback's own can send copies"}},
	} {
		r := w.applyFails(l.config(l.deployment(), l.main(tt.main...)))
		r.tells(tt.tells...)
		if text := r.messages("error"); strings.Contains(text, "Value Conversion") || strings.Contains(text, "panic") {
			t.Errorf("it also says\n%s", text)
		}
	}
	tcp := strings.ReplaceAll(onRoute("api"), `settle = "0s"`, `settle = "0s", kind = "TCPRoute"`)
	w.applyFails(l.config(l.application("api", "v1"), l.application("web", "v1"), group([]string{tcp, member("web")}, fine))).tells("Copies of another kind of route", `member "api"`)
	w.applyFails(l.config(l.application("api", "v1"), l.application("web", "v1"), group([]string{onRoute("api"), member("web")}, with(`{ percent = 20 }`)))).tells("Copies that end at once")
	l.wantNothingLeft()
}

// groupWithMirror: the members of a wave get copies together, and then each share.
func (l *lab) groupWithMirror() {
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.application("api", tag), l.application("web", tag), group([]string{onRoute("api"), onRoute("web")}, canaryOf(`{ weight = 10, pause = "1s" }`, `mirror = { percent = 30, gate = "manual" }`)))
	}
	w.apply(config("v1"))
	w.wantNoChanges()
	w.write(config("v2"))
	w.plan().wantSummary(theGroup, map[string]any{"text": "They get copies of 30 % of the requests before that, together"})
	w.apply(config("v2")).warns("gets copies of 30 % of the requests until somebody lets it go on", "ends it for all of the group")
	w.wantNoChanges()
	for _, application := range []string{"api", "web"} {
		if got := mirrors(l.rulesOf(application)); len(got) != 1 {
			l.t.Errorf("%s copies %q", application, got)
		}
	}
	state, _ := w.attributes(theGroup)
	l.letGoOn(state["status_reason"].(string), "api")
	w.apply(config("v2"))
	w.wantNoChanges()
	for _, application := range []string{"api", "web"} {
		if got := mirrors(l.rulesOf(application)); len(got) != 0 {
			l.t.Errorf("in the end, %s copies %q", application, got)
		}
	}
}
