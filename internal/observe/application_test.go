package observe

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestASharedAddressLeadsSomewhere: while a new version has a part of the traffic, nothing
// is wrong with the application, and no release has all of it.
func TestASharedAddressLeadsSomewhere(t *testing.T) {
	t.Parallel()
	canary := func(split release.Split) Application {
		p := &release.Progress{From: "api-1", To: "api-2", Paused: true, Direction: release.DirectionForward}
		return Application{
			Mains: []Main{{Cluster: "a", Waits: "until somebody lets it go on", Split: split, Main: &release.Main{Deployment: "api-1", Progress: p}}},
			Releases: []Surveyed{
				{Cluster: "a", ID: release.ID{Name: "api-1"}, Record: &release.Record{Version: "v1", Status: release.StatusStopped}},
				{Cluster: "a", ID: release.ID{Name: "api-2"}, Record: &release.Record{Version: "v2", Status: release.StatusStopped}},
			},
			known: map[string]bool{"a/api-1": true, "a/api-2": true},
		}
	}
	app := canary(release.Split{"api-1": 75, "api-2": 25})
	if s := app.Summary(); s.Status != release.EnvironmentWaiting || s.MainStatus != release.MainPaused || s.Main != "" || len(s.Problems) != 1 {
		t.Errorf("shared, it is %+v", s)
	}
	app = canary(release.Split{"api-1": 75, "typo": 25})
	if s := app.Summary(); s.Status != release.EnvironmentFailed || len(s.Problems) != 2 {
		t.Errorf("where a part goes nowhere, it is %+v", s)
	}
}
