package release_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestAskedIsRemembered: it comes back as it was written, also where a promotion can
// still be taken back, and raises no schema: an earlier provider reads past it.
func TestAskedIsRemembered(t *testing.T) {
	token := ""
	asked := &release.Asked{
		Bake: "90s", RetryToken: &token, Rollout: &release.Rollout{MaxParallel: 1, Order: []string{"east"}, Bake: time.Minute, OnFailure: release.FailureContinue, Quorum: 2},
		Canary: []byte(`{"steps":[{"weight":10}]}`),
		Group: &release.GroupAsked{
			Members: map[string]release.MemberAsked{"api": {ID: "shop/api", OwnKeep: true}, "web": {ID: "front/web", After: []string{"api"}, OwnClusters: true, OwnDrain: true}, "api-west": {ID: "shop/api"}},
			Waves:   []release.WaveAsked{{Members: []string{"api", "api-west"}, Bake: "5m"}, {Members: []string{"web"}, MaxParallel: 1}},
			Scope:   release.ScopeWave, Keep: release.Keep{Count: 2, TTL: time.Hour, State: release.DesiredStopped}, Drain: 10 * time.Second,
		},
	}
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	main := release.Main{Deployment: "api-2", Asked: asked.Noted(at)}
	if asked.At != (time.Time{}) || main.Asked.At != at {
		t.Errorf("noted at %s and %s", asked.At, main.Asked.At)
	}
	data, err := main.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	read, err := release.ParseMain(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(main.Asked, read.Asked); d != "" || read.Schema != release.MainSchema {
		t.Errorf("schema %d\n%s", read.Schema, d)
	}
	if d := cmp.Diff(main.Asked, read.AsBefore().Asked); d != "" {
		t.Error(d)
	}
	if got := asked.Group.Addresses(); !slices.Equal(got, []string{"front/web", "shop/api"}) {
		t.Errorf("addresses %q", got)
	}
}

// TestNothingIsAsked of an address that an earlier provider has written.
func TestNothingIsAsked(t *testing.T) {
	read, err := release.ParseMain(map[string]string{release.MainKey: `{"schema": 1, "deployment": "api-2"}`})
	if err != nil || read.Asked != nil || read.Asked.Noted(time.Now()) != nil {
		t.Errorf("%+v, %v", read, err)
	}
	var none *release.GroupAsked
	if got := none.Addresses(); got != nil {
		t.Errorf("addresses %q", got)
	}
}

// TestWhoMovesBefore: those of earlier waves, and those that a member comes after.
func TestWhoMovesBefore(t *testing.T) {
	t.Parallel()
	group := &release.GroupAsked{
		Members: map[string]release.MemberAsked{
			"api": {ID: "shop/api"}, "auth": {ID: "shop/auth"}, "cart": {ID: "shop/cart", After: []string{"auth"}}, "web": {ID: "front/web"}, "alone": {ID: "shop/alone"},
		},
		Waves: []release.WaveAsked{{Members: []string{"api"}}, {Members: []string{"cart", "auth"}}, {Members: []string{"web"}}},
	}
	for id, want := range map[string][]string{
		"shop/api": nil, "shop/auth": {"shop/api"}, "shop/cart": {"shop/api", "shop/auth"}, "front/web": {"shop/api", "shop/auth", "shop/cart"}, "shop/batch": nil,
	} {
		if got := group.Before(id); !slices.Equal(got, want) {
			t.Errorf("before %s move %q, want %q", id, got, want)
		}
	}
	var none *release.GroupAsked
	if got := none.Before("shop/api"); got != nil {
		t.Errorf("without a group: %q", got)
	}
}
