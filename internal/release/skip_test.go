package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// inSteps is a promotion from v1 to v2 by 10 % and half of the traffic, at one of its steps.
func inSteps(at int) *release.Progress {
	return &release.Progress{From: "v1", To: "v2", Direction: release.DirectionForward, At: at, Steps: []release.Step{
		{Kind: release.StepReady}, {Kind: release.StepShift, Weight: 10, Needs: 1}, {Kind: release.StepPause, Gate: release.GateManual},
		{Kind: release.StepShift, Weight: 50, Needs: 2}, {Kind: release.StepShift, Weight: 100}, {Kind: release.StepAnalyse, For: time.Minute},
	}}
}

// TestWhatIsLeftOfAPromotion at each of its steps.
func TestWhatIsLeftOfAPromotion(t *testing.T) {
	t.Parallel()
	for at, want := range []struct {
		left  bool
		given int // percent; 0: none
	}{{true, 0}, {true, 10}, {true, 10}, {true, 50}, {false, 50}, {false, 50}, {false, 50}} {
		p := inSteps(at)
		if got := p.Left(); got != want.left {
			t.Errorf("at step %d, something is left: %t", at, got)
		}
		given := 0
		if has := p.Given(); has != nil {
			given = has.Weight
		}
		if given != want.given {
			t.Errorf("at step %d, it has %d %%, want %d", at, given, want.given)
		}
		if p.Bake().For != time.Minute {
			t.Errorf("it bakes for %s", p.Bake().For)
		}
	}
	if bake := (&release.Progress{}).Bake(); bake.For != 0 {
		t.Errorf("without one, it bakes for %s", bake.For)
	}
}

// TestWhatIsNotSkipped says why, and what to do instead.
func TestWhatIsNotSkipped(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*release.Main){
		"":                               func(*release.Main) {},
		"no promotion":                   func(m *release.Main) { m.Progress = nil },
		`the group "shop" moves it`:      func(m *release.Main) { m.Group = "shop" },
		"goes back already":              func(m *release.Main) { m.Progress.Direction = release.DirectionBack },
		"a stop or a start":              func(m *release.Main) { m.Progress.From = "v2" },
		"canary.max_weight allows it no": func(m *release.Main) { m.Progress.Steps[2].Gate = release.GateMaxWeight },
	} {
		m := release.Main{Deployment: "v1", Progress: inSteps(1)}
		change(&m)
		got := m.Skippable()
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
		if err := (&release.SkipError{Cluster: "prod", ID: "shop/api", Reason: got}).Error(); !strings.Contains(err, `shop/api on cluster "prod"`) || !strings.HasSuffix(err, got) {
			t.Errorf("the error says %q", err)
		}
	}
	passed := release.Main{Deployment: "v1", Progress: inSteps(3)}
	passed.Progress.Steps[2].Gate = release.GateMaxWeight
	if why := passed.Skippable(); why != "" {
		t.Errorf("a limit that is behind it says %q", why)
	}
}
