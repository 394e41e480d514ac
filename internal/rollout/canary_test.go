package rollout_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// withRoutes is a cluster that knows the Gateway API, which the tests that are not about
// routes do not expect.
func withRoutes(t *testing.T) *testcluster.Cluster {
	t.Helper()
	return testcluster.Routed(t, 1)[0]
}

func (l *life) route() *traffic.RouteSpec {
	if l.adoptRule {
		return l.theirRule("api")
	}
	return &traffic.RouteSpec{
		Namespace: l.namespace, Application: "api", Name: "api", Kind: traffic.HTTPRoute, Port: "http", Settle: time.Millisecond,
		Parents: []gatewayv1.ParentReference{{Name: "public"}}, Hostnames: []gatewayv1.Hostname{"api.example.com"},
	}
}

// sharing promotes by shares. seen is told of each line of progress.
func (p *process) sharing(ctx context.Context, version string, canary release.Canary, seen func(string)) (rollout.Promoted, error) {
	done, err := p.engine.Promote(ctx, rollout.PromoteRequest{
		Service: p.service(), Route: p.route(), Canary: canary, To: p.name(version), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, Progress: seen,
	})
	if done.Owner != "" {
		p.main = done.Owner
	}
	return done, err
}

func steps(shares ...int) (c release.Canary) {
	for _, share := range shares {
		c.Steps = append(c.Steps, release.CanaryStep{Weight: share, Pause: 50 * time.Millisecond})
	}
	return c
}

// look is the address as a Read sees it.
func (p *process) look() observe.Main {
	p.t.Helper()
	o := observe.Mains(p.t.Context(), []ownership.Cluster{p.on[0]}, p.namespace, "api", "api")[0]
	must(p.t, o.Err)
	return o
}

// writtenShares reads which weights of a version have been written to the route.
func (l *life) writtenShares(version string) (percents []int) {
	l.t.Helper()
	for _, r := range l.proxy.Writes() {
		if !strings.Contains(r.Path, "/httproutes/") || r.Status/100 != 2 || !strings.Contains(string(r.Body), `"backendRefs"`) {
			continue
		}
		percent := shareIn(l.t, r.Body, l.name(version))
		if n := len(percents); n == 0 || percents[n-1] != percent {
			percents = append(percents, percent)
		}
	}
	return percents
}

// onRoute is a life with v1 behind a route and a Service, and v2 beside it.
func onRoute(t *testing.T, c *testcluster.Cluster) (*life, *process) {
	t.Helper()
	l, p, _ := onRouteBehind(t, c)
	return l, p
}

// onRouteBehind is onRoute, with the data plane that serves the route.
func onRouteBehind(t *testing.T, c *testcluster.Cluster) (*life, *process, *testcluster.DataPlane) {
	t.Helper()
	l := newLife(t, c)
	plane := c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"))
	done, err := p.sharing(t.Context(), "v1", steps(10, 50), nil)
	if must(t, err); done.Status != release.MainFinalized {
		t.Fatalf("the first release ends as %s", done.Status)
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	return l, p, plane
}

func (l *life) wantSplit(p *process, want release.Split) {
	l.t.Helper()
	testcluster.Eventually(l.t, testcluster.Hang, "the split", func() error {
		if got := p.look().Split; !maps.Equal(got, want) {
			return errors.New(cmpText(got, want))
		}
		return nil
	})
}

func TestCanary(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster){
		"moves by shares":           movesByShares,
		"goes back from a share":    goesBackFromShare,
		"is paused, and goes on":    isPausedAndGoesOn,
		"is held at its most":       isHeldAtItsMost,
		"a third version":           aThirdVersion,
		"back in one step":          backInOneStep,
		"a killed one begins anew":  killedBeginsAnew,
		"a killed one goes on":      killedGoesOn,
		"a Service gets a route":    serviceGetsRoute,
		"a route goes":              routeGoes,
		"too few pods":              tooFewPods,
		"nobody accepts":            nobodyAccepts,
		"is called off":             isCalledOff,
		"an added port":             anAddedPort,
		"the address is taken away": addressIsTakenAway,
		"is resumed by name":        isResumed,
		"asks little":               asksLittle,
		"is called off, and left":   isCalledOffAndLeft,
		"is called off, unheard":    isCalledOffUnheard,
		"somebody goes back":        somebodyGoesBack,
		"a route and a version":     routeAndVersion,
		"nothing to protect":        nothingToProtect,
		"back from a pause":         backFromPause,
		"is probed":                 isProbed,
		"a probe fails":             isNotAnswered,
		"its route goes in a shift": routeGoesInAShift,
		"its route goes in a pause": routeGoesInAPause,
		"dies while nobody looks":   diesUnwatched,
		"pods before weight":        podsBeforeWeight,
		"replicas in a pause":       replicasInAPause,
		"a step says how many":      aStepSaysHowMany,
		"all pods for a way back":   allPodsForAWayBack,
		"the other side grows":      theOtherSideGrows,
		"a share fails to start":    aShareThatFailsToStart,
		"floors follow shares":      floorsFollowShares,
		"floors of whole releases":  floorsOfWholeReleases,
		"floors come back":          floorsComeBack,
		"floors follow growth":      floorsFollowGrowth,
		"floors end":                floorsEndWithTheAddress,
		"somebody's floor":          somebodysFloor,
		"one is autoscaled":         oneOfThemIsAutoscaled,
		"is denied in a pause":      isDeniedInAPause,
		"others write, too":         othersWriteToo,
		"its owner writes, too":     ownersWriteToo,
		"pauses outlast a deadline": pausesOutlastDeadline,
		"by the server's clock":     pauseByTheServersClock,
		"gates outlast a deadline":  gateOutlastsDeadline,
		"a parent does not accept":  oneParentDoesNot,
		"all is never in effect":    allIsNeverInEffect,
		"steps and a bake":          stepsAndBake,
		"a share is refused":        aShareIsRefused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

func movesByShares(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.proxy.Reset()
	var services []string // that the main Service leads to at each share
	done, err := p.sharing(t.Context(), "v2", steps(10, 50), func(line string) {
		if strings.Contains(line, "moving") {
			services = append(services, l.address().Spec.Selector[release.LabelDeployment])
		}
	})
	if must(t, err); done.Status != release.MainFinalized || !done.Moved {
		t.Errorf("it ends as %s", done.Status)
	}
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{10, 50, 100}) {
		t.Errorf("v2 had the shares %v", got)
	}
	if v1 := l.name("v1"); !slices.Equal(services, []string{v1, v1, v1}) {
		t.Errorf("ahead of the shares, the Service led to %q", services)
	}
	l.wantSplit(p, release.Split{l.name("v2"): 100})
	if now := l.address().Spec.Selector[release.LabelDeployment]; now != l.name("v2") {
		t.Errorf("the Service leads to %s", now)
	}
	l.wantMain("v2", "v1")
}

func goesBackFromShare(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}
	done, err := p.sharing(t.Context(), "v2", canary, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.failReady()
		}
	})
	var breach *rollout.BakeError
	if !errors.As(err, &breach) || breach.Share != 10 || done.Status != release.MainRolledBack || done.Moved {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	if text := err.Error(); !strings.Contains(text, "had had 10 % of the traffic") || !strings.Contains(text, "Traffic: back where it was") {
		t.Errorf("it says %s", text)
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantMain("v1")
	_, err = p.sharing(t.Context(), "v2", canary, nil)
	var refused *release.TakenBackError
	if !errors.As(err, &refused) {
		t.Errorf("the next run says %v", err)
	}
}

func isPausedAndGoesOn(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Gate: release.GateManual}, {Weight: 50, Gate: release.GateManual}}}
	v1, v2 := l.name("v1"), l.name("v2")
	var since time.Time
	for i, share := range []int{10, 50} {
		for range 2 { // as often as nobody has said anything
			done, err := p.sharing(t.Context(), "v2", canary, nil)
			if must(t, err); done.Status != release.MainPaused || done.Moved || !strings.Contains(done.Reason, "kubectl patch configmap api-switchback") {
				t.Fatalf("%d: it ends as %s, %s", i, done.Status, done.Reason)
			}
			l.wantSplit(p, release.Split{v1: 100 - share, v2: share})
			p = l.process(t) // on another machine
		}
		l.pointerWaits(p, true)
		if began := p.look().Main.Progress.Since; began.Equal(since) {
			t.Errorf("the pause at %d %% counts from the beginning of the one before", share)
		} else {
			since = began
		}
		l.resume(p)
		l.pointerWaits(p, false)
	}
	done, err := p.sharing(t.Context(), "v2", canary, nil)
	if must(t, err); done.Status != release.MainFinalized {
		t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
	}
	l.wantSplit(p, release.Split{v2: 100})
	l.wantMain("v2", "v1")
}

func isHeldAtItsMost(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	canary := steps(10, 50)
	for _, limit := range []int{5, 10, 10, 50, 20} { // below the first step, it gets nothing yet; below what it has, it keeps that
		canary.MaxWeight = limit
		most := limit
		if limit == 20 {
			most = 50
		}
		done, err := p.sharing(t.Context(), "v2", canary, nil)
		if must(t, err); done.Status != release.MainPaused || !strings.Contains(done.Reason, "canary.max_weight") {
			t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
		}
		want := release.Split{l.name("v1"): 100 - most, l.name("v2"): most}
		if most < 10 {
			want = release.Split{l.name("v1"): 100}
		}
		l.wantSplit(p, want)
	}
	canary.MaxWeight = 0
	_, err := p.sharing(t.Context(), "v2", canary, nil)
	must(t, err)
	l.wantSplit(p, release.Split{l.name("v2"): 100})
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{0, 10, 50, 100}) {
		t.Errorf("v2 had the shares %v", got)
	}
}

// aThirdVersion begins when the first has all of the traffic again.
func aThirdVersion(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	must(t, p.deploy(t.Context(), "v3"))
	held := steps(50)
	held.MaxWeight = 50
	_, err := p.sharing(t.Context(), "v2", held, nil)
	must(t, err)
	l.proxy.Reset()
	_, err = p.sharing(t.Context(), "v3", steps(20), nil)
	must(t, err)
	if v2, v3 := l.writtenShares("v2"), l.writtenShares("v3"); !slices.Equal(v2, []int{0}) || !slices.Equal(v3, []int{0, 20, 100}) {
		t.Errorf("v2 had the shares %v, v3 %v", v2, v3)
	}
	l.wantMain("v3", "v1")
}

// backInOneStep: neither the stable side of a promotion that is paused, nor a former main
// deployment, is tried by shares.
func backInOneStep(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	held := steps(50)
	held.MaxWeight = 50
	_, err := p.sharing(t.Context(), "v2", held, nil)
	must(t, err)
	l.proxy.Reset()
	done, err := p.sharing(t.Context(), "v1", held, nil)
	if must(t, err); done.Status != release.MainFinalized {
		t.Errorf("it ends as %s, %s", done.Status, done.Reason)
	}
	if got := l.writtenShares("v1"); !slices.Equal(got, []int{100}) {
		t.Errorf("v1 had the shares %v", got)
	}
	l.wantMain("v1")
	_, err = p.sharing(t.Context(), "v2", release.Canary{}, nil)
	must(t, err)
	l.wantMain("v2", "v1")
	l.proxy.Reset()
	_, err = p.sharing(t.Context(), "v1", held, nil)
	must(t, err)
	if got := l.writtenShares("v1"); !slices.Equal(got, []int{100}) {
		t.Errorf("back from v2, v1 had the shares %v", got)
	}
	l.wantMain("v1", "v2")
}

// killedInPause leaves a promotion to v2 behind with half of the traffic.
func (l *life) killedInPause(t *testing.T, p *process) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	_, err := p.sharing(ctx, "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 10}, {Weight: 50, Pause: longBake}}}, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault { return testcluster.ConnectionReset() })
			kill()
		}
	})
	if err == nil {
		t.Fatal("it was not killed")
	}
	l.proxy.SetFault(nil)
}

func killedBeginsAnew(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.killedInPause(t, p)
	p = l.process(t)
	l.wantSplit(p, release.Split{l.name("v1"): 50, l.name("v2"): 50})
	l.proxy.Reset()
	_, err := p.sharing(t.Context(), "v2", steps(10, 50), nil)
	must(t, err)
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{0, 10, 50, 100}) {
		t.Errorf("v2 had the shares %v", got)
	}
	l.wantMain("v2", "v1")
}

func killedGoesOn(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.killedInPause(t, p)
	p = l.process(t)
	began := p.look().Main.Progress.Since
	if began.IsZero() {
		t.Error("nobody knows since when the pause lasts")
	}
	l.proxy.Reset()
	canary := steps(10, 50)
	canary.OnAbandon, canary.Steps[1].Pause = release.AbandonHold, longBake
	short, cancel := context.WithTimeout(t.Context(), longBake/2) // it does not outlast the pause
	defer cancel()
	done, err := p.sharing(short, "v2", canary, nil)
	if must(t, err); done.Status != release.MainPaused {
		t.Fatalf("it ends as %s", done.Status)
	}
	l.pointerWaits(p, true)
	if goesOn := p.look().Main.Progress.Since; !goesOn.Equal(began) {
		t.Errorf("the pause began at %s, and after the kill at %s", began, goesOn)
	}
	canary.Steps[1].Pause = time.Nanosecond
	_, err = p.sharing(t.Context(), "v2", canary, nil)
	must(t, err)
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{50, 100}) {
		t.Errorf("v2 had the shares %v", got)
	}
	l.wantMain("v2", "v1")
}
