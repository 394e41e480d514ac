package release_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestSharesOfACanary: where the members of a group wait for each other.
func TestSharesOfACanary(t *testing.T) {
	t.Parallel()
	steps := []release.CanaryStep{{Weight: 10, Pause: time.Minute}, {Weight: 50}}
	for name, tt := range map[string]struct {
		canary release.Canary
		want   []int
	}{
		"none":                {release.Canary{}, []int{100}},
		"two":                 {release.Canary{Steps: steps}, []int{10, 50, 100}},
		"with the last":       {release.Canary{Steps: append(slices.Clone(steps), release.CanaryStep{Weight: 100, Gate: release.GateManual})}, []int{10, 50, 100}},
		"held ahead of all":   {release.Canary{Steps: steps, MaxWeight: 5}, []int{0, 10, 50, 100}},
		"held at the first":   {release.Canary{Steps: steps, MaxWeight: 10}, []int{10, 50, 100}},
		"the last is no step": {release.Canary{Steps: steps[:1], MaxWeight: 50}, []int{10, 100}},
	} {
		if got := tt.canary.Shares(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	canary := release.Canary{Steps: steps}
	if canary.PauseAt(10) != time.Minute || canary.PauseAt(50) != 0 || canary.PauseAt(100) != 0 {
		t.Error("another pause")
	}
}

// TestBeyondAShare: which steps give more of the traffic than a share, or come after it
// has moved.
func TestBeyondAShare(t *testing.T) {
	t.Parallel()
	for at, want := range map[int][]int{0: nil, 1: {0}, 2: {0}, 3: {0, 10}, 4: {0, 10}, 5: {0, 10}, 6: {0, 10, 50}, 7: {0, 10, 50, 100}} {
		var beyond []int
		for _, share := range []int{0, 10, 50, 100} {
			if byShares(at).Beyond(share) {
				beyond = append(beyond, share)
			}
		}
		if !slices.Equal(beyond, want) {
			t.Errorf("at %d, it is beyond %v, want %v", at, beyond, want)
		}
	}
}

// TestHoldingForAGroup: what a run leaves that waits for other members.
func TestHoldingForAGroup(t *testing.T) {
	t.Parallel()
	for at, want := range map[int]struct{ watched, baked bool }{2: {}, 3: {watched: true}, 4: {}, 6: {watched: true}, 7: {}} {
		p := byShares(at)
		held := p.Holding()
		if len(p.Steps) != 8 || p.Paused || len(held.Steps) != 9 || held.Weight(held.At) != p.Weight(at) {
			t.Fatalf("at %d: %+v, %+v", at, p, held)
		}
		if !held.Holds() || held.Watched() != want.watched || held.Baked() != want.baked {
			t.Errorf("at %d, it holds: %t, watched: %t, baked: %t, want %+v", at, held.Holds(), held.Watched(), held.Baked(), want)
		}
		if held.Status() != release.MainPaused || !held.Waits(time.Unix(1<<40, 0), nil) || held.Waits(time.Time{}, &release.Request{Kind: release.RequestResume, From: "v1", To: "v2", Step: at}) {
			t.Errorf("at %d, it is %s", at, held.Status())
		}
		data, err := (&release.Main{Deployment: "v1", Progress: &held}).Marshal()
		if err != nil || !strings.Contains(data[release.ProgressKey], `"schema":2`) {
			t.Errorf("at %d: %v, %v", at, data, err)
		}
		read, err := release.ParseMain(data)
		if err != nil || !read.Progress.Holds() {
			t.Errorf("at %d, it is read as %+v, %v", at, read, err)
		}
	}
	baked := byShares(7)
	baked.Steps = slices.Insert(baked.Steps, 7, release.Step{Kind: release.StepAnalyse, For: time.Minute})
	baked.At = 8
	if held := baked.Holding(); !held.Watched() || !held.Baked() {
		t.Errorf("%+v", held)
	}
	if p := byShares(5); p.Holds() || p.Watched() {
		t.Error("it waits for nobody")
	}
	left := release.Main{Deployment: "v1"}
	for at, want := range map[int]int{1: 0, 3: 10} { // the share that somebody took
		left.Progress = new(byShares(at).Holding())
		if b := left.LeftBy("v1", "alice", "", time.Unix(7, 0)); (b != nil) != (want > 0) || b != nil && b.Share != want {
			t.Errorf("at %d, it remembers %+v", at, b)
		}
	}
	held := byShares(3).Holding()
	text := release.PauseText("prod", "shop", "api", &held)
	if text != "v2 has 10 % of the traffic, and waits for the other members of its group" {
		t.Error(text)
	}
	if text := release.GroupPauseText("api", "v2 has 10 %"); text != "api: v2 has 10 %. What ends this pause ends it for all of the group" {
		t.Error(text)
	}
}
