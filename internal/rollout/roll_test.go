package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// service is an application whose content changes in place, with two pods of v1
// behind its address.
type service struct {
	*life
	address *testcluster.MainWatch
	fewest  func() int
}

func (l *life) rolling(version string, change func(*release.Spec)) release.Spec {
	spec := l.desired(version, change)
	if spec.Strategy == "" {
		spec.Strategy = release.StrategyRolling
	}
	return spec
}

func recreate(spec *release.Spec) { spec.Strategy = release.StrategyRecreate }

func broken(spec *release.Spec) { spec.Content.Image = "demo/missing:" + spec.Content.Version }

func inPlace(t *testing.T) *service {
	t.Helper()
	l := newLife(t, testcluster.Shared(t))
	s := &service{life: l}
	l.statuses = l.watchStatuses()
	l.names = map[string]string{}
	for _, version := range []string{"v1", "v2", "v3"} {
		l.names[version] = l.rolling(version, nil).Name()
	}
	p := l.process(t)
	defer p.end()
	if err := errors.Join(p.create(t.Context(), l.rolling("v1", nil)), p.promote(t.Context(), "v1", 1)); err != nil {
		t.Fatal(err)
	}
	l.owners["v2"], l.owners["v3"] = l.owners["v1"], l.owners["v1"]
	s.address, s.fewest = l.cluster.WatchMain(t, l.namespace, "api"), l.watchReady("v2") // all versions have one name
	return s
}

// runs fails the test unless all that lives says that it is this version.
func (s *service) runs(version string, spec release.Spec) {
	s.t.Helper()
	d, r, hash := s.workload("v1"), s.record("v1"), spec.Content.Normalize().Hash()
	if r.Status != release.StatusStarted || r.Busy() || r.CancelRequested != "" {
		s.t.Errorf("the record is %+v", r)
	}
	testcluster.Eventually(s.t, testcluster.Hang, "the pods of another content to end", func() error {
		if pods := s.pods("v1"); len(pods) != int(spec.Replicas) {
			return fmt.Errorf("it has %d pods", len(pods))
		}
		return nil
	})
	if d.Annotations[release.AnnotationVersion] != version || d.Spec.Template.Labels[release.LabelVersion] != version || workload.ContentHash(d) != hash {
		s.t.Errorf("the workload says %v, its pods %v; want version %s with hash %s", d.Annotations, d.Spec.Template.Labels, version, hash)
	}
	if r.Hash != hash || r.Version != version {
		s.t.Errorf("the record says version %s with hash %s, want %s with %s", r.Version, r.Hash, version, hash)
	}
	wanted, err := workload.Deployment(spec)
	if err != nil {
		s.t.Fatal(err)
	}
	if drift := workload.Drift(d, wanted, r.Baseline["Deployment"], nil); len(drift) > 0 {
		s.t.Errorf("it has drift: %v", drift)
	}
	if again, exact, err := workload.FromDeployment(d); err != nil || !exact || again.Strategy != spec.Strategy || again.Name() != d.Name {
		s.t.Errorf("read back it is %+v, exact %v: %v", again, exact, err)
	}
}

// TestContentChangesInPlace: another version under the same name, never below
// capacity, and back again.
func TestContentChangesInPlace(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	uid := s.workload("v1").UID
	for _, version := range []string{"v2", "v1", "v3"} {
		before := s.pods("v1")
		p := s.process(t)
		if err := p.update(t.Context(), s.rolling(version, nil), false); err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		s.runs(version, s.rolling(version, nil))
		if slices.ContainsFunc(s.pods("v1"), func(uid types.UID) bool { return slices.Contains(before, uid) }) {
			t.Errorf("%s: not every pod was replaced", version)
		}
	}
	if s.workload("v1").UID != uid {
		t.Error("it is another workload")
	}
	sets, err := s.cluster.Client().AppsV1().ReplicaSets(s.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + s.name("v1")})
	if err != nil || len(sets.Items) != 3 {
		t.Errorf("kubectl rollout history has %d revisions: %v", len(sets.Items), err)
	}
	// A trigger alone is another content, too; other settings are not.
	pods := s.pods("v1")
	p := s.process(t)
	slower := func(spec *release.Spec) { spec.Rolling.MaxSurge = "1" }
	if err := p.update(t.Context(), s.rolling("v3", slower), false); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(pods, s.pods("v1")) {
		t.Error("another max_surge replaced the pods")
	}
	again := func(spec *release.Spec) { slower(spec); spec.Content.Triggers = map[string]string{"again": "1"} }
	if err := p.update(t.Context(), s.rolling("v3", again), false); err != nil {
		t.Fatal(err)
	}
	s.runs("v3", s.rolling("v3", again))
	if slices.Equal(pods, s.pods("v1")) {
		t.Error("triggers replaced no pods")
	}
	if n := s.fewest(); n < 2 {
		t.Errorf("at some moment only %d of 2 pods were ready", n)
	}
	s.address.NeverEmpty(t)
	s.statuses.allowed(s.life)
}

// TestFailedRollGoesBack: pods of the good version are never touched.
func TestFailedRollGoesBack(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	pods := s.pods("v1")
	p := s.process(t)
	more := func(spec *release.Spec) {
		broken(spec)
		spec.Content.Container.Ports = map[string]int32{"http": 8080, "admin": 9090}
	}
	done, err := p.engine.Update(t.Context(), rollout.UpdateRequest{Spec: s.rolling("v2", more), Owner: p.owners["v1"], Keep: p.on})
	var start *rollout.StartError
	if !errors.As(err, &start) || !strings.HasPrefix(start.Summary(), "Deployment failed to update: ImageNotFound") ||
		!strings.Contains(start.Error(), "back at version v1, whose pods were never touched") {
		t.Fatalf("it says: %v", err)
	}
	if done.Status != release.StatusStarted || done.Reason != start.Summary() {
		t.Errorf("it ended as %s, %q", done.Status, done.Reason)
	}
	s.runs("v1", s.rolling("v1", nil))
	if r := s.record("v1"); r.Reason != start.Summary() {
		t.Errorf("the record's reason is %q", r.Reason)
	}
	if now := s.pods("v1"); !slices.Equal(pods, now) {
		t.Errorf("the pods are %v, were %v", now, pods)
	}
	svc, err := s.cluster.Client().CoreV1().Services(s.namespace).Get(t.Context(), s.name("v1"), metav1.GetOptions{})
	if err != nil || len(svc.Spec.Ports) != 1 {
		t.Errorf("its Service has the ports %v: %v", svc.Spec.Ports, err)
	}
	told := s.history()
	if last := told[len(told)-1]; last.Operation != release.OperationUpdate || last.Version != "v2" || last.Outcome != release.OutcomeFailed || last.Reason != start.Summary() {
		t.Errorf("the history's last line is %+v", last)
	}
	// Reverting is clean: nothing happens to the pods, and the reason goes.
	if err := s.once(t).update(t.Context(), s.rolling("v1", nil), false); err != nil {
		t.Fatal(err)
	}
	if r := s.record("v1"); r.Reason != "" || !slices.Equal(pods, s.pods("v1")) {
		t.Errorf("reverted, the record says %q, and the pods are %v", r.Reason, s.pods("v1"))
	}
	if n := s.fewest(); n < 2 {
		t.Errorf("at some moment only %d of 2 pods were ready", n)
	}
	s.address.NeverEmpty(t)
	s.statuses.allowed(s.life)
}

// TestProgressDeadline bounds the wait for what may still come.
func TestProgressDeadline(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	pods := s.pods("v1")
	err := s.once(t).update(t.Context(), s.rolling("v2", unreadyFor(2*time.Second)), false)
	if err == nil || !strings.Contains(err.Error(), "The wait ended because health.progress_deadline (2s) has passed.") {
		t.Fatalf("it says: %v", err)
	}
	s.runs("v1", s.rolling("v1", nil))
	if !slices.Equal(pods, s.pods("v1")) {
		t.Error("pods of the good version were touched")
	}
}

// TestRecreate: no pod of one version beside one of another, and back to the
// good one where the new one fails.
func TestRecreate(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	p := s.process(t)
	pods := s.pods("v1")
	if err := p.update(t.Context(), s.rolling("v1", recreate), false); err != nil {
		t.Fatalf("another strategy: %v", err)
	}
	if s.runs("v1", s.rolling("v1", recreate)); !slices.Equal(pods, s.pods("v1")) {
		t.Error("another strategy replaced the pods")
	}
	if err := p.update(t.Context(), s.rolling("v2", recreate), false); err != nil {
		t.Fatal(err)
	}
	s.runs("v2", s.rolling("v2", recreate))
	err := p.update(t.Context(), s.rolling("v3", func(spec *release.Spec) { recreate(spec); broken(spec) }), false)
	if err == nil || !strings.Contains(err.Error(), "back at version v2; 2 of its 2 pods had gone already and were started again") {
		t.Fatalf("it says: %v", err)
	}
	if strings.Contains(err.Error(), "Traffic: unchanged") || !strings.Contains(err.Error(), "Traffic: 100 % on "+s.name("v1")+" again; in between, none of its pods was ready.") {
		t.Errorf("of the traffic it says: %v", err)
	}
	s.runs("v2", s.rolling("v2", recreate))
	s.statuses.allowed(s.life)
}

// TestRecreateWithoutAWayBack: nothing serves, and the error says so of the traffic.
func TestRecreateWithoutAWayBack(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	p := s.process(t)
	must(t, p.update(t.Context(), s.rolling("v1", recreate), false))
	var began atomic.Bool // of the writes of the Deployment, only the way back is refused
	s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Write() && strings.HasSuffix(r.Path, "/deployments/"+s.name("v1")) && began.Swap(true) {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	})
	err := p.update(t.Context(), s.rolling("v2", func(spec *release.Spec) { recreate(spec); broken(spec) }), false)
	s.proxy.SetFault(nil)
	if err == nil || strings.Contains(err.Error(), "unchanged") || !strings.Contains(err.Error(), "Traffic: 100 % leads to "+s.name("v1")+", and 0 of its 2 pods are ready.") {
		t.Errorf("it says: %v", err)
	}
}

// rollingTo begins to roll to a version that never becomes ready, and returns
// when it waits.
func (s *service) rollingTo(ctx context.Context, t *testing.T, p *process, spec release.Spec) <-chan outcome {
	t.Helper()
	applied, result := s.applied(), make(chan outcome, 1)
	go func() {
		done, err := p.engine.Update(ctx, rollout.UpdateRequest{Spec: spec, Owner: p.owners["v1"], Keep: p.on})
		result <- outcome{done, err}
	}()
	select {
	case <-applied:
	case got := <-result:
		t.Fatalf("it ended without a wait: %+v", got)
	}
	s.proxy.SetFault(nil)
	return result
}

func unreadyImage(spec *release.Spec) {
	spec.Content.Image = "demo/unready-api:" + spec.Content.Version
}

// unreadyFor is unreadyImage, which is given up after a while.
func unreadyFor(d time.Duration) func(*release.Spec) {
	return func(spec *release.Spec) {
		unreadyImage(spec)
		spec.Health.ProgressDeadline = d
	}
}

// TestRollGivenUp: by Ctrl-C, by the action of another process, and by that
// action after the death of whoever was at it.
func TestRollGivenUp(t *testing.T) {
	t.Parallel()
	for name, giveUp := range map[string]func(t *testing.T, s *service, ctx context.Context, kill func(), p *process, result <-chan outcome) outcome{
		"interrupted": func(_ *testing.T, _ *service, _ context.Context, kill func(), _ *process, result <-chan outcome) outcome {
			kill()
			return <-result
		},
		"cancelled": func(t *testing.T, s *service, ctx context.Context, _ func(), _ *process, result <-chan outcome) outcome {
			other := s.patient(t)
			done, err := other.engine.Cancel(ctx, other.action("v1"))
			if err != nil || done.Status != release.StatusStarted {
				t.Errorf("the action says %+v: %v", done, err)
			}
			return <-result
		},
		"cancelled when dead": func(t *testing.T, s *service, _ context.Context, kill func(), _ *process, result <-chan outcome) outcome {
			s.proxy.SetFault(testcluster.Dead)
			kill()
			s.proxy.DropWatches()
			got := <-result
			s.proxy.SetFault(nil)
			if v := s.workload("v1").Annotations[release.AnnotationVersion]; v != "v2" {
				t.Fatalf("it is at %s already", v)
			}
			other := s.process(t)
			done, err := other.engine.Cancel(t.Context(), other.action("v1"))
			if err != nil || done.Status != release.StatusStarted {
				t.Errorf("the action says %+v: %v", done, err)
			}
			return got
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inPlace(t)
			pods := s.pods("v1")
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			p := s.beating(t)
			switch name {
			case "cancelled when dead":
				p = s.process(t)
			case "interrupted":
				p = s.process(t)
			}
			got := giveUp(t, s, ctx, kill, p, s.rollingTo(ctx, t, p, s.rolling("v2", unreadyImage)))
			if got.err == nil || got.done.Status != release.StatusStarted && name != "cancelled when dead" {
				t.Fatalf("it ended as %+v: %v", got.done, got.err)
			}
			if name == "cancelled" && !strings.Contains(got.err.Error(), "the change of the deployment") {
				t.Errorf("it says: %v", got.err)
			}
			if name != "cancelled when dead" && (len(got.done.Notices) != 1 || !strings.Contains(got.done.Notices[0].Detail, "back at version v1, whose pods were never touched")) {
				t.Errorf("notices: %v", got.done.Notices)
			}
			testcluster.Eventually(t, testcluster.Hang, "the pods of the other version to go", func() error {
				if now := s.pods("v1"); !slices.Equal(now, pods) {
					return fmt.Errorf("the pods are %v, were %v", now, pods)
				}
				return nil
			})
			s.runs("v1", s.rolling("v1", nil))
			if n := s.fewest(); n < 2 {
				t.Errorf("at some moment only %d of 2 pods were ready", n)
			}
			s.address.NeverEmpty(t)
			s.statuses.allowed(s.life)
		})
	}
}

// TestAdoptionRollsForward: who asks for other content of what is there gets
// that, or what was there.
func TestAdoptionRollsForward(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	pods, before := s.pods("v1"), s.record("v1")
	_, err := s.process(t).engine.Deploy(t.Context(), s.process(t).on, s.rolling("v2", broken))
	var start *rollout.StartError
	if !errors.As(err, &start) || start.RolledBack == "" {
		t.Fatalf("it says: %v", err)
	}
	s.runs("v1", s.rolling("v1", nil))
	if r := s.record("v1"); r.Owner != before.Owner || r.Custody != before.Custody || !slices.Equal(pods, s.pods("v1")) {
		t.Errorf("the record is %+v, was %+v; the pods are %v, were %v", r, before, s.pods("v1"), pods)
	}
	if err := s.once(t).create(t.Context(), s.rolling("v2", nil)); err != nil {
		t.Fatal(err)
	}
	s.runs("v2", s.rolling("v2", nil))
	if s.record("v1").Owner == before.Owner {
		t.Error("it was not adopted")
	}
	s.address.NeverEmpty(t)
	s.statuses.allowed(s.life)
}

// TestRollKilledAfterEveryWrite: the next process goes on, or goes back where
// that is asked for, or where what is asked for fails.
func TestRollKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	type following struct {
		stands string // then
		asked  func(*service) release.Spec
		fails  bool
	}
	good := func(s *service) release.Spec { return s.rolling("v2", nil) }
	slow := func(s *service) release.Spec { return s.rolling("v2", unreadyFor(2*time.Second)) }
	forward := following{"v2", good, false}
	back := following{"v1", func(s *service) release.Spec { return s.rolling("v1", nil) }, false}
	another := following{"what it was", func(s *service) release.Spec { return s.rolling("v3", broken) }, true}
	for _, killed := range []struct {
		name   string
		asked  func(*service) release.Spec
		writes int
		then   []following // take turns
	}{
		{"one that is good", good, 6, []following{forward, back, another}},
		{"one that fails", slow, 12, []following{forward}},
	} {
		var ways []string
		for _, next := range killed.then {
			ways = append(ways, next.stands)
		}
		t.Run(killed.name, func(t *testing.T) {
			t.Parallel()
			testcluster.EveryDeathThen(t, killed.writes, ways, func(t *testing.T, way, k int) bool {
				next := killed.then[way]
				s := inPlace(t)
				what, hit := s.killedRolling(t, killed.asked(s), k)
				t.Logf("killed after %s", what)
				was := s.record("v1").Version
				err := s.once(t).update(t.Context(), next.asked(s), false)
				if (err != nil) != next.fails {
					t.Fatalf("after %s: %v", what, err)
				}
				if !next.fails {
					s.runs(next.stands, next.asked(s))
				} else {
					s.runs(was, s.rolling(was, nil))
				}
				// Where the content goes back while Kubernetes ends a former pod for one of the new,
				// it may end that one, too, before it has seen the first: one less for a moment.
				least := 2
				if next.stands == "v1" {
					least = 1
				}
				if n := s.fewest(); n < least {
					t.Errorf("at some moment only %d of 2 pods were ready", n)
				}
				s.address.NeverEmpty(t)
				s.statuses.allowed(s.life)
				return hit
			})
		})
	}
}

// killedRolling kills a process when its kth write is done.
func (s *service) killedRolling(t *testing.T, spec release.Spec, k int) (what string, hit bool) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	death := s.proxy.DiesAfter(k, func(r *testcluster.Request) bool { return r.Write() && r.Method != http.MethodPost }, kill)
	s.proxy.SetFault(death.Fault)
	err := s.once(t).update(ctx, spec, false)
	s.proxy.SetFault(nil)
	if what, hit = death.Last(); !hit {
		return fmt.Sprintf("nothing: %v", err), false
	}
	return what, true
}

// TestOneOfTwoClustersFails: both go back.
func TestOneOfTwoClustersFails(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	second := testcluster.Clusters(t, 2)[1]
	far := &life{t: t, cluster: second, proxy: second.Proxy(t), namespace: s.namespace, owners: s.owners, names: s.names}
	_, err := second.Client().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	there, err := cluster.New(cluster.Config{Name: "far", UserAgent: "terraform-provider-switchback/test", ConfigPath: far.proxy.KubeconfigPath})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(there.Close)
	p := s.process(t)
	request := rollout.UpdateRequest{Spec: s.rolling("v1", nil), Owner: p.owners["v1"], Keep: p.on, Add: []rollout.Cluster{wiredCluster{there}}}
	if _, err := p.engine.Update(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	pods, there1 := s.pods("v1"), far.pods("v1")
	// There, no more pods than there are.
	if _, err := second.Client().CoreV1().ResourceQuotas(s.namespace).Create(t.Context(), quota(len(there1)), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, testcluster.Hang, "the quota to be counted", func() error {
		q, err := second.Client().CoreV1().ResourceQuotas(s.namespace).Get(t.Context(), "full", metav1.GetOptions{})
		if err == nil && len(q.Status.Used) == 0 {
			err = errors.New("it is not")
		}
		return err
	})
	// The change has begun here before it fails there.
	begun := make(chan struct{})
	begins := sync.OnceFunc(func() { close(begun) })
	content := func(r *testcluster.Request) bool {
		return r.Method == http.MethodPatch && strings.Contains(r.Path, "/deployments/")
	}
	s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if content(r) {
			begins()
		}
		return testcluster.Fault{}
	})
	far.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if content(r) {
			<-begun
		}
		return testcluster.Fault{}
	})
	request.Spec, request.Keep, request.Add = s.rolling("v2", nil), slices.Concat(request.Keep, request.Add), nil
	_, err = p.engine.Update(t.Context(), request)
	begins()
	var start *rollout.StartError
	if !errors.As(err, &start) || start.Cluster != "far" || strings.Count(start.RolledBack, "is back at version v1") != 2 {
		t.Fatalf("it says: %v", err)
	}
	s.runs("v1", s.rolling("v1", nil))
	(&service{life: far}).runs("v1", s.rolling("v1", nil))
	if !slices.Equal(there1, far.pods("v1")) {
		t.Errorf("there the pods are %v, were %v", far.pods("v1"), there1)
	}
	// A pod that goes back before its readiness was noticed is one of those that
	// Kubernetes removes first: for a moment there may be one less.
	if s.fewest() < 1 {
		t.Error("at some moment no pod was ready here")
	}
	t.Logf("here %v, before %v", s.pods("v1"), pods)
	s.address.NeverEmpty(t)
	s.statuses.allowed(s.life)
}
