package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// sharedSpan is an application behind a route on two or three clusters: v1 has all of the
// traffic, and v2 is started beside it.
type sharedSpan struct {
	*spanning
	planes []*testcluster.DataPlane
}

func spanRoutes(t *testing.T, clusters []*testcluster.Cluster) *sharedSpan {
	t.Helper()
	s := &sharedSpan{spanning: span(t, clusters)}
	for _, l := range s.on {
		s.planes = append(s.planes, l.cluster.DataPlane(t, l.namespace, "httproutes"))
	}
	s.must(s.share(t.Context(), "v1", release.Canary{}, nil, nil))
	return s
}

// share promotes by shares. seen is told of each line of progress.
func (s *sharedSpan) share(ctx context.Context, version string, canary release.Canary, seen func(string), ask func(*rollout.PromoteRequest)) (rollout.Promoted, error) {
	return s.promote(ctx, version, func(r *rollout.PromoteRequest) {
		r.Route, r.Canary, r.Progress = s.on[0].route(), canary, seen
		if ask != nil {
			ask(r)
		}
	})
}

// shares are the percentages that v2 has, on each cluster.
func (s *sharedSpan) shares() (percents []int) {
	s.t.Helper()
	for i := range s.on {
		percents = append(percents, s.split(i)[s.on[0].name("v2")])
	}
	return percents
}

// split is what the route of one cluster says.
func (s *sharedSpan) split(i int) release.Split {
	s.t.Helper()
	return traffic.RouteSplit(&s.on[i].routes(s.t)[0])
}

// back fails the test unless all of the traffic of some clusters is back at v1, and
// nothing is open there.
func (s *sharedSpan) back(clusters ...int) {
	s.t.Helper()
	for _, i := range clusters {
		if got, want := s.split(i), (release.Split{s.on[0].name("v1"): 100}); !maps.Equal(got, want) {
			s.t.Errorf("cluster %s: %s", spanned[i], cmpText(got, want))
		}
		s.on[i].wantMain("v1")
	}
}

// refusing is a data plane that takes no route in which v2 has so many percent.
func (s *sharedSpan) refusing(percent int) func(map[string]any) []map[string]any {
	return func(route map[string]any) []map[string]any {
		text, err := json.Marshal(route)
		must(s.t, err)
		if shareIn(s.t, text, s.on[0].name("v2")) == percent {
			return []map[string]any{testcluster.Condition(route, "Accepted", false, "NotAllowedByListeners", "no listener takes it")}
		}
		return testcluster.Accepting(route)
	}
}

func TestCanaryOverClusters(t *testing.T) {
	t.Parallel()
	clusters := testcluster.Routed(t, 3)
	for name, test := range map[string]func(*testing.T, *sharedSpan){
		"step by step":               clustersStepByStep,
		"one batch after the other":  sharesInBatches,
		"one is cut off":             clusterIsCutOff,
		"one data plane refuses":     dataPlaneRefuses,
		"the others go on":           otherClustersGoOn,
		"paused on both, and let go": pausedOnBoth,
		"called off on both":         calledOffOnBoth,
		"floors of each":             floorsOfEach,
		"one fails, each one ends":   eachOneEnds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, spanRoutes(t, clusters[:2]))
		})
	}
	for name, test := range map[string]func(*testing.T, *sharedSpan){
		"one of three fails":    oneOfThreeFails,
		"two of three fail":     twoOfThreeFail,
		"one of three breaches": oneOfThreeBreaches,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, spanRoutes(t, clusters))
		})
	}
}

// clustersStepByStep: nobody gets more before all have the share before.
func clustersStepByStep(t *testing.T, s *sharedSpan) {
	before := map[string]int{"moving 50 %": 10, "moving traffic": 50}
	s.must(s.share(t.Context(), "v2", steps(10, 50), func(line string) {
		for what, least := range before {
			if !strings.Contains(line, what) {
				continue
			}
			for i, share := range s.shares() {
				if share < least {
					t.Errorf("%s, and v2 has %d %% on cluster %s", line, share, spanned[i])
				}
			}
		}
	}, nil))
	s.settled("v2")
}

// sharesInBatches: each share goes over the clusters as a rollout says.
func sharesInBatches(t *testing.T, s *sharedSpan) {
	var lines []string
	s.must(s.share(t.Context(), "v2", steps(10), func(line string) {
		if cluster, what, moves := strings.Cut(line, ": moving "); moves {
			lines = append(lines, cluster+" "+strings.Fields(what)[0])
		}
	}, func(r *rollout.PromoteRequest) { r.Rollout = release.Rollout{MaxParallel: 1, Order: []string{"b"}} }))
	if got, want := strings.Join(lines, ", "), "b 10, a 10, b traffic, a traffic"; got != want {
		t.Errorf("it moves %s", got)
	}
	s.settled("v2")
}

// clusterIsCutOff in mid-shift: it holds all, and when the time is over the others go
// back. The next apply puts it in order, and goes on everywhere.
func clusterIsCutOff(t *testing.T, s *sharedSpan) {
	ctx, over := testcluster.Deadline(t, errors.New("timeouts.update is over"))
	var tries atomic.Int32
	away := func(*testcluster.Request, int) testcluster.Fault {
		if tries.Add(1) == 3 {
			over()
		}
		return testcluster.ConnectionReset()
	}
	done, err := s.share(ctx, "v2", steps(10, 50), func(line string) {
		if strings.HasPrefix(line, "b: moving 50 %") {
			s.on[1].proxy.SetFault(away)
		}
	}, nil)
	if err == nil || done.Moved || done.Status != release.MainFailed {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	if text := s.ended(done); !strings.HasPrefix(text, "rolled_back v1") || !strings.Contains(text, "failed") {
		t.Errorf("it tells %s", text)
	}
	s.back(0)
	if share := s.split(1)[s.on[0].name("v2")]; share > 50 {
		t.Errorf("on the cluster that is away, v2 has %d %%", share)
	}
	s.on[1].proxy.SetFault(nil)
	s.must(s.share(t.Context(), "v2", steps(10, 50), nil, nil))
	s.settled("v2")
}

// dataPlaneRefuses a share, on one cluster: all go back.
func dataPlaneRefuses(t *testing.T, s *sharedSpan) {
	s.planes[1].Say(t, s.refusing(50))
	done, err := s.share(t.Context(), "v2", steps(10, 50), nil, nil)
	if err == nil || done.Status != release.MainRolledBack || !strings.Contains(err.Error(), `on cluster "b"`) || !strings.Contains(err.Error(), "no listener takes it") {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	s.back(0, 1)
	s.planes[1].Say(t, testcluster.Accepting)
	s.must(s.share(t.Context(), "v2", steps(10, 50), nil, nil))
	s.settled("v2")
}

// eachOneEnds: v2 fails on one cluster, and ends as its on_failure says on both. It is tried
// once more, and started on both.
func eachOneEnds(t *testing.T, s *sharedSpan) {
	watched := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}
	_, err := s.share(t.Context(), "v2", watched, func(line string) {
		if strings.HasPrefix(line, "watching") {
			s.on[1].failReady()
		}
	}, nil)
	var breach *rollout.BakeError
	if !errors.As(err, &breach) {
		t.Fatal(err)
	}
	s.back(0, 1)
	for _, l := range s.on {
		l.wantStopped(l.process(t), "ready")
	}
	s.must(s.share(t.Context(), "v2", steps(10), nil, func(r *rollout.PromoteRequest) { r.RetryToken = "once more" }))
	s.settled("v2")
	for _, l := range s.on {
		l.wantRunning(nil)
	}
}

// otherClustersGoOn without the one that cannot, which is taken back alone.
func otherClustersGoOn(t *testing.T, s *sharedSpan) {
	s.planes[1].Say(t, s.refusing(50))
	done, err := s.share(t.Context(), "v2", steps(10, 50), nil, continuing(1))
	if text := s.ended(done); err != nil || done.Status != release.MainRunning || text != "finalized v2, rolled_back v1!" {
		t.Fatalf("it ends as %s, on the clusters as %s: %v", done.Status, text, err)
	}
	s.on[0].wantMain("v2", "v1")
	s.back(1)
	s.planes[1].Say(t, testcluster.Accepting)
	s.must(s.share(t.Context(), "v2", steps(10, 50), nil, continuing(1)))
	s.settled("v2")
}

// pausedOnBoth until somebody has let it go on on both: what it says names one that waits.
func pausedOnBoth(t *testing.T, s *sharedSpan) {
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Gate: release.GateManual}}}
	for i, waits := range spanned[:2] {
		done, err := s.share(t.Context(), "v2", canary, nil, nil)
		if must(t, err); done.Status != release.MainPaused || done.Moved || !strings.Contains(done.Reason, `on cluster "`+waits+`"`) {
			t.Fatalf("%d: it ends as %s, %s", i, done.Status, done.Reason)
		}
		if got := s.shares(); got[0] != 10 || got[1] != 10 {
			t.Errorf("v2 has the shares %v", got)
		}
		p := s.on[i].process(t)
		s.on[i].pointerWaits(p, true)
		s.on[i].resume(p)
		s.on[i].pointerWaits(p, false)
	}
	s.must(s.share(t.Context(), "v2", canary, nil, nil))
	s.settled("v2")
}

// floorsOfEach: what a former release has on one cluster says nothing of the other.
func floorsOfEach(t *testing.T, s *sharedSpan) {
	engine, on := s.process()
	defer closed(on)
	for _, version := range []string{"v1", "v2"} {
		spec := s.on[0].desired(version, nil)
		spec.Replicas, spec.Autoscaling = 2, &release.Autoscaling{Min: 2, Max: 10, CPU: new(int32(50))}
		_, err := engine.Deploy(t.Context(), on, spec)
		must(t, err)
	}
	s.on[0].autoscale("v1", 4)
	s.on[1].autoscale("v1", 8)
	floors := func() (all []int32) {
		for _, l := range s.on {
			all = append(all, workload.Floor(l.autoscaler("v1")), workload.Floor(l.autoscaler("v2")))
		}
		return all
	}
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 75, Gate: release.GateManual}}}
	done, err := s.share(t.Context(), "v2", canary, nil, nil)
	if must(t, err); done.Status != release.MainPaused {
		t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
	}
	if got := floors(); !slices.Equal(got, []int32{4, 3, 8, 6}) {
		t.Errorf("the floors are %v", got)
	}
	s.must(s.share(t.Context(), "v1", canary, nil, nil))
	if got := floors(); !slices.Equal(got, []int32{2, 2, 2, 2}) {
		t.Errorf("when the traffic is back, the floors are %v", got)
	}
	s.back(0, 1)
}

// calledOffOnBoth: each is told to go back, and the next run sees to both.
func calledOffOnBoth(t *testing.T, s *sharedSpan) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	done, err := s.share(ctx, "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}, func(line string) {
		if strings.HasPrefix(line, "watching") {
			for _, plane := range s.planes {
				plane.Say(t, deaf)
			}
			interrupt()
		}
	}, nil)
	if err == nil || done.Status != release.MainRollingBack || !strings.Contains(err.Error(), `On clusters "a", "b", all of the traffic was told to go back to `+s.on[0].name("v1")) {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	if text := s.ended(done); text != "rolling_back v1!, rolling_back v1!" {
		t.Errorf("it tells %s", text)
	}
	for _, plane := range s.planes {
		plane.Say(t, testcluster.Accepting)
	}
	s.must(s.share(t.Context(), "v2", steps(10), nil, nil))
	s.settled("v2")
}
