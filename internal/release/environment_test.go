package release_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Every status means something for the whole, which has a meaning itself.
func TestEveryStatusCountsForItsEnvironment(t *testing.T) {
	if diff := cmp.Diff(declared(t, "EnvironmentStatus"), slices.Sorted(slices.Values(texts(release.EnvironmentStatuses())))); diff != "" {
		t.Error(diff)
	}
	reached := map[release.EnvironmentStatus]bool{release.EnvironmentUnknown: true} // by clusters that cannot be read
	for _, s := range release.Statuses() {
		got := s.Environment()
		reached[got] = true
		broken, transient := s.Kind() == release.KindError, s.Kind() == release.KindTransient
		switch got {
		case release.EnvironmentUnknown:
			t.Errorf("%s means nothing", s)
		case release.EnvironmentFailed, release.EnvironmentDegraded:
			if !broken {
				t.Errorf("%s is %s, and no error", s, got)
			}
		case release.EnvironmentWorking:
			if !transient {
				t.Errorf("%s is working, and not under way", s)
			}
		case release.EnvironmentWaiting, release.EnvironmentReady, release.EnvironmentStopped, release.EnvironmentEmpty:
			if broken {
				t.Errorf("%s is an error and %s", s, got)
			}
		}
	}
	for _, s := range release.MainStatuses() {
		got := s.Environment()
		if got == release.EnvironmentUnknown || (s.Kind() == release.KindError) != (got == release.EnvironmentFailed) ||
			s.Kind() == release.KindTransient && got == release.EnvironmentReady {
			t.Errorf("%s, which is %s, means %s", s, s.Kind(), got)
		}
	}
	for _, s := range release.EnvironmentStatuses() {
		if !reached[s] || release.EnvironmentMeaning[s] == "" {
			t.Errorf("%s: reached %t, meaning %q", s, reached[s], release.EnvironmentMeaning[s])
		}
	}
	if release.Status("of a newer provider").Environment() != release.EnvironmentUnknown || release.MainStatus("that, too").Environment() != release.EnvironmentUnknown {
		t.Error("what is not known is taken for something")
	}
}

// The order of the parts does not matter, the worst one wins, the same again
// changes nothing, and parts may be put together first.
func TestTheWorstPartWins(t *testing.T) {
	all := release.EnvironmentStatuses()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom(all), 0, 12).Draw(t, "parts")
		got := release.Worst(parts...)
		if shuffled := rapid.Permutation(parts).Draw(t, "shuffled"); release.Worst(shuffled...) != got {
			t.Fatalf("%v is %s, %v is not", parts, got, shuffled)
		}
		cut := rapid.IntRange(0, len(parts)).Draw(t, "cut")
		if release.Worst(release.Worst(parts[:cut]...), release.Worst(parts[cut:]...)) != got {
			t.Fatalf("%v is %s, but not in two parts", parts, got)
		}
		for _, part := range parts {
			if slices.Index(all, part) < slices.Index(all, got) {
				t.Fatalf("%v is %s although one is %s", parts, got, part)
			}
		}
		if len(parts) > 0 && !slices.Contains(parts, got) {
			t.Fatalf("%v is %s, which none of them is", parts, got)
		}
	})
	if release.Worst() != release.EnvironmentEmpty {
		t.Error("nothing is something")
	}
}

// What an application is follows from its members alone, in any order; another
// one never makes it better; and what is kept or given up has no say.
func TestApplicationsState(t *testing.T) {
	member := rapid.Custom(func(t *rapid.T) release.ApplicationMember {
		return release.ApplicationMember{
			Status: rapid.SampledFrom(release.Statuses()).Draw(t, "status"), Custody: rapid.SampledFrom(release.Custodies()).Draw(t, "custody"), Main: rapid.Bool().Draw(t, "main"),
		}
	})
	all := release.EnvironmentStatuses()
	rapid.Check(t, func(t *rapid.T) {
		a := release.ApplicationState{
			Main:     rapid.SliceOfN(rapid.SampledFrom(release.MainStatuses()), 0, 3).Draw(t, "main"),
			Nowhere:  rapid.Bool().Draw(t, "nowhere"),
			Apart:    rapid.Bool().Draw(t, "apart"),
			Releases: rapid.SliceOfN(member, 0, 5).Draw(t, "releases"),
		}
		got := a.Status()
		shuffled := a
		shuffled.Releases = rapid.Permutation(a.Releases).Draw(t, "shuffled")
		if shuffled.Status() != got {
			t.Fatalf("%+v is %s, shuffled it is not", a, got)
		}
		more := a
		added := member.Draw(t, "added")
		more.Releases = append(slices.Clone(a.Releases), added)
		stops := added.Main && added.Status == release.StatusStopped // then its address, too, is as it shall be
		if !stops && slices.Index(all, more.Status()) > slices.Index(all, got) {
			t.Fatalf("%+v is better with %+v", a, added)
		}
		if !added.Counts() && more.Status() != got {
			t.Fatalf("%+v has a say", added)
		}
		if a.Nowhere && got != release.EnvironmentFailed || a.Apart && slices.Index(all, got) > slices.Index(all, release.EnvironmentDegraded) {
			t.Fatalf("%+v is %s", a, got)
		}
		for _, m := range a.Releases {
			if (m.Main || m.Custody == release.CustodyOwned) && slices.Index(all, got) > slices.Index(all, m.Status.Environment()) {
				t.Fatalf("%+v is %s although %+v", a, got, m)
			}
		}
	})
	tests := map[string]struct {
		state release.ApplicationState
		want  release.EnvironmentStatus
	}{
		"nothing": {release.ApplicationState{}, release.EnvironmentEmpty},
		"main and its kept predecessor": {release.ApplicationState{
			Main: []release.MainStatus{release.MainFinalized},
			Releases: []release.ApplicationMember{
				{Status: release.StatusStarted, Custody: release.CustodyOwned, Main: true}, {Status: release.StatusStopError, Custody: release.CustodyRetained},
			},
		}, release.EnvironmentReady},
		"an attempt that was given up": {release.ApplicationState{
			Main:     []release.MainStatus{release.MainFinalized},
			Releases: []release.ApplicationMember{{Status: release.StatusStartError, Custody: release.CustodyAbandoned}},
		}, release.EnvironmentReady},
		"stopped on purpose": {release.ApplicationState{
			Releases: []release.ApplicationMember{{Status: release.StatusStopped, Custody: release.CustodyOwned}},
		}, release.EnvironmentStopped},
		"starting beside a degraded main": {release.ApplicationState{
			Main: []release.MainStatus{release.MainFinalized},
			Releases: []release.ApplicationMember{
				{Status: release.StatusDegraded, Custody: release.CustodyOwned, Main: true}, {Status: release.StatusStarting, Custody: release.CustodyClaimed},
			},
		}, release.EnvironmentDegraded},
	}
	for name, tc := range tests {
		if got := tc.state.Status(); got != tc.want {
			t.Errorf("%s is %s, want %s", name, got, tc.want)
		}
	}
}
