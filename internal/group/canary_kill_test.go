package group_test

import (
	"context"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestGroupSharesKilledAfterEveryWrite kills a group that moves by shares when a write is
// done that it does not know of. Another process goes on, or back, and ends with all of it
// on one side.
func TestGroupSharesKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	c := testcluster.Routed(t, 1)[0]
	ways := []struct {
		to        string
		onAbandon release.AbandonPolicy
	}{{to: "v2"}, {to: "v2", onAbandon: release.AbandonHold}, {to: "v1"}}
	testcluster.EveryDeathThen(t, 16, []string{"done again", "gone on with", "reverted"}, func(t *testing.T, way, k int) (hit bool) {
		next := ways[way]
		s := onRoutes(t, c, []string{"api"}, "web")
		check := s.watch()
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		s.proxy.Reset()
		death := s.proxy.DiesAfter(k, counts, kill)
		s.proxy.SetFault(death.Fault)
		canary := s.request("v2", together(step(10)))
		canary.canary.OnAbandon = next.onAbandon
		_, err := s.once().promote(ctx, canary)
		s.proxy.SetFault(nil)
		what, dead := death.Last()
		if !dead && err != nil {
			t.Fatal(err)
		}
		t.Logf("killed after %q", what)
		for application := range canary.versions {
			canary.versions[application] = next.to
		}
		s.promotes(release.MainFinalized, canary)
		s.stands(s.all(next.to))
		check()
		return dead
	})
}
