package release_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestDispose(t *testing.T) {
	mine := func(custody release.Custody, status release.Status) *release.Record {
		return &release.Record{Owner: "mine", Custody: custody, Status: status}
	}
	started := mine(release.CustodyOwned, release.StatusStarted)
	for _, tc := range []struct {
		name    string
		record  *release.Record
		owner   string
		carries bool
		kept    []string
		want    release.Disposal
	}{
		{"gone", nil, "mine", false, nil, release.DisposeGone},
		{"claimed by another", started, "former", false, nil, release.DisposeStale},
		{"claimed by another, serving", started, "former", true, nil, release.DisposeStale},
		{"a lost token is not stale", started, "", false, nil, release.DisposeRemove},
		{"serving", started, "mine", true, []string{"api-1"}, release.DisposeCondemn},
		{"kept for going back", started, "mine", false, []string{"api-1"}, release.DisposeRetain},
		{"another one is kept", started, "mine", false, []string{"api-2"}, release.DisposeRemove},
		{"failed ones are not kept", mine(release.CustodyOwned, release.StatusStartError), "mine", false, []string{"api-1"}, release.DisposeRemove},
		{"a removal goes on", mine(release.CustodyTerminating, release.StatusStarted), "mine", false, []string{"api-1"}, release.DisposeRemove},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := release.Dispose(tc.record, tc.owner, tc.carries, tc.kept, "api-1"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCollect(t *testing.T) {
	main := release.Main{Deployment: "m", Previous: []string{"p1", "p2"}, KeepCount: 1}
	r := func(custody release.Custody, status release.Status) *release.Record {
		return &release.Record{Custody: custody, Status: status}
	}
	got := release.Collect(main, map[string]*release.Record{
		"m":           r(release.CustodyCondemned, release.StatusStarted),
		"p1":          r(release.CustodyCondemned, release.StatusStarted),
		"p2":          r(release.CustodyRetained, release.StatusStarted),
		"owned":       r(release.CustodyOwned, release.StatusStarted),
		"failed":      r(release.CustodyAbandoned, release.StatusStartError),
		"condemned":   r(release.CustodyCondemned, release.StatusStarted),
		"claimed":     r(release.CustodyClaimed, release.StatusStarting),
		"terminating": r(release.CustodyTerminating, release.StatusTerminating),
	}, now)
	want := release.Collection{Remove: []string{"claimed", "condemned", "failed", "p2", "terminating"}, Retain: []string{"p1"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Whatever the records say, what has the traffic, what is kept and runs, and
// what is in somebody's state is never collected.
func TestCollectNeverHurts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d", "e"}
		main := release.Main{KeepCount: rapid.IntRange(0, 3).Draw(t, "keep")}
		for range rapid.IntRange(0, 8).Draw(t, "promotions") {
			main = main.Promoted(rapid.SampledFrom(names).Draw(t, "to"))
		}
		if rapid.Bool().Draw(t, "unfinished") {
			main.Progress = open(rapid.SampledFrom(names).Draw(t, "from"), rapid.SampledFrom(names).Draw(t, "candidate"), release.MainRunning, nil)
		}
		records := map[string]*release.Record{}
		for _, name := range names {
			records[name] = &release.Record{
				Custody: rapid.SampledFrom(release.Custodies()).Draw(t, "custody of "+name),
				Status:  rapid.SampledFrom(release.Statuses()).Draw(t, "status of "+name),
			}
		}
		c := release.Collect(main, records, now)
		for _, name := range c.Remove {
			r := records[name]
			kept := slices.Contains(main.Kept(now), name) && r.Status == release.StatusStarted && r.Custody != release.CustodyAbandoned && r.Custody != release.CustodyTerminating
			if main.Names(name) || kept || r.Custody == release.CustodyOwned {
				t.Fatalf("%s of %+v, %+v", name, main, r)
			}
		}
		for _, name := range c.Retain {
			if slices.Contains(c.Remove, name) || !slices.Contains(main.Kept(now), name) {
				t.Fatalf("%s is retained: %+v", name, c)
			}
		}
	})
}

func TestPromoted(t *testing.T) {
	var m release.Main
	for _, to := range []string{"v1", "v2", "v3", "v3", "v2", "v4"} {
		m = m.Promoted(to)
	}
	if d := cmp.Diff([]string{"v2", "v3", "v1"}, m.Previous); d != "" || m.Deployment != "v4" {
		t.Errorf("main %s, previous (-want +got):\n%s", m.Deployment, d)
	}
	m.KeepCount = 9
	if got := len(m.Kept(now)); got != 3 {
		t.Errorf("keeps %d of 3", got)
	}
}

// Main remembers every former main once, newest first, and not without end.
func TestPromotedHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m release.Main
		last := ""
		for i := range rapid.IntRange(1, 60).Draw(t, "promotions") {
			to := fmt.Sprintf("v%d", rapid.IntRange(0, 40).Draw(t, fmt.Sprint("to ", i)))
			before := m.Deployment
			m = m.Promoted(to)
			if before != "" && before != to {
				last = before
			}
		}
		unique := slices.Compact(slices.Sorted(slices.Values(m.Previous)))
		if len(unique) != len(m.Previous) || len(m.Previous) > 20 || slices.Contains(m.Previous, m.Deployment) {
			t.Fatalf("main %s, previous %v", m.Deployment, m.Previous)
		}
		if last != "" && last != m.Deployment && m.Previous[0] != last {
			t.Fatalf("previous is %v, want %s first", m.Previous, last)
		}
	})
}

// A pointer names both sides of a switch, until it is over.
func TestMainNames(t *testing.T) {
	for _, tc := range []struct {
		step release.MainStatus // empty: no checkpoint
		want []string
	}{
		{"", []string{"main"}},
		{release.MainRunning, []string{"main", "from", "to"}},
		{release.MainRollingBack, []string{"main", "from", "to"}},
		{release.MainFinalizing, []string{"main", "to"}},
	} {
		m := release.Main{Deployment: "main", Previous: []string{"previous"}}
		if tc.step != "" {
			m.Progress = open("from", "to", tc.step, nil)
		}
		for _, name := range []string{"main", "from", "to", "previous"} {
			if got := m.Names(name); got != slices.Contains(tc.want, name) {
				t.Errorf("%q: names %s: %t", tc.step, name, got)
			}
		}
	}
}
