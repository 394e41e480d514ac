package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// transitions are the changes of status that a namespace's records have seen,
// in their order, as "from → to". What is not there has no status.
type transitions struct {
	watch  watch.Interface
	marker string      // what the names of markers begin with
	asked  int         // how often it was asked for what was seen
	told   chan judged // so far, at each marker; closed where the watch has ended
	broke  string      // why it has ended
}

// judged is what was seen.
type judged struct {
	deployments []string
	mains       []string
	refused     []string // what the tables do not allow, since it was told of last
}

// watchStatuses follows every write of every record from now on: a watch
// delivers each one, however short it lasted.
func (l *life) watchStatuses() *transitions {
	l.t.Helper()
	maps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	there, err := maps.List(l.t.Context(), metav1.ListOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	w, err := maps.Watch(l.t.Context(), metav1.ListOptions{ResourceVersion: there.ResourceVersion})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(w.Stop)
	s := &transitions{watch: w, marker: "marker-" + ownership.NewToken(), told: make(chan judged, 1)}
	go s.follow(there.Items)
	return s
}

// follow judges what happens to what was there, and to what comes.
func (s *transitions) follow(there []corev1.ConfigMap) {
	defer close(s.told)
	var seen judged
	records, found := map[string]*release.Record{}, map[string]*release.Record{}
	mains := map[string]*release.Main{}
	for i := range there {
		if record, err := release.ParseRecord(there[i].Data); err == nil {
			records[there[i].Name] = record
		}
		if main, err := release.MainOf(there[i].Data); err == nil {
			mains[there[i].Name] = main
		}
	}
	for event := range s.watch.ResultChan() {
		cm, ok := event.Object.(*corev1.ConfigMap)
		switch {
		case !ok:
			s.broke = fmt.Sprintf("the watch broke: %v", event.Object)
			return
		case strings.HasPrefix(cm.Name, s.marker):
			if event.Type == watch.Added {
				s.told <- seen
				seen.refused = nil
			}
			continue
		}
		if record, err := release.ParseRecord(cm.Data); err == nil {
			last := records[cm.Name]
			if last == nil || last.Owner != record.Owner && record.Busy() {
				found[cm.Name] = last // by the claim that this is
			}
			records[cm.Name] = record
			if event.Type == watch.Deleted {
				records[cm.Name] = nil
			}
			seen.record(cm.Name, found[cm.Name], last, records[cm.Name])
		}
		if main, err := release.MainOf(cm.Data); err == nil {
			if event.Type == watch.Deleted {
				main = nil
			}
			seen.main(mains[cm.Name], main)
			mains[cm.Name] = main
		}
	}
	s.broke = "the watch has ended"
}

// record judges one write of a release's record. A claim that comes to nothing
// puts back what it has found.
func (s *judged) record(name string, found, last, next *release.Record) {
	from, to := release.Status(""), release.StatusTerminated
	if last != nil {
		from = last.Status
	}
	if next != nil {
		to = next.Status
	}
	if from == to {
		return
	}
	change := fmt.Sprintf("%s → %s", orNone(from), to)
	if stage, _ := release.DeploymentLifecycle().Of(to); stage.Planned {
		s.refused = append(s.refused, change+", which is only planned")
	}
	if !release.CanBecome(from, to) {
		if found == nil && next != nil || found != nil && (next == nil || next.Owner != found.Owner || next.Status != found.Status) {
			s.refused = append(s.refused, name+": "+change)
			return
		}
		change += ", given back"
	}
	s.deployments = append(s.deployments, change)
}

// main judges one write of an application's ConfigMap. What a promotion does
// while nothing is written down can only be passed through.
func (s *judged) main(last, next *release.Main) {
	from, to := written(last), written(next)
	if from == to {
		return
	}
	if to == release.MainFinalized && from == release.MainRunning {
		to = release.MainRolledBack // never finalized without the commit in between
	}
	change := fmt.Sprintf("%s → %s", orNone(from), orNone(to))
	if stage, _ := release.MainLifecycle().Of(to); stage.Planned {
		s.refused = append(s.refused, "main: "+change+", which is only planned")
	}
	allowed := to == "" || release.MainCanBecome(from, to) // it may be deleted at any time
	for _, unwritten := range []release.MainStatus{release.MainWaiting, release.MainRollingBack} {
		allowed = allowed || release.MainCanBecome(from, unwritten) && release.MainCanBecome(unwritten, to)
	}
	if !allowed {
		s.refused = append(s.refused, "main: "+change)
		return
	}
	s.mains = append(s.mains, change)
}

// written is the status that an application's ConfigMap shows.
func written(m *release.Main) release.MainStatus {
	switch {
	case m == nil || m.Deployment == "" && m.Progress == nil:
		return ""
	case m.Progress != nil:
		return m.Progress.Status()
	default:
		return release.MainFinalized
	}
}

func orNone[S ~string](s S) S {
	if s == "" {
		return "nothing"
	}
	return s
}

// allowed makes sure that the tables allow everything seen so far, and returns it.
func (s *transitions) allowed(l *life) judged {
	l.t.Helper()
	s.asked++
	marker := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: fmt.Sprintf("%s-%d", s.marker, s.asked)}}
	if _, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Create(l.t.Context(), marker, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	timer := time.NewTimer(testcluster.Hang)
	defer timer.Stop()
	select {
	case seen, ok := <-s.told:
		if !ok {
			l.t.Fatal(s.broke)
		}
		for _, change := range seen.refused {
			l.t.Errorf("the table does not allow %s", change)
		}
		return seen
	case <-timer.C:
		l.t.Fatal("the watch has not come to the marker")
	}
	return judged{}
}

// check is allowed, and makes sure that what was expected was seen.
func (s *transitions) check(l *life, deployments, mains []string) {
	l.t.Helper()
	seen := s.allowed(l)
	for what, lists := range map[string][2][]string{"deployments": {deployments, seen.deployments}, "main": {mains, seen.mains}} {
		if want, got := strings.Join(lists[0], "\n  "), strings.Join(lists[1], "\n  "); want != got {
			l.t.Errorf("%s went through\n  %s\nwant\n  %s", what, got, want)
		}
	}
}

// TestStatusesOfALife watches every verb's records while all goes well.
func TestStatusesOfALife(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	seen := l.watchStatuses()
	l.live(t.Context(), func(change) {}, func(change) {})
	seen.check(l, []string{
		"nothing → starting", "starting → started", // v1
		"nothing → starting", "starting → started", // v2; v1 is retained
		"started → stopping", "stopping → stopped", "stopped → starting", "starting → started", "started → restarting", "restarting → started", // v1
		"nothing → starting", "starting → started", // v3; v1 was adopted without a change
		"started → terminating", "terminating → terminated", // v2
		"started → terminating", "terminating → terminated", // v1
		"started → terminating", "terminating → terminated", // v3
	}, []string{
		"nothing → running", "running → finalizing", "finalizing → finalized",
		"finalized → running", "running → finalizing", "finalizing → finalized",
		"finalized → running", "running → finalizing", "finalizing → finalized",
		"finalized → running", "running → finalizing", "finalizing → finalized",
		"finalized → nothing",
	})
}

// TestStatusesOfMishaps watches records through failures, an interruption, and a
// claim that comes to nothing.
func TestStatusesOfMishaps(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	seen := l.watchStatuses()

	// It fails, is asked for again, and is interrupted; the next apply resumes it.
	if err := l.once(t).deployImage(t.Context(), "v1", "demo/missing"); err == nil {
		t.Fatal("an image that does not exist started")
	}
	failed := l.spec("v1", "demo/missing").Content.Name()
	ctx, cancel := context.WithCancel(t.Context())
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/"+failed) {
			return testcluster.Fault{}.AfterReply(cancel)
		}
		return testcluster.Fault{}
	})
	if err := l.once(t).deployImage(ctx, "v1", "demo/missing"); err != nil {
		t.Fatalf("an interrupted create: %v", err)
	}
	l.proxy.SetFault(nil)
	p := l.process(t)
	if _, err := p.engine.Update(t.Context(), rollout.UpdateRequest{Spec: l.spec("v1", "demo/missing"), Owner: l.owners["v1"], Keep: p.on}); err == nil {
		t.Fatal("resumed, an image that does not exist started")
	}

	// What is not started cannot be main, and the error says what it can be.
	p = l.process(t)
	_, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{Service: l.service(), To: failed, Clusters: p.on})
	var refused *release.NotReadyError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), `it has status "start_error", and only a started deployment`) || !strings.Contains(err.Error(), "Allowed now: deploy, redeploy, stop, start, terminate") {
		t.Errorf("promoting what failed: %v", err)
	}

	// Its removal fails, and goes on.
	terminate := func(ctx context.Context) error {
		p := l.process(t)
		_, err := p.engine.Terminate(ctx, rollout.TerminateRequest{
			ID: release.ID{Namespace: l.namespace, Name: failed}, Application: "api", Owner: l.owners["v1"], Clusters: p.on,
		})
		return err
	}
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodDelete && strings.Contains(r.Path, "/deployments/") {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not now")
		}
		return testcluster.Fault{}
	})
	if err := terminate(t.Context()); err == nil {
		t.Fatal("a removal that is forbidden succeeded")
	}
	l.proxy.SetFault(nil)

	// A claim is given back because another cluster refuses its own.
	p = l.process(t)
	if _, err := p.engine.Deploy(t.Context(), append(p.on, l.refusing(t)), l.spec("v1", "demo/missing")); err == nil {
		t.Fatal("a cluster that refuses was deployed to")
	}

	if err := terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen.check(l, []string{
		"nothing → starting", "starting → start_error",
		"start_error → starting", "starting → cancelled",
		"cancelled → starting", "starting → start_error",
		"start_error → terminating", "terminating → terminate_error",
		"terminate_error → starting", "starting → terminate_error, given back",
		"terminate_error → terminating", "terminating → terminated",
	}, nil)
}

// refusing is another cluster that lets nobody look at Deployments, and so is
// never claimed on.
func (l *life) refusing(t *testing.T) rollout.Cluster {
	t.Helper()
	proxy := l.cluster.Proxy(t)
	proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if strings.Contains(r.Path, "/deployments/") {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not here")
		}
		return testcluster.Fault{}
	})
	c, err := cluster.New(cluster.Config{Name: "refusing", UserAgent: "terraform-provider-switchback/test", ConfigPath: proxy.KubeconfigPath})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return wiredCluster{c}
}

// TestStatusesOfARollback watches a promotion that fails after its checkpoint.
func TestStatusesOfARollback(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	seen := l.watchStatuses()
	ctx := t.Context()
	if err := errors.Join(l.once(t).deploy(ctx, "v1"), l.once(t).promote(ctx, "v1", 1), l.once(t).deploy(ctx, "v2")); err != nil {
		t.Fatal(err)
	}
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/api") {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not now")
		}
		return testcluster.Fault{}
	})
	if err := l.once(t).promote(ctx, "v2", 1); err == nil {
		t.Fatal("a switch that is forbidden succeeded")
	}
	l.proxy.SetFault(nil)
	seen.check(l,
		[]string{"nothing → starting", "starting → started", "nothing → starting", "starting → started"},
		[]string{"nothing → running", "running → finalizing", "finalizing → finalized", "finalized → running", "running → rolled_back"})
}
