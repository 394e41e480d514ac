package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

const faultyDrain = 300 * time.Millisecond

// faultyTiming has no heartbeat within a test, so that the requests of every
// run are the same, and patience with whatever a busy machine takes long for.
func faultyTiming() rollout.Timing {
	return rollout.Timing{
		Beat: time.Hour, Expiry: time.Second, Poll: 100 * time.Millisecond,
		Grace: 500 * time.Millisecond, Settle: 90 * time.Second, Cleanup: 30 * time.Second, Patience: time.Minute,
	}
}

// wiredCluster makes a connection fit the engine's interface, as the provider does.
type wiredCluster struct{ *cluster.Cluster }

func (c wiredCluster) View(namespace string) rollout.View { return c.Cluster.View(namespace) }

func (c wiredCluster) Emit(ctx context.Context, regarding rollout.Object, reason release.EventReason, note string, warning bool) {
	kind := cluster.EventNormal
	if warning {
		kind = cluster.EventWarning
	}
	c.Cluster.Emit(ctx, regarding.GetNamespace(), regarding, string(reason), note, kind)
}

// life is an application whose every change is made by a new process, as far as
// the engine can tell: a new engine on a new connection.
type life struct {
	t         *testing.T
	cluster   *testcluster.Cluster
	proxy     *testcluster.Proxy
	namespace string
	replicas  int32 // of each of its releases; 0: two
	adopt     bool  // the address is somebody else's Service: see adopt_test.go
	adoptRule bool  // its route is somebody else's: see adopt_rule_test.go

	main   string            // main's owner token
	owners map[string]string // those of the releases, by version
	told   []string          // what the history must have
	run    release.Run       // what every process runs in
	names  map[string]string // by version; see name

	statuses *transitions // since the beginning; see application
}

func newLife(t *testing.T, c *testcluster.Cluster) *life {
	t.Helper()
	return &life{t: t, cluster: c, proxy: c.Proxy(t), namespace: c.Namespace(t), owners: map[string]string{}}
}

func (l *life) spec(version, image string) release.Spec {
	return release.Spec{Namespace: l.namespace, Replicas: 1, OnFailure: release.OnFailureStop, Content: release.Content{
		Application: "api", Version: version, Image: image + ":" + version,
		Container: release.Container{Ports: map[string]int32{"http": 8080}},
	}}
}

func (l *life) name(version string) string {
	if name, ok := l.names[version]; ok {
		return name
	}
	return l.spec(version, "demo/api").Content.Name()
}

func (l *life) service() traffic.ServiceSpec {
	if l.adopt {
		return traffic.ServiceSpec{Namespace: l.namespace, Application: "api", Name: "api", Adopt: true}
	}
	return traffic.ServiceSpec{Namespace: l.namespace, Application: "api", Name: "api", Ports: map[string]int32{"http": 80}}
}

func (p *process) deploy(ctx context.Context, version string) error {
	return p.deployImage(ctx, version, "demo/api")
}

func (p *process) deployImage(ctx context.Context, version, image string) error {
	defer p.done()
	done, err := p.engine.Deploy(ctx, p.on, p.spec(version, image))
	p.owners[version] = done.Owner
	return err
}

func (p *process) promote(ctx context.Context, version string, keep int) error {
	_, err := p.promoteKeeping(ctx, version, release.Keep{Count: keep})
	return err
}

func (p *process) promoteKeeping(ctx context.Context, version string, keep release.Keep) (rollout.Promoted, error) {
	defer p.done()
	done, err := p.engine.Promote(ctx, rollout.PromoteRequest{
		Service: p.service(), To: p.name(version), Owner: p.main, Keep: keep, Drain: faultyDrain, Clusters: p.on,
	})
	p.main = done.Owner
	if err == nil && done.Status != release.MainFinalized {
		err = fmt.Errorf("the promotion ended as %s", done.Status)
	}
	return done, err
}

// halt stops the application, which leads to a version, or starts it again.
func (p *process) halt(ctx context.Context, version string, stopped bool) error {
	defer p.done()
	done, err := p.engine.Promote(ctx, rollout.PromoteRequest{
		Service: p.service(), To: p.name(version), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, Stopped: stopped,
	})
	p.main = done.Owner
	if err == nil && done.Status != release.MainFinalized {
		err = fmt.Errorf("it ended as %s", done.Status)
	}
	return err
}

func (p *process) terminate(ctx context.Context, version string) error {
	defer p.done()
	notices, err := p.engine.Terminate(ctx, rollout.TerminateRequest{
		ID: release.ID{Namespace: p.namespace, Name: p.name(version)}, Application: "api", Owner: p.owners[version], Clusters: p.on,
	})
	for _, n := range notices {
		err = errors.Join(err, errors.New(n.Summary+": "+n.Detail))
	}
	return err
}

func (p *process) unmain(ctx context.Context) error {
	defer p.done()
	notices, err := p.engine.Unmain(ctx, rollout.UnmainRequest{Service: p.service(), Owner: p.main, Clusters: p.on})
	for _, n := range notices {
		err = errors.Join(err, errors.New(n.Summary+": "+n.Detail))
	}
	return err
}

// change is what one apply does in an application's life, and what stands then.
type change struct {
	name     string
	do       func(context.Context, *process) error
	releases []string // versions
	main     string   // version; empty: no address
	history  []string // what this change adds to it
}

// aLife is every verb once, each from where the one before ended.
func aLife() []change {
	then := func(steps ...func(context.Context, *process) error) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error {
			for i, step := range steps {
				if i > 0 && p.next != nil {
					p.next()
				}
				if err := step(ctx, p); err != nil {
					return err
				}
			}
			return nil
		}
	}
	deploy := func(v string) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error { return p.deploy(ctx, v) }
	}
	promote := func(v string, keep int) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error { return p.promote(ctx, v, keep) }
	}
	terminate := func(v string) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error { return p.terminate(ctx, v) }
	}
	unmain := func(ctx context.Context, p *process) error { return p.unmain(ctx) }
	act := func(verb func(*rollout.Engine, context.Context, rollout.ActionRequest) (rollout.Deployed, error)) func(string) func(context.Context, *process) error {
		return func(v string) func(context.Context, *process) error {
			return func(ctx context.Context, p *process) error { _, err := verb(p.engine, ctx, p.action(v)); return err }
		}
	}
	stop, start, restart := act((*rollout.Engine).Stop), act((*rollout.Engine).Start), act((*rollout.Engine).Restart)
	return []change{
		{"create", deploy("v1"), []string{"v1"}, "", []string{"deploy v1"}},
		{"first main", promote("v1", 1), []string{"v1"}, "v1", []string{"promote - v1"}},
		{"bump", then(deploy("v2"), promote("v2", 1), terminate("v1")), []string{"v1", "v2"}, "v2", []string{"deploy v2", "promote v1 v2", "retain v1"}},
		{"rest", then(stop("v1"), start("v1"), restart("v1")), []string{"v1", "v2"}, "v2", []string{"stop v1", "start v1", "restart v1"}},
		{"back", then(deploy("v1"), promote("v1", 1), terminate("v2")), []string{"v1", "v2"}, "v1", []string{"deploy v1", "rollback v2 v1", "retain v2"}},
		{"bump keeping none", then(deploy("v3"), promote("v3", 0), terminate("v1")), []string{"v3"}, "v3", []string{"deploy v3", "promote v1 v3", "collect v2", "terminate v1"}},
		{"destroy", then(unmain, terminate("v3")), nil, "", nil},
	}
}

// live goes through a life. before is called ahead of every verb.
func (l *life) live(ctx context.Context, before func(change), after func(change)) {
	l.t.Helper()
	main, statuses := l.cluster.WatchMain(l.t, l.namespace, "api"), l.watchStatuses()
	for _, c := range aLife() {
		if c.name == "destroy" {
			main.Check(l.t, faultyDrain)
		}
		p := l.process(l.t)
		p.next = func() { before(c) }
		before(c)
		err := c.do(ctx, p)
		l.proxy.SetFault(nil)
		if err != nil {
			l.t.Fatalf("%s: %v\n%s", c.name, err, l.log())
		}
		after(c)
		p.end()
		l.settled(c)
		l.remembers(c)
	}
	statuses.allowed(l)
}

// log is what went over the wire.
func (l *life) log() string {
	var b strings.Builder
	for _, r := range l.proxy.Requests() {
		fmt.Fprintf(&b, "%3d %3d %s\n", r.Index, r.Status, r.String())
	}
	return b.String()
}

// settled fails the test unless exactly what the change leads to is there, and
// another apply would find nothing to do.
func (l *life) settled(c change) {
	l.t.Helper()
	var want []string
	for _, v := range c.releases {
		for _, kind := range []string{"Deployment", "Service", "ConfigMap"} {
			want = append(want, kind+"/"+l.name(v))
		}
	}
	if len(c.releases) > 0 {
		want = append(want, "ConfigMap/api-switchback") // the history
	}
	if c.main != "" {
		want = append(want, "Lease/api-switchback")
	}
	if c.main != "" && !l.adopt {
		want = append(want, "Service/api")
	}
	slices.Sort(want)
	if got := l.objects(); !slices.Equal(got, want) {
		l.t.Fatalf("after %s there are\n  %v, want\n  %v\n%s", c.name, got, want, l.log())
	}
	p := l.process(l.t)
	defer p.end()
	for _, v := range c.releases {
		spec := l.spec(v, "demo/api")
		o := observe.Releases(l.t.Context(), p.on, release.ID{Namespace: l.namespace, Name: l.name(v)})[0]
		if o.Err != nil || o.Record.Status != release.StatusStarted || o.Record.Busy() {
			l.t.Fatalf("after %s, %s is %+v", c.name, v, o)
		}
		rendered, err := workload.Deployment(spec)
		if err != nil {
			l.t.Fatal(err)
		}
		drift := slices.Concat(
			workload.Drift(o.Workload, rendered, o.Record.Baseline["Deployment"], nil),
			workload.Drift(o.Service, workload.Service(spec), o.Record.Baseline["Service"], nil))
		if len(drift) > 0 {
			l.t.Errorf("after %s, %s has drift: %+v", c.name, v, drift)
		}
	}
	l.marked(p, c)
	if c.main == "" {
		return
	}
	o := observe.Mains(l.t.Context(), p.on, l.namespace, "api", "api")[0]
	if o.Err != nil || o.Main.Progress != nil || len(o.Leftover) > 0 || o.Main.Deployment != l.name(c.main) || !maps.Equal(o.Split, release.Split{l.name(c.main): 100}) {
		l.t.Errorf("after %s, main is %+v %+v", c.name, o, o.Main)
	}
	if drift := workload.Drift(o.Service, l.service().Object(l.name(c.main)), o.Main.Baseline, nil); len(drift) > 0 {
		l.t.Errorf("after %s, main has drift: %+v", c.name, drift)
	}
	lease, err := l.cluster.Client().CoordinationV1().Leases(l.namespace).Get(l.t.Context(), "api-switchback", metav1.GetOptions{})
	if err != nil || *lease.Spec.HolderIdentity != "" {
		l.t.Errorf("after %s, the Lease is held: %+v, %v", c.name, lease.Spec, err)
	}
}

// marked fails the test unless kubectl can show of every workload what its
// record says.
func (l *life) marked(p *process, c change) {
	l.t.Helper()
	for _, v := range c.releases {
		want := release.CustodyRetained
		if v == c.main || c.main == "" {
			want = release.CustodyOwned
		}
		o := observe.Releases(l.t.Context(), p.on, release.ID{Namespace: l.namespace, Name: l.name(v)})[0]
		labels := o.Workload.Labels
		custody, status := labels[release.LabelCustody], labels[release.LabelStatus]
		silent := want == release.CustodyOwned && custody == "" && status == ""
		if o.Record.Custody != want || !silent && (custody != string(want) || status != string(release.StatusStarted)) {
			l.t.Errorf("after %s, %s is %s and marked %v", c.name, v, o.Record.Custody, labels)
		}
	}
}

func (l *life) objects() []string {
	l.t.Helper()
	client, ctx, options := l.cluster.Client(), l.t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector}
	deployments, err1 := client.AppsV1().Deployments(l.namespace).List(ctx, options)
	services, err2 := client.CoreV1().Services(l.namespace).List(ctx, options)
	configMaps, err3 := client.CoreV1().ConfigMaps(l.namespace).List(ctx, options)
	leases, err4 := client.CoordinationV1().Leases(l.namespace).List(ctx, options)
	scalers, err5 := client.AutoscalingV2().HorizontalPodAutoscalers(l.namespace).List(ctx, options)
	budgets, err6 := client.PolicyV1().PodDisruptionBudgets(l.namespace).List(ctx, options)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		l.t.Fatal(err)
	}
	var found []string
	for _, o := range deployments.Items {
		found = append(found, "Deployment/"+o.Name)
	}
	for _, o := range services.Items {
		found = append(found, "Service/"+o.Name)
	}
	for _, o := range configMaps.Items {
		found = append(found, "ConfigMap/"+o.Name)
	}
	for _, o := range leases.Items {
		found = append(found, "Lease/"+o.Name)
	}
	for _, o := range scalers.Items {
		found = append(found, "HorizontalPodAutoscaler/"+o.Name)
	}
	for _, o := range budgets.Items {
		found = append(found, "PodDisruptionBudget/"+o.Name)
	}
	slices.Sort(found)
	return found
}

// TestOutage answers 503 to everything for ten seconds, and to five requests at
// least.
func TestOutage(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	ctx := t.Context()
	if err := errors.Join(l.once(t).deploy(ctx, "v1"), l.once(t).promote(ctx, "v1", 1)); err != nil {
		t.Fatal(err)
	}
	main := l.cluster.WatchMain(t, l.namespace, "api")
	var begun sync.Once
	var ends time.Time
	var refused atomic.Int64
	l.proxy.Reset()
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.WriteIndex > 0 {
			begun.Do(func() { ends = time.Now().Add(10 * time.Second) })
		}
		if l.proxy.Writes() == nil || time.Now().After(ends) && refused.Load() >= 5 {
			return testcluster.Fault{}
		}
		refused.Add(1)
		return testcluster.Unavailable()
	})
	bump := aLife()[2]
	if err := l.apply(ctx, t, bump.do); err != nil {
		t.Fatalf("%v\n%s", err, l.log())
	}
	if refused.Load() < 5 {
		t.Errorf("only %d requests were refused", refused.Load())
	}
	l.settled(bump)
	main.Check(t, faultyDrain)
}

// TestTooManyRequestsAreWaitedFor answers 429 to the first request for
// everything, and counts what comes sooner than was asked.
func TestTooManyRequestsAreWaitedFor(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	const retryAfter = 2 * time.Second // without it, a second would do
	var mu sync.Mutex
	told := map[string]time.Time{}
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		mu.Lock()
		defer mu.Unlock()
		what := r.Method + " " + r.Path
		at, known := told[what]
		switch {
		case strings.HasSuffix(r.Path, "/events"): // best effort: not repeated
		case !known:
			told[what] = time.Now()
			return testcluster.TooManyRequests(retryAfter)
		case time.Since(at) < retryAfter:
			t.Errorf("%s came again %s after it was asked to wait %s", what, time.Since(at), retryAfter)
		}
		return testcluster.Fault{}
	})
	create := aLife()[0]
	if err := l.apply(t.Context(), t, create.do); err != nil {
		t.Fatalf("%v\n%s", err, l.log())
	}
	if len(told) < 8 {
		t.Errorf("only %d requests were refused: %v", len(told), told)
	}
	l.proxy.SetFault(nil)
	l.settled(create)
}

// TestSlowServer delays every request by two seconds.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	l.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault { return testcluster.Delay(2 * time.Second) })
	create := aLife()[0]
	if err := l.apply(t.Context(), t, create.do); err != nil {
		t.Fatalf("%v\n%s", err, l.log())
	}
	l.proxy.SetFault(nil)
	l.settled(create)
}

// applied is closed when the release's own Service has been applied: what
// follows is the wait.
func (l *life) applied() <-chan struct{} {
	done := make(chan struct{})
	var once sync.Once
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method != http.MethodPatch || !strings.Contains(r.Path, "/services/") {
			return testcluster.Fault{}
		}
		return testcluster.Fault{}.AfterReply(func() { once.Do(func() { close(done) }) })
	})
	return done
}

// TestWatchesDroppedInTheWait breaks every watch again and again while a
// release starts.
func TestWatchesDroppedInTheWait(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	applied := l.applied()
	p := l.process(t)
	l.names = map[string]string{"v1": l.unready().Content.Name()}
	result := make(chan error, 1)
	go func() { result <- p.create(t.Context(), l.unready()) }()
	select {
	case <-applied:
	case err := <-result:
		t.Fatalf("it ended without a wait: %v", err)
	}
	testcluster.Eventually(t, testcluster.Hang, "watches", func() error {
		if l.proxy.OpenWatches() < 3 {
			return fmt.Errorf("%d watches", l.proxy.OpenWatches())
		}
		return nil
	})
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	const enough = 3
	dropped, hang := 0, time.After(testcluster.Hang)
	for {
		select {
		case <-hang:
			t.Fatalf("it still waits after %d drops, for %d pods\n%s", dropped, len(l.pods("v1")), l.log())
		case err := <-result:
			if err != nil {
				t.Fatalf("after %d drops: %v\n%s", dropped, err, l.log())
			}
			if dropped < enough {
				t.Errorf("watches were dropped only %d times", dropped)
			}
			return
		case <-tick.C:
			if l.proxy.OpenWatches() > 0 {
				l.proxy.DropWatches()
				dropped++
			}
			if dropped == enough {
				l.setReady("v1", 1, corev1.ConditionTrue)
			}
		}
	}
}

// TestPausedServer freezes the whole control plane in the middle of a create,
// and of a switch.
func TestPausedServer(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t)
	l := newLife(t, c)
	pauseAt := func(match func(*testcluster.Request) bool) *atomic.Bool {
		var once sync.Once
		happened := &atomic.Bool{}
		l.proxy.Reset()
		l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
			if match(r) {
				once.Do(func() {
					happened.Store(true)
					c.Pause(t)
					time.AfterFunc(4*time.Second, func() { c.Resume(t) })
				})
			}
			return testcluster.Fault{}
		})
		return happened
	}
	patches := func(part string) func(*testcluster.Request) bool {
		return func(r *testcluster.Request) bool {
			return r.Method == http.MethodPatch && strings.HasSuffix(r.Path, part)
		}
	}
	for _, at := range []string{"/deployments/" + l.name("v1"), "/services/api"} {
		happened := pauseAt(patches(at))
		step := aLife()[0]
		if at == "/services/api" {
			step = aLife()[1]
		}
		if err := l.apply(t.Context(), t, step.do); err != nil {
			t.Fatalf("%s: %v\n%s", step.name, err, l.log())
		}
		if !happened.Load() {
			t.Errorf("%s: the server was not paused", step.name)
		}
		l.proxy.SetFault(nil)
		l.settled(step)
	}
}

// TestInterruptedFirstPromotion cancels the first promotion while it writes down
// that traffic has moved, once with that write done and once without. Nothing
// was main before: the address is taken back, and a promotion with no state of
// the first one begins anew.
func TestInterruptedFirstPromotion(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{false, true} {
		t.Run(fmt.Sprintf("written=%t", done), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			if err := l.once(t).deploy(t.Context(), "v1"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			fault := testcluster.LostReply().BeforeReply(cancel)
			if !done {
				fault = testcluster.Blackhole()
			}
			commit := (&faulty{k: 1, apart: 1000, faults: []testcluster.Fault{fault}, repeats: map[string]int{}, counts: func(r *testcluster.Request) bool {
				return r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/configmaps/api-switchback")
			}}).on
			l.proxy.SetFault(func(r *testcluster.Request, n int) testcluster.Fault {
				f := commit(r, n)
				if !done && r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/configmaps/api-switchback") {
					cancel()
				}
				return f
			})
			if err := l.once(t).promote(ctx, "v1", 1); !errors.Is(err, context.Canceled) {
				t.Fatalf("the interrupted promotion: %v\n%s", err, l.log())
			}
			l.proxy.SetFault(nil)
			l.main = "" // a create that failed leaves no state
			want := []string{"ConfigMap/" + l.name("v1"), "ConfigMap/api-switchback", "Deployment/" + l.name("v1"), "Lease/api-switchback", "Service/" + l.name("v1")}
			if got := l.objects(); !slices.Equal(got, want) {
				t.Errorf("it left %v, want %v", got, want)
			}
			if err := l.once(t).promote(t.Context(), "v1", 1); err != nil {
				t.Fatalf("the next promotion: %v\n%s", err, l.log())
			}
			l.settled(aLife()[1])
		})
	}
}
