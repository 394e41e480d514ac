package release_test

import (
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestHoldable: a canary is held as long as it has shares ahead of it, and by itself.
func TestHoldable(t *testing.T) {
	t.Parallel()
	shift := func(weight int) release.Step { return release.Step{Kind: release.StepShift, Weight: weight} }
	canary := []release.Step{shift(10), {Kind: release.StepPause}, shift(100), {Kind: release.StepCollect}}
	under := func(direction release.Direction, at int, steps ...release.Step) *release.Progress {
		return &release.Progress{From: "api-1", To: "api-2", Direction: direction, Steps: steps, At: at}
	}
	for why, main := range map[string]release.Main{
		"":                               {Progress: under(release.DirectionForward, 1, canary...)},
		"no promotion of it":             {},
		`the group "shop" moves it`:      {Group: "shop", Progress: under(release.DirectionForward, 1, canary...)},
		"goes back already":              {Progress: under(release.DirectionBack, 1, canary...)},
		"moves at once":                  {Progress: under(release.DirectionForward, 0, shift(100), release.Step{Kind: release.StepCollect})},
		"promotion to api-2 is past the": {Progress: under(release.DirectionForward, 3, canary...)},
	} {
		if got := main.Holdable(); (got == "") != (why == "") || !strings.Contains(got, why) {
			t.Errorf("it says %q, want %q", got, why)
		}
	}
}
