package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// onGateway is a lab on a cluster that knows the Gateway API, with a data plane that
// accepts whatever is asked of it.
func onGateway(t *testing.T, c *testcluster.Cluster, plurals ...string) *lab {
	t.Helper()
	t.Parallel()
	l := labOn(t, c)
	for _, plural := range append(plurals, "httproutes") {
		l.cluster.DataPlane(t, l.namespace, plural)
	}
	return l
}

// routed is `traffic` with a route.
func routed(lines ...string) string {
	return fmt.Sprintf("traffic = {\n    service = { ports = { http = 80 } }\n    gateway = {\n      parent_refs = [{ name = \"public\", namespace = \"gateway\" }]\n      hostnames = [\"api.example.com\"]\n      settle = \"0s\"\n      %s\n    }\n  }", strings.Join(lines, "\n      "))
}

// canaryOf is `canary` with these steps, and what stands beside them.
func canaryOf(steps string, lines ...string) string {
	return fmt.Sprintf("canary = {\n    steps = [%s]\n    %s\n  }", steps, strings.Join(lines, "\n    "))
}

// shares is `split` of one cluster.
func shares(of ...any) map[string]any {
	split := map[string]any{}
	for i := 0; i < len(of); i += 2 {
		split[of[i].(string)] = of[i+1]
	}
	return map[string]any{"default": split}
}

// withGateways is a cluster that knows Gateways, too, so that a route's parent is looked
// for. Tests share it.
func withGateways(t *testing.T) *testcluster.Cluster {
	t.Helper()
	c := testcluster.Routed(t, 2)[1]
	c.Routes(t, "grpcroutes", "tcproutes", "gateways", "gatewayclasses")
	return c
}

func TestAccCanary(t *testing.T) {
	t.Parallel()
	c := withGateways(t)
	for name, test := range map[string]func(*lab){
		"by shares":             (*lab).canaryByShares,
		"back by two":           (*lab).canaryBackByTwo,
		"that fails":            (*lab).canaryThatFails,
		"with a gate":           (*lab).canaryWithGate,
		"with a limit":          (*lab).canaryWithLimit,
		"rolled back by action": (*lab).canaryRolledBack,
		"what is left stays so": (*lab).whatIsLeftStaysSo,
		"resumed by action":     (*lab).canaryResumed,
		"steered by actions":    (*lab).canarySteered,
		"for a cohort":          (*lab).canaryForCohort,
		"a group on routes":     (*lab).groupOnRoutes,
		"with a long pause":     (*lab).canaryWithLongPause,
		"of a weight by hand":   (*lab).canaryByHand,
		"of other kinds":        (*lab).routesOfOtherKinds,
		"to a port over UDP":    (*lab).routeToUDP,
		"of a mesh":             (*lab).routeOfMesh,
		"a route comes, goes":   (*lab).routeComesAndGoes,
		"a route is taken over": (*lab).routeOfSomebodyElse,
		"a route is imported":   (*lab).routeIsImported,
		"a Gateway that is not": (*lab).gatewayThatDoesNotServe,
		"by an adopted rule":    (*lab).canaryByAdoptedRule,
		"an adopted rule, told": (*lab).adoptedRuleIsTold,
		"the first by a rule":   (*lab).firstByAdoptedRule,
		"with filters":          (*lab).routeWithFilters,
		"beside another":        (*lab).routeBesideAnother,
		"listed once":           (*lab).routesAreListedOnce,
		"is interrupted":        (*lab).canaryInterrupted,
		"a canary of a group":   (*lab).groupCanary,
		"a group is held":       (*lab).groupIsHeld,
		"a group that fails":    (*lab).groupThatFails,
		"that scales":           (*lab).canaryThatScales,
		"a group that scales":   (*lab).groupScales,
		"of autoscalers":        (*lab).canaryOfAutoscalers,
		"with copies":           (*lab).canaryWithMirror,
		"a Gateway without":     (*lab).gatewayWithoutMirror,
		"a group with copies":   (*lab).groupWithMirror,
		"the first, taken back": (*lab).firstByAdoptedRuleRolledBack,
		"the first of a group":  (*lab).firstOfGroupByAdoptedRule,
	} {
		t.Run(name, func(t *testing.T) { test(onGateway(t, c, "grpcroutes", "tcproutes")) })
	}
}

func (l *lab) canaryByShares() {
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), replicas(2), createFirst), l.main(routed(), keepPrevious(1), canaryOf(`{ weight = 10, pause = "1s" }, { weight = 50, pause = "1s" }`)))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1")).wantSummary(theMain, map[string]any{
		"action": "create", "steps": []any{"ready", "shift 100%", "commit", "collect"},
		"text": "It gets all of the traffic at once: it is the first, and nobody else could have the rest.",
	})
	w.wantState(theMain, "split", shares(v1, 100), "status", "finalized")
	w.wantNoChanges()
	route := l.routeUID()
	w.write(config("v2"))
	w.plan().wantSummary(theMain, map[string]any{
		"action": "promote", "steps": []any{"ready", "shift 10%", "pause 1s", "shift 50%", "pause 1s", "shift 100%", "commit", "collect"},
		"text": "It gets 10 %, 50 % of it first, is watched meanwhile, and loses it if it fails. The pauses take 2s in all.",
	})
	w.apply(config("v2"))
	w.wantState(theMain, "split", shares(v2, 100), "status", "finalized", "deployment_id", l.namespace+"/"+v2, "previous_deployment_id", l.namespace+"/"+v1)
	w.wantNoChanges()
	w.apply(config("v1"))
	w.wantState(theMain, "split", shares(v1, 100), "status", "finalized")
	w.wantNoChanges()
	if now := l.routeUID(); now != route { // without it, its host name answers 404
		l.t.Errorf("the route was made anew: its uid was %s, and is %s", route, now)
	}
	w.destroy()
	l.wantNothingLeft()
}

// canaryBackByTwo: what is kept gets all of the traffic at once, however long ago it was
// main. What is not kept goes through the steps.
func (l *lab) canaryBackByTwo() {
	w := l.inProcess()
	config := func(tag, step string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(routed(), keepPrevious(3), canaryOf(step)))
	}
	for _, tag := range []string{"v1", "v2", "v3"} {
		w.apply(config(tag, `{ weight = 50 }`))
	}
	const gated = `{ weight = 10, gate = "manual" }`
	w.apply(config("v1", gated)).wantSummary(theMain, map[string]any{
		"action": "return", "warm": true, "steps": []any{"ready", "shift 100%", "commit", "collect"}, "text": " back to " + l.namespace + "/" + nameOf("v1") + ", whose pods run already.",
	})
	w.wantState(theMain, "split", shares(nameOf("v1"), 100), "status", "finalized")
	w.apply(config("v4", gated))
	w.wantState(theMain, "split", shares(nameOf("v1"), 90, nameOf("v4"), 10), "status", "paused")
}

// canaryThatFails gives its share back, and is not tried again unasked.
func (l *lab) canaryThatFails() {
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), replicas(3), createFirst), l.main(routed(), keepPrevious(1), canaryOf(`{ weight = 10, pause = "9m" }`)))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1"))
	failed := l.whenShare(v2, 10, func() { l.failTwo(v2) })
	w.applyFails(config("v2")).tells("had had 10 % of the traffic", "1 of its 3 pods was ready", "Traffic: back where it was", "`retry_token`")
	failed()
	w.wantState(theMain, "deployment_id", l.namespace+"/"+v1, "status", "rolled_back", "split", shares(v1, 100))
	w.applyFails(config("v2")).tells("Deployment was taken back before")
	w.apply(config("v1"))
	w.wantNoChanges()
}

// whenShare does something once a release has a share of the traffic.
func (l *lab) whenShare(name string, percent int, do func()) (done func()) {
	l.t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		testcluster.Eventually(l.t, hang, "the share of "+name, func() error {
			if got := l.routeSplit()[name]; got != percent {
				return fmt.Errorf("it has %d", got)
			}
			return nil
		})
		do()
	}()
	return func() { <-ended }
}

// groupOnRoutes: members of a group have routes, which move all at once, and go back
// with the group.
func (l *lab) groupOnRoutes() {
	w := l.inProcess()
	onRoute := func(name string) string {
		traffic := `traffic = { service = { ports = { http = 80 } }, gateway = { parent_refs = [{ name = "public" }], settle = "0s" } }`
		return fmt.Sprintf("%s = { deployment_id = switchback_deployment.%s.id, %s }", name, name, traffic)
	}
	config := func(api, web string, lines ...string) string {
		return l.config(l.application("api", api), l.application("web", web, lines...), group([]string{onRoute("api"), onRoute("web")}, apiThenWeb))
	}
	w.apply(config("v1", "v1"))
	w.wantNoChanges()
	w.apply(config("v2", "v2"))
	w.wantNoChanges()
	for _, application := range []string{"api", "web"} {
		l.wantAddress(application, "v2")
	}
	if split := l.routeSplit(); split[releaseOf("api", "v2")] != 100 {
		l.t.Errorf("the route of api leads to %v", split)
	}
	w.destroy()
	l.wantNothingLeft()
}

// canaryForCohort: who sends the header gets what is being tried, for as long as it is.
func (l *lab) canaryForCohort() {
	w := l.inProcess()
	match := `match = [{ header = { name = "x-canary", exact = "1" } }, { cookie = { name = "track", exact = "shop" } }]`
	config := func(tag, limit string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(routed(`matches = [{ path = { value = "/v1" } }, { path = { value = "/v2" } }]`), keepPrevious(1), canaryOf(`{ weight = 10 }`, match, limit)))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1", "max_weight = 10"))
	if rules := l.rules(); len(rules) != 1 {
		l.t.Errorf("with nothing to try, the route has %d rules", len(rules))
	}
	w.apply(config("v2", "max_weight = 10"))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	w.wantNoChanges()
	rules := l.rules()
	if len(rules) != 2 || len(rules[0].BackendRefs) != 1 || string(rules[0].BackendRefs[0].Name) != v2 || len(rules[0].Matches) != 4 || len(rules[0].Matches[0].Headers) != 1 {
		l.t.Errorf("the route has %+v", rules)
	}
	w.apply(config("v1", "max_weight = 10"))
	w.wantState(theMain, "status", "finalized", "split", shares(v1, 100))
	if rules := l.rules(); len(rules) != 1 {
		l.t.Errorf("when it is over, the route has %d rules", len(rules))
	}
	w.apply(config("v3", "max_weight = 10"))
	w.apply(config("v2", ""))
	w.wantState(theMain, "status", "finalized", "split", shares(v2, 100))
	if rules := l.rules(); len(rules) != 1 || len(rules[0].Matches) != 2 {
		l.t.Errorf("when another one has all, the route has %+v", rules)
	}
	w.applyFails(l.config(l.deployment(), l.main(strings.ReplaceAll(routed(`kind = "TCPRoute"`), `hostnames = ["api.example.com"]`, ""), canaryOf(`{ weight = 10 }`, match)))).tells("Match of another kind of route", "canary.match")
}

func (l *lab) canaryWithLimit() {
	w := l.inProcess()
	config := func(tag, limit string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(routed(), keepPrevious(1), canaryOf(`{ weight = 10 }, { weight = 50 }`, limit)))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1", "max_weight = 10"))
	w.apply(config("v2", "max_weight = 5")).warns("A new deployment gets no traffic", "the first step gives 10 %")
	w.wantState(theMain, "status", "paused", "deployment_id", l.namespace+"/"+v2, "split", shares(v1, 100))
	w.wantNoChanges()
	w.apply(config("v2", "max_weight = 10"))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	w.wantNoChanges()
	w.apply(config("v2", "max_weight = 10") + "\n" + block(`data "switchback_main_deployment" "live"`, []string{fmt.Sprintf("namespace = %q", l.namespace), `application = "api"`}))
	w.wantState("switchback_main_deployment.live", "status", "paused", "strategy_data", map[string]any{"default": map[string]any{
		"deployment_id": l.namespace + "/" + v2, "switched_traffic": 10, "desired_switched_traffic": 100, "switch_traffic_step": 40,
		"amount_instances_to_wait": 0, "healthy_instances": 1, "launched_instances": 1,
	}})
	w.applyFails(strings.ReplaceAll(config("v2", "max_weight = 10"), "api.example.com", "www.example.com")).tells("Route changes while it shares the traffic", "deployment_id")
	w.applyFails(strings.ReplaceAll(config("v2", "max_weight = 10"), `name = "public"`, `name = "private"`)).tells("Route changes while it shares the traffic")
	w.applyFails(strings.ReplaceAll(config("v2", "max_weight = 10"), `settle = "0s"`, `name = "shop"`)).tells("Route changes while it shares the traffic")
	w.applyFails(l.config(l.deployment(image("v2"), createFirst), l.main(exposed(""), keepPrevious(1)))).tells("Route changes while it shares the traffic")
	w.apply(config("v2", "max_weight = 50")).wantActions(theMain, "update")
	w.wantState(theMain, "status", "paused", "split", shares(v1, 50, v2, 50))
	w.wantNoChanges()
	w.apply(config("v2", "max_weight = 20")).warns("Share is not lowered", l.namespace+"/"+v2+" has 50 % of the traffic already")
	w.wantState(theMain, "status", "paused", "split", shares(v1, 50, v2, 50))
	w.wantNoChanges()
	w.apply(config("v2", ""))
	w.wantState(theMain, "status", "finalized", "split", shares(v2, 100))
	w.wantNoChanges()
}

// canaryByHand: weights that somebody has changed are drift, and are put right.
func (l *lab) canaryByHand() {
	w := l.inProcess()
	config := l.config(l.deployment(image("v1"), createFirst), l.main(routed(), keepPrevious(1), canaryOf(`{ weight = 10, gate = "manual" }`)))
	next := strings.ReplaceAll(config, "demo/api:v1", "demo/api:v2")
	v1, v2 := nameOf("v1"), nameOf("v2")
	changed := func(status string, first, second int) {
		l.t.Helper()
		l.patchRoute(fmt.Sprintf(`{"spec":{"rules":[{"name":"switchback","backendRefs":[{"name":%q,"port":8080,"weight":%d},{"name":%q,"port":8080,"weight":%d}]}]}}`, v1, first, v2, second))
		w.refresh()
		w.wantState(theMain, "status", status, "split", shares(v1, first, v2, second))
	}
	drifts := func(expected, actual string) {
		l.t.Helper()
		if found := w.drift(theMain); len(found) != 1 || !(driftLine{Object: "HTTPRoute/api", Field: "spec.rules", Manager: somebody, Expected: expected, Actual: actual}).in(found[0]) {
			l.t.Errorf("drift is %+v", found)
		}
	}
	w.apply(config)
	w.apply(next)
	changed("paused", 70, 30)
	drifts(fmt.Sprintf("%s (weight 90), %s (weight 10)", v1, v2), fmt.Sprintf("%s (weight 70), %s (weight 30)", v1, v2))
	w.apply(next)
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	w.wantNoChanges()

	ended := strings.ReplaceAll(next, `, gate = "manual"`, "")
	w.apply(ended)
	route := l.routeUID()
	changed("finalized", 40, 60)
	drifts(v2+" (weight 100)", fmt.Sprintf("%s (weight 40), %s (weight 60)", v1, v2))
	again := w.apply(ended)
	again.wantActions(theMain, "update")
	again.wantSummary(theMain, map[string]any{"action": "change", "from": l.namespace + "/" + v2, "to": l.namespace + "/" + v2, "steps": []any{"ready", "shift 100%", "commit", "collect"}, "text": "Gives " + l.namespace + "/" + v2 + " all of the traffic again, whose shares somebody has changed."})
	w.wantState(theMain, "status", "finalized", "split", shares(v2, 100))
	w.wantNoChanges()
	changed("finalized", 40, 60)
	w.apply(strings.ReplaceAll(ended, "api.example.com", "www.example.com")) // no promotion is open: the route may change
	w.wantState(theMain, "status", "finalized", "split", shares(v2, 100))
	w.wantNoChanges()
	if now := l.routeUID(); now != route {
		l.t.Errorf("the route was made anew: its uid was %s, and is %s", route, now)
	}
}

// canaryThatScales: a new version has the pods that its share takes, and its plan is empty.
func (l *lab) canaryThatScales() {
	w := l.inProcess()
	config := func(tag string, count int, lines ...string) string {
		return l.config(l.deployment(image(tag), replicas(count), createFirst), l.main(routed(), keepPrevious(1), canaryOf(`{ weight = 25 }, { weight = 50, replicas = 3 }`, lines...)))
	}
	v1, v2, scales, held := nameOf("v1"), nameOf("v2"), "scale_with_weight = true", "max_weight = 25"
	w.apply(config("v1", 4))
	w.apply(config("v1", 4, scales)).wantActions(theMain, "update") // it is written down in the cluster
	w.wantNoChanges()
	l.wantReplicas(v1, 4)
	w.applyFails(config("v2", 2, scales)).tells("Step takes more pods than there are", "canary.steps[1] waits for 3 ready pods", v2+" has 2 at most")
	w.write(config("v2", 4, scales, held))
	w.plan().wantSummary(theMain, map[string]any{"text": "It has only the pods that each share takes, which are 25 % of them, 3 for 50 %, and all of them before it gets everything."})
	w.apply(config("v2", 4, scales, held))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 75, v2, 25))
	w.wantState(theDeployment, "status", "started", "replicas", 4)
	l.wantReplicas(v2, 1)
	l.wantReplicas(v1, 4)
	w.wantNoChanges()
	w.apply(config("v2", 8, scales, held)).wantActions(theDeployment, "update")
	l.wantReplicas(v2, 2)
	w.wantNoChanges()
	l.autoscale(v2, 5)
	w.refresh()
	w.wantState(theDeployment, "replicas", 5)
	if found := w.drift(theDeployment); len(found) != 1 || !(driftLine{Field: "spec.replicas", Expected: "2", Actual: "5"}).in(found[0]) {
		l.t.Errorf("drift is %+v", found)
	}
	w.apply(config("v2", 8, scales, held))
	l.wantReplicas(v2, 2)
	w.wantNoChanges()
	w.apply(config("v2", 8, scales))
	w.wantState(theMain, "status", "finalized", "split", shares(v2, 100))
	l.wantReplicas(v2, 8)
	w.wantNoChanges()
	l.autoscale(v2, 2) // as many as it had for its share
	w.refresh()
	if found := w.drift(theDeployment); len(found) != 1 || !(driftLine{Field: "spec.replicas", Expected: "8", Actual: "2"}).in(found[0]) {
		l.t.Errorf("drift is %+v", found)
	}
	w.apply(config("v2", 8, scales))
	l.wantReplicas(v2, 8)
	w.apply(config("v1", 4, scales)) // back
	l.wantReplicas(v1, 4)
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// TestAccCanaryIsAsked: what cannot be meant is an error of the plan, on its attribute.
func TestAccCanaryIsAsked(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	steps := `{ weight = 10 }`
	for _, tt := range []struct {
		main  []string
		tells []string
	}{
		{[]string{canaryOf(steps)}, []string{"Nothing can share the traffic", "traffic.gateway"}},
		{[]string{routed(), canaryOf(`{ weight = 10 }, { weight = 10 }`)}, []string{"Shares do not grow", "10 % follows 10 %"}},
		{[]string{routed(), canaryOf(`{ weight = 101 }`)}, []string{"101"}},
		{[]string{routed(), canaryOf(`{ weight = -1 }`)}, []string{"-1"}},
		{[]string{routed(), canaryOf(`{ weight = 50 }, { weight = 20 }`)}, []string{"Shares do not grow", "20 % follows 50 %"}},
		{[]string{routed(), canaryOf(`{ weight = 10, pause = "-5s" }`)}, []string{"-5s"}},
		{[]string{routed(), canaryOf(`{ weight = 10 }, { weight = 100, replicas = 2 }`)}, []string{"Pods of all of the traffic are not chosen", "canary.steps[1]"}},
		{[]string{routed(`probe = { url = "https://api.example.com", timeout = "31s" }`), canaryOf(steps)}, []string{"Duration is too long", "traffic.gateway.probe.timeout", "at most 30s"}},
		{[]string{routed(), canaryOf(``)}, []string{"steps"}},
		{[]string{routed(), canaryOf(`{ pause = "1m" }`)}, []string{"`canary.steps[0]` must have `weight`"}},
		{[]string{routed(), canaryOf(steps, `match = [{}]`)}, []string{"`canary.match[0]` must have one of `header`"}},
		{[]string{routed(), canaryOf(steps, `match = [{ header = { name = "x", exact = "1" }, cookie = { name = "x", exact = "1" } }]`)}, []string{"Attributes exclude each other"}},
		{[]string{routed(), canaryOf(steps, `match = [{ cookie = { name = "a b", exact = "1" } }]`)}, []string{"need not quote"}},
		{[]string{routed(), canaryOf(steps, `match = [{ cookie = { name = "a" } }]`)}, []string{"Attribute is missing", "`exact`"}},
		{[]string{routed(`matches = [{ headers = [{ name = "Cookie", value = "a=b" }] }]`), canaryOf(steps, `match = [{ cookie = { name = "a", exact = "1" } }]`)}, []string{"Header is asked for twice"}},
		{[]string{routed(), canaryOf(steps, `match = [{ header = { name = "x" } }]`)}, []string{"Attribute is missing", "`exact`"}},
		{[]string{routed(), canaryOf(`{ weight = 10, pause = "soon" }`)}, []string{"Invalid duration", "canary.steps[0].pause"}},
		{[]string{routed(), canaryOf(`{ weight = 10, gate = "me" }`)}, []string{"manual"}},
		{[]string{routed(`port = "web"`)}, []string{"No such port", `"web"`}},
		{[]string{routed(`name = "api-01234567"`)}, []string{"Name of a deployment's own route"}},
		{[]string{routed(`kind = "TCPRoute"`)}, []string{"Host names of a TCPRoute"}},
		{[]string{routed(`matches = [{ grpc = { service = "a" } }]`)}, []string{"Match of another kind of route"}},
		{[]string{routed(`probe = {}`)}, []string{"Attribute is missing", "`url`"}},
		{[]string{routed(`probe = { url = "api.example.com/healthz" }`)}, []string{"Invalid URL", "traffic.gateway.probe.url"}},
		{[]string{routed(`probe = { url = "https://me:sesame@api.example.com/healthz" }`)}, []string{"Credentials in a URL"}},
		{[]string{routed(`probe = { url = "https://api.example.com", timeout = "0s" }`)}, []string{"Invalid duration"}},
		{[]string{routed(`filters = {}`)}, []string{"Filters are empty"}},
		{[]string{routed(`filters = { request_header_modifier = {} }`)}, []string{"Header filter cannot be meant", "changes no header"}},
		{[]string{routed(`filters = { request_header_modifier = { set = { X-A = "1" }, remove = ["x-a"] } }`)}, []string{"Header filter cannot be meant", "named twice"}},
		{[]string{routed(`filters = { response_header_modifier = { set = { "x a" = "1" } } }`)}, []string{"name of a header"}},
		{[]string{routed(`filters = { url_rewrite = {} }`)}, []string{"Filter does nothing"}},
		{[]string{routed(`filters = { url_rewrite = { hostname = "*.example.com" } }`)}, []string{"Invalid host name"}},
		{[]string{routed(`filters = { url_rewrite = { path = { value = "v2" } } }`)}, []string{"must be a path"}},
		{[]string{routed(`filters = { url_rewrite = { path = { type = "ReplaceFullPath" } } }`)}, []string{"Attribute is missing", "`value`"}},
		{[]string{routed(`filters = { url_rewrite = { path = { value = "/" } } }`, `matches = [{ path = { value = "/a" } }, { path = { value = "/b" } }]`)}, []string{"Which prefix is replaced is not clear"}},
		{[]string{routed(`kind = "GRPCRoute"`, `filters = { url_rewrite = { hostname = "a.example.com" } }`)}, []string{"Filter of another kind of route"}},
		{[]string{strings.ReplaceAll(routed(`kind = "TCPRoute"`, `filters = { url_rewrite = { hostname = "a.example.com" } }`), `hostnames = ["api.example.com"]`, "")}, []string{"Filters of another kind of route"}},
		{[]string{strings.ReplaceAll(routed(), "api.example.com", "10.0.0.1")}, []string{"Invalid host name"}},
		{[]string{routed("adopt = true")}, []string{"Attribute of an adopted route", "Remove `hostnames`", "Remove `parent_refs`"}},
		{[]string{routed(`rule = "api"`)}, []string{"Rule of a route of its own", "adopt = true"}},
		{[]string{strings.ReplaceAll(routed(), "parent_refs", "#")}, []string{"Attribute is missing", "set `parent_refs`"}},
		{[]string{strings.ReplaceAll(routed(), `name = "public", `, "")}, []string{"Attribute is missing", "`name`"}},
	} {
		r := w.applyFails(l.config(l.deployment(), l.main(tt.main...)))
		r.tells(tt.tells...)
		if text := r.messages("error"); strings.Contains(text, "Value Conversion") || strings.Contains(text, "panic") || strings.Contains(text, " follows 0 %") {
			t.Errorf("it also says\n%s", text)
		}
	}
	l.wantNothingLeft()
}
