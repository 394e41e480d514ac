package release_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestOutOfDate(t *testing.T) {
	t.Parallel()
	at := func(hours int) time.Time {
		return time.Date(2026, 3, 1, hours, 0, 0, 0, time.UTC)
	}
	ours, theirs := release.OwnerToken("aaaa", at(12)), release.OwnerToken("bbbb", at(10))
	for name, test := range map[string]struct {
		holder string
		since  time.Time
		owner  string
		want   bool
	}{
		"claimed before":                        {theirs, at(10), ours, true},
		"claimed before, by an earlier version": {"bbbb", at(10), ours, true},
		"claimed since":                         {theirs, at(13), ours, false}, // for a cluster that was added later
		"its own":                               {ours, at(10), ours, false},
		"at about the same time":                {theirs, at(12).Add(-time.Second), ours, false},
		"nobody's":                              {"", at(10), ours, false},
		"nobody knows since when":               {theirs, time.Time{}, ours, false},
		"a state that lost its token":           {theirs, at(10), "", false},
		"a state of an earlier version":         {theirs, at(10), "0123456789abcdef", false},
		"a token that is no token":              {theirs, at(10), "-", false},
	} {
		if got := release.OutOfDate(test.holder, test.since, test.owner); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
	if got := release.Dispose(&release.Record{Owner: theirs, ClaimedAt: at(10), Custody: release.CustodyOwned}, ours, false, nil, "api-1"); got != release.DisposeRemove {
		t.Errorf("a record from a backup: %s", got)
	}
	main := release.Main{Owner: theirs, ClaimedAt: at(10), Deployment: "api-1", Group: "shop", Progress: open("", "api-2", release.MainRunning, nil)}
	claim := release.PointerClaim{Owner: ours, To: "api-3"}
	if got := release.DecidePointer(&main, claim); got != release.PointerTakeBack {
		t.Errorf("an address from a backup: %s", got)
	}
	if main.ClaimedAt = at(13); release.DecidePointer(&main, claim) != release.PointerRefuseMember {
		t.Error("an address that a group claimed since is taken from it")
	}
}

// Of two claims, at most one takes the place of the other.
func TestOnlyOneIsOutOfDate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hour := func(what string) time.Time { return time.Unix(rapid.Int64Range(1, 1<<33).Draw(t, what), 0) }
		a, b := hour("a"), hour("b")
		first, second := release.OwnerToken("aaaa", a), release.OwnerToken("bbbb", b)
		if release.OutOfDate(first, a, second) && release.OutOfDate(second, b, first) {
			t.Fatalf("%s and %s", first, second)
		}
	})
}

func TestPastOutOfDate(t *testing.T) {
	t.Parallel()
	at := func(id string, minute int) release.Sight {
		return release.Sight{Entry: id, At: time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC)}
	}
	one, two, three := at("1", 1), at("2", 2), at("3", 3)
	for name, test := range map[string]struct {
		past release.Past
		seen release.Sight
		want bool
	}{
		"as it was":                      {release.Past{one, two}, two, false},
		"more has come":                  {release.Past{one, two, three}, two, false},
		"it lacks what was seen":         {release.Past{one, two}, three, true},
		"and something else was done":    {release.Past{one, at("4", 4)}, three, true},
		"the oldest have left":           {release.Past{two, three}, one, false},
		"it began anew":                  {release.Past{three}, two, false},
		"there is none":                  {nil, two, false},
		"nothing was seen":               {release.Past{one}, release.Sight{}, false},
		"an entry was written once more": {release.Past{one, at("2", 3)}, two, false},
	} {
		if got := test.past.OutOfDate(test.seen); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
	if last := (release.History{Entries: []release.Entry{{ID: "1", Time: two.At}, {ID: "2", Time: one.At}}}).Past().Last(); last.Entry != "1" {
		t.Errorf("the newest is %+v", last)
	}
}
