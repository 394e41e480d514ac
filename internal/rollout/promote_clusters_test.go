package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// spanning is an application on the clusters a, b and c: v1 is main on all of
// them, and v2 is started beside it.
type spanning struct {
	t     *testing.T
	on    []*life // by name
	owner string
}

var spanned = []string{"a", "b", "c"}

func span(t *testing.T, clusters []*testcluster.Cluster) *spanning {
	t.Helper()
	s := &spanning{t: t}
	for i, c := range clusters {
		l := &life{t: t, cluster: c, proxy: c.Proxy(t), owners: map[string]string{}}
		if i == 0 {
			l.namespace = c.Namespace(t)
		} else {
			l.namespace = s.on[0].namespace
			if _, err := c.Client().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		s.on = append(s.on, l)
	}
	engine, on := s.process()
	defer closed(slices.Clone(on)) // who asks for fewer deletes from it
	for _, version := range []string{"v1", "v2"} {
		if _, err := engine.Deploy(t.Context(), on, s.on[0].desired(version, nil)); err != nil {
			t.Fatal(err)
		}
		if version == "v1" {
			s.must(s.promote(t.Context(), "v1", nil))
		}
	}
	return s
}

// process is a new run of the provider.
func (s *spanning) process() (*rollout.Engine, []rollout.Cluster) {
	s.t.Helper()
	var on []rollout.Cluster
	for i, l := range s.on {
		c, err := cluster.New(cluster.Config{Name: spanned[i], UserAgent: "terraform-provider-switchback/test", ConfigPath: l.proxy.KubeconfigPath})
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(c.Close)
		on = append(on, wiredCluster{c})
	}
	timing := faultyTiming()
	timing.Settle = 15 * time.Second // waited for where something is not ready
	return rollout.New(timing), on
}

func (s *spanning) must(done rollout.Promoted, err error) {
	s.t.Helper()
	if err != nil || done.Status != release.MainFinalized {
		s.t.Fatalf("%+v: %v", done, err)
	}
}

// promote is an apply; ask may change what it asks for.
func (s *spanning) promote(ctx context.Context, version string, ask func(*rollout.PromoteRequest)) (rollout.Promoted, error) {
	engine, on := s.process()
	defer closed(slices.Clone(on)) // who asks for fewer deletes from it
	first := s.on[0]
	req := rollout.PromoteRequest{Service: first.service(), To: first.name(version), Owner: s.owner, Keep: oneStarted, Drain: faultyDrain, Clusters: on}
	if ask != nil {
		ask(&req)
	}
	done, err := engine.Promote(ctx, req)
	if done.Owner != "" {
		s.owner = done.Owner
	}
	return done, err
}

// traffic is where the address leads to on each cluster: "v1 v1 v2".
func (s *spanning) traffic() string {
	s.t.Helper()
	var parts []string
	for _, l := range s.on {
		svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(s.t.Context(), "api", metav1.GetOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		parts = append(parts, l.version(svc.Spec.Selector[release.LabelDeployment]))
	}
	return strings.Join(parts, " ")
}

// settled fails the test unless a version is main everywhere, after v1, and
// nothing is left to do.
func (s *spanning) settled(version string) {
	s.t.Helper()
	for _, l := range s.on {
		var previous []string
		if version != "v1" {
			previous = []string{"v1"}
		}
		l.wantMain(version, previous...)
	}
}

// ended is how a promotion ended on each cluster, as it tells: "finalized v2".
func (s *spanning) ended(done rollout.Promoted) string {
	var parts []string
	for i, o := range done.Clusters {
		if o.Cluster != spanned[i] {
			s.t.Errorf("outcome %d is of %q", i, o.Cluster)
		}
		now, known := o.Split.Stable()
		text := string(o.Status) + " "
		switch {
		case known:
			text += s.on[0].version(now)
		case o.Split == nil:
			text += "?"
		}
		if o.Err != nil {
			text += "!"
		}
		parts = append(parts, strings.TrimSpace(text))
	}
	return strings.Join(parts, ", ")
}

func continuing(quorum int) func(*rollout.PromoteRequest) {
	return func(r *rollout.PromoteRequest) {
		r.Rollout = release.Rollout{OnFailure: release.FailureContinue, Quorum: quorum}
	}
}

// refuseService lets no write to the main Service through; the first so many are
// fine.
func refuseService(after int) func(*testcluster.Request, int) testcluster.Fault {
	var mu sync.Mutex
	n := 0
	return func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method != http.MethodPatch || !strings.HasSuffix(r.Path, "/services/api") {
			return testcluster.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		if n++; n <= after {
			return testcluster.Fault{}
		}
		return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
	}
}

// TestPromotionOverClusters: what becomes of the others when something goes wrong
// on one cluster, and that the next apply goes on from there.
func TestPromotionOverClusters(t *testing.T) {
	t.Parallel()
	clusters := testcluster.Clusters(t, 3)
	tests := map[string]func(*testing.T, *spanning){
		"one fails at each step, all or none":     oneFailsAllOrNone,
		"one fails at each step, the others go":   oneFailsOthersGo,
		"too few are left":                        tooFewAreLeft,
		"one batch after the other":               oneBatchAfterTheOther,
		"a batch fails its bake":                  batchFailsItsBake,
		"one fails its bake, the others go":       bakeFailsOthersGo,
		"one fails its bake, all go back":         bakeFailsAllGoBack,
		"killed between two clusters, then fails": killedBetweenClusters,
		"killed between two, then one is unready": killedThenUnready,
		"one is not ready for it":                 oneIsUnready,
		"one is added and fails its bake":         addedFailsItsBake,
		"a create that fails leaves no owner":     failedCreateLeavesNoOwner,
	}
	t.Run("on three", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, span(t, clusters))
			})
		}
	})
}

// breakage is something that goes wrong on cluster b, and how it is mended.
type breakage struct {
	name  string
	do    func(*spanning)
	mend  func(*spanning)
	none  string // how it ends where all stand or fall together
	own   string // and where each is for itself
	texts []string
}

func breakages() []breakage {
	b := func(s *spanning) *life { return s.on[1] }
	unfault := func(s *spanning) { b(s).proxy.SetFault(nil) }
	return []breakage{
		{
			name: "look", do: func(s *spanning) { b(s).proxy.Down(s.t) }, mend: func(s *spanning) { b(s).proxy.Up(s.t) },
			none: "?, failed ?!, ?", own: "finalized v2, failed ?!, finalized v2", texts: []string{`"b"`},
		},
		{
			name: "readiness", do: func(s *spanning) { b(s).failReady() }, mend: func(s *spanning) { b(s).setReady("v2", 2, corev1.ConditionTrue) },
			none: "v1, failed v1!, v1", own: "finalized v2, failed v1!, finalized v2", texts: []string{`"b"`, "0 of its 2 pods are ready"},
		},
		{
			name: "the switch", do: func(s *spanning) { b(s).proxy.SetFault(refuseService(0)) }, mend: unfault,
			none: "rolled_back v1, rolled_back v1!, rolled_back v1", own: "finalized v2, rolled_back v1!, finalized v2", texts: []string{`"b"`, "not today"},
		},
		{
			name: "verification", do: func(s *spanning) {
				// The address has moved; the release stops being ready before anybody sees it arrive.
				b(s).proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
					if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/api") {
						b(s).failReady()
					}
					return testcluster.Fault{}
				})
			}, mend: func(s *spanning) { unfault(s); b(s).setReady("v2", 2, corev1.ConditionTrue) },
			none: "rolled_back v1, rolled_back v1!, rolled_back v1", own: "finalized v2, rolled_back v1!, finalized v2", texts: []string{`"b"`, "endpoints of the main Service did not follow"},
		},
		{
			name: "going back itself", do: func(s *spanning) {
				refuse := refuseService(1)
				b(s).proxy.SetFault(func(r *testcluster.Request, n int) testcluster.Fault {
					if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/api") {
						b(s).failReady()
					}
					return refuse(r, n)
				})
			}, mend: func(s *spanning) { unfault(s); b(s).setReady("v2", 2, corev1.ConditionTrue) },
			none: "rolled_back v1, failed v2!, rolled_back v1", own: "finalized v2, failed v2!, finalized v2", texts: []string{`"b"`, "going back failed too", "not today"},
		},
	}
}

func oneFailsAllOrNone(t *testing.T, s *spanning) {
	for _, x := range breakages() {
		x.do(s)
		done, err := s.promote(t.Context(), "v2", nil)
		if err == nil || done.Moved || done.Status == release.MainFinalized {
			t.Fatalf("%s: %+v, %v", x.name, done, err)
		}
		if got := s.ended(done); got != x.none {
			t.Errorf("%s: it ended as %s\nwant %s\n%v", x.name, got, x.none, err)
		}
		for _, text := range x.texts {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q is not in: %v", x.name, text, err)
			}
		}
		want := "v1 v1 v1"
		if strings.Contains(x.none, "failed v2") {
			want = "v1 v2 v1"
		}
		if got := s.traffic(); got != want {
			t.Errorf("%s: the traffic goes to %s", x.name, got)
		}
		x.mend(s)
		s.must(s.promote(t.Context(), "v2", nil))
		s.settled("v2")
		s.must(s.promote(t.Context(), "v1", nil))
	}
}

func oneFailsOthersGo(t *testing.T, s *spanning) {
	for _, x := range breakages() {
		x.do(s)
		done, err := s.promote(t.Context(), "v2", continuing(2))
		if err != nil || done.Status != release.MainRunning || !strings.HasPrefix(done.Reason, "b: ") {
			t.Fatalf("%s: %+v, %v", x.name, done, err)
		}
		if got := s.ended(done); got != x.own {
			t.Errorf("%s: it ended as %s\nwant %s", x.name, got, x.own)
		}
		for _, text := range x.texts {
			if !strings.Contains(done.Clusters[1].Err.Error(), text) {
				t.Errorf("%s: %q is not in: %v", x.name, text, done.Clusters[1].Err)
			}
		}
		want := "v2 v1 v2"
		if strings.Contains(x.own, "failed v2") {
			want = "v2 v2 v2"
		}
		if got := s.traffic(); got != want {
			t.Errorf("%s: the traffic goes to %s", x.name, got)
		}
		x.mend(s)
		s.must(s.promote(t.Context(), "v2", continuing(2)))
		s.settled("v2")
		s.must(s.promote(t.Context(), "v1", nil))
	}
}

func tooFewAreLeft(t *testing.T, s *spanning) {
	s.on[1].proxy.SetFault(refuseService(0))
	done, err := s.promote(t.Context(), "v2", continuing(3))
	if err == nil || done.Moved || s.traffic() != "v1 v1 v1" {
		t.Fatalf("%s: %+v, %v", s.traffic(), done, err)
	}
	if got, want := s.ended(done), "rolled_back v1, rolled_back v1!, rolled_back v1"; got != want {
		t.Errorf("it ended as %s\nwant %s", got, want)
	}
	s.on[1].proxy.SetFault(nil)
	s.must(s.promote(t.Context(), "v2", continuing(3)))
	s.settled("v2")
}

func oneBatchAfterTheOther(t *testing.T, s *spanning) {
	var seen []string
	s.must(s.promote(t.Context(), "v2", func(r *rollout.PromoteRequest) {
		r.Rollout = release.Rollout{MaxParallel: 1, Order: []string{"c"}, Bake: shortBake}
		r.Progress = func(line string) {
			if strings.HasPrefix(line, "watching ") {
				seen = append(seen, s.traffic())
			}
		}
	}))
	if want := []string{"v1 v1 v2", "v2 v1 v2"}; !slices.Equal(seen, want) {
		t.Errorf("watched with %q, want %q", seen, want)
	}
	s.settled("v2")
}

func batchFailsItsBake(t *testing.T, s *spanning) {
	done, err := s.promote(t.Context(), "v2", func(r *rollout.PromoteRequest) {
		r.Rollout = release.Rollout{MaxParallel: 1, Bake: longBake}
		r.Progress = func(line string) {
			if strings.HasPrefix(line, "watching ") {
				s.on[0].crashLoop("v2")
			}
		}
	})
	var bake *rollout.BakeError
	if !errors.As(err, &bake) || bake.Cluster != "a" || done.Moved || s.traffic() != "v1 v1 v1" {
		t.Fatalf("%s: %+v, %v", s.traffic(), done, err)
	}
	if got, want := s.ended(done), "rolled_back v1!, v1, v1"; got != want {
		t.Errorf("it ended as %s\nwant %s", got, want)
	}
	// Not only where it was seen is it not tried again.
	var refused *release.TakenBackError
	if _, err = s.promote(t.Context(), "v2", nil); !errors.As(err, &refused) || s.traffic() != "v1 v1 v1" {
		t.Errorf("%s: %v", s.traffic(), err)
	}
}

func bakeFailsOthersGo(t *testing.T, s *spanning) {
	ask := func(r *rollout.PromoteRequest) {
		continuing(0)(r)
		r.Bake = shortBake
		r.Progress = func(line string) {
			if strings.HasPrefix(line, "watching ") {
				s.on[1].failReady()
			}
		}
	}
	done, err := s.promote(t.Context(), "v2", ask)
	if got, want := s.ended(done), "finalized v2, rolled_back v1!, finalized v2"; err != nil || got != want || done.Status != release.MainRunning || s.traffic() != "v2 v1 v2" {
		t.Fatalf("it ended as %s\nwant %s\n%s: %+v, %v", got, want, s.traffic(), done, err)
	}
	// The next apply does not try it there again, nor does it forget it.
	told := len(s.on[1].history())
	done, err = s.promote(t.Context(), "v2", ask)
	var refused *release.TakenBackError
	if err != nil || done.Status != release.MainRunning || !errors.As(done.Clusters[1].Err, &refused) || s.traffic() != "v2 v1 v2" {
		t.Fatalf("%s: %+v, %v", s.traffic(), done, err)
	}
	if lines := s.on[1].history()[told:]; len(lines) > 0 {
		t.Errorf("a refusal is in the history: %+v", lines)
	}
}

func bakeFailsAllGoBack(t *testing.T, s *spanning) {
	done, err := s.promote(t.Context(), "v2", func(r *rollout.PromoteRequest) {
		r.Bake = longBake
		r.Progress = func(line string) {
			if strings.HasPrefix(line, "watching ") {
				s.on[1].crashLoop("v2")
			}
		}
	})
	var bake *rollout.BakeError
	if got, want := s.ended(done), "rolled_back v1, rolled_back v1!, rolled_back v1"; !errors.As(err, &bake) || bake.Cluster != "b" || got != want || s.traffic() != "v1 v1 v1" {
		t.Fatalf("it ended as %s\nwant %s\n%s: %+v, %v", got, want, s.traffic(), done, err)
	}
	for _, l := range s.on {
		l.wantMain("v1")
		if breach := l.pointer().Breach; breach == nil || breach.To != l.name("v2") {
			t.Errorf("it remembers %+v", breach)
		}
	}
}

// A run is killed when one cluster has moved. The next one cannot move another:
// no version is left on one cluster by accident.
func killedBetweenClusters(t *testing.T, s *spanning) {
	s.killedAfterOne()
	s.on[1].proxy.SetFault(refuseService(0))
	if done, err := s.promote(t.Context(), "v2", nil); err == nil || done.Moved || s.traffic() != "v1 v1 v1" {
		t.Fatalf("%s: %+v, %v", s.traffic(), done, err)
	}
	s.on[1].proxy.SetFault(nil)
	s.settled("v1")
	s.must(s.promote(t.Context(), "v2", nil))
	s.settled("v2")
}

func killedThenUnready(t *testing.T, s *spanning) {
	s.killedAfterOne()
	s.on[1].failReady()
	told := len(s.on[0].history())
	done, err := s.promote(t.Context(), "v2", nil)
	var unready *release.NotReadyError
	if !errors.As(err, &unready) || unready.Cluster != "b" || s.traffic() != "v1 v1 v1" {
		t.Fatalf("%s: %+v, %v", s.traffic(), done, err)
	}
	if got, want := s.ended(done), "rolled_back v1, failed v1!, v1"; got != want {
		t.Errorf("it ended as %s\nwant %s", got, want)
	}
	s.settled("v1")
	if lines := s.on[0].short(s.on[0].history()[told:]); !slices.Equal(lines, []string{"rollback v2 v1"}) {
		t.Errorf("the history of what went back has %q", lines)
	}
}

// killedAfterOne kills a promotion when one cluster has moved.
func (s *spanning) killedAfterOne() {
	s.t.Helper()
	ctx, kill := context.WithCancel(s.t.Context())
	var once sync.Once
	_, err := s.promote(ctx, "v2", func(r *rollout.PromoteRequest) {
		r.Rollout = release.Rollout{MaxParallel: 1, Bake: longBake}
		r.Progress = func(line string) {
			if strings.HasPrefix(line, "watching ") {
				once.Do(func() {
					for _, l := range s.on {
						l.proxy.SetFault(testcluster.Dead)
					}
					kill()
				})
			}
		}
	})
	if err == nil || s.traffic() != "v2 v1 v1" {
		s.t.Fatalf("killed: %s, %v", s.traffic(), err)
	}
	for _, l := range s.on {
		l.proxy.SetFault(nil)
	}
}

func oneIsUnready(t *testing.T, s *spanning) {
	without := func(policy release.FailurePolicy) func(*rollout.PromoteRequest) {
		return func(r *rollout.PromoteRequest) {
			r.Rollout.OnFailure = policy
			r.Clusters, r.Unready = slices.Delete(r.Clusters, 1, 2), map[string]error{"b": fmt.Errorf("no namespace")}
		}
	}
	if done, err := s.promote(t.Context(), "v2", without(release.FailureAbort)); err == nil || s.traffic() != "v1 v1 v1" {
		t.Fatalf("%+v, %v", done, err)
	}
	done, err := s.promote(t.Context(), "v2", without(release.FailureContinue))
	if got, want := s.ended(done), "finalized v2, failed ?!, finalized v2"; err != nil || got != want || done.Reason != "b: no namespace" || s.traffic() != "v2 v1 v2" {
		t.Fatalf("it ended as %s\nwant %s\n%s: %+v, %v", got, want, s.traffic(), done, err)
	}
}

// take removes the address from a cluster, which then has nothing to go back to.
func (s *spanning) take(i int) {
	s.t.Helper()
	engine, on := s.process()
	if _, err := engine.Unmain(s.t.Context(), rollout.UnmainRequest{Service: s.on[0].service(), Owner: s.owner, Clusters: on[i : i+1]}); err != nil {
		s.t.Fatal(err)
	}
}

// A cluster that gets the address for the first time loses it again where all
// stand or fall together, and keeps it where each is for itself.
func addedFailsItsBake(t *testing.T, s *spanning) {
	s.take(2)
	ask := func(d release.FailurePolicy) func(*rollout.PromoteRequest) {
		return func(r *rollout.PromoteRequest) {
			r.Rollout.OnFailure, r.Bake = d, longBake
			r.Progress = func(line string) {
				if strings.HasPrefix(line, "watching ") {
					s.on[2].crashLoop("v1")
				}
			}
		}
	}
	done, err := s.promote(t.Context(), "v1", ask(release.FailureAbort))
	var bake *rollout.BakeError
	if !errors.As(err, &bake) || bake.Cluster != "c" || done.Moved {
		t.Fatalf("%+v, %v", done, err)
	}
	if got, want := s.ended(done), "rolled_back v1, rolled_back v1, rolled_back !"; got != want {
		t.Errorf("it ended as %s\nwant %s", got, want)
	}
	if objects := s.on[2].objects(); slices.Contains(objects, "Service/api") {
		t.Errorf("the new address is still there: %v", objects)
	}
	for _, l := range s.on[:2] {
		l.wantMain("v1")
		if breach := l.pointer().Breach; breach != nil {
			t.Errorf("where it is main, it remembers %+v", breach)
		}
	}
	s.on[2].heal("v1")
	done, err = s.promote(t.Context(), "v1", ask(release.FailureContinue))
	if got, want := s.ended(done), "finalized v1, finalized v1, failed v1!"; err != nil || got != want || s.traffic() != "v1 v1 v1" {
		t.Fatalf("it ended as %s\nwant %s\n%s: %+v, %v", got, want, s.traffic(), done, err)
	}
}

// A create that takes an address over and fails gives it back: the next one may
// take it, too.
func failedCreateLeavesNoOwner(t *testing.T, s *spanning) {
	engine, on := s.process()
	released := rollout.UnmainRequest{Service: s.on[0].service(), Owner: s.owner, Clusters: on, Replaced: true}
	if _, err := engine.Unmain(t.Context(), released); err != nil {
		t.Fatal(err)
	}
	s.owner = ""
	s.on[1].proxy.SetFault(refuseService(0))
	if _, err := s.promote(t.Context(), "v2", nil); err == nil || s.traffic() != "v1 v1 v1" {
		t.Fatalf("%s: %v", s.traffic(), err)
	}
	s.on[1].proxy.SetFault(nil)
	s.owner = ""
	s.must(s.promote(t.Context(), "v2", nil))
	s.settled("v2")
}
