package faults_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestCanaryIsCutOffAfterManyWrites kills, or interrupts, a run that moves traffic by
// shares, or cuts its wire: the next run, or the same one where only the wire was cut,
// gets there by the same shares. Every write has its kill in the engine's tests; here
// every second one has one of these.
func TestCanaryIsCutOffAfterManyWrites(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t)
	c.HTTPRoutes(t)
	v1 := config{version: "v1", keep: 1, canary: `{ weight = 10, pause = "100ms" }, { weight = 50 }`}
	v2 := v1
	v2.version = "v2"
	v := verb{name: "canary", on: c, before: []config{v1}, do: v2, want: func(names map[string]string) standing {
		return standing{main: names["v2"], releases: []string{names["v2"], names["v1"]}}
	}}
	ways := []struct {
		name string
		cut  func(t *testing.T, at step)
	}{
		{"killed", func(t *testing.T, at step) { cutOff(t, v, at, true, (*execution).killProviders).byShares(t) }},
		{"interrupted", func(t *testing.T, at step) { cutOff(t, v, at, false, (*execution).interrupt).byShares(t) }},
		{"disconnected", func(t *testing.T, at step) { disconnected(t, v, at).byShares(t) }},
		{"killed with the CLI", func(t *testing.T, at step) { cutOff(t, v, at, true, (*execution).killAll).byShares(t) }},
	}
	for i, at := range v.point(t).steps {
		if i%2 == 1 {
			continue
		}
		way := ways[i/2%len(ways)]
		t.Run(way.name+" "+at.String(), func(t *testing.T) {
			t.Parallel()
			way.cut(t, at)
		})
	}
}

// refusals is how many requests meet a wire that is cut, before it is whole again.
const refusals = 12

// disconnected cuts a verb's wire after one of its writes, whose reply is lost. The run
// itself goes on when the wire is whole.
func disconnected(t *testing.T, v verb, at step) *occasion {
	t.Helper()
	o := v.begun(t)
	hit := make(chan struct{})
	var cut atomic.Bool
	var refused atomic.Int64
	first := o.w.onceAt(at, testcluster.LostReply().BeforeReply(func() { cut.Store(true); o.w.proxy.DropWatches(); close(hit) }))
	o.w.proxy.SetFault(func(r *testcluster.Request, n int) testcluster.Fault {
		if cut.Load() && refused.Add(1) <= refusals {
			return testcluster.ConnectionReset()
		}
		return first(r, n)
	})
	x := v.start(o.w)
	x.reach("write "+at.String(), hit)
	if code := x.wait(); code != 0 {
		t.Fatalf("with a wire that was cut, it ended with %d:\n%s", code, x.text())
	}
	o.w.proxy.SetFault(nil)
	o.check(false, false)
	return o
}

// byShares fails the test unless the candidate had each share before the next one, and
// the route leads to it alone in the end.
func (o *occasion) byShares(t *testing.T) {
	t.Helper()
	shares, had, last := []int{0, 10, 50, 100}, []int{0}, []byte(nil)
	for _, r := range o.w.proxy.Writes() {
		if r.Method != http.MethodPatch || r.Status/100 != 2 || !strings.Contains(r.Path, "/httproutes/") {
			continue
		}
		last = r.Body
		if share := shareIn(t, r.Body, o.names["v2"]); had[len(had)-1] != share {
			had = append(had, share)
		}
	}
	for i, share := range had {
		if i > 0 && share > 0 && slices.Index(shares, share) != slices.Index(shares, had[i-1])+1 {
			t.Errorf("v2 had the shares %v", had)
		}
	}
	if had[len(had)-1] != 100 || strings.Contains(string(last), o.names["v1"]) {
		t.Errorf("v2 had the shares %v, and the route is %s", had, last)
	}
}

// shareIn is how many percent of the requests a route gives a release.
func shareIn(t *testing.T, body []byte, name string) int {
	t.Helper()
	var route gatewayv1.HTTPRoute
	if err := json.Unmarshal(body, &route); err != nil {
		t.Fatal(err)
	}
	for _, rule := range route.Spec.Rules {
		for _, ref := range rule.BackendRefs {
			if string(ref.Name) == name && ref.Weight != nil {
				return int(*ref.Weight)
			}
		}
	}
	return 0
}
