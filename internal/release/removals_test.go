package release_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestRemovals(t *testing.T) {
	in := func(custody release.Custody) *release.Record {
		return &release.Record{Custody: custody, Status: release.StatusStarted}
	}
	records := map[string]*release.Record{
		"main": in(release.CustodyOwned), "one": in(release.CustodyRetained), "two": in(release.CustodyRetained),
		"mine": in(release.CustodyOwned), "failed": in(release.CustodyAbandoned), "going": in(release.CustodyTerminating),
		"coming": in(release.CustodyClaimed), "doomed": in(release.CustodyCondemned),
	}
	for name, tc := range map[string]struct {
		main *release.Main
		want []string
	}{
		"none kept":     {&release.Main{Deployment: "main", Previous: []string{"one", "two"}}, []string{"coming", "doomed", "failed", "going", "one", "two"}},
		"one kept":      {&release.Main{Deployment: "main", Previous: []string{"one", "two"}, KeepCount: 1}, []string{"coming", "doomed", "failed", "going", "one", "two"}},
		"two kept":      {&release.Main{Deployment: "main", Previous: []string{"one", "two"}, KeepCount: 2}, []string{"coming", "doomed", "failed", "going", "two"}},
		"condemned yet": {&release.Main{Deployment: "doomed", Previous: []string{"one"}, KeepCount: 1}, []string{"coming", "failed", "going", "one", "two"}},
		"no address":    {nil, []string{"coming", "doomed", "failed", "going", "one", "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := release.Removals(tc.main, records, time.Now())
			if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, tc.want) {
				t.Errorf("got %v, want %v", names, tc.want)
			}
			for name, why := range got {
				if why == "" {
					t.Errorf("%s: no reason", name)
				}
			}
			if tc.main != nil && !strings.Contains(got["two"], "keep_previous") {
				t.Errorf("two: %q", got["two"])
			}
		})
	}
	if got := release.Removals(&release.Main{Deployment: "main", Progress: open("main", "one", release.MainRunning, nil)}, records, time.Now()); got["one"] == "" {
		t.Error("an unfinished promotion hides what will be collected")
	}
}
