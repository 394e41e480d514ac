package rollout_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// behindTheirs is a life whose application has nothing yet but v1, which runs. The rule of
// somebody else's route leads to pods of theirs, by the Service `old`.
func behindTheirs(t *testing.T, c *testcluster.Cluster) (*life, *process) {
	t.Helper()
	l := newLife(t, c)
	l.adoptRule = true
	c.DataPlane(t, l.namespace, "httproutes")
	c.Legacy(t, l.namespace, "old", "demo/old:1")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"))
	l.shop("old")
	return l, p
}

// TestTheirs: the first release behind an adopted rule takes its traffic by shares from
// what the rule led to before.
func TestTheirs(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster){
		"share with the first":       theirsShare,
		"keep their weights":         theirsKeepWeights,
		"have it back":               theirsHaveItBack,
		"have it back after a pause": theirsHaveItBackPaused,
		"have it back at the end":    theirsHaveItBackAtTheEnd,
		"are told to have it back":   theirsToldBack,
		"are gone meanwhile":         theirsGone,
		"have weights too fine":      theirsTooFine,
		"share with a second one":    theirsShareAgain,
		"take it back in mid-shift":  theirsTakeItBack,
		"have it back when asked":    theirsHaveItBackAsked,
		"are gone at the end":        theirsGoneAtTheEnd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

func theirsShare(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	before := l.theirs()
	var seen []release.Split
	_, err := p.sharing(t.Context(), "v1", steps(10, 50), func(line string) {
		if strings.HasPrefix(line, "watching") {
			seen = append(seen, p.look().Split)
		}
	})
	must(t, err)
	want := []release.Split{{"old": 90, l.name("v1"): 10}, {"old": 50, l.name("v1"): 50}}
	if !slices.EqualFunc(seen, want, maps.Equal) {
		t.Errorf("the splits were %v, want %v", seen, want)
	}
	l.wantRule(before, l.name("v1")+":8080=100")
	l.wantMain("v1")
	if entry := l.pointer(); entry.Progress != nil {
		t.Errorf("it is not over: %+v", entry.Progress)
	}
	must(t, p.unmain(t.Context()))
	l.wantRule(before, "old:80=1")
	l.wantLetGo()
}

// theirsKeepWeights: what they have among each other stays as it is, exactly.
func theirsKeepWeights(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	c.Legacy(t, l.namespace, "older", "demo/older:1")
	l.writeShop(`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop}, spec: {
		parentRefs: [{name: public}], rules: [{name: api, backendRefs: [{name: old, port: 80, weight: 3}, {name: older, port: 80}]}]}}`)
	before := l.theirs()
	held := steps(10)
	held.MaxWeight = 10
	_, err := p.sharing(t.Context(), "v1", held, nil)
	must(t, err)
	l.wantRule(before, "old:80=27", "older:80=9", l.name("v1")+":8080=4")
	l.wantSplit(p, release.Split{"old+older": 90, l.name("v1"): 10})
	must(t, p.unmain(t.Context()))
	l.wantRule(before, "old:80=3", "older:80=1")
}

// wantLeft fails the test unless v1 is refused, which went back to theirs for such a reason.
func (l *life) wantLeft(err error, why string) {
	l.t.Helper()
	var refused *release.TakenBackError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "had 10 % of the traffic already") || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "traffic went back to old at") {
		l.t.Errorf("v1 is not refused: %v", err)
	}
}

// theirsHaveItBack: a release that does not do its work with a share has nothing of it any
// more, and nothing of the application is left. It is not tried again unasked.
func theirsHaveItBack(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	before := l.theirs()
	canary := steps(10)
	canary.Steps[0].Pause = longBake
	done, err := p.sharing(t.Context(), "v1", canary, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.allReady("v1", "False")
		}
	})
	var breach *rollout.BakeError
	if !errors.As(err, &breach) || breach.Share != 10 || done.Status != release.MainRolledBack || done.Moved {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	l.wantRule(before, "old:80=1")
	l.wantNo("the Service", &corev1.Service{})
	entries := l.history()
	if said := entries[len(entries)-2].Sentence(); !strings.Contains(said, "rollback from "+l.name("v1")+" to old") {
		t.Errorf("the history says %q", said)
	}
	p = l.process(t)
	l.wantLeft(p.tries("v1", "", steps(10)), "did not do its work with it")
	l.wantRule(before, "old:80=1")
	if kept := p.look(); kept.Main != nil || kept.Breach == nil || kept.Breach.To != l.name("v1") {
		t.Errorf("it is remembered as %+v, of %+v", kept.Breach, kept.Main)
	}
	must(t, p.tries("v1", "again", steps(10))) // with new pods
	l.wantRule(before, l.name("v1")+":8080=100")
	l.wantMain("v1")
	must(t, p.unmain(t.Context()))
	l.wantRule(before, "old:80=1")
	must(t, p.tries("v1", "", steps(10))) // with the address, that was forgotten
}

// theirsHaveItBackPaused: another run goes back from a pause, as the first one would.
func theirsHaveItBackPaused(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	before := l.theirs()
	held := steps(10)
	held.MaxWeight = 10
	_, err := p.sharing(t.Context(), "v1", held, nil)
	must(t, err)
	l.wantRule(before, "old:80=9", l.name("v1")+":8080=1")
	p = l.process(t)
	must(t, p.deploy(t.Context(), "v1"))
	held = steps(10, 50)
	held.Steps[1].Pause = longBake
	_, err = p.sharing(t.Context(), "v1", held, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.allReady("v1", "False")
		}
	})
	if breach := (*rollout.BakeError)(nil); !errors.As(err, &breach) {
		t.Fatalf("it says %v", err)
	}
	l.wantRule(before, "old:80=1")
}

// theirsHaveItBackAtTheEnd: until the commit, all of it goes back, too.
func theirsHaveItBackAtTheEnd(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	before := l.theirs()
	done, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: p.route(), Canary: steps(10), To: p.name("v1"), Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, Bake: longBake,
		Progress: func(line string) {
			if strings.HasPrefix(line, "watching") && p.look().Split[l.name("v1")] == 100 {
				l.allReady("v1", "False")
			}
		},
	})
	if breach := (*rollout.BakeError)(nil); !errors.As(err, &breach) || done.Status != release.MainRolledBack {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	l.wantRule(before, "old:80=1")
	l.wantNo("the Service", &corev1.Service{})
}

// theirsToldBack: a Ctrl-C waits for nothing, and the next run begins anew.
func theirsToldBack(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	before := l.theirs()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}
	done, err := p.sharing(ctx, "v1", canary, func(line string) {
		if strings.HasPrefix(line, "watching") {
			interrupt()
		}
	})
	if err == nil || done.Status != release.MainRollingBack || !strings.Contains(err.Error(), "told to go back to old") {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	l.wantRule(before, "old:80=1")
	p = l.process(t)
	must(t, p.deploy(t.Context(), "v1"))
	var said []string
	_, err = p.sharing(t.Context(), "v1", steps(10), func(line string) { said = append(said, line) })
	must(t, err)
	if !strings.Contains(strings.Join(said, "\n"), "back to old first") {
		t.Errorf("it says %q", said)
	}
	l.wantRule(before, l.name("v1")+":8080=100")
	must(t, p.unmain(t.Context()))
	l.wantRule(before, "old:80=1")
}

// theirsGone: nothing goes back to where nobody answers.
func theirsGone(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	before := l.theirs()
	canary := steps(10)
	canary.Steps[0].Pause = longBake
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	_, err := p.sharing(ctx, "v1", canary, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.endLegacy("old")
			interrupt()
		}
	})
	var stays *release.NoWayBackError
	if !errors.As(err, &stays) || !strings.Contains(err.Error(), "/old, to which it led before, has no pod that is ready") {
		t.Fatalf("it says %v", err)
	}
	l.wantRule(before, "old:80=9", l.name("v1")+":8080=1")
}

// theirsGoneAtTheEnd: where the address is destroyed in a pause, and nobody behind what the
// rule led to before answers, it stays as it is, and that is told. What is told to be removed
// in the end is only ours.
func theirsGoneAtTheEnd(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	c.Legacy(t, l.namespace, "older", "demo/older:1")
	l.writeShop(`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop}, spec: {
		parentRefs: [{name: public}], rules: [{name: api, backendRefs: [{name: old, port: 80, weight: 2}, {name: older, port: 80}]}]}}`)
	before := l.theirs()
	held := steps(25)
	held.MaxWeight = 25
	_, err := p.sharing(t.Context(), "v1", held, nil)
	must(t, err)
	l.endLegacy("old")
	l.endLegacy("older")
	told := l.endRule(p)
	if len(told) != 1 || !strings.Contains(told[0].Detail, "still leads to "+l.name("v1")+" and old+older: the Service "+l.namespace+"/old, to which it led before, has no pod that is ready") {
		t.Fatalf("it tells %v", told)
	}
	_, selector, _ := strings.Cut(told[0].Detail, " --selector '")
	selector, _, _ = strings.Cut(selector, "\n")
	if ours, err := labels.Parse(strings.TrimSuffix(selector, "'")); err != nil || ours.String() != release.LabelDeployment+" in ("+l.name("v1")+")" {
		t.Errorf("it tells to remove %q (%v)", selector, err)
	}
	l.wantRule(before, "old:80=2", "older:80=1", l.name("v1")+":8080=1")
	l.wantLetGo()
	l.wantNo("the Service", &corev1.Service{})
	if err := p.terminate(t.Context(), "v1"); err == nil || !strings.Contains(err.Error(), "shop leads to its Service") {
		t.Errorf("the end of v1 says %v", err)
	}
	if len(l.pods("v1")) == 0 {
		t.Error("its pods are gone, and the rule leads to them")
	}
}

func theirsTooFine(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	l.writeShop(`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop}, spec: {
		parentRefs: [{name: public}], rules: [{name: api, backendRefs: [{name: old, port: 80, weight: 10000}, {name: older, port: 80, weight: 1}]}]}}`)
	_, err := p.sharing(t.Context(), "v1", steps(10), nil)
	var unfit *release.RuleError
	if !errors.As(err, &unfit) || !strings.Contains(err.Error(), "in their lowest terms they make 10001, and may make 10000") {
		t.Errorf("it says %v", err)
	}
}

// theirsShareAgain: another version, asked for in the middle, begins with all of the traffic
// on theirs.
func theirsShareAgain(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	before := l.theirs()
	must(t, p.deploy(t.Context(), "v2"))
	held := steps(10)
	held.MaxWeight = 10
	_, err := p.sharing(t.Context(), "v1", held, nil)
	must(t, err)
	var seen []release.Split
	_, err = p.sharing(t.Context(), "v2", steps(20), func(line string) {
		if strings.HasPrefix(line, "watching") {
			seen = append(seen, p.look().Split)
		}
	})
	must(t, err)
	if want := []release.Split{{"old": 80, l.name("v2"): 20}}; !slices.EqualFunc(seen, want, maps.Equal) {
		t.Errorf("the splits were %v, want %v", seen, want)
	}
	l.wantMain("v2")
	must(t, p.unmain(t.Context()))
	l.wantRule(before, "old:80=1")
}

// theirsTakeItBack: what the owner of an adopted rule has taken back stays theirs when the
// run is interrupted.
func theirsTakeItBack(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	c.Legacy(t, l.namespace, "old", "demo/old:1")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}
	_, err := p.sharing(ctx, "v2", canary, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.shop("old")
			interrupt()
		}
	})
	if err == nil {
		t.Fatal("it succeeds")
	}
	l.wantRule(l.theirs(), "old:80=1")
}

// TestTheirsKilledAfterEveryWrite: whoever comes next ends it as an undisturbed run would,
// and the rule is given back as it was.
func TestTheirsKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	policies := release.AbandonPolicies()
	var ways []string
	for _, policy := range policies {
		ways = append(ways, string(policy))
	}
	testcluster.EveryDeathThen(t, 13, ways, func(t *testing.T, way, k int) bool {
		l, p := behindTheirs(t, c)
		before := l.theirs()
		canary := steps(10, 50)
		canary.OnAbandon = policies[way]
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		l.proxy.Reset()
		death := l.proxy.DiesAfter(k, ownWrite, kill)
		l.proxy.SetFault(death.Fault)
		_, err := p.sharing(ctx, "v1", canary, nil)
		l.proxy.SetFault(nil)
		what, dead := death.Last()
		p = l.process(t)
		if dead {
			_, err = p.sharing(t.Context(), "v1", canary, nil)
		}
		if err != nil {
			t.Fatalf("after %q: %v\n%s", what, err, l.log())
		}
		l.wantMain("v1")
		l.wantRule(before, l.name("v1")+":8080=100")
		must(t, p.unmain(t.Context()))
		l.wantRule(before, "old:80=1")
		t.Logf("killed after %q", what)
		return dead
	})
}

// endLegacy takes the pods of a legacy Deployment away, and waits until its Service has
// none.
func (l *life) endLegacy(name string) {
	l.t.Helper()
	ctx, client := l.t.Context(), l.cluster.Client()
	_, err := client.AppsV1().Deployments(l.namespace).Patch(ctx, name+"-legacy", types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
	must(l.t, err)
	testcluster.Eventually(l.t, testcluster.Hang, "the endpoints to go", func() error {
		found, err := client.DiscoveryV1().EndpointSlices(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + name})
		if err == nil && traffic.Answers(found) {
			err = errors.New("one is ready")
		}
		return err
	})
}
