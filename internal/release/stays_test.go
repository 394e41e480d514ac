package release_test

import (
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestStays(t *testing.T) {
	t.Parallel()
	records := map[string]*release.Record{
		"main":       {Custody: release.CustodyOwned, Status: release.StatusStarted},
		"newest":     {Custody: release.CustodyRetained, Status: release.StatusStopped},
		"older":      {Custody: release.CustodyRetained, Status: release.StatusStarted},
		"green":      {Custody: release.CustodyOwned, Status: release.StatusStarted},
		"coming":     {Custody: release.CustodyClaimed, Status: release.StatusStarting},
		"going":      {Custody: release.CustodyTerminating, Status: release.StatusTerminating},
		"next":       {Custody: release.CustodyOwned, Status: release.StatusStarted},
		"failed":     {Custody: release.CustodyAbandoned, Status: release.StatusStartError},
		"condemned":  {Custody: release.CustodyCondemned, Status: release.StatusStarted},
		"unreadable": nil,
	}
	main := release.Main{Deployment: "main", Previous: []string{"newest", "gone", "older", "green"}}
	want := []release.Stay{
		{Name: "newest", State: release.StayStopped},
		{Name: "older", State: release.StayStarted},
		{Name: "green", State: release.StayStarted, Owned: true},
		{Name: "condemned", State: release.StayStarted},
		{Name: "failed", State: release.StayFailed},
	}
	if got := release.Stays(main, records); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestJoinStays(t *testing.T) {
	t.Parallel()
	east := []release.Stay{{Name: "v2", State: release.StayStopped}, {Name: "v1", State: release.StayStarted}}
	west := []release.Stay{{Name: "v2", State: release.StayStarted}, {Name: "v0", State: release.StayStopped}}
	want := []release.Stay{{Name: "v2", State: release.StayStarted}, {Name: "v1", State: release.StayStarted}, {Name: "v0", State: release.StayStopped}}
	if got := release.JoinStays(east, west); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := release.JoinStays(); got == nil {
		t.Error("none is no list")
	}
}
