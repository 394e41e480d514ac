package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
)

// adoptsRule is `traffic` with a rule of somebody else's route.
func adoptsRule(lines string) string {
	return "traffic = {\n    service = { ports = { http = 80 } }\n    gateway = { adopt = true, settle = \"0s\", " + lines + " }\n  }"
}

// theirRoute is that route: its rule `shop` leads to a Service, and the other one to a
// web site.
func (l *lab) theirRoute(service string) {
	l.t.Helper()
	l.makeRoute(fmt.Sprintf(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"api"},"spec":{"parentRefs":[{"name":"public"}],"hostnames":["shop.example.com"],"rules":[
		{"name":"web","backendRefs":[{"name":"web","port":80}]},
		{"name":"shop","matches":[{"path":{"type":"PathPrefix","value":"/shop"}}],"backendRefs":[{"name":%q,"port":80}]}]}}`, service))
}

func (l *lab) wantBackends(rule string, want ...string) {
	l.t.Helper()
	var got []string
	for _, of := range l.rules() {
		if of.Name != nil && *of.Name == gatewayv1.SectionName(rule) {
			for _, ref := range of.BackendRefs {
				got = append(got, fmt.Sprintf("%s=%d", ref.Name, *ref.Weight))
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		l.t.Errorf("the rule %s leads to %v, want %v", rule, got, want)
	}
}

// canaryByAdoptedRule: an application with a Service takes over the rule of a route that
// leads to it, shares its traffic, and gives it back.
func (l *lab) canaryByAdoptedRule() {
	w := l.inProcess()
	config := func(tag string, main ...string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(append(main, keepPrevious(1))...))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1"))
	l.theirRoute("api")
	adopted := []string{adoptsRule(`rule = "shop"`), canaryOf(`{ weight = 10, gate = "manual" }`)}
	w.apply(config("v1", adopted...)).wantActions(theMain, "update")
	l.wantBackends("shop", v1+"=100")
	w.wantState(theMain, "split", shares(v1, 100), "status", "finalized")
	w.wantNoChanges()

	w.apply(config("v2", adopted...))
	w.wantState(theMain, "split", shares(v1, 90, v2, 10), "status", "paused")
	l.wantBackends("shop", v1+"=90", v2+"=10")
	l.patchRoute(fmt.Sprintf(`{"spec":{"rules":[{"name":"web","backendRefs":[{"name":"web","port":80}]},{"name":"shop","matches":[{"path":{"type":"PathPrefix","value":"/shop"}}],"backendRefs":[{"name":%q,"port":8080,"weight":1},{"name":%q,"port":8080,"weight":1}]}]}}`, v1, v2))
	w.refresh()
	w.wantState(theMain, "split", shares(v1, 50, v2, 50), "status", "paused")
	want := driftLine{Object: "HTTPRoute/api", Field: "spec.rules[shop].backendRefs", Expected: v1 + " (weight 90), " + v2 + " (weight 10)", Actual: v1 + " (weight 1), " + v2 + " (weight 1)", Manager: somebody}
	if found := w.drift(theMain); len(found) != 1 || !want.in(found[0]) {
		l.t.Errorf("drift is %+v", found)
	}
	w.apply(config("v2", adopted...))
	l.wantBackends("shop", v1+"=90", v2+"=10")
	w.wantNoChanges()

	w.apply(config("v1", adopted...))
	w.wantState(theMain, "split", shares(v1, 100), "status", "finalized")
	imported := l.inProcess()
	imported.write(config("v1", adopted...))
	imported.do("import", theDeployment, l.namespace+"/"+v1)
	imported.do("import", theMain, l.namespace+"/api")
	imported.wantNoChanges()

	// What is asked of it is remembered, as of a route of its own.
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	l.t.Cleanup(server.Close)
	probed := strings.ReplaceAll(adopted[0], `settle = "0s"`, fmt.Sprintf(`settle = "0s", probe = { url = %q }`, server.URL))
	imported.apply(config("v1", probed, adopted[1]))
	again := l.inProcess()
	again.write(config("v1", probed, adopted[1]))
	again.do("import", theDeployment, l.namespace+"/"+v1)
	again.do("import", theMain, l.namespace+"/api")
	again.wantNoChanges()
	imported = again

	imported.destroy()
	l.wantBackends("shop", "api=1")
	l.wantBackends("web", "web=1")
}

// adoptedRuleIsTold: what keeps a rule from being adopted is an error of the plan.
func (l *lab) adoptedRuleIsTold() {
	w := l.inProcess()
	plan := func(lines string, more ...string) *result {
		w.write(l.config(l.deployment(), l.main(append(more, adoptsRule(lines))...)))
		return w.plan()
	}
	plan("").warns("Route is not there", "HTTPRoute "+l.namespace+"/api")
	l.theirRoute("web")
	w.applyFails(l.config(l.deployment(), l.main(adoptsRule("")))).tells("Rule cannot be adopted", "2 rules", "web, shop", "\n\nWhere: traffic.gateway.rule")
	w.applyFails(l.config(l.deployment(), l.main(adoptsRule(`rule = "cart"`)))).tells("Rule cannot be adopted", "web, shop")
	r := plan(`rule = "shop"`)
	r.silent("adopted")
	r.silent("Another route")

	// What keeps a rule for a cohort from standing beside it.
	rules := func(web, shop, more string) {
		l.patchRoute(fmt.Sprintf(`{"spec":{"rules":[{"name":"web",%s"backendRefs":[{"name":"web","port":80}]},{"name":"shop",%s,"backendRefs":[{"name":"web","port":80}]}%s]}}`, web, shop, more))
	}
	cohort := func(summary string, texts ...string) {
		l.t.Helper()
		match := `match = [{ header = { name = "x-canary", exact = "1" } }, { header = { name = "x-team", exact = "shop" } }]`
		w.planFails(l.config(l.deployment(), l.main(adoptsRule(`rule = "shop"`), canaryOf(`{ weight = 10 }`, match)))).tells(append(texts, summary, "\n\nWhere: canary.match")...)
	}
	rules("", `"matches":[{"path":{"type":"PathPrefix","value":"/shop"},"headers":[{"name":"X-Team","value":"a"}]}]`, "")
	cohort("Header is asked for twice", `the matches of the rule "shop" of the HTTPRoute api`)
	rules("", `"matches":[{"path":{"type":"PathPrefix","value":"/shop"}}],"filters":[{"type":"URLRewrite","urlRewrite":{"path":{"type":"ReplacePrefixMatch","replacePrefixMatch":"/"}}}]`, "")
	cohort("Too many matches", "replaces a prefix of the path")
	paths := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"path":{"type":"Exact","value":"/%d"}}`, i))
		}
		return `"matches":[` + strings.Join(all, ",") + `]`
	}
	rules("", paths(33), "")
	cohort("Too many matches", "Each of the 33 matches of the rule \"shop\"")
	rules(paths(50)+",", paths(30), "")
	cohort("Too many matches", "would have 140 matches, and all of a route may have 128")
	rules("", paths(1), `,{"name":"cohort-api","backendRefs":[{"name":"web","port":80}]}`)
	cohort("No name for a cohort's rule", `gets a rule called "cohort-api", and a rule of its owner is called so`)
	weighs := func(web, older int) {
		l.patchRoute(fmt.Sprintf(`{"spec":{"rules":[{"name":"web","backendRefs":[{"name":"web","port":80}]},{"name":"shop","matches":[{"path":{"type":"PathPrefix","value":"/shop"}}],"backendRefs":[{"name":"web","port":80,"weight":%d},{"name":"older","port":80,"weight":%d}]}]}}`, web, older))
	}
	weighs(9999, 2)
	w.planFails(l.config(l.deployment(), l.main(adoptsRule(`rule = "shop"`), canaryOf(`{ weight = 10 }`)))).tells("Rule cannot be adopted", "too fine to be kept while the traffic is shared", "they make 10001, and may make 10000")
	plan(`rule = "shop"`).silent("adopted") // all at once, nothing is shared
	weighs(9998, 2)
	plan(`rule = "shop"`, canaryOf(`{ weight = 10 }`)).silent("adopted")
	weighs(1, 0)

	// It takes to read and to patch such routes, and no more.
	owns := []cluster.Feature{cluster.FeatureHTTPRoute, cluster.FeatureGRPCRoute, cluster.FeatureTCPRoute}
	may := func(without ...cluster.Feature) {
		rules, clusterRules := policyRules(slices.DeleteFunc(cluster.Features(), func(f cluster.Feature) bool { return slices.Contains(append(without, owns...), f) })...)
		l.provider = connection(l.cluster.RestrictedKubeconfig(l.t, l.namespace, rules, clusterRules...))
	}
	may(cluster.FeatureAdoptHTTPRoute)
	w.applyFails(l.config(l.deployment(), l.main(adoptsRule(`rule = "shop"`)))).tells("Permissions are missing", `to adopted_http_route: verb "patch" on httproutes.gateway.networking.k8s.io`)
	l.wantBackends("shop", "web=1", "older=0")
	may()
	w.apply(l.config(l.deployment(), l.main(adoptsRule(`rule = "shop"`))))
	l.wantBackends("shop", nameOf("v1")+"=100")
	w.wantNoChanges()

	// Another application wants it: also when its owner has led it elsewhere meanwhile.
	other := l.inProcess()
	application := `application = "cart"`
	wants := func(rule string) string {
		return l.config(l.deployment(application), l.main(application, adoptsRule("name = \"api\"\nrule = \""+rule+"\"")))
	}
	other.planFails(wants("shop")).tells("Rule cannot be adopted", `it leads to the application "api"`)
	l.patchRoute(`{"spec":{"rules":[{"name":"web","backendRefs":[{"name":"api","port":80}]},{"name":"shop","matches":[{"path":{"type":"PathPrefix","value":"/shop"}}],"backendRefs":[{"name":"web","port":80}]}]}}`)
	other.planFails(wants("shop")).tells("Rule cannot be adopted", `The rule "shop" of the HTTPRoute api`, `the application "api" has adopted it already`)
	other.write(wants("web"))
	other.plan().warns("Rule leads to another application", `leads to the Service "api"`, `the application "api"`, `gives it to "cart"`)

	// A route beside it asks for the same requests.
	l.gateway()
	l.patchRoute(`{"spec":{"parentRefs":[{"name":"mine"}]}}`)
	l.routeBeside(l.namespace, "HTTPRoute", "other", `}],"hostnames":["shop.example.com"],"rules":[{"matches":[{"path":{"type":"PathPrefix","value":"/shop/"}}]}]`)
	w = l.inProcess() // the former process remembers what it has seen, for a while
	plan(`rule = "shop"`, `drain = "2s"`).warns("Another route does not serve", l.namespace+"/other asks Gateway "+l.namespace+"/mine for the same as the adopted rule of "+l.namespace+"/api: requests with the path /shop (PathPrefix) for shop.example.com")
	plan(`rule = "web"`).silent("Another route")
}

// firstByAdoptedRule: the first deployment behind an adopted rule shares its traffic with what
// the rule led to before.
func (l *lab) firstByAdoptedRule() {
	l.cluster.Legacy(l.t, l.namespace, "old", "demo/old:1")
	l.theirRoute("old")
	w := l.inProcess()
	v1, v2 := nameOf("v1"), nameOf("v2")
	config := func(tag string, canary ...string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(append(canary, keepPrevious(1), adoptsRule(`rule = "shop"`))...))
	}
	gated := canaryOf(`{ weight = 10, gate = "manual" }`)
	w.write(config("v1", gated))
	w.plan().wantSummary(theMain, map[string]any{
		"action": "create", "from": nil, "steps": []any{"ready", "shift 10%", "pause manual", "shift 100%", "commit", "collect"},
		"text": `Takes over the backends of the rule "shop" of the HTTPRoute api, which stays somebody else's: nothing else of it is changed. What these are now is remembered, has the rest of the traffic until all of it has moved, and is what the rule leads to again when this goes back, or when it is destroyed.`,
	})
	w.apply(config("v1", gated))
	w.wantState(theMain, "split", shares("old", 90, v1, 10), "status", "paused", "deployment_id", l.namespace+"/"+v1, "drift", []any{})
	l.wantBackends("shop", "old=9", v1+"=1")
	w.wantNoChanges()

	// Another version begins with all of the traffic where it was.
	w.apply(config("v2", gated))
	w.wantState(theMain, "split", shares("old", 90, v2, 10), "status", "paused")
	w.wantNoChanges()
	w.apply(config("v2", canaryOf(`{ weight = 10, pause = "1s" }`)))
	w.wantState(theMain, "split", shares(v2, 100), "status", "finalized")
	l.wantBackends("shop", v2+"=100")
	w.wantNoChanges()
	w.destroy().warns("Rule is given back", `the rule "shop" of the HTTPRoute api leads to what it led to before`)
	l.wantBackends("shop", "old=1")

	w.applyFails(l.config(l.deployment(), l.main(adoptsRule(`rule = ""`)))).tells("Name of a rule is empty")
}

// firstOfGroupByAdoptedRule: a group goes back as a whole from the first deployments of its
// members, behind an adopted rule.
func (l *lab) firstOfGroupByAdoptedRule() {
	l.cluster.Legacy(l.t, l.namespace, "old", "demo/old:1")
	l.theirRoute("old")
	w := l.inProcess()
	config := func(lines ...string) string {
		api := fmt.Sprintf("api = {\n    deployment_id = switchback_deployment.api.id\n    %s\n  }", adoptsRule(`rule = "shop"`))
		return l.config(l.application("api", "v1"), group([]string{api},
			append(lines, canaryOf(`{ weight = 10, gate = "manual" }`))...))
	}
	w.apply(config())
	w.wantState(theGroup, "status", "paused")
	l.wantBackends("shop", "old=9", releaseOf("api", "v1")+"=1")
	l.speak().invoke(rollbackGroup, data{"namespace": l.namespace, "name": "shop"}).fine(`the group "shop" is back: api on old`)
	l.wantBackends("shop", "old=1")
	w.write(config())
	w.plan().warns("The apply of this plan will be refused", "admin asked to go back; traffic went back to old")
	w.applyFails(config()).tells("Deployment was taken back before")
	l.wantBackends("shop", "old=1")
	w.apply(config(`retry_token = "again"`))
	w.wantState(theGroup, "status", "paused")
	l.wantBackends("shop", "old=9", releaseOf("api", "v1")+"=1")
}

// firstByAdoptedRuleRolledBack: an action gives the rule back in a pause of the first
// deployment behind it. That is not tried again unasked.
func (l *lab) firstByAdoptedRuleRolledBack() {
	l.cluster.Legacy(l.t, l.namespace, "old", "demo/old:1")
	l.theirRoute("old")
	w := l.inProcess()
	config := func(token string) string {
		return l.config(l.deployment(image("v1"), createFirst), l.main(token, adoptsRule(`rule = "shop"`), canaryOf(`{ weight = 10, gate = "manual" }`)))
	}
	w.apply(config(""))
	l.wantBackends("shop", "old=9", nameOf("v1")+"=1")
	l.speak().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).fine()
	l.wantBackends("shop", "old=1")
	w.write(config(""))
	planned := w.plan()
	planned.wantActions(theMain, "create")
	planned.warns("The apply of this plan will be refused", "had 10 % of the traffic already, and admin asked to go back; traffic went back to old")
	w.applyFails(config("")).tells("Deployment was taken back before", "admin asked to go back")
	l.wantBackends("shop", "old=1")
	w.apply(config(`retry_token = "again"`))
	w.wantState(theMain, "status", "paused", "split", shares("old", 90, nameOf("v1"), 10))
	l.wantBackends("shop", "old=9", nameOf("v1")+"=1")
	w.wantNoChanges()
}
