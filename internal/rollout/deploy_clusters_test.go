package rollout_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

var continues = release.Rollout{OnFailure: release.FailureContinue}

// TestRollout goes over three clusters. They are expensive: all its tests share
// the second and the third.
func TestRollout(t *testing.T) {
	t.Parallel()
	clusters := testcluster.Clusters(t, 3)
	tests := map[string]func(t *testing.T, f *fleet){
		"an abort leaves the later clusters alone":        abortsEarly,
		"the others go on, and the next goes on there":    goesOnThere,
		"with fewer than the quorum all has failed":       missesQuorum,
		"what was not ready joins later":                  joinsLater,
		"a retained release joins later":                  joinsRetained,
		"content in place goes back on one":               oneGoesBack,
		"content in place goes back on all":               allGoBack,
		"a batch is watched before the next":              bakes,
		"a batch that does not stay healthy ends all":     breaksInBake,
		"a batch that breaks is left behind":              leftBehindInBake,
		"an interruption between two batches":             interruptedBetween(release.FailureAbort),
		"the same, where the others go on":                interruptedBetween(release.FailureContinue),
		"a stop goes on without one":                      stopsOthers,
		"an end on all but one":                           endsOthers,
		"a cluster is dropped, another cannot be dropped": dropsOne,
		"nothing to do, but no longer ours":               settledElsewhere,
	}
	t.Run("on a, b and c", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := newFleet(t, clusters)
				test(t, f)
				f.allowed()
			})
		}
	})
}

// abortsEarly: what comes after the failure is never begun, and nothing is owned.
func abortsEarly(t *testing.T, f *fleet) {
	spec := f.on["a"].desired("v1", nil)
	f.on["b"].proxy.SetFault(noPods)
	done, err := f.engine.DeployOver(t.Context(), rollout.DeployRequest{
		Spec: spec, Clusters: f.clusters("a", "b", "c"), Rollout: release.Rollout{MaxParallel: 1, Order: []string{"c"}},
	})
	if err == nil || !strings.Contains(err.Error(), `"b"`) || len(done.Clusters) != 0 {
		t.Fatalf("it ended with %v: %v", done, err)
	}
	if on := f.applied("v1"); !slices.Equal(on, []string{"a", "c"}) {
		t.Errorf("there is a workload on %v; c comes first, then a and b", on)
	}
	f.wantStand("a: start_error abandoned, b: start_error abandoned, c: start_error abandoned")

	f.again()
	done, err = f.engine.DeployOver(t.Context(), rollout.DeployRequest{
		Spec: f.on["a"].desired("v2", nil), Clusters: f.clusters("a", "b", "c"), Rollout: release.Rollout{MaxParallel: 1, Order: []string{"b", "c"}},
	})
	if on := f.applied("v2"); err == nil || len(on) != 0 {
		t.Errorf("b comes first, and there is a workload on %v; %v, %v", on, done, err)
	}
}

// goesOnThere: two are started and the third is ours, too; the next update
// touches it alone.
func goesOnThere(t *testing.T, f *fleet) {
	spec := f.on["a"].desired("v1", nil)
	f.on["c"].proxy.SetFault(noPods)
	done, err := f.engine.DeployOver(t.Context(), rollout.DeployRequest{Spec: spec, Clusters: f.clusters("a", "b", "c"), Rollout: continues})
	if err != nil {
		t.Fatal(err)
	}
	f.wantStand("a: started owned, b: started owned, c: start_error owned")
	if got := ended(done.Clusters); !strings.HasPrefix(got, "a: started, b: started, c: start_error (") || !strings.Contains(got, "not today") {
		t.Errorf("it ended as %s", got)
	}
	if done.Status != release.StatusStartError || done.Reason != done.Clusters[2].Reason || done.Clusters[2].Err == nil {
		t.Errorf("as a whole it is %+v", done)
	}

	f.on["c"].proxy.SetFault(nil)
	f.again()
	for _, name := range []string{"a", "b"} {
		f.on[name].proxy.Reset()
	}
	done, err = f.engine.Update(t.Context(), rollout.UpdateRequest{
		Spec: spec, Owner: done.Owner, Keep: f.clusters("c"), Settled: f.clusters("a", "b"), Rollout: continues,
	})
	if err != nil || done.Status != release.StatusStarted || ended(done.Clusters) != "c: started" {
		t.Errorf("it ended with %+v: %v", done, err)
	}
	f.wantStand("a: started owned, b: started owned, c: started owned")
	for _, name := range []string{"a", "b"} {
		if writes := f.on[name].proxy.Writes(); len(writes) > 0 {
			t.Errorf("%s was written to: %v", name, writes)
		}
	}
}

func missesQuorum(t *testing.T, f *fleet) {
	f.on["c"].proxy.SetFault(noPods)
	all := release.Rollout{OnFailure: release.FailureContinue, Quorum: 3}
	done, err := f.engine.DeployOver(t.Context(), rollout.DeployRequest{Spec: f.on["a"].desired("v1", nil), Clusters: f.clusters("a", "b", "c"), Rollout: all})
	if err == nil || !strings.Contains(err.Error(), `"c"`) {
		t.Fatalf("it ended with %+v: %v", done, err)
	}
	f.wantStand("a: start_error abandoned, b: start_error abandoned, c: start_error abandoned")
	for name, l := range f.on {
		testcluster.Eventually(t, testcluster.Hang, "the pods to go", func() error {
			if n := len(l.pods("v1")); n > 0 {
				return fmt.Errorf("%d pods on %s", n, name)
			}
			return nil
		})
	}
	// On the way, too: what can no longer be reached is not tried.
	f.again()
	first := release.Rollout{OnFailure: release.FailureContinue, Quorum: 3, MaxParallel: 1, Order: []string{"c"}}
	if _, err := f.engine.DeployOver(t.Context(), rollout.DeployRequest{Spec: f.on["a"].desired("v2", nil), Clusters: f.clusters("a", "b", "c"), Rollout: first}); err == nil {
		t.Error("two of three were enough")
	}
	if on := f.applied("v2"); len(on) > 0 {
		t.Errorf("there is a workload on %v", on)
	}
}

// joinsLater: a cluster that was found unready counts as failed, and is made
// from nothing by the update that comes when it is ready.
func joinsLater(t *testing.T, f *fleet) {
	spec, away := f.on["a"].desired("v1", nil), errors.New("c is away")
	_, err := f.engine.DeployOver(t.Context(), rollout.DeployRequest{
		Spec: spec, Clusters: f.clusters("a", "b"), Unready: map[string]error{"c": away}, Rollout: release.Rollout{OnFailure: release.FailureContinue, Quorum: 3},
	})
	if !errors.Is(err, away) {
		t.Errorf("two of three were enough, or it says: %v", err)
	}
	f.again()
	done, err := f.engine.DeployOver(t.Context(), rollout.DeployRequest{
		Spec: spec, Clusters: f.clusters("a", "b"), Unready: map[string]error{"c": away}, Rollout: continues,
	})
	if err != nil || ended(done.Clusters) != "a: started, b: started, c:  (c is away)" || done.Status != release.StatusStartError {
		t.Fatalf("it ended as %s, %s: %v", ended(done.Clusters), done.Status, err)
	}
	f.wantStand("a: started owned, b: started owned, c: -")
	f.again()
	done, err = f.engine.Update(t.Context(), rollout.UpdateRequest{Spec: spec, Owner: done.Owner, Rejoin: f.clusters("c"), Settled: f.clusters("a", "b")})
	if err != nil || ended(done.Clusters) != "c: started" {
		t.Errorf("it ended as %s: %v", ended(done.Clusters), err)
	}
	f.wantStand("a: started owned, b: started owned, c: started owned")
}

// joinsRetained: what is kept there for going back has another owner's token,
// and is adopted as a create would have done.
func joinsRetained(t *testing.T, f *fleet) {
	spec := f.on["a"].desired("v1", nil)
	before, err := f.engine.Deploy(t.Context(), f.clusters("c"), spec)
	if err != nil {
		t.Fatal(err)
	}
	f.again()
	done, err := f.engine.DeployOver(t.Context(), rollout.DeployRequest{
		Spec: spec, Clusters: f.clusters("a", "b"), Unready: map[string]error{"c": errors.New("c is away")}, Rollout: continues,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.again()
	done, err = f.engine.Update(t.Context(), rollout.UpdateRequest{Spec: spec, Owner: done.Owner, Rejoin: f.clusters("c"), Settled: f.clusters("a", "b")})
	if err != nil || ended(done.Clusters) != "c: started" {
		t.Fatalf("it ended as %s: %v", ended(done.Clusters), err)
	}
	if now := f.on["c"].record("v1").Owner; now != done.Owner || now == before.Owner {
		t.Errorf("its owner is %s, was %s; the state has %s", now, before.Owner, done.Owner)
	}
}

// oneGoesBack: its pods are never touched, and the next update brings the new
// content there, too.
func oneGoesBack(t *testing.T, f *fleet) {
	owner := f.inPlaceOn(t)
	pods := f.on["c"].pods("v1")
	f.full("c", len(pods))
	spec := f.on["a"].rolling("v2", nil)
	request := rollout.UpdateRequest{Spec: spec, Owner: owner, Keep: f.clusters("a", "b", "c"), Rollout: continues}
	done, err := f.engine.Update(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var start *rollout.StartError
	if got := ended(done.Clusters); !strings.HasPrefix(got, "a: started, b: started, c: started (Deployment failed to update") || !errors.As(done.Clusters[2].Err, &start) || !strings.Contains(start.RolledBack, "back at version v1") {
		t.Errorf("it ended as %s: %v", got, done.Clusters[2].Err)
	}
	f.wantVersions("a: v2 v2, b: v2 v2, c: v1 v1")
	if !slices.Equal(pods, f.on["c"].pods("v1")) {
		t.Error("pods of c were replaced")
	}
	if err := f.on["c"].cluster.Client().CoreV1().ResourceQuotas(f.on["c"].namespace).Delete(t.Context(), "full", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.again()
	request.Keep, request.Settled = f.clusters("c"), f.clusters("a", "b")
	if _, err := f.engine.Update(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	f.wantVersions("a: v2 v2, b: v2 v2, c: v2 v2")
	f.wantStand("a: started owned, b: started owned, c: started owned")
}

// allGoBack: one cluster after the other, and the third takes the first two
// back with it.
func allGoBack(t *testing.T, f *fleet) {
	owner := f.inPlaceOn(t)
	pods := f.on["a"].pods("v1")
	f.full("c", 2)
	_, err := f.engine.Update(t.Context(), rollout.UpdateRequest{
		Spec: f.on["a"].rolling("v2", nil), Owner: owner, Keep: f.clusters("a", "b", "c"), Rollout: release.Rollout{MaxParallel: 1},
	})
	var start *rollout.StartError
	if !errors.As(err, &start) || start.Cluster != "c" || strings.Count(start.RolledBack, "is back at version v1") != 3 {
		t.Fatalf("it says: %v", err)
	}
	f.wantVersions("a: v1 v1, b: v1 v1, c: v1 v1")
	if slices.Equal(pods, f.on["a"].pods("v1")) {
		t.Error("a was never touched, although c came last")
	}
	if reason := f.on["a"].record("v1").Reason; !strings.Contains(reason, `on cluster "c"`) {
		t.Errorf("a's record says %q", reason)
	}
}

func bakes(t *testing.T, f *fleet) {
	began := time.Now()
	_, err := f.engine.DeployOver(t.Context(), rollout.DeployRequest{
		Spec: f.on["a"].desired("v1", nil), Clusters: f.clusters("a", "b", "c"), Rollout: release.Rollout{MaxParallel: 2, Bake: 3 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("it took %s", took)
	}
	first, second := f.on["b"].record("v1").Phases, f.on["c"].record("v1").Phases
	at := func(phases []release.Phase, name string) time.Time {
		i := slices.IndexFunc(phases, func(p release.Phase) bool { return string(p.Name) == name })
		if i < 0 {
			t.Fatalf("no phase %q in %v", name, phases)
		}
		return phases[i].At
	}
	if wait := at(second, "applied").Sub(at(first, "healthy")); wait < 3*time.Second {
		t.Errorf("c was begun %s after b was healthy", wait)
	}
	if slices.ContainsFunc(second, func(p release.Phase) bool { return p.Name == "baked" }) {
		t.Error("the last batch was watched for nobody")
	}
	f.wantStand("a: started owned, b: started owned, c: started owned")
}

func breaksInBake(t *testing.T, f *fleet) {
	owner := f.inPlaceOn(t)
	pods := f.on["c"].pods("v1")
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err = f.engine.Update(t.Context(), rollout.UpdateRequest{
			Spec: f.on["a"].rolling("v2", nil), Owner: owner, Keep: f.clusters("a", "b", "c"), Rollout: release.Rollout{MaxParallel: 1, Bake: longBake},
		})
	}()
	f.settledOn(t, "a", "Updated")
	f.crash(t.Context(), "a", "v1")
	<-ended
	var start *rollout.StartError
	if !errors.As(err, &start) || start.Cluster != "a" || !strings.HasPrefix(start.Summary(), "Deployment did not stay healthy") || !strings.Contains(start.Error(), "being watched") {
		t.Fatalf("it says: %v", err)
	}
	f.wantVersions("a: v1 v1, b: v1 v1, c: v1 v1")
	if !slices.Equal(pods, f.on["c"].pods("v1")) {
		t.Error("pods of c were replaced")
	}
}

func leftBehindInBake(t *testing.T, f *fleet) {
	type result struct {
		done rollout.Deployed
		err  error
	}
	ended1 := make(chan result, 1)
	go func() {
		done, err := f.engine.DeployOver(t.Context(), rollout.DeployRequest{
			Spec: f.on["a"].desired("v1", nil), Clusters: f.clusters("a", "b", "c"),
			Rollout: release.Rollout{MaxParallel: 2, Bake: 20 * time.Second, OnFailure: release.FailureContinue},
		})
		ended1 <- result{done, err}
	}()
	f.settledOn(t, "a", "Started")
	f.crash(t.Context(), "a", "v1")
	r := <-ended1
	if r.err != nil || !strings.HasPrefix(ended(r.done.Clusters), "a: start_error (Deployment did not stay healthy") || !strings.HasSuffix(ended(r.done.Clusters), "b: started, c: started") {
		t.Errorf("it ended as %s: %v", ended(r.done.Clusters), r.err)
	}
	f.wantStand("a: start_error owned, b: started owned, c: started owned")
}

func stopsOthers(t *testing.T, f *fleet) {
	made, err := f.engine.Deploy(t.Context(), f.clusters("a", "b", "c"), f.on["a"].desired("v1", nil))
	if err != nil {
		t.Fatal(err)
	}
	f.again()
	f.on["b"].proxy.SetFault(noPods)
	done, err := f.engine.Update(t.Context(), rollout.UpdateRequest{
		Spec: f.on["a"].desired("v1", stopped), Owner: made.Owner, Keep: f.clusters("a", "b", "c"), TakeBack: []string{"spec.replicas"}, Rollout: continues,
	})
	if err != nil || done.Status != release.StatusStopError || !strings.HasPrefix(ended(done.Clusters), "a: stopped, b: stop_error (") {
		t.Errorf("it ended as %s: %v", ended(done.Clusters), err)
	}
	f.wantStand("a: stopped owned, b: stop_error owned, c: stopped owned")
}

// endsOthers: what can be removed is, whatever becomes of the others, and the
// next attempt goes on from there.
func endsOthers(t *testing.T, f *fleet) {
	made, err := f.engine.Deploy(t.Context(), f.clusters("a", "b", "c"), f.on["a"].desired("v1", nil))
	if err != nil {
		t.Fatal(err)
	}
	f.again()
	f.on["b"].proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodDelete && strings.Contains(r.Path, "/deployments/") {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	})
	request := rollout.TerminateRequest{ID: made.ID, Application: "api", Owner: made.Owner, Clusters: f.clusters("a", "b", "c")}
	_, outcomes := f.engine.TerminateOn(t.Context(), request)
	if got := ended(outcomes); !strings.HasPrefix(got, "a: terminated, b: terminate_error (") || !strings.HasSuffix(got, "c: terminated") || !strings.Contains(got, "not today") {
		t.Errorf("it ended as %s", got)
	}
	f.wantStand("a: -, b: terminate_error terminating, c: -")
	f.on["b"].proxy.SetFault(nil)
	f.again()
	request.Clusters = f.clusters("a", "b", "c")
	if _, outcomes := f.engine.TerminateOn(t.Context(), request); ended(outcomes) != "a: terminated, b: terminated, c: terminated" {
		t.Errorf("it ended as %s", ended(outcomes))
	}
	f.wantStand("a: -, b: -, c: -")
}

// dropsOne: the change is made, one of two clusters is left, and what is said is
// about the other.
func dropsOne(t *testing.T, f *fleet) {
	made, err := f.engine.Deploy(t.Context(), f.clusters("a", "b", "c"), f.on["a"].desired("v1", nil))
	if err != nil {
		t.Fatal(err)
	}
	f.again()
	f.on["c"].proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodDelete && strings.Contains(r.Path, "/deployments/") {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	})
	done, err := f.engine.Update(t.Context(), rollout.UpdateRequest{
		Spec: f.on["a"].desired("v1", func(s *release.Spec) { s.Replicas = 3 }), Owner: made.Owner, Keep: f.clusters("a"), Drop: f.clusters("b", "c"), TakeBack: []string{"spec.replicas"},
	})
	if err == nil || !done.Reached || !strings.HasPrefix(ended(done.Left), "b: terminated, c: terminate_error (") {
		t.Errorf("it left %s: %v", ended(done.Left), err)
	}
	if n := len(f.on["a"].pods("v1")); n != 3 {
		t.Errorf("%d pods on a, want 3", n)
	}
	f.wantStand("a: started owned, b: -, c: terminate_error terminating")
}

func settledElsewhere(t *testing.T, f *fleet) {
	spec := f.on["a"].desired("v1", nil)
	made, err := f.engine.Deploy(t.Context(), f.clusters("a", "b"), spec)
	if err != nil {
		t.Fatal(err)
	}
	f.again()
	if _, err := f.engine.Deploy(t.Context(), f.clusters("b"), spec); err != nil { // somebody else's now
		t.Fatal(err)
	}
	f.again()
	_, err = f.engine.Update(t.Context(), rollout.UpdateRequest{Spec: spec, Owner: made.Owner, Settled: f.clusters("a", "b"), Add: f.clusters("c")})
	var stale *release.StaleOwnerError
	if !errors.As(err, &stale) || stale.Cluster != "b" {
		t.Errorf("it says: %v", err)
	}
	if on := f.applied("v1"); slices.Contains(on, "c") {
		t.Error("it was deployed to c all the same")
	}
}
