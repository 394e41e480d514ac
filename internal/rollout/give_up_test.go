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

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// wantStopped fails the test unless v2 has no pods because the traffic was taken back from
// it: a Read says so, and why, and that it is to have some.
func (l *life) wantStopped(p *process, why string) {
	l.t.Helper()
	testcluster.Eventually(l.t, testcluster.Hang, "a Read that sees v2 stopped", func() error {
		o := p.released("v2")
		if o.Err != nil || o.Record == nil {
			return fmt.Errorf("there is %+v", o)
		}
		if o.Status() != release.StatusStopped || !release.StaysStopped(o.Reason()) || !strings.Contains(o.Reason(), why) || o.Record.Desired() != release.DesiredStarted || o.Record.Busy() {
			return fmt.Errorf("it is %s, %q, desired as %s", o.Status(), o.Reason(), o.Record.Desired())
		}
		return nil
	})
	if pods := l.pods("v2"); len(pods) > 0 {
		l.t.Errorf("v2 has the pods %v", pods)
	}
}

// wantRunning fails the test unless v2 has the pods that it had.
func (l *life) wantRunning(pods []types.UID) {
	l.t.Helper()
	if now := l.pods("v2"); len(now) == 0 || pods != nil && !slices.Equal(now, pods) {
		l.t.Errorf("v2 has the pods %v, it had %v", now, pods)
	}
	if record := l.record("v2"); record.Status != release.StatusStarted || record.Halted() || record.Busy() {
		l.t.Errorf("the record of v2 says %s, %q, %q", record.Status, record.Reason, record.TakenBack)
	}
}

// wantGone fails the test unless nothing is left of v2.
func (l *life) wantGone(p *process) {
	l.t.Helper()
	if o := p.released("v2"); o.Exists() || len(l.pods("v2")) > 0 {
		l.t.Errorf("there is %+v", o)
	}
	if _, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), l.name("v2"), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		l.t.Errorf("the record of v2: %v", err)
	}
}

// released is a release as a Read sees it.
func (p *process) released(version string) observe.Release {
	p.t.Helper()
	return observe.Releases(p.t.Context(), []ownership.Cluster{p.on[0]}, release.ID{Namespace: p.namespace, Name: p.name(version)})[0]
}

// endsWith makes v2 one that ends in such a way, by an update that changes nothing else.
func (p *process) endsWith(as release.OnFailure) {
	p.t.Helper()
	spec := p.spec("v2", "demo/api")
	spec.OnFailure = as
	must(p.t, p.update(p.t.Context(), spec, false))
}

// breached promotes v2, which fails with 10 % of the traffic.
func (l *life) breached(p *process) {
	l.t.Helper()
	watched := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}
	done, err := p.sharing(l.t.Context(), "v2", watched, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.failReady()
		}
	})
	var breach *rollout.BakeError
	if !errors.As(err, &breach) || done.Status != release.MainRolledBack {
		l.t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	l.wantMain("v1")
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	for _, n := range done.Notices {
		l.t.Logf("%s: %s", n.Summary, n.Detail)
	}
}

// halfway promotes v2 and leaves it with 10 % of the traffic.
func (l *life) halfway(p *process) {
	l.t.Helper()
	l.paused(p, release.Canary{Steps: []release.CanaryStep{{Weight: 10, Gate: release.GateManual}}})
	l.wantSplit(p, release.Split{l.name("v1"): 90, l.name("v2"): 10})
}

func TestOnFailureOfMain(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster){
		"stops, and is retried":   stopsAndIsRetried,
		"is kept":                 isKept,
		"is terminated":           isTerminated,
		"of an older record":      isNotWrittenDown,
		"somebody goes back":      endsWhereSomebodyGoesBack,
		"somebody aborts":         endsWhereSomebodyAborts,
		"carries other traffic":   keepsWhatCarries,
		"somebody is at work":     keepsWhatIsWorkedOn,
		"all of it, in a bake":    endsAfterABake,
		"called off in the drain": calledOffInTheDrain,
		"the first behind a rule": endsBehindARule,
		"changed while stopped":   changedWhileStopped,
		"when it has drained":     endsWhenItHasDrained,
		"nobody can tell":         keepsWhatNobodyCanTell,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

// stopsAndIsRetried: the pods go when they have drained, and come when v2 is tried again.
func stopsAndIsRetried(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	l.breached(p)
	l.wantStopped(p, "ready")
	entries := l.wantHistory("deploy v1", "deploy v2", "promote - v1", "promote v1 v2 failed", "rollback v2 v1", "stop v2")
	if last := entries[len(entries)-1]; !strings.HasPrefix(last.Reason, "on_failure: ") {
		t.Errorf("of the stop, the history has %+v", last)
	}
	l.wantTakenBack(p.tries("v2", "", steps(10)))
	l.wantStopped(p, "ready")
	must(t, p.tries("v2", "once more", steps(10)))
	l.wantMain("v2", "v1")
	l.wantRunning(nil)
	if reason := p.released("v2").Reason(); reason != "" {
		t.Errorf("main says %q", reason)
	}
	main.NeverEmpty(t)
}

// wantTakenBack fails the test unless v2 is refused because it has failed.
func (l *life) wantTakenBack(err error) {
	l.t.Helper()
	var refused *release.TakenBackError
	if !errors.As(err, &refused) {
		l.t.Errorf("v2 is not refused: %v", err)
	}
}

func isKept(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	p.endsWith(release.OnFailureKeep)
	pods := l.pods("v2")
	l.breached(p)
	l.wantRunning(pods)
}

// isTerminated: the next create makes it anew. What was tried is refused all the same.
func isTerminated(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	p.endsWith(release.OnFailureTerminate)
	l.breached(p)
	l.wantGone(p)
	must(t, p.deploy(t.Context(), "v2"))
	l.wantTakenBack(p.tries("v2", "", steps(10)))
	must(t, p.tries("v2", "once more", steps(10)))
	l.wantMain("v2", "v1")
}

// isNotWrittenDown: an older provider has made v2, and would have left it.
func isNotWrittenDown(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.rewrite("v2", func(r *release.Record) { r.OnFailure = "" })
	pods := l.pods("v2")
	l.breached(p)
	l.wantRunning(pods)
}

// rewrite changes a version's record, as somebody else may.
func (l *life) rewrite(version string, change func(*release.Record)) {
	l.t.Helper()
	must(l.t, l.tryRewrite(version, change))
}

func (l *life) tryRewrite(version string, change func(*release.Record)) error {
	maps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := maps.Get(l.t.Context(), l.name(version), metav1.GetOptions{})
	if err != nil {
		return err
	}
	record, err := release.ParseRecord(cm.Data)
	if err != nil {
		return err
	}
	change(record)
	if cm.Data, err = record.Marshal(); err != nil {
		return err
	}
	_, err = maps.Update(l.t.Context(), cm, metav1.UpdateOptions{})
	return err
}

// endsWhereSomebodyGoesBack from a pause, in which nobody is at work.
func endsWhereSomebodyGoesBack(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.halfway(p)
	must(t, l.process(t).goesBack(t.Context()))
	l.wantMain("v1")
	l.wantStopped(p, " asked to go back")
}

// endsWhereSomebodyAborts: nothing is remembered against v2, and the next apply tries it.
func endsWhereSomebodyAborts(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.halfway(p)
	back, err := rollout.WayOutOf(t.Context(), rollout.WayBackRequest{Namespace: l.namespace, Application: "api", Clusters: p.on})
	must(t, err)
	_, err = l.process(t).engine.TakeBack(t.Context(), back)
	must(t, err)
	l.wantMain("v1")
	l.wantStopped(p, "given up")
	must(t, p.tries("v2", "", steps(10)))
	l.wantMain("v2", "v1")
	l.wantRunning(nil)
}

// keepsWhatCarries: somebody's Service leads to v2, which is told of.
func keepsWhatCarries(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.serves("beta", map[string]string{release.LabelDeployment: l.name("v2")})
	pods := l.pods("v2")
	l.halfway(p)
	done, err := p.goBackTo()
	must(t, err)
	l.wantMain("v1")
	l.wantRunning(pods)
	if !slices.ContainsFunc(done.Notices, func(n rollout.Notice) bool {
		return n.Summary == "Deployment was left as it is" && strings.Contains(n.Detail, "the Service "+l.namespace+"/beta selects its pods")
	}) {
		t.Errorf("it tells %+v", done.Notices)
	}
}

// goBackTo lets somebody go back to v1, as an action does.
func (p *process) goBackTo() (rollout.Promoted, error) {
	return p.engine.GoBack(p.t.Context(), rollout.GoBackRequest{
		PromoteRequest: rollout.PromoteRequest{Service: p.service(), Route: p.route(), To: p.name("v1"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on},
		Was:            map[string]string{"prod": p.name("v1")},
	})
}

// endsWhenItHasDrained: no pod goes while requests may still be under way.
func endsWhenItHasDrained(t *testing.T, c *testcluster.Cluster) {
	const whole = 2 * time.Second
	l, p := onRoute(t, c)
	var back, ends time.Time // when its weight was last written, and when its pods were told to go
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		switch {
		case !r.Write():
		case strings.Contains(r.Path, "/httproutes/"):
			back = time.Now()
		case strings.HasSuffix(r.Path, "/deployments/"+l.name("v2")) && strings.Contains(string(r.Body), `"replicas":0`) && ends.IsZero():
			ends = time.Now()
		}
		return testcluster.Fault{}
	})
	watched := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}
	_, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: p.route(), Canary: watched, To: p.name("v2"), Owner: p.main, Keep: oneStarted, Drain: whole, Clusters: p.on,
		Progress: func(line string) {
			if strings.HasPrefix(line, "watching") {
				l.failReady()
			}
		},
	})
	l.proxy.SetFault(nil)
	var breach *rollout.BakeError
	if !errors.As(err, &breach) {
		t.Fatal(err)
	}
	l.wantStopped(p, "ready")
	if back.IsZero() || ends.Sub(back) < whole {
		t.Errorf("its pods were told to go %s after its weight was written, want at least %s", ends.Sub(back), whole)
	}
}

// keepsWhatNobodyCanTell: who may not read Services cannot tell that none leads to v2.
func keepsWhatNobodyCanTell(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	pods := l.pods("v2")
	l.halfway(p)
	var back atomic.Bool
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		back.Store(back.Load() || r.Write() && strings.Contains(r.Path, "/httproutes/"))
		if back.Load() && r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/services") {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "services is forbidden")
		}
		return testcluster.Fault{}
	})
	done, err := p.goBackTo()
	l.proxy.SetFault(nil)
	must(t, err)
	l.wantMain("v1")
	l.wantRunning(pods)
	if !slices.ContainsFunc(done.Notices, func(n rollout.Notice) bool {
		return n.Summary == "Deployment was left as it is" && strings.Contains(n.Detail, "services is forbidden")
	}) {
		t.Errorf("it tells %+v", done.Notices)
	}
}

// keepsWhatIsWorkedOn: somebody has v2 in hand.
func keepsWhatIsWorkedOn(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.halfway(p)
	pods := l.pods("v2")
	l.rewrite("v2", func(r *release.Record) { r.Run, r.Holder, r.Beat = "somebody", "somebody else", 1 })
	beats, end := context.WithCancel(t.Context())
	defer end()
	var beating sync.WaitGroup
	beating.Go(func() {
		for n := int64(2); beats.Err() == nil; n++ {
			_ = l.tryRewrite("v2", func(r *release.Record) { r.Beat = n }) // whoever is faster: the next one comes
		}
	})
	err := l.process(t).goesBack(t.Context())
	end()
	beating.Wait()
	must(t, err)
	if now := l.pods("v2"); !slices.Equal(now, pods) {
		t.Errorf("v2 has the pods %v, it had %v", now, pods)
	}
	l.wantMain("v1")
}

// endsAfterABake: the address has no route, and v2 had all of its traffic.
func endsAfterABake(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"))
	must(t, p.promote(t.Context(), "v1", 1))
	_, err := p.promoteBaking(t.Context(), "v2", baking{d: longBake, seen: func() { l.setReady("v2", 1, "False") }})
	var bake *rollout.BakeError
	if !errors.As(err, &bake) {
		t.Fatal(err)
	}
	l.wantMain("v1")
	l.wantStopped(p, "ready")
	_, err = p.promoteBaking(t.Context(), "v2", baking{d: shortBake, token: "once more"})
	must(t, err)
	l.wantMain("v2", "v1")
}

// calledOffInTheDrain: who tries v2 again then finds its pods; who does not, ends it.
func calledOffInTheDrain(t *testing.T, c *testcluster.Cluster) {
	interrupted := func() (*life, []types.UID) {
		l, p := onRoute(t, c)
		pods := l.pods("v2")
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		done, err := p.engine.Promote(ctx, rollout.PromoteRequest{
			Service: p.service(), Route: p.route(), Canary: release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}, To: p.name("v2"),
			Owner: p.main, Keep: oneStarted, Drain: longBake, Clusters: p.on, Progress: func(line string) {
				switch {
				case strings.HasPrefix(line, "watching"):
					l.failReady()
				case strings.HasSuffix(line, " drains"):
					interrupt()
				}
			},
		})
		if err == nil || done.Status != release.MainRollingBack || !strings.Contains(err.Error(), "The next apply ends it") {
			t.Fatalf("it ends as %s: %v", done.Status, err)
		}
		l.wantMainDirection(p, release.DirectionBack)
		l.wantSplit(p, release.Split{l.name("v1"): 100})
		l.wantRunning(pods)
		return l, pods
	}
	l, pods := interrupted()
	l.allReady("v2", "True")
	p := l.process(t)
	must(t, p.tries("v2", "once more", steps(10)))
	l.wantMain("v2", "v1")
	l.wantRunning(pods)
	l, _ = interrupted()
	p = l.process(t)
	l.wantTakenBack(p.tries("v2", "", steps(10)))
	l.wantMain("v1")
	l.wantStopped(p, "ready")
}

// endsBehindARule: the first release behind an adopted rule is taken back.
func endsBehindARule(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	held := steps(10)
	held.MaxWeight = 10
	_, err := p.sharing(t.Context(), "v1", held, nil)
	must(t, err)
	_, err = l.process(t).undoes(t.Context())
	must(t, err)
	l.wantRule(l.theirs(), "old:80=1")
	if record := l.record("v1"); record.Status != release.StatusStopped || !strings.Contains(record.Reason, " asked to go back") || len(l.pods("v1")) > 0 {
		t.Errorf("v1 is %s, %q, with %v", record.Status, record.Reason, l.pods("v1"))
	}
	must(t, p.tries("v1", "once more", steps(10)))
	if record := l.record("v1"); record.Status != release.StatusStarted {
		t.Errorf("v1 is %s", record.Status)
	}
}

// changedWhileStopped: an update leaves it stopped, and one that says so stops it by itself.
func changedWhileStopped(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.breached(p)
	spec := p.spec("v2", "demo/api")
	spec.Replicas = 3
	update := func(spec release.Spec) rollout.Deployed {
		t.Helper()
		done, err := p.engine.Update(t.Context(), rollout.UpdateRequest{Spec: spec, Owner: p.owners["v2"], Keep: p.on, TakeBack: []string{"spec.replicas"}})
		must(t, err)
		return done
	}
	if done := update(spec); done.Status != release.StatusStopped || !release.StaysStopped(done.Reason) {
		t.Errorf("it ends as %s, %q", done.Status, done.Reason)
	}
	l.wantStopped(p, "ready")
	spec.DesiredState = release.DesiredStopped
	if done := update(spec); done.Status != release.StatusStopped || done.Reason != "" {
		t.Errorf("stopped by itself, it ends as %s, %q", done.Status, done.Reason)
	}
	spec.DesiredState = release.DesiredStarted
	if done := update(spec); done.Status != release.StatusStarted {
		t.Errorf("started again, it ends as %s, %q", done.Status, done.Reason)
	}
	l.wantPods(p, "v2", 3, 3)
}
