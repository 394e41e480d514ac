package promotion_test

import (
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestRestoredAsksForWhatWasBefore: what goes back is not remembered as it was asked
// for by what has failed.
func TestRestoredAsksForWhatWasBefore(t *testing.T) {
	t.Parallel()
	before := release.Main{Deployment: "api-1", Service: "api", Asked: &release.Asked{Bake: "1m"}}
	tried := release.Main{Deployment: "api-2", Previous: []string{"api-1"}, Service: "api", Asked: &release.Asked{Bake: "9m"}}
	start := promotion.Start{Before: before, Progress: release.Progress{From: "api-1", To: "api-2"}}
	if got := promotion.Restored(start, tried, time.Now()); got.Asked == nil || got.Asked.Bake != "1m" {
		t.Errorf("it asks for %+v", got.Asked)
	}
}

// TestLeavesAreNotForgotten: of a route that a promotion had still to remove, the next one
// knows, also where that one goes back.
func TestLeavesAreNotForgotten(t *testing.T) {
	t.Parallel()
	rule := &release.Route{Kind: "HTTPRoute", Name: "shop", Adopted: &release.AdoptedRule{Name: "api"}}
	seen := promotion.Seen{Split: release.Split{"v1": 100}, Address: true, Planned: "v1", Main: release.Main{
		Deployment: "v1", Service: "api", Route: byShares.Route, Progress: &release.Progress{To: "v1", From: "v1", Leaves: release.Routes{rule}},
	}}
	start := promotion.Begin(byShares, seen)
	back := promotion.Restored(start, start.Main, time.Now())
	if len(back.Leaves) != 1 || !back.Leaves[0].Is(rule) || back.Progress != nil {
		t.Fatalf("it leaves %v", back.Leaves)
	}
	seen.Main = back
	stands := byShares
	stands.To = "v1"
	start = promotion.Begin(stands, seen)
	if left := start.Progress.Leaves; len(left) != 1 || !left[0].Is(rule) || start.Main.Leaves != nil {
		t.Errorf("the next one leaves %v, and main still has %v", left, start.Main.Leaves)
	}
	if does := done(start); does != "shift 100%, rename, collect" {
		t.Errorf("it does %s", does)
	}
	takesUp := stands
	takesUp.Route = rule
	if left := promotion.Begin(takesUp, seen).Progress.Leaves; len(left) != 1 || left[0].Is(rule) {
		t.Errorf("one that has the rule again leaves %v", left)
	}
}
