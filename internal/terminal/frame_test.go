package terminal

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// waiting is a canary in a pause of two minutes, of which one has passed.
func waiting(clusters ...string) scene {
	p := []release.Step{
		{Kind: release.StepReady}, {Kind: release.StepShift, Weight: 5}, {Kind: release.StepPause, For: 2 * time.Minute},
		{Kind: release.StepShift, Weight: 50}, {Kind: release.StepPause, Gate: release.GateManual}, {Kind: release.StepShift, Weight: 100}, {Kind: release.StepCollect},
	}
	app := watched{Since: noon.Add(-90 * time.Second), Moves: []move{{
		From: "api-0b8e4d27", To: "api-7f3c9a1e", Direction: release.DirectionForward, Steps: p, At: 2, Since: noon.Add(-time.Minute),
	}}}
	app.Name, app.Status, app.Promotion = "api", release.EnvironmentWaiting, release.MainRunning
	for _, c := range clusters {
		app.Releases = append(app.Releases,
			Release{Name: "api-7f3c9a1e", Cluster: c, Role: RoleCandidate, Version: "v1.4.0", Status: release.StatusStarted, Share: 5, Ready: 1, Pods: 1},
			Release{Name: "api-0b8e4d27", Cluster: c, Role: RoleMain, Version: "v1.3.9", Status: release.StatusDegraded, Share: 95, Ready: 2, Pods: 3})
	}
	app.Problems = []string{"the main deployment is running:\nand so on"}
	return scene{Namespace: "shop", Clusters: clusters, Now: noon, Apps: []watched{app}, Events: []Event{{
		Cluster: "us", Type: diagnose.EventWarning, Reason: "Unhealthy", Object: "Pod/api-7f3c9a1e-x", Message: "Readiness probe\nfailed", LastSeen: &metav1.Time{Time: noon.Add(-7 * time.Second)},
	}}}
}

// TestFrame: who has what, each step with a bar for its share, how long it has taken and may
// still take, and what happens.
func TestFrame(t *testing.T) {
	t.Parallel()
	const want = `shop on prod   12:00:00Z   q ends, and changes nothing

api  waiting  running
  api-7f3c9a1e  v1.4.0  candidate  █░░░░░░░░░░░░░░░░░░░   5%  1/1 pods
  api-0b8e4d27  v1.3.9  main       ███████████████████░  95%  2/3 pods  degraded
  api-0b8e4d27 -> api-7f3c9a1e: step 3 of 7: pause 2m; 90s so far, at most 60s of pauses to come, and until somebody lets it go on
  ok ready
  ok shift 5%           █░░░░░░░░░░░░░░░░░░░
  -> pause 2m
     shift 50%          ██████████░░░░░░░░░░
     pause manual
     shift 100%         ████████████████████
     collect
  the main deployment is running: and so on

events
    7s  Unhealthy Pod/api-7f3c9a1e-x: Readiness probe failed`
	if got := waiting("prod").frame(0, 0, false); got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
}

// TestFrameFits: no line is longer than the terminal, nor are there more of them, also with
// colours; and what is hidden is told.
func TestFrameFits(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{40, 10}, {80, 24}, {200, 60}} {
		for _, p := range []paint{false, true} {
			lines := strings.Split(waiting("eu", "us").frame(size[0], size[1], p), "\n")
			if len(lines) > size[1] {
				t.Errorf("of %v, it has %d lines", size, len(lines))
			}
			for _, line := range lines {
				if n := ansi.StringWidth(line); n > size[0] {
					t.Errorf("of %v, a line has %d columns: %q", size, n, line)
				}
			}
			if hidden := strings.Contains(lines[len(lines)-1], "more lines"); hidden != (size[1] < 24) {
				t.Errorf("of %v, it says that there is more: %t", size, hidden)
			}
		}
	}
}

// TestFrameOfFewColumns: who has which share, with how many pods, is told in any of them.
func TestFrameOfFewColumns(t *testing.T) {
	t.Parallel()
	for width, bars := range map[int]bool{40: false, 60: false, 79: true, 120: true} {
		got := waiting("prod").frame(width, 0, false)
		for _, text := range []string{"  5%  1/1 pods", " 95%  2/3 pods"} {
			if !strings.Contains(got, text) {
				t.Errorf("of %d columns, no %q in\n%s", width, text, got)
			}
		}
		if is := strings.Contains(got, "api-7f3c9a1e  v1.4.0  candidate  █"); is != bars {
			t.Errorf("of %d columns, a bar for each release: %t\n%s", width, is, got)
		}
	}
}

// TestFrameOfSeveral: a release says where it is, and so does a promotion that is not
// everywhere as far; what cannot be read is told.
func TestFrameOfSeveral(t *testing.T) {
	t.Parallel()
	s := waiting("eu", "us")
	s.Apps[0].Moves[0].Clusters = []string{"us"}
	s.Apps[0].Moves[0].Direction = release.DirectionBack
	s.Unread = []Unread{{Cluster: "ap", Reason: "it cannot\nbe reached"}}
	got := s.frame(0, 0, false)
	for _, text := range []string{"shop on eu, us ", "\n  eu/api-7f3c9a1e  v1.4.0", "\n  us: api-0b8e4d27 -> api-7f3c9a1e: goes back to api-0b8e4d27; 90s so far\n", "\nWithout cluster ap: it cannot be reached\n", "    7s  us Unhealthy"} {
		if !strings.Contains(got, text) {
			t.Errorf("no %q in\n%s", text, got)
		}
	}
	if text := (scene{Namespace: "shop", Clusters: []string{"eu"}, Now: noon}).frame(0, 0, false); !strings.HasSuffix(text, "\n\nThere are no applications.") {
		t.Errorf("of none, it is %q", text)
	}
}
