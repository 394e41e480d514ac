package rollout_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// stopping is a version that stops on its way, and whose pods take a moment to be ready:
// so Kubernetes makes no more of them before it is paused.
func (s *service) stopping(version string, stops ...release.RollStop) release.Spec {
	return s.rolling(version, func(spec *release.Spec) {
		spec.Content.Image = "demo/slow-api:" + version
		spec.Rolling = release.Rolling{MaxSurge: "1", PauseAt: stops}
	})
}

func manually(percent int) release.RollStop {
	return release.RollStop{Percent: percent, Gate: release.GateManual}
}

// ofFour is a service with four pods.
func ofFour(t *testing.T) *service {
	t.Helper()
	s := inPlace(t)
	s.replicas = 4
	must(t, s.once(t).update(t.Context(), s.rolling("v1", nil), false))
	return s
}

// updated asks for a version, and says what became of it.
func (s *service) updated(ctx context.Context, t *testing.T, spec release.Spec) (rollout.Deployed, error) {
	t.Helper()
	p := s.once(t)
	defer p.done()
	return p.engine.Update(ctx, rollout.UpdateRequest{Spec: spec, Owner: p.owners["v1"], Keep: p.on})
}

// pausedAt fails the test unless the release is paused with so many new pods, or one more, and none of
// the old ones is missing for that.
func (s *service) pausedAt(done rollout.Deployed, err error, spec release.Spec, pods int32) {
	s.t.Helper()
	if err != nil || done.Status != release.StatusPaused {
		s.t.Fatalf("it ended as %+v: %v", done, err)
	}
	d, r := s.workload("v1"), s.record("v1")
	if !d.Spec.Paused || workload.ContentHash(d) != spec.Content.Normalize().Hash() || d.Status.UpdatedReplicas < pods || d.Status.UpdatedReplicas > pods+1 {
		s.t.Errorf("the workload is paused: %v; it has %d new pods, want %d", d.Spec.Paused, d.Status.UpdatedReplicas, pods)
	}
	if r.Status != release.StatusPaused || r.Busy() || r.Hash == workload.ContentHash(d) || r.Reason != done.Reason {
		s.t.Errorf("the record is %+v; it ended with %q", r, done.Reason)
	}
}

var printed = regexp.MustCompile("`kubectl patch configmap (\\S+) --namespace (\\S+) --type merge --patch '([^']+)'`")

// letGoOn does what the reason of a pause prints.
func (s *service) letGoOn(reason string) {
	s.t.Helper()
	line := printed.FindStringSubmatch(reason)
	if len(line) < 3 || line[2] != s.namespace {
		s.t.Fatalf("it says: %s", reason)
	}
	_, err := s.cluster.Client().CoreV1().ConfigMaps(line[2]).Patch(s.t.Context(), line[1], types.MergePatchType, []byte(line[3]), metav1.PatchOptions{})
	must(s.t, err)
}

// TestRollStops: at each of its stops, until somebody lets it go on from that very one.
func TestRollStops(t *testing.T) {
	t.Parallel()
	s := ofFour(t)
	v2 := s.stopping("v2", manually(25), manually(60))
	lines := len(s.history())
	done, err := s.updated(t.Context(), t, v2)
	s.pausedAt(done, err, v2, 1)
	pods := s.pods("v1")
	first := done.Reason
	// Another apply holds.
	done, err = s.updated(t.Context(), t, v2)
	s.pausedAt(done, err, v2, 1)
	if done.Reason != first || !slices.Equal(pods, s.pods("v1")) {
		t.Errorf("it says %q, and before %q; the pods are %v, were %v", done.Reason, first, s.pods("v1"), pods)
	}
	s.letGoOn(first)
	done, err = s.updated(t.Context(), t, v2)
	s.pausedAt(done, err, v2, 3)
	s.letGoOn(first) // for the stop that is over
	done, err = s.updated(t.Context(), t, v2)
	s.pausedAt(done, err, v2, 3)
	if told := s.history(); len(told) != lines {
		t.Errorf("it is not at its end, and the history says: %+v", told[lines:])
	}
	s.letGoOn(done.Reason)
	if done, err = s.updated(t.Context(), t, v2); err != nil || done.Status != release.StatusStarted {
		t.Fatalf("it ended as %+v: %v", done, err)
	}
	s.runs("v2", v2)
	if r := s.record("v1"); r.Roll != nil || r.Schema != release.RecordSchema {
		t.Errorf("the record is %+v", r)
	}
	if told := s.history(); len(told) != lines+1 || told[lines].Outcome != release.OutcomeSucceeded || told[lines].Version != "v2" {
		t.Errorf("the history says: %+v", told[lines:])
	}
	if n := s.fewest(); n < 2 {
		t.Errorf("at some moment only %d pods were ready", n)
	}
	s.address.NeverEmpty(t)
	s.statuses.allowed(s.life)
}

// TestRollPausesForAWhile: within one run, and over its end where it does not outlast the pause.
func TestRollPausesForAWhile(t *testing.T) {
	t.Parallel()
	s := ofFour(t)
	v2 := s.stopping("v2", release.RollStop{Percent: 50, Pause: time.Second})
	done, err := s.updated(t.Context(), t, v2)
	if err != nil || done.Status != release.StatusStarted {
		t.Fatalf("it ended as %+v: %v", done, err)
	}
	s.runs("v2", v2)
	phases := s.record("v1").Phases
	if !slices.ContainsFunc(phases, func(p release.Phase) bool { return p.Name == release.PhasePaused }) {
		t.Errorf("it did not pause: %v", phases)
	}
	v3 := s.stopping("v3", release.RollStop{Percent: 50, Pause: 24 * time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), testcluster.Hang)
	defer cancel()
	done, err = s.updated(ctx, t, v3)
	s.pausedAt(done, err, v3, 2)
	if !strings.Contains(done.Reason, "50 % of the pods of "+s.name("v1")+" have the new content. The pause ends at ") {
		t.Errorf("it says: %s", done.Reason)
	}
	// With a shorter pause, its time is up.
	v3.Rolling.PauseAt[0].Pause = time.Nanosecond
	if done, err = s.updated(t.Context(), t, v3); err != nil || done.Status != release.StatusStarted {
		t.Fatalf("it ended as %+v: %v", done, err)
	}
	s.runs("v3", v3)
	s.address.NeverEmpty(t)
	s.statuses.allowed(s.life)
}

// TestRollLeavesItsPause: other ways out of it than letting it go on.
func TestRollLeavesItsPause(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]struct {
		do     func(t *testing.T, s *service) error
		stands string
	}{
		"the former version is asked for": {func(t *testing.T, s *service) error {
			return s.once(t).update(t.Context(), s.rolling("v1", nil), false)
		}, "v1"},
		"another version is asked for": {func(t *testing.T, s *service) error {
			return s.once(t).update(t.Context(), s.rolling("v3", nil), false)
		}, "v3"},
		"it is cancelled": {func(t *testing.T, s *service) error {
			p := s.once(t)
			_, err := p.engine.Cancel(t.Context(), p.action("v1"))
			return err
		}, "v1"},
		"the stop is gone": {func(t *testing.T, s *service) error {
			return s.once(t).update(t.Context(), s.stopping("v2"), false)
		}, "v2"},
		"kubectl lets it go on": {func(t *testing.T, s *service) error {
			_, err := s.cluster.Client().AppsV1().Deployments(s.namespace).Patch(t.Context(), s.name("v1"), types.MergePatchType, []byte(`{"spec":{"paused":null}}`), metav1.PatchOptions{})
			must(t, err)
			return s.once(t).update(t.Context(), s.stopping("v2", manually(50)), false)
		}, "v2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ofFour(t)
			v2 := s.stopping("v2", manually(50))
			done, err := s.updated(t.Context(), t, v2)
			s.pausedAt(done, err, v2, 2)
			must(t, leave.do(t, s))
			spec := s.rolling(leave.stands, nil)
			if leave.stands == "v2" {
				spec = v2
			}
			s.runs(leave.stands, spec)
			if s.workload("v1").Spec.Paused || s.record("v1").Roll != nil {
				t.Errorf("paused: %v, the record says %+v", s.workload("v1").Spec.Paused, s.record("v1").Roll)
			}
			s.address.NeverEmpty(t)
			s.statuses.allowed(s.life)
		})
	}
}

// TestRollFailsInItsPause: a new pod that is no longer ready is a breach, and all go back.
func TestRollFailsInItsPause(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, s *service, kill func()){
		"a container is restarted": func(t *testing.T, s *service, _ func()) { s.restartNew(t) },
		"interrupted":              func(_ *testing.T, _ *service, kill func()) { kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ofFour(t)
			v2 := s.stopping("v2", release.RollStop{Percent: 50, Pause: time.Hour})
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			result := make(chan outcome, 1)
			go func() {
				done, err := s.updated(ctx, t, v2)
				result <- outcome{done, err}
			}()
			testcluster.Eventually(t, testcluster.Hang, "the stop", func() error {
				if r := s.record("v1"); r.Roll == nil || r.Roll.Stop == nil {
					return errors.New("it is not in it")
				}
				return nil
			})
			end(t, s, kill)
			got := <-result
			if got.err == nil || got.done.Status != release.StatusStarted {
				t.Fatalf("it ended as %+v: %v", got.done, got.err)
			}
			var start *rollout.StartError
			if name != "interrupted" && (!errors.As(got.err, &start) || !strings.Contains(start.Error(), "50 % of its pods had the new content and were ready") || !strings.Contains(start.Error(), "is back at version v1")) {
				t.Errorf("it says: %v", got.err)
			}
			s.runs("v1", s.rolling("v1", nil))
			if s.workload("v1").Spec.Paused || s.record("v1").Roll != nil {
				t.Errorf("paused: %v, the record says %+v", s.workload("v1").Spec.Paused, s.record("v1").Roll)
			}
			s.address.NeverEmpty(t)
			s.statuses.allowed(s.life)
		})
	}
}

// restartNew says of one of the new pods that its container has been restarted.
func (s *service) restartNew(t *testing.T) {
	t.Helper()
	hash := workload.ContentHash(s.workload("v1"))
	pods, err := s.cluster.Client().CoreV1().Pods(s.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + s.name("v1")})
	must(t, err)
	i := slices.IndexFunc(pods.Items, func(p corev1.Pod) bool { return p.Annotations[release.AnnotationContentHash] == hash })
	pod := &pods.Items[i]
	pod.Status.ContainerStatuses[0].RestartCount++
	_, err = s.cluster.Client().CoreV1().Pods(s.namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	must(t, err)
}

// TestStoppingRollKilledAfterEveryWrite: the next process finds the stop again, or goes
// back where that is asked for.
func TestStoppingRollKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stop   release.RollStop
		writes int
		then   []string
	}{
		"for a moment":   {stop: release.RollStop{Percent: 50, Pause: time.Nanosecond}, writes: 10, then: []string{"v2"}},
		"until somebody": {stop: manually(50), writes: 7, then: []string{"v2", "v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testcluster.EveryDeathThen(t, test.writes, test.then, func(t *testing.T, way, k int) bool {
				back := test.then[way] == "v1"
				s := inPlace(t)
				v2 := s.stopping("v2", test.stop)
				what, hit := s.killedRolling(t, v2, k)
				t.Logf("killed after %s", what)
				stands, spec := "v2", v2
				if back {
					stands, spec = "v1", s.rolling("v1", nil)
				}
				done, err := s.updated(t.Context(), t, spec)
				if test.stop.Gate != "" && !back {
					s.pausedAt(done, err, v2, 1)
					s.letGoOn(done.Reason)
					done, err = s.updated(t.Context(), t, spec)
				}
				if err != nil || done.Status != release.StatusStarted {
					t.Fatalf("after %s, it ended as %+v: %v", what, done, err)
				}
				s.runs(stands, spec)
				if s.workload("v1").Spec.Paused || s.record("v1").Roll != nil {
					t.Errorf("paused: %v, the record says %+v", s.workload("v1").Spec.Paused, s.record("v1").Roll)
				}
				s.address.NeverEmpty(t)
				s.statuses.allowed(s.life)
				return hit
			})
		})
	}
}

// TestRollStopsAheadOfOtherClusters: where the clusters come one after the other, the next
// one has its turn when the stop on the first is over.
func TestRollStopsAheadOfOtherClusters(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	second := testcluster.Clusters(t, 2)[1]
	far := &service{life: &life{t: t, cluster: second, proxy: second.Proxy(t), namespace: s.namespace, owners: s.owners, names: s.names}}
	_, err := second.Client().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}, metav1.CreateOptions{})
	must(t, err)
	there, err := cluster.New(cluster.Config{Name: "far", UserAgent: "terraform-provider-switchback/test", ConfigPath: far.proxy.KubeconfigPath})
	must(t, err)
	t.Cleanup(there.Close)
	p := s.process(t)
	request := rollout.UpdateRequest{Spec: s.rolling("v1", nil), Owner: p.owners["v1"], Keep: p.on, Add: []rollout.Cluster{wiredCluster{there}}}
	_, err = p.engine.Update(t.Context(), request)
	must(t, err)
	v1, v2 := far.pods("v1"), s.stopping("v2", manually(50))
	request.Spec, request.Keep, request.Add = v2, slices.Concat(request.Keep, request.Add), nil
	request.Rollout = release.Rollout{MaxParallel: 1, Order: []string{"prod", "far"}}
	done, err := p.engine.Update(t.Context(), request)
	s.pausedAt(done, err, v2, 1)
	waits := far.record("v1")
	if waits.Status != release.StatusPaused || !strings.Contains(waits.Reason, `after cluster "prod"`) || waits.Version != "v1" || !slices.Equal(v1, far.pods("v1")) {
		t.Errorf("there, the record is %+v, the pods are %v, were %v", waits, far.pods("v1"), v1)
	}
	s.letGoOn(done.Reason)
	done, err = p.engine.Update(t.Context(), request)
	far.pausedAt(done, err, v2, 1)
	s.runs("v2", v2)
	far.letGoOn(done.Reason)
	if done, err = p.engine.Update(t.Context(), request); err != nil || done.Status != release.StatusStarted {
		t.Fatalf("it ended as %+v: %v", done, err)
	}
	s.runs("v2", v2)
	far.runs("v2", v2)
	s.address.NeverEmpty(t)
}
