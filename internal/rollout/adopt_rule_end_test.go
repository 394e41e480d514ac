package rollout_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

func TestAdoptedRuleEnds(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster){
		"with nothing remembered":           ruleOfLostPointer,
		"with nothing remembered, shared":   sharedRuleOfLostPointer,
		"with a cohort, taken back by hand": cohortOfRuleTakenBack,
		"in a shift, taken back by hand":    cohortOfRuleTakenBackInShift,
		"left, and left again":              ruleLeftTwice,
		"left after a way back":             ruleLeftAfterWayBack,
		"renamed by its owner":              ruleRenamed,
		"in mid-shift":                      ruleTakenAway,
		"in mid-shift, unheard":             ruleTakenAwayUnheard,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

// losePointer deletes the application's ConfigMap.
func (l *life) losePointer() {
	l.t.Helper()
	must(l.t, l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(l.t.Context(), release.MainName("api"), metav1.DeleteOptions{}))
}

// endRule takes the address away, as a state does that knows of its route.
func (l *life) endRule(p *process) []rollout.Notice {
	l.t.Helper()
	told, err := p.engine.Unmain(l.t.Context(), rollout.UnmainRequest{Service: p.service(), Route: l.theirRule("api"), Owner: p.main, Clusters: p.on})
	must(l.t, err)
	return told
}

// ruleOfLostPointer: what it led to before is not known, nor who was main. It stays.
func ruleOfLostPointer(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	before := l.theirs()
	l.losePointer()
	told := l.endRule(p)
	if len(told) == 0 || !strings.Contains(told[0].Detail, "what it led to before is not known any more") {
		t.Errorf("it tells %v", told)
	}
	l.wantRule(before, l.name("v1")+":8080=100")
	l.wantNo("the Service", &corev1.Service{})
}

func sharedRuleOfLostPointer(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	held := steps(50)
	held.MaxWeight = 50
	_, err := p.sharing(t.Context(), "v2", held, nil)
	must(t, err)
	before := l.theirs()
	l.losePointer()
	if told := l.endRule(p); len(told) == 0 {
		t.Error("it tells nothing")
	}
	l.wantRule(before, l.name("v1")+":8080=50", l.name("v2")+":8080=50")
}

// cohortOfRuleTakenBack: its owner has given the rule's backends back, and left the rule
// of the cohort as it was.
func cohortOfRuleTakenBack(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	before := l.theirs()
	canary := steps(10)
	canary.MaxWeight = 10
	must(t, p.forCohort(canary, nil))
	l.takeRuleBack("api")
	l.endRule(p)
	l.wantNoCohort()
	l.wantRule(before, "api:80=1")
}

// cohortOfRuleTakenBackInShift: a way back that finds the rule taken back ends the cohort.
func cohortOfRuleTakenBackInShift(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	before := l.theirs()
	err := p.forCohort(release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.takeRuleBack("api")
			l.failReady()
		}
	})
	if err == nil {
		t.Fatal("it succeeds")
	}
	l.wantNoCohort()
	l.wantRule(before, "api:80=1")
}

// forCohort promotes v2 by shares, with a cohort.
func (p *process) forCohort(canary release.Canary, seen func(string)) error {
	route := p.theirRule("api")
	route.Cohort = []traffic.Header{{Name: "x-canary", Value: "1"}}
	_, err := p.engine.Promote(p.t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: route, Canary: canary, To: p.name("v2"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, Progress: seen,
	})
	return err
}

// wantNoCohort fails the test where the route has a rule of ours.
func (l *life) wantNoCohort() {
	l.t.Helper()
	if rules := l.theirs().Spec.Rules; len(rules) != 2 {
		l.t.Fatalf("the route has %d rules: %+v", len(rules), rules)
	}
}

// takeRuleBack makes the adopted rule, behind that of the cohort, lead to a Service by hand.
func (l *life) takeRuleBack(service string) {
	l.t.Helper()
	patch := fmt.Sprintf(`[{"op": "test", "path": "/spec/rules/2/name", "value": "api"}, {"op": "replace", "path": "/spec/rules/2/backendRefs", "value": [{"name": %q, "port": 80}]}]`, service)
	must(l.t, l.cluster.Client().Discovery().RESTClient().Patch(types.JSONPatchType).
		AbsPath("/apis/gateway.networking.k8s.io/v1/namespaces", l.namespace, "httproutes", "shop").
		Param("fieldManager", "kubectl-edit").Body([]byte(patch)).Do(l.t.Context()).Error())
}

// ruleLeftTwice: a run that is killed before it has given the rule back, and another change of
// the route, leave two routes behind. Both go.
func ruleLeftTwice(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	before := l.theirs()
	l.stillLeaves(p, before)

	p = l.process(t)
	route := p.route()
	route.Name = "api-two"
	_, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: route, Canary: steps(10), To: p.name("v1"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
	})
	must(t, err)
	l.wantRule(before, "api:80=1")
	l.wantLetGo()
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	if now := p.look().Route; now == nil || now.GetName() != "api-two" {
		t.Errorf("its route is %v", now)
	}
	l.wantNo("the route between", &gatewayv1.HTTPRoute{})
}

// ruleLeftAfterWayBack: a promotion that goes back does not forget what is still to go. It is
// unfinished work, and whoever comes next ends it.
func ruleLeftAfterWayBack(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	before := l.theirs()
	l.stillLeaves(p, before)
	p = l.process(t)
	_, err := p.sharing(t.Context(), "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.allReady("v2", "False")
		}
	})
	if breach := (*rollout.BakeError)(nil); !errors.As(err, &breach) {
		t.Fatalf("it says %v", err)
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantRule(before, l.name("v1")+":8080=100")
	status, reason, unfinished := observe.Unfinished([]observe.Main{p.look()})
	if !unfinished || status != release.MainFinalizing || !strings.Contains(reason, `its former rule "api" of the HTTPRoute shop`) {
		t.Errorf("it is %s: %s", status, reason)
	}
	p = l.process(t)
	_, err = p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	l.wantRule(before, "api:80=1")
	l.wantLetGo()
	if _, reason, unfinished := observe.Unfinished([]observe.Main{p.look()}); unfinished {
		t.Errorf("it is not finished: %s", reason)
	}
}

// stillLeaves goes over to a route of its own, and is killed before it has given the adopted
// rule back.
func (l *life) stillLeaves(p *process, before *gatewayv1.HTTPRoute) {
	t := l.t
	t.Helper()
	l.adoptRule = false
	l.proxy.SetFault(func(r *testcluster.Request, n int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/httproutes/shop") {
			return testcluster.Dead(r, n)
		}
		return testcluster.Fault{}
	})
	if _, err := p.sharing(t.Context(), "v1", steps(10), nil); err == nil {
		t.Fatal("the rule is given back")
	}
	l.proxy.SetFault(nil)
	l.wantRule(before, l.name("v1")+":8080=100")
}

// ruleRenamed: the message says what to do, and what the rule led to before is not forgotten.
func ruleRenamed(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	must(t, l.cluster.Client().Discovery().RESTClient().Patch(types.JSONPatchType).
		AbsPath("/apis/gateway.networking.k8s.io/v1/namespaces", l.namespace, "httproutes", "shop").
		Body([]byte(`[{"op":"replace","path":"/spec/rules/1/name","value":"shop-api"}]`)).Do(t.Context()).Error())
	if _, err := p.sharing(t.Context(), "v2", steps(10), nil); err == nil || !strings.Contains(err.Error(), "set `rule` to the new name") {
		t.Fatalf("it says %v", err)
	}
	_, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: l.theirRule("shop-api"), Canary: steps(10), To: p.name("v1"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
	})
	must(t, err)
	must(t, p.unmain(t.Context()))
	if refs := l.theirs().Spec.Rules[1].BackendRefs; len(refs) != 1 || refs[0].Name != "api" {
		t.Errorf("it leads to %+v", refs)
	}
}

// ruleTakenAway, while v2 has half of it, and nobody has v2 in a state any more. All of the
// traffic leaves v2 first: for what had it before, or for v1 where nobody answers there any
// more. Where v1 does not either, it stays as it is shared.
func ruleTakenAway(t *testing.T, c *testcluster.Cluster) {
	for _, tt := range []struct {
		name    string
		backend string // to which the rule led before
		bare    bool   // no pod of v1 is ready
		leads   []string
		tells   string // why it is not given back
	}{
		{"to the application's Service", "api", false, []string{"api:80=1"}, ""},
		{"to somebody's pods", "old", false, []string{"old:80=1"}, ""},
		{"to nobody", "nobody", false, []string{"v1:8080=100"}, "/nobody, to which it led before, has no pod that is ready"},
		{"to nobody, as v1", "nobody", true, []string{"v1:8080=50", "v2:8080=50"}, "/nobody, to which it led before, has no pod that is ready; nor has v1, which is main"},
	} {
		l := newLife(t, c)
		l.adoptRule = true
		c.DataPlane(t, l.namespace, "httproutes")
		c.Legacy(t, l.namespace, "old", "demo/old:1")
		p := l.process(t)
		must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"))
		l.shop(tt.backend)
		_, err := p.sharing(t.Context(), "v1", release.Canary{}, nil)
		must(t, err)
		before := l.theirs()
		held := steps(50)
		held.MaxWeight = 50
		_, err = p.sharing(t.Context(), "v2", held, nil)
		must(t, err)
		if err := p.terminate(t.Context(), "v2"); err == nil {
			t.Fatalf("%s: v2 is removed, and has traffic", tt.name)
		}
		if tt.bare {
			l.allReady("v1", "False")
		}
		named := strings.NewReplacer("v1", l.name("v1"), "v2", l.name("v2"))
		ended := l.watchEnd("v2")
		var told []string
		for _, n := range l.endRule(p) {
			told = append(told, n.Detail)
		}
		if text := strings.Join(told, "\n"); (tt.tells == "") != (text == "") || !strings.Contains(text, named.Replace(tt.tells)) {
			t.Errorf("%s: it tells %q", tt.name, text)
		}
		for i := range tt.leads {
			tt.leads[i] = named.Replace(tt.leads[i])
		}
		l.wantRule(before, tt.leads...)
		l.wantLetGo()
		if !tt.bare {
			l.wantEnded("v2", ended())
		} else if gone := ended(); len(gone) > 0 {
			t.Errorf("%s: of v2, %q have ended, and it has half of the traffic", tt.name, gone)
		}
	}
}

// ruleTakenAwayUnheard: until the data plane has followed, nothing of v2 goes. Whoever comes
// next ends it.
func ruleTakenAwayUnheard(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	l.adoptRule = true
	plane := c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"), p.promote(t.Context(), "v1", 1))
	l.shop("api")
	before := l.theirs()
	_, err := p.sharing(t.Context(), "v1", release.Canary{}, nil)
	must(t, err)
	held := steps(50)
	held.MaxWeight = 50
	_, err = p.sharing(t.Context(), "v2", held, nil)
	must(t, err)
	if err := p.terminate(t.Context(), "v2"); err == nil {
		t.Fatal("v2 is removed, and has traffic")
	}
	plane.Say(t, deaf)
	p.engine = impatient()
	ended := l.watchEnd("v2")
	for range 2 { // the second run finds the rule given back
		err = p.unmain(t.Context())
		if err == nil || !strings.Contains(err.Error(), "could not be given back: it is not known to be in effect after") || !strings.Contains(err.Error(), "Pending: it has not come to it") {
			t.Errorf("it says %v", err)
		}
		p = l.process(t)
		p.engine = impatient()
	}
	if gone := ended(); len(gone) > 0 || l.address() == nil {
		t.Errorf("of v2, %q have ended", gone)
	}
	plane.Say(t, testcluster.Accepting)
	ended = l.watchEnd("v2")
	must(t, l.process(t).unmain(t.Context()))
	l.wantEnded("v2", ended())
	l.wantRule(before, "api:80=1")
	l.wantLetGo()
}
