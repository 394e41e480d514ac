package rollout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// theirRule is a rule of the route `shop`, which is somebody else's.
func (l *life) theirRule(rule string) *traffic.RouteSpec {
	return &traffic.RouteSpec{Namespace: l.namespace, Application: "api", Name: "shop", Kind: traffic.HTTPRoute, Adopt: true, Rule: rule, Port: "http", Settle: time.Millisecond}
}

// shop is that route, with rules that lead to a web site, and to backend.
func (l *life) shop(backend string) {
	l.t.Helper()
	l.writeShop(fmt.Sprintf(`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop, annotations: {owner: somebody}}, spec: {
		parentRefs: [{name: public}], hostnames: [shop.example.com], rules: [
			{name: web, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-shop, value: web}]}}], backendRefs: [{name: web, port: 80}]},
			{name: api, matches: [{path: {type: PathPrefix, value: /api}}, {path: {type: Exact, value: /graphql}}], timeouts: {request: 5s}, backendRefs: [{name: %s, port: 80}]}]}}`, backend))
}

func (l *life) writeShop(text string) {
	l.t.Helper()
	err := l.cluster.Client().Discovery().RESTClient().Patch(types.ApplyYAMLPatchType).
		AbsPath("/apis/gateway.networking.k8s.io/v1/namespaces", l.namespace, "httproutes", "shop").
		Param("fieldManager", "somebody").Param("force", "true").Body([]byte(strings.ReplaceAll(text, "\t", " "))).Do(l.t.Context()).Error()
	must(l.t, err)
}

// theirs is the route as it lives.
func (l *life) theirs() *gatewayv1.HTTPRoute {
	l.t.Helper()
	route := &gatewayv1.HTTPRoute{}
	text, err := l.cluster.Client().Discovery().RESTClient().Get().
		AbsPath("/apis/gateway.networking.k8s.io/v1/namespaces", l.namespace, "httproutes", "shop").DoRaw(l.t.Context())
	must(l.t, err, json.Unmarshal(text, route))
	return route
}

// wantRule compares the backends of the rule `api`, and that nothing else of the route
// has changed.
func (l *life) wantRule(before *gatewayv1.HTTPRoute, want ...string) {
	l.t.Helper()
	now, got := l.theirs(), []string(nil)
	for i, rule := range now.Spec.Rules {
		if rule.Name == nil || *rule.Name != "api" {
			continue
		}
		for _, ref := range rule.BackendRefs {
			got = append(got, fmt.Sprintf("%s:%d=%d", ref.Name, *ref.Port, *ref.Weight))
		}
		now.Spec.Rules[i].BackendRefs = before.Spec.Rules[i].BackendRefs
	}
	if !slices.Equal(got, want) {
		l.t.Errorf("the rule leads to %v, want %v", got, want)
	}
	one, _ := json.Marshal([]any{before.Spec, before.Labels, before.Annotations})
	other, _ := json.Marshal([]any{now.Spec, now.Labels, now.Annotations})
	if !bytes.Equal(one, other) {
		l.t.Errorf("the route was\n%s\nand is\n%s", one, other)
	}
}

// onAdoptedRule is a life with v1 behind a rule of somebody else's route, which led to
// the application's Service before, and v2 beside it.
func onAdoptedRule(t *testing.T, c *testcluster.Cluster) (*life, *process) {
	t.Helper()
	l := newLife(t, c)
	l.adoptRule = true
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"), p.promote(t.Context(), "v1", 1))
	l.shop("api")
	_, err := p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	return l, p
}

func TestAdoptedRule(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster){
		"shares, and is given back":    ruleShares,
		"of what came before":          ruleOfLegacy,
		"that cannot be given back":    ruleStays,
		"for a cohort":                 ruleForCohort,
		"that somebody writes again":   ruleWrittenAgain,
		"becomes a route of its own":   ruleBecomesOwn,
		"where the first one fails":    ruleOfFailure,
		"is refused":                   ruleRefused,
		"of another application's now": ruleOfAnother,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

func ruleShares(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	l.adoptRule = true
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"), p.promote(t.Context(), "v1", 1))
	l.shop("api")
	before := l.theirs()
	_, err := p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	l.wantRule(before, l.name("v1")+":8080=100")
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantMain("v1")

	var seen []int
	note := func(line string) {
		if strings.HasPrefix(line, "watching") {
			seen = append(seen, p.look().Split[l.name("v2")])
		}
	}
	_, err = p.sharing(t.Context(), "v2", steps(10, 50), note)
	must(t, err)
	if !slices.Equal(seen, []int{10, 50}) {
		t.Errorf("its shares were %v", seen)
	}
	l.wantRule(before, l.name("v2")+":8080=100")
	l.wantMain("v2", "v1")

	must(t, p.unmain(t.Context()))
	l.wantRule(before, "api:80=1")
	l.wantLetGo()
}

// wantLetGo asks that nothing of the route is ours any more: its owner's next apply would
// meet a conflict with whoever is gone.
func (l *life) wantLetGo() {
	l.t.Helper()
	for _, entry := range l.theirs().ManagedFields {
		if entry.Manager == release.FieldManager {
			l.t.Errorf("%s still has %s", entry.Manager, entry.FieldsV1)
		}
	}
}

// ruleOfLegacy: the first deployment takes what somebody else's pods had, which get it
// back in the end.
func ruleOfLegacy(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	l.adoptRule = true
	c.DataPlane(t, l.namespace, "httproutes")
	c.Legacy(t, l.namespace, "old", "demo/old:1")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"))
	l.shop("old")
	before := l.theirs()
	_, err := p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	l.wantRule(before, l.name("v1")+":8080=100")
	must(t, p.unmain(t.Context()))
	l.wantRule(before, "old:80=1")
}

// ruleStays: what would answer with errors gets nothing back.
func ruleStays(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	l.adoptRule = true
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"))
	l.shop("old")
	before := l.theirs()
	_, err := p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	told, err := p.engine.Unmain(t.Context(), rollout.UnmainRequest{Service: p.service(), Owner: p.main, Clusters: p.on})
	must(t, err)
	if len(told) == 0 || !strings.Contains(told[0].Detail, "the Service "+l.namespace+"/old, to which it led before, has no pod that is ready") {
		t.Errorf("it tells %v", told)
	}
	l.wantRule(before, l.name("v1")+":8080=100")
	l.wantLetGo()
	if err := p.terminate(t.Context(), "v1"); err == nil || !strings.Contains(err.Error(), "shop leads to its Service") {
		t.Errorf("its end says %v", err)
	}
	if len(l.pods("v1")) == 0 {
		t.Error("its pods are gone, and the rule leads to them")
	}
}

func ruleForCohort(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	before := l.theirs()
	route := l.theirRule("api")
	route.Cohort = []traffic.Header{{Name: "x-canary", Value: "1"}, {Name: "x-team", Value: "shop"}}
	canary := steps(10)
	canary.MaxWeight = 10
	ask := func() error {
		_, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
			Service: p.service(), Route: route, Canary: canary, To: p.name("v2"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
		})
		return err
	}
	must(t, ask(), ask())
	rules := l.theirs().Spec.Rules
	if len(rules) != 3 || *rules[1].Name != "cohort-api" || len(rules[1].Matches) != 4 || *rules[1].Timeouts.Request != "5s" || string(rules[1].BackendRefs[0].Name) != l.name("v2") {
		t.Fatalf("the rules are %+v", rules)
	}
	for i, match := range rules[1].Matches {
		if want := before.Spec.Rules[1].Matches[i/2].Path.Value; *match.Path.Value != *want || len(match.Headers) != 1 {
			t.Errorf("match %d is %+v", i, match)
		}
	}
	l.wantSplit(p, release.Split{l.name("v1"): 90, l.name("v2"): 10})
	canary.MaxWeight = 0
	must(t, ask())
	l.wantRule(before, l.name("v2")+":8080=100")
}

// ruleWrittenAgain: what its owner writes is shown, and taken back; what is given back in
// the end is what was written last.
func ruleWrittenAgain(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	before := l.theirs()
	c.Legacy(t, l.namespace, "old", "demo/old:1")
	l.shop("old")
	l.wantSplit(p, release.Split{})
	_, err := p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	l.wantRule(before, l.name("v1")+":8080=100")
	must(t, p.unmain(t.Context()))
	l.wantRule(before, "old:80=1")
}

func ruleBecomesOwn(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	before := l.theirs()
	l.adoptRule = false
	_, err := p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	l.wantRule(before, "api:80=1")
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	if route := p.look().Route; route == nil || route.GetName() != "api" {
		t.Errorf("its route is %v", route)
	}
	l.adoptRule = true
	_, err = p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	l.wantRule(before, l.name("v1")+":8080=100")
	l.wantNo("the route of its own", &gatewayv1.HTTPRoute{})
}

// ruleOfFailure: where the first deployment cannot take it, who had it has it again.
func ruleOfFailure(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	l.adoptRule = true
	plane := c.DataPlane(t, l.namespace, "httproutes")
	c.Legacy(t, l.namespace, "old", "demo/old:1")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"))
	l.shop("old")
	before := l.theirs()
	plane.Say(t, func(route map[string]any) []map[string]any {
		return []map[string]any{testcluster.Condition(route, "ResolvedRefs", false, "BackendNotFound", "no such Service")}
	})
	if _, err := p.sharing(t.Context(), "v1", steps(10), nil); err == nil {
		t.Fatal("it succeeds")
	}
	l.wantRule(before, "old:80=1")
	l.wantNo("the Service", &corev1.Service{})
}

func ruleRefused(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	l.adoptRule = true
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"))
	refused := func(rule, want string) {
		t.Helper()
		l.proxy.Reset()
		_, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{Service: p.service(), Route: l.theirRule(rule), To: p.name("v1"), Keep: oneStarted, Drain: faultyDrain, Clusters: p.on})
		var unfit *release.RuleError
		if !errors.As(err, &unfit) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", rule, err, want)
		}
		for _, r := range l.proxy.Writes() {
			if strings.Contains(r.Path, "/httproutes/") || strings.Contains(r.Path, "/configmaps/") {
				t.Errorf("%q: it wrote %s %s", rule, r.Method, r.Path)
			}
		}
	}
	refused("api", "there is no such route")
	l.shop("old")
	refused("cart", "the route has no rule of that name. Its rules are called: web, api")
	refused("", "the route has 2 rules. Say by `rule` which one")
	l.shop("web-0123abcd")
	refused("api", `it leads to the application "web"`)
}

// ruleOfAnother: one rule is of one application, whatever it leads to just now.
func ruleOfAnother(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	main := l.pointer()
	data, err := (&release.Main{Schema: release.MainSchema, Service: "web", Deployment: "web-0123abcd", Route: main.Route}).Marshal()
	must(t, err)
	_, err = l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: release.MainName("web"), Labels: map[string]string{
		release.LabelManagedBy: release.ManagedBy, release.LabelApplication: "web", release.LabelRole: release.RolePointer,
	}}, Data: data}, metav1.CreateOptions{})
	must(t, err)
	l.shop("old")
	_, err = p.sharing(context.WithoutCancel(t.Context()), "v2", steps(10), nil)
	if err == nil || !strings.Contains(err.Error(), `the application "web" has adopted it already`) {
		t.Errorf("it says %v", err)
	}
}
