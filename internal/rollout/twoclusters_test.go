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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// The second cluster is expensive: all tests of two clusters share it.
func TestTwoClusters(t *testing.T) {
	t.Parallel()
	west := testcluster.Clusters(t, 2)[1]
	for name, test := range map[string]func(*testing.T, *everywhere){
		"two promotions take turns":                 takeTurns,
		"many promotions take turns":                manyTakeTurns,
		"clusters are called differently elsewhere": otherNames,
		"one is there":                              oneIsThere,
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
	ctx, cancel := context.WithTimeout(t.Context(), testcluster.Hang)
	defer cancel()
	results := make(chan error, 2)
	go func() { results <- first.promote(ctx, "v2", 1) }()
	go func() { results <- second.promote(ctx, "v3", 1) }()
	met := make(chan struct{})
	go func() { ready.Wait(); close(met) }()
	testcluster.Eventually(t, testcluster.Hang, "one to wait for the other's Lease, or each to have one", func() error {
		select {
		case <-met:
			return nil
		default:
		}
		if a, b := first.looks(), second.looks(); max(a, b) < 4 { // who waits looks again and again
			return fmt.Errorf("they have looked %d and %d times", a, b)
		}
		return nil
	})
	close(both)
	if err := errors.Join(<-results, <-results); err != nil {
		t.Fatal(err)
	}
	points := w.pointers()
	w.agree(points["east"])
}

// dying is a run that is dead from a request on: its reply is lost, and nothing
// arrives after it, nor what is late, which goes out at the same time.
func (w *everywhere) dying(t *testing.T, timing rollout.Timing, at, late func(where string, r *testcluster.Request) bool) (r *onBoth, ctx context.Context, dead func() bool) {
	t.Helper()
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
			return testcluster.Dead(q, 0)
		case at(where, q):
			close(died)
			return testcluster.LostReply().BeforeReply(func() {
				kill()
				for _, wire := range r.wires {
					wire.DropWatches()
				}
			})
		}
		return testcluster.Fault{}
	})
	return r, ctx, dead
}

// deadHolder kills a promotion between its clusters: both have its checkpoint,
// and only one its traffic.
func deadHolder(t *testing.T, w *everywhere, version string) {
	long := faultyTiming()
	long.Expiry = 3 * time.Second
	first, ctx, _ := w.dying(t, long,
		func(where string, r *testcluster.Request) bool { return where == "east" && switchOf(r) },
		func(where string, r *testcluster.Request) bool { return where == "west" && switchOf(r) })
	if err := first.promote(ctx, "v2", 1); err == nil {
		t.Fatal("a killed promotion succeeded")
	}
	if points := w.pointers(); points["east"] != "v2" || points["west"] != "v1" {
		t.Fatalf("the traffic is on %v", points)
	}
	r := w.run(t, faultyTiming())
	for _, o := range observe.Mains(t.Context(), r.on, w.namespace, "api", "api") {
		if cp := o.Main.Progress; cp == nil || cp.Status() != release.MainRunning || cp.From != w.name("v1") || cp.To != w.name("v2") {
			t.Fatalf("%s has the checkpoint %+v", o.Cluster, cp)
		}
	}
	began := time.Now()
	second := w.run(t, faultyTiming())
	const drain = 2 * time.Second
	if _, err := second.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: w.service(), To: w.name(version), Owner: w.main, Keep: release.Keep{Count: 1}, Drain: drain, Clusters: second.on,
	}); err != nil {
		t.Fatal(err)
	}
	if writes := second.done(); writes[0].Time.Sub(began) < long.Expiry {
		t.Errorf("%s after it came, it took the Lease from a holder that might have lived:\n%s", writes[0].Time.Sub(began), log(writes))
	}
	writes := second.done()
	before, after := 0, 0 // looks at the second Lease, before and after the first one was taken
	for _, r := range second.wires[writes[1].where].Requests() {
		switch {
		case r.Method != http.MethodGet || r.Path != writes[1].Path:
		case r.Time.Before(writes[0].Time):
			before++
		case r.Time.Before(writes[1].Time):
			after++
		}
	}
	if most := int(long.Expiry / long.Poll / 2); before == 0 || after > most {
		t.Errorf("it waited for one Lease after the other to expire: it looked at the second %d times before it had the first, and %d times then:\n%s", before, after, log(writes))
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
		main.Check(t, drain)
	}
}

// TestTwoClustersKilledAfterEveryWrite kills a promotion after each of its writes, and
// lets another run go on with it, go back, or go elsewhere.
func TestTwoClustersKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	west := testcluster.Clusters(t, 2)[1]
	testcluster.EveryDeath(t, 14, func(t *testing.T, k int) bool {
		w := onTwoClusters(t, west)
		what, n := "", 0
		first, ctx, dead := w.dying(t, faultyTiming(), func(where string, r *testcluster.Request) bool {
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
			return false
		}
		version := []string{"v1", "v2", "v3"}[k%3]
		t.Logf("killed after %s, with the traffic on %v; the next one goes to %s", what, w.pointers(), version)
		second := w.run(t, faultyTiming())
		if err := second.promote(t.Context(), version, 1); err != nil {
			t.Fatal(err)
		}
		w.agree(version)
		return true
	})
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
			if !errors.Is(err, ownership.ErrLockLost) {
				t.Errorf("it says: %v", err)
			}
			if late := first.done()[before:]; len(late) > 0 {
				t.Errorf("without the Lease it did\n%s", log(late))
			}
			w.agree("v3")
		})
	}
}

// oneIsThere: a release is main on one cluster, and not ready on the other. Nothing has
// begun, so that nothing goes back, and what happened is told once.
func oneIsThere(t *testing.T, w *everywhere) {
	r := w.run(t, lively())
	east := slices.IndexFunc(r.on, func(c rollout.Cluster) bool { return c.Name() == "east" })
	request := rollout.PromoteRequest{
		Service: w.service(), To: w.name("v2"), Owner: w.main, Keep: release.Keep{Count: 1}, Drain: faultyDrain, Clusters: r.on[east : east+1],
	}
	if _, err := r.engine.Promote(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	before := len(w.history())
	r.faults(func(where string, r *testcluster.Request) testcluster.Fault {
		if where == "west" && r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/configmaps/"+w.name("v2")) {
			return testcluster.Reject(http.StatusNotFound, metav1.StatusReasonNotFound, "no such record")
		}
		return testcluster.Fault{}
	})
	request.Clusters = r.on
	done, err := r.engine.Promote(t.Context(), request)
	var unready *release.NotReadyError
	if !errors.As(err, &unready) || done.Status != release.MainFailed || done.Moved {
		t.Errorf("it ended as %s: %v", done.Status, err)
	}
	if points := w.pointers(); points["east"] != "v2" || points["west"] != "v1" {
		t.Errorf("the traffic is on %v", points)
	}
	for _, write := range r.done() {
		if strings.HasSuffix(write.Path, "/services/api") {
			t.Errorf("it wrote to an address: %s", write)
		}
	}
	if after := w.history(); len(after) != before { // where the release is main already, nothing was tried
		t.Errorf("the history of east has %d new lines", len(after)-before)
	}
}
