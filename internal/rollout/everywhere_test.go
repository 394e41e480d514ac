package rollout_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
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
	west.NamespaceNamed(t, w.namespace)
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
	timing.Beat, timing.Expiry = 500*time.Millisecond, testcluster.Hang // on a busy machine a beat may be late
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
	r.end = func() { closed(r.on) }
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
	testcluster.Eventually(r.t, testcluster.Hang, "a run to wait for the Lease", func() error {
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
	defer r.end()
	for _, o := range observe.Mains(w.t.Context(), r.on, w.namespace, "api", "api") {
		if o.Err != nil || o.Main == nil {
			w.t.Fatalf("%s: %+v", o.Cluster, o)
		}
		if name, _ := o.Split.Stable(); name != w.name(version) || o.Main.Deployment != name || o.Main.Progress != nil || len(o.Leftover) > 0 {
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
