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

// everywhere is an application on two clusters, "east" and "west": v1, v2 and v3
// are started on both, and v1 is main. The life is what they have in common.
type everywhere struct {
	*life
	clusters map[string]*testcluster.Cluster
	mains    map[string]*testcluster.MainWatch
}

func onTwoClusters(t *testing.T, west *testcluster.Cluster) *everywhere {
	t.Helper()
	east := testcluster.Shared(t)
	w := &everywhere{life: newLife(t, east), clusters: map[string]*testcluster.Cluster{"east": east, "west": west}, mains: map[string]*testcluster.MainWatch{}}
	namespaces := west.Client().CoreV1().Namespaces()
	if _, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = namespaces.Delete(context.WithoutCancel(t.Context()), w.namespace, metav1.DeleteOptions{}) })
	testcluster.Eventually(t, 30*time.Second, "the default service account", func() error {
		_, err := west.Client().CoreV1().ServiceAccounts(w.namespace).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	for name, c := range w.clusters {
		w.mains[name] = c.WatchMain(t, w.namespace, "api")
	}
	r := w.run(t, lively())
	for _, version := range []string{"v1", "v2", "v3"} {
		if err := r.deploy(t.Context(), version); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.promote(t.Context(), "v1", 1); err != nil {
		t.Fatal(err)
	}
	w.main = r.main // every run from now on has the same state
	return w
}

// lively is the timing of a process that shows signs of life.
func lively() rollout.Timing {
	timing := faultyTiming()
	timing.Beat, timing.Expiry = 500*time.Millisecond, 10*time.Second
	return timing
}

// onBoth is one run of the provider on both clusters, with a wire of its own to
// each.
type onBoth struct {
	*process
	wires map[string]*testcluster.Proxy
}

func (w *everywhere) run(t *testing.T, timing rollout.Timing) *onBoth {
	t.Helper()
	return w.runCalling(t, timing, map[string]string{"east": "east", "west": "west"})
}

// runCalling is a run that has names of its own for the clusters.
func (w *everywhere) runCalling(t *testing.T, timing rollout.Timing, names map[string]string) *onBoth {
	t.Helper()
	l := *w.life // its own idea of who owns what, as of now
	r := &onBoth{process: &process{life: &l, engine: rollout.New(timing)}, wires: map[string]*testcluster.Proxy{}}
	for where, name := range names {
		proxy := w.clusters[where].Proxy(t)
		c, err := cluster.New(cluster.Config{Name: name, UserAgent: "terraform-provider-switchback/test", ConfigPath: proxy.KubeconfigPath})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		r.wires[where], r.on = proxy, append(r.on, wiredCluster{c})
	}
	return r
}

// wired is a request, and which wire it came over.
type wired struct {
	testcluster.Request
	where string
}

func (r wired) String() string {
	return fmt.Sprintf("%s %s %3d %s", r.Time.Format("15:04:05.000"), r.where, r.Status, r.Request.String())
}

// done are the writes that a run has made on both clusters, in their order. Events
// are not among them.
func (r *onBoth) done() []wired {
	var all []wired
	for where, wire := range r.wires {
		for _, w := range wire.Writes() {
			if w.Status >= 200 && w.Status < 300 && !strings.HasSuffix(w.Path, "/events") {
				all = append(all, wired{w, where})
			}
		}
	}
	slices.SortFunc(all, func(a, b wired) int { return a.Time.Compare(b.Time) })
	return all
}

// faults decides about the requests of both wires.
func (r *onBoth) faults(decide func(where string, r *testcluster.Request) testcluster.Fault) {
	for where, wire := range r.wires {
		wire.Reset()
		wire.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault { return decide(where, r) })
	}
}

// looks is how often a run has looked at a Lease.
func (r *onBoth) looks() int {
	n := 0
	for _, wire := range r.wires {
		for _, q := range wire.Requests() {
			if q.Method == http.MethodGet && strings.Contains(q.Path, "/leases/") {
				n++
			}
		}
	}
	return n
}

// waitsForALease waits until a run has looked at somebody's Lease more than once.
func (r *onBoth) waitsForALease() {
	r.t.Helper()
	testcluster.Eventually(r.t, 30*time.Second, "a run to wait for the Lease", func() error {
		if n := r.looks(); n < 2 {
			return fmt.Errorf("it has looked %d times", n)
		}
		return nil
	})
}

func switchOf(r *testcluster.Request) bool {
	return r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/api")
}

// comesTo waits until a run has come to where it is held.
func comesTo(t *testing.T, reached <-chan struct{}, ended <-chan error) {
	t.Helper()
	select {
	case <-reached:
	case err := <-ended:
		t.Fatalf("it ended before: %v", err)
	}
}

// agree fails the test unless both clusters have a release as main, with nothing
// unfinished, and everything else is still there.
func (w *everywhere) agree(version string) {
	w.t.Helper()
	r := w.run(w.t, faultyTiming())
	for _, o := range r.engine.ObserveMain(w.t.Context(), r.on, w.namespace, "api", "api") {
		if o.Err != nil || o.Main == nil {
			w.t.Fatalf("%s: %+v", o.Cluster, o)
		}
		if name, _ := o.Split.Stable(); name != w.name(version) || o.Main.Deployment != name || o.Main.Checkpoint != nil || len(o.Leftover) > 0 {
			w.t.Errorf("%s: traffic is on %v, the pointer says %+v, want %s", o.Cluster, o.Split, *o.Main, w.name(version))
		}
	}
	for where, c := range w.clusters {
		w.mains[where].Check(w.t, faultyDrain)
		there := *w.life
		there.cluster = c
		for _, v := range []string{"v1", "v2", "v3"} {
			if !slices.Contains(there.objects(), "Deployment/"+w.name(v)) {
				w.t.Errorf("%s has lost %s: %v", where, v, there.objects())
			}
		}
	}
}

// pointers are what each cluster's Service selects, by version.
func (w *everywhere) pointers() map[string]string {
	w.t.Helper()
	points := map[string]string{}
	for where, c := range w.clusters {
		svc, err := c.Client().CoreV1().Services(w.namespace).Get(w.t.Context(), "api", metav1.GetOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, v := range []string{"v1", "v2", "v3"} {
			if svc.Spec.Selector[release.LabelDeployment] == w.name(v) {
				points[where] = v
			}
		}
	}
	return points
}

// tookTurns fails the test if one run wrote anything on any cluster between
// another one's first and last write. Leases are written before and after.
func tookTurns(t *testing.T, runs ...*onBoth) {
	t.Helper()
	for i, a := range runs {
		for j, b := range runs {
			writes, others := unlocked(a.done()), unlocked(b.done())
			if i == j || len(writes) == 0 {
				continue
			}
			first, last := writes[0].Time, writes[len(writes)-1].Time
			for _, o := range others {
				if o.Time.After(first) && o.Time.Before(last) {
					t.Errorf("while run %d was at work, run %d did\n  %s\nRun %d did\n%s", i+1, j+1, o, i+1, log(writes))
				}
			}
		}
	}
}

func unlocked(writes []wired) []wired {
	return slices.DeleteFunc(writes, func(w wired) bool { return strings.Contains(w.Path, "/leases/") })
}

func log(writes []wired) string {
	var b strings.Builder
	for _, w := range writes {
		b.WriteString("  " + w.String() + "\n")
	}
	return b.String()
}

// The second cluster is expensive: all tests of two clusters share it.
func TestTwoClusters(t *testing.T) {
	t.Parallel()
	west := testcluster.Start(t)
	for name, test := range map[string]func(*testing.T, *everywhere){
		"two promotions take turns":                 takeTurns,
		"many promotions take turns":                manyTakeTurns,
		"clusters are called differently elsewhere": otherNames,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, onTwoClusters(t, west))
		})
	}
	t.Run("a dead holder", func(t *testing.T) {
		t.Parallel()
		for _, version := range []string{"v1", "v2", "v3"} {
			t.Run("then "+version, func(t *testing.T) {
				t.Parallel()
				deadHolder(t, onTwoClusters(t, west), version)
			})
		}
	})
	t.Run("killed", func(t *testing.T) { t.Parallel(); killedOnTwoClusters(t, west) })
	t.Run("a holder that was away", func(t *testing.T) { t.Parallel(); away(t, west) })
}

// takeTurns holds one promotion in the middle of its switch: the other one must
// not have written anything by then.
func takeTurns(t *testing.T, w *everywhere) {
	first, second := w.run(t, lively()), w.run(t, lively())
	reached, goOn := make(chan struct{}), make(chan struct{})
	first.faults(func(where string, r *testcluster.Request) testcluster.Fault {
		if where != "west" || !switchOf(r) {
			return testcluster.Fault{}
		}
		close(reached)
		return testcluster.Fault{}.BeforeReply(func() { <-goOn })
	})
	results := make(chan error, 2)
	go func() { results <- first.promote(t.Context(), "v2", 1) }()
	comesTo(t, reached, results)
	go func() { results <- second.promote(t.Context(), "v3", 1) }()
	second.waitsForALease()
	if writes := second.done(); len(writes) > 0 {
		t.Errorf("without the Lease it has written\n%s", log(writes))
	}
	close(goOn)
	if err := errors.Join(<-results, <-results); err != nil {
		t.Fatal(err)
	}
	tookTurns(t, first, second)
	w.agree("v3")
}

// manyTakeTurns lets runs begin at the same moment.
func manyTakeTurns(t *testing.T, w *everywhere) {
	runs := []*onBoth{w.run(t, lively()), w.run(t, lively()), w.run(t, lively())}
	results := make(chan error, len(runs))
	for i, r := range runs {
		go func() { results <- r.promote(t.Context(), fmt.Sprintf("v%d", i+1), 1) }()
	}
	for range runs {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	tookTurns(t, runs...)
	points := w.pointers()
	w.agree(points["east"])
}

// otherNames: names of clusters are each configuration's own, and two runs that
// sort them differently must not wait for each other.
func otherNames(t *testing.T, w *everywhere) {
	first := w.run(t, lively())
	second := w.runCalling(t, lively(), map[string]string{"east": "two", "west": "one"})
	both := make(chan struct{}, 2) // each has its first Lease, and may ask for its second when the other has
	var ready sync.WaitGroup
	ready.Add(2)
	hold := func() func(string, *testcluster.Request) testcluster.Fault {
		var once sync.Once
		return func(_ string, r *testcluster.Request) testcluster.Fault {
			if r.Method != http.MethodPut || !strings.Contains(r.Path, "/leases/") {
				return testcluster.Fault{}
			}
			var f testcluster.Fault
			once.Do(func() { f = f.BeforeReply(func() { ready.Done(); <-both }) })
			return f
		}
	}
	first.faults(hold())
	second.faults(hold())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	results := make(chan error, 2)
	go func() { results <- first.promote(ctx, "v2", 1) }()
	go func() { results <- second.promote(ctx, "v3", 1) }()
	met := make(chan struct{})
	go func() { ready.Wait(); close(met) }()
	select {
	case <-met:
	case <-time.After(5 * time.Second): // they ask for one and the same first: no need to meet
	}
	close(both)
	if err := errors.Join(<-results, <-results); err != nil {
		t.Fatal(err)
	}
	points := w.pointers()
	w.agree(points["east"])
}

// dying is a run that is dead from a request on: its reply is lost, and nothing
// arrives after it, nor what is late, which goes out at the same time.
func (w *everywhere) dying(t *testing.T, at, late func(where string, r *testcluster.Request) bool) (r *onBoth, ctx context.Context, dead func() bool) {
	t.Helper()
	timing := faultyTiming()
	timing.Cleanup, timing.Settle = 200*time.Millisecond, 3*time.Second
	r = w.run(t, timing)
	ctx, kill := context.WithCancel(t.Context())
	t.Cleanup(kill)
	var mu sync.Mutex
	died := make(chan struct{})
	dead = func() bool {
		select {
		case <-died:
			return true
		default:
			return false
		}
	}
	r.faults(func(where string, q *testcluster.Request) testcluster.Fault {
		if late(where, q) {
			<-died
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case dead():
			return testcluster.ConnectionReset()
		case at(where, q):
			close(died)
			return testcluster.LostReply().BeforeReply(kill)
		}
		return testcluster.Fault{}
	})
	return r, ctx, dead
}

// deadHolder kills a promotion between its clusters: both have its checkpoint,
// and only one its traffic.
func deadHolder(t *testing.T, w *everywhere, version string) {
	first, ctx, _ := w.dying(t,
		func(where string, r *testcluster.Request) bool { return where == "east" && switchOf(r) },
		func(where string, r *testcluster.Request) bool { return where == "west" && switchOf(r) })
	if err := first.promote(ctx, "v2", 1); err == nil {
		t.Fatal("a killed promotion succeeded")
	}
	if points := w.pointers(); points["east"] != "v2" || points["west"] != "v1" {
		t.Fatalf("the traffic is on %v", points)
	}
	r := w.run(t, faultyTiming())
	for _, o := range r.engine.ObserveMain(t.Context(), r.on, w.namespace, "api", "api") {
		if cp := o.Main.Checkpoint; cp == nil || cp.Step != release.MainRunning || cp.From != w.name("v1") || cp.To != w.name("v2") {
			t.Fatalf("%s has the checkpoint %+v", o.Cluster, cp)
		}
	}
	began := time.Now()
	second := w.run(t, faultyTiming())
	const long = 2 * time.Second
	if _, err := second.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: w.service(), To: w.name(version), Owner: w.main, Keep: release.Keep{Count: 1}, Drain: long, Clusters: second.on,
	}); err != nil {
		t.Fatal(err)
	}
	if writes := second.done(); writes[0].Time.Sub(began) < faultyTiming().Expiry {
		t.Errorf("%s after it came, it took the Lease from a holder that might have lived:\n%s", writes[0].Time.Sub(began), log(writes))
	}
	if writes := second.done(); writes[1].Time.Sub(writes[0].Time) >= faultyTiming().Expiry {
		t.Errorf("it waited for one Lease after the other to expire:\n%s", log(writes))
	}
	w.agree(version)
	if version == "v2" {
		return
	}
	// What had half of the traffic is let go: its connections drain.
	if err := second.terminate(t.Context(), "v2"); err != nil && !strings.Contains(err.Error(), "kept") {
		t.Fatal(err)
	}
	for _, main := range w.mains {
		main.Check(t, long)
	}
}

// killedOnTwoClusters kills a promotion after each of its writes, and lets another
// run go on with it, go back, or go elsewhere.
func killedOnTwoClusters(t *testing.T, west *testcluster.Cluster) {
	const most = 40
	writes := make(chan int, most)
	for k := 1; k <= most; k++ {
		n := 0
		if !t.Run(fmt.Sprintf("after write %d", k), func(t *testing.T) {
			w := onTwoClusters(t, west)
			what := ""
			first, ctx, dead := w.dying(t, func(where string, r *testcluster.Request) bool {
				if !r.Write() || strings.HasSuffix(r.Path, "/events") {
					return false
				}
				n++
				what = where + " " + r.Method + " " + r.Path
				return n == k
			}, func(string, *testcluster.Request) bool { return false })
			err := first.promote(ctx, "v2", 1)
			if !dead() {
				if err != nil {
					t.Fatalf("undisturbed: %v", err)
				}
				return
			}
			version := []string{"v1", "v2", "v3"}[k%3]
			t.Logf("killed after %s, with the traffic on %v; the next one goes to %s", what, w.pointers(), version)
			second := w.run(t, faultyTiming())
			if err := second.promote(t.Context(), version, 1); err != nil {
				t.Fatal(err)
			}
			w.agree(version)
		}) {
			return
		}
		if n < k {
			writes <- n
			break
		}
	}
	close(writes)
	if n := <-writes; n < 10 {
		t.Errorf("it has only %d writes", n)
	}
}

// away cuts a holder off in the middle of its switch for so long that another
// run takes over. When it is back, it must leave everything as it is.
func away(t *testing.T, west *testcluster.Cluster) {
	for name, at := range map[string]func(where string, r *testcluster.Request) bool{
		"before it looks at the first address": func(where string, r *testcluster.Request) bool {
			return where == "east" && r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/services/api")
		},
		"before it writes the first address": func(where string, r *testcluster.Request) bool { return where == "east" && switchOf(r) },
		"before it looks at the second address": func(where string, r *testcluster.Request) bool {
			return where == "west" && r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/services/api")
		},
		"before it writes the second address": func(where string, r *testcluster.Request) bool { return where == "west" && switchOf(r) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := onTwoClusters(t, west)
			first, second := w.run(t, faultyTiming()), w.run(t, faultyTiming()) // which has no heartbeat
			reached, back := make(chan struct{}), make(chan struct{})
			var once sync.Once
			checkpoints := 0
			var mu sync.Mutex
			first.faults(func(where string, r *testcluster.Request) testcluster.Fault {
				mu.Lock()
				if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/configmaps/api-switchback") {
					checkpoints++
				}
				held := checkpoints >= 2 && at(where, r)
				mu.Unlock()
				if held {
					once.Do(func() { close(reached); <-back })
				}
				return testcluster.Fault{}
			})
			result := make(chan error, 1)
			go func() { result <- first.promote(t.Context(), "v2", 1) }()
			comesTo(t, reached, result)
			if err := second.promote(t.Context(), "v3", 1); err != nil {
				t.Fatal(err)
			}
			before := len(first.done())
			close(back)
			err := <-result
			if !errors.Is(err, rollout.ErrLockLost) {
				t.Errorf("it says: %v", err)
			}
			if late := first.done()[before:]; len(late) > 0 {
				t.Errorf("without the Lease it did\n%s", log(late))
			}
			w.agree("v3")
		})
	}
}
