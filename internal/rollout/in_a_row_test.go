package rollout_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// mostInARow is how many requests may follow each other from the verdict that a release
// has failed until its create returns the error, by what becomes of it: each is waited
// for. On a cluster without the Gateway API one of them asks whether it has that.
var mostInARow = map[release.OnFailure]int{
	release.OnFailureKeep: 13, release.OnFailureStop: 16, release.OnFailureTerminate: 26,
}

// TestAFailureTakesFewRequestsInARow: what is asked at once is waited for once.
func TestAFailureTakesFewRequestsInARow(t *testing.T) {
	t.Parallel()
	for after, most := range mostInARow {
		t.Run(string(after), func(t *testing.T) {
			t.Parallel()
			var row []testcluster.Request
			for range 3 { // what a slow machine begins late does not follow from what came before
				if row = failureInARow(t, after); len(row) <= most {
					return
				}
			}
			for _, r := range row {
				t.Log(r.String())
			}
			t.Errorf("%d requests follow each other, more than %d", len(row), most)
		})
	}
}

// failureInARow lets a create fail and is the longest row of its requests since the
// verdict.
func failureInARow(t *testing.T, after release.OnFailure) []testcluster.Request {
	t.Helper()
	l := newLife(t, testcluster.Shared(t))
	spec := l.failing(1, release.Health{FailFastGrace: new(time.Millisecond)})
	spec.OnFailure = after
	workload := "/apis/apps/v1/namespaces/" + l.namespace + "/deployments/" + spec.Name()
	var applied, failed atomic.Bool
	var verdict atomic.Int64
	l.proxy.SetFault(func(r *testcluster.Request, n int) testcluster.Fault {
		if r.Path == workload && r.Method == http.MethodPatch {
			applied.Store(true)
		}
		if r.Path == workload && r.Method == http.MethodGet && applied.Load() && failed.CompareAndSwap(false, true) {
			verdict.Store(int64(n)) // it is looked at once more, before it is given up
		}
		if failed.Load() {
			return testcluster.Delay(time.Second) // so that what begins beside it begins before it ends
		}
		return testcluster.Fault{}
	})
	err := l.once(t).create(t.Context(), spec)
	var failure *rollout.StartError
	if !errors.As(err, &failure) {
		t.Fatalf("it ended with %v", err)
	}
	return testcluster.InARow(slices.DeleteFunc(l.proxy.Requests()[verdict.Load()-1:], func(r testcluster.Request) bool {
		return r.Watch() || r.Renewal() || strings.HasSuffix(r.Path, "/events") && r.Write() // nobody waits for these
	}))
}
