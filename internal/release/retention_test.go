package release_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// What an older provider wrote has no times, no ttl and no state.
func TestMainOfAnOlderProvider(t *testing.T) {
	got, err := release.ParseMain(map[string]string{release.MainKey: `{"schema": 1, "deployment": "m", "previous": ["p1", "p2"], "service": "api", "keepCount": 2, "drain": 1000000000}`})
	if err != nil {
		t.Fatal(err)
	}
	if want := (release.Keep{Count: 2, State: release.DesiredStarted}); got.Keep() != want {
		t.Errorf("it keeps %+v, want %+v", got.Keep(), want)
	}
	aged := got.Keeping(release.Keep{Count: 2, TTL: time.Hour, State: release.DesiredStarted})
	if kept := aged.Kept(now); !slices.Equal(kept, got.Previous) {
		t.Errorf("a ttl whose beginning nobody noted is over: %v", kept)
	}
	noted := aged.Noted(now)
	if kept := noted.Kept(now.Add(time.Hour - time.Second)); !slices.Equal(kept, got.Previous) {
		t.Errorf("the ttl begins when it is first heard of; %v are kept", kept)
	}
	if kept := noted.Kept(now.Add(time.Hour)); len(kept) > 0 {
		t.Errorf("after the ttl, %v are kept", kept)
	}
}

// Every former main has the time at which it ceased to be main, the last time.
func TestNoted(t *testing.T) {
	var m release.Main
	at := func(minute int) time.Time { return now.Add(time.Duration(minute) * time.Minute) }
	for i, to := range []string{"v1", "v2", "v2", "v3", "v1", "v4"} {
		m = m.Promoted(to).Noted(at(i))
	}
	want := map[string]time.Time{"v1": at(5), "v2": at(3), "v3": at(4)}
	if d := cmp.Diff(want, m.Left); d != "" {
		t.Error(d)
	}
}

func TestKept(t *testing.T) {
	main := release.Main{
		Deployment: "m", Previous: []string{"p1", "p2", "p3"},
		Left: map[string]time.Time{"p1": now.Add(-time.Hour), "p2": now.Add(-2 * time.Hour), "p3": now.Add(-3 * time.Hour)},
	}
	for _, tc := range []struct {
		count int
		ttl   time.Duration
		want  []string
	}{
		{0, 0, nil},
		{1, 0, []string{"p1"}},
		{9, 0, []string{"p1", "p2", "p3"}},
		{0, 9 * time.Hour, nil},
		{2, 9 * time.Hour, []string{"p1", "p2"}},
		{2, 90 * time.Minute, []string{"p1"}},
		{3, 2 * time.Hour, []string{"p1"}}, // "for 2h" is over after two hours
		{3, 2*time.Hour + time.Second, []string{"p1", "p2"}},
		{3, time.Minute, nil},
	} {
		kept := main.Keeping(release.Keep{Count: tc.count, TTL: tc.ttl})
		if got := kept.Kept(now); !slices.Equal(got, tc.want) {
			t.Errorf("count %d, ttl %s: %v are kept, want %v", tc.count, tc.ttl, got, tc.want)
		}
	}
}

// Every custody in every status, kept or not, with either state.
func TestCollectTable(t *testing.T) {
	keepable := map[release.Status]bool{
		release.StatusStarted: true, release.StatusRestarting: true, release.StatusPaused: true, release.StatusDegraded: true,
		release.StatusStopped: true, release.StatusStopping: true, release.StatusStopError: true,
	}
	up := map[release.Status]bool{release.StatusStarted: true, release.StatusRestarting: true, release.StatusPaused: true, release.StatusDegraded: true}
	old, fresh := now.Add(-time.Hour), now.Add(-time.Minute)
	reasons := []struct {
		name   string
		main   release.Main
		within bool // count and ttl
	}{
		{"kept", release.Main{Deployment: "m", Previous: []string{"r"}, Left: map[string]time.Time{"r": fresh}, KeepCount: 1, KeepTTL: time.Hour}, true},
		{"kept for ever", release.Main{Deployment: "m", Previous: []string{"r"}, Left: map[string]time.Time{"r": old}, KeepCount: 1}, true},
		{"ttl over", release.Main{Deployment: "m", Previous: []string{"r"}, Left: map[string]time.Time{"r": old}, KeepCount: 1, KeepTTL: time.Hour}, false},
		{"beyond count", release.Main{Deployment: "m", Previous: []string{"q", "r"}, Left: map[string]time.Time{"q": fresh, "r": fresh}, KeepCount: 1, KeepTTL: time.Hour}, false},
		{"never main", release.Main{Deployment: "m", KeepCount: 9}, false},
		{"main is gone", release.Main{Previous: nil, KeepCount: 0}, false},
	}
	for _, reason := range reasons {
		for _, state := range append(release.DesiredStates(), "") {
			for _, custody := range release.Custodies() {
				for _, status := range release.Statuses() {
					main := reason.main
					main.KeepState = state
					records := map[string]*release.Record{"r": {Custody: custody, Status: status}, "m": {Custody: release.CustodyOwned, Status: release.StatusStarted}}
					var want release.Collection
					add := func(list *[]string) { *list = append(*list, "r") }
					keep := reason.within && (keepable[status] || custody == release.CustodyRetained)
					switch {
					case custody == release.CustodyOwned:
					case !keep || custody == release.CustodyAbandoned || custody == release.CustodyTerminating:
						add(&want.Remove)
					default:
						if custody != release.CustodyRetained {
							add(&want.Retain)
						}
						if state == release.DesiredStopped && status != release.StatusStopped {
							add(&want.Stop)
						}
						if state != release.DesiredStopped && !up[status] {
							add(&want.Start)
						}
					}
					if d := cmp.Diff(want, release.Collect(main, records, now)); d != "" {
						t.Errorf("%s, state %q, %s, %s:\n%s", reason.name, state, custody, status, d)
					}
				}
			}
		}
	}
}

// What is main, and either side of an unfinished switch, is left alone whatever
// its record says.
func TestCollectLeavesWhatSomebodyHasStopped(t *testing.T) {
	main := release.Main{Deployment: "m", Previous: []string{"kept"}, KeepCount: 1}
	by := release.Halt{StoppedBy: &release.Hold{By: "alice"}}
	records := map[string]*release.Record{
		"kept":       {Custody: release.CustodyRetained, Status: release.StatusStopped, Halt: by},
		"ours":       {Custody: release.CustodyOwned, Status: release.StatusStopped, WithMain: true, Halt: by},
		"taken back": {Custody: release.CustodyOwned, Status: release.StatusStopped, WithMain: true, Halt: release.Halt{TakenBack: "it crashed"}},
	}
	if d := cmp.Diff(release.Collection{}, release.Collect(main, records, now)); d != "" {
		t.Error(d)
	}
}

func TestCollectLeavesTraffic(t *testing.T) {
	main := release.Main{Deployment: "m", Previous: []string{"from", "to"}, KeepCount: 2, KeepState: release.DesiredStopped}
	main.Progress = open("from", "to", release.MainRunning, nil)
	records := map[string]*release.Record{}
	for _, name := range []string{"m", "from", "to"} {
		records[name] = &release.Record{Custody: release.CustodyRetained, Status: release.StatusStarted}
	}
	if d := cmp.Diff(release.Collection{}, release.Collect(main, records, now)); d != "" {
		t.Error(d)
	}
}

// A delete follows count and ttl like a collection.
func TestDisposeKeeps(t *testing.T) {
	for _, status := range release.Statuses() {
		for _, custody := range release.Custodies() {
			r := &release.Record{Owner: "mine", Custody: custody, Status: status}
			want := release.DisposeRemove
			keepable := status.Finished() || status == release.StatusStopping || status == release.StatusStopError || custody == release.CustodyRetained
			if keepable && custody != release.CustodyTerminating {
				want = release.DisposeRetain
			}
			if got := release.Dispose(r, "mine", false, []string{"r"}, "r"); got != want {
				t.Errorf("%s, %s: %s, want %s", custody, status, got, want)
			}
		}
	}
}

// What somebody has moved the traffic away from is kept beyond the count, until
// the next promotion.
func TestSparedIsKeptBeyondTheCount(t *testing.T) {
	m := release.Main{}
	for _, to := range []string{"v1", "v2", "v3", "v4"} {
		m = m.Promoted(to)
	}
	m = m.Keeping(release.Keep{Count: 1}).Noted(now)
	m.Spared = []string{"v1"}
	if got, want := m.Kept(now), []string{"v3", "v1"}; !slices.Equal(got, want) {
		t.Errorf("kept are %v, want %v", got, want)
	}
	m.Spared = []string{"v0"} // was never main
	if got, want := m.Kept(now), []string{"v3"}; !slices.Equal(got, want) {
		t.Errorf("kept are %v, want %v", got, want)
	}
}
