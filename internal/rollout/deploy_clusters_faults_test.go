package rollout_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestRolloutKilledAfterEveryWrite kills a process that goes over three clusters, in
// the middle of b; c refuses. Another one ends where an undisturbed one would have.
func TestRolloutKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	clusters := testcluster.Clusters(t, 3)
	testcluster.EveryDeath(t, 8, func(t *testing.T, k int) bool { return killedOver(t, clusters, k) })
}

func killedOver(t *testing.T, clusters []*testcluster.Cluster, k int) (hit bool) {
	t.Helper()
	f := newFleet(t, clusters)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	request := rollout.DeployRequest{
		Spec: f.on["a"].desired("v1", nil), Rollout: release.Rollout{MaxParallel: 1, Order: []string{"c"}, OnFailure: release.FailureContinue},
	}
	request.Clusters = f.clusters("a", "b", "c")
	var mu sync.Mutex
	f.on["c"].proxy.SetFault(noPods)
	f.on["b"].proxy.SetFault(func(r *testcluster.Request, n int) testcluster.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case hit:
			return testcluster.Dead(r, n)
		case r.Write() && !strings.Contains(r.Path, "/events") && r.WriteIndex >= k:
			hit = true
			for _, name := range []string{"a", "c"} {
				f.on[name].proxy.SetFault(testcluster.Dead)
			}
			return testcluster.LostReply().BeforeReply(func() {
				kill()
				for _, l := range f.on {
					l.proxy.DropWatches()
				}
			})
		}
		return testcluster.Fault{}
	})
	_, err := f.engine.DeployOver(ctx, request)
	if !hit && err != nil {
		t.Fatal(err)
	}
	for _, l := range f.on {
		l.proxy.SetFault(nil)
	}
	f.again()
	request.Clusters = f.clusters("a", "b", "c")
	done, err := f.engine.DeployOver(t.Context(), request)
	if err != nil || ended(done.Clusters) != "a: started, b: started, c: started" {
		t.Errorf("killed after write %d, then it ended as %s: %v", k, ended(done.Clusters), err)
	}
	f.wantStand("a: started owned, b: started owned, c: started owned")
	for name, l := range f.on {
		if n := len(l.pods("v1")); n != 2 {
			t.Errorf("%d pods on %s, want 2", n, name)
		}
	}
	f.allowed()
	return hit
}

// interruptedBetween: a Ctrl-C while a batch is watched is no cluster's failure.
func interruptedBetween(policy release.FailurePolicy) func(*testing.T, *fleet) {
	return func(t *testing.T, f *fleet) { f.interrupted(t, policy) }
}

func (f *fleet) interrupted(t *testing.T, policy release.FailurePolicy) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		f.settledOn(t, "a", "Started")
		stop()
	}()
	done, err := f.engine.DeployOver(ctx, rollout.DeployRequest{
		Spec: f.on["a"].desired("v1", nil), Clusters: f.clusters("a", "b", "c"),
		Rollout: release.Rollout{MaxParallel: 1, Bake: longBake, OnFailure: policy},
	})
	if err != nil || done.Status != release.StatusCancelled {
		t.Fatalf("it ended as %s: %v", done.Status, err)
	}
	for _, o := range done.Clusters {
		if o.Err != nil || o.Status != release.StatusCancelled {
			t.Errorf("%s ended as %s: %v", o.Cluster, o.Status, o.Err)
		}
	}
	f.wantStand("a: cancelled owned, b: cancelled owned, c: cancelled owned")
	f.again()
	again, err := f.engine.Update(t.Context(), rollout.UpdateRequest{
		Spec: f.on["a"].desired("v1", nil), Owner: done.Owner, Keep: f.clusters("a", "b", "c"), TakeBack: []string{"spec.replicas"},
	})
	if err != nil || ended(again.Clusters) != "a: started, b: started, c: started" {
		t.Errorf("it ended as %s: %v", ended(again.Clusters), err)
	}
}
