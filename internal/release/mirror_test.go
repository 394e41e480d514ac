package release_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// copying is a promotion that gives v2 copies, and then a tenth.
func copying(at int) *release.Progress {
	p := byShares(at)
	p.Steps = slices.Insert(slices.Clone(p.Steps), 1, release.Step{Kind: release.StepShift, Mirror: 20, Needs: 2}, release.Step{Kind: release.StepPause, Gate: release.GateManual})
	return p
}

// TestCopiesOfAStep: what the shifts before a step have given of them, and what comes next.
func TestCopiesOfAStep(t *testing.T) {
	t.Parallel()
	for at, want := range []struct {
		copies, has, next, load int
		text                    string
	}{
		{0, 0, 10, 0, "v2 has 0 % of the traffic"}, {0, 0, 10, 20, "v2 has 0 % of the traffic"}, {20, 0, 10, 0, "v2 gets copies of 20 % of the requests"},
		{20, 0, 10, 10, "v2 gets copies of 20 % of the requests"}, {0, 10, 50, 0, "v2 has 10 % of the traffic"},
	} {
		p := copying(at)
		if p.Mirror(at) != want.copies || p.Weight(at) != want.has || p.Next() != want.next || p.Step().Load() != want.load || p.Has() != want.text {
			t.Errorf("at %d: %d, %d, %d, %d, %s; want %+v", at, p.Mirror(at), p.Weight(at), p.Next(), p.Step().Load(), p.Has(), want)
		}
		if p.Beyond(0) != (at > 2) {
			t.Errorf("at %d, it is beyond nothing: %t", at, p.Beyond(0))
		}
	}
	if got := copying(1).Step().String(); got != "mirror 20%" {
		t.Errorf("its step is %s", got)
	}
	text := release.PauseText("prod", "shop", "api", copying(2))
	if !strings.HasPrefix(text, "v2 gets copies of 20 % of the requests until somebody lets it go on") {
		t.Errorf("its pause says %s", text)
	}
}

// TestOlderProvidersRefuseCopies: they would take them for a shift that moves nothing, and
// would not end them where a release goes back.
func TestOlderProvidersRefuseCopies(t *testing.T) {
	t.Parallel()
	scales := copying(2)
	scales.Scales = true
	for _, p := range []*release.Progress{copying(2), scales} {
		data, err := (&release.Main{Deployment: "v1", Progress: p}).Marshal()
		if err != nil || !strings.Contains(data[release.ProgressKey], `"schema":6`) || !strings.Contains(data[release.ProgressKey], `"mirror":20`) {
			t.Errorf("it is written as %s (%v)", data[release.ProgressKey], err)
		}
		read, err := release.ParseMain(data)
		if err != nil || read.Progress.Mirror(2) != 20 || read.Progress.Scales != p.Scales {
			t.Errorf("it is read as %+v (%v)", read, err)
		}
	}
}

// TestSharesWithCopies: they come before all shares, and take pods as one does.
func TestSharesWithCopies(t *testing.T) {
	t.Parallel()
	c := release.Canary{Scales: true, Steps: []release.CanaryStep{{Weight: 10, Pause: time.Minute}}, Mirror: &release.CanaryMirror{Percent: 20, Pause: time.Hour, Replicas: 3}}
	if got := c.Shares(); !slices.Equal(got, []int{0, 10, 100}) {
		t.Errorf("its shares are %v", got)
	}
	if c.PauseAt(0) != time.Hour || c.PauseAt(10) != time.Minute {
		t.Errorf("it is watched for %s and %s", c.PauseAt(0), c.PauseAt(10))
	}
	if got := c.FirstShare(); got == nil || *got != (release.CanaryStep{Weight: 20, Replicas: 3}) {
		t.Errorf("it begins with %+v", got)
	}
	c.Mirror.Percent = 100
	if got := c.FirstShare(); got != nil {
		t.Errorf("with copies of all requests, it begins with %+v", got)
	}
	if got := (*release.CanaryMirror)(nil).Share(); got != (release.CanaryStep{}) {
		t.Errorf("no copies take %+v", got)
	}
	for at, want := range map[int]release.CanaryStep{0: {Weight: 20, Replicas: 2}, 2: {Weight: 20, Replicas: 2}, 3: {Weight: 10}} {
		if got := copying(at).Share(); got == nil || *got != want {
			t.Errorf("at %d, its share is %+v, want %+v", at, got, want)
		}
	}
}

// TestLeftWithCopies: who goes back is told what the release had.
func TestLeftWithCopies(t *testing.T) {
	t.Parallel()
	main := &release.Main{Deployment: "v1", Progress: copying(2)}
	b := main.LeftBy("v1", "jane", "", time.Unix(1, 0))
	if b == nil || b.Mirror != 20 || b.Waited || b.Share != 0 {
		t.Fatalf("it is remembered as %+v", b)
	}
	id := release.ID{Namespace: "shop", Name: "v2"}
	if text := (&release.TakenBackError{Cluster: "prod", ID: id, Breach: *b}).Error(); !strings.Contains(text, "had copies of 20 % of the requests already, and jane asked to go back; traffic went back to v1") {
		t.Errorf("it says %s", text)
	}
	failed := release.Breach{From: "v1", To: "v2", Mirror: 20, Reason: "it crashed"}
	if text := (&release.TakenBackError{Cluster: "prod", ID: id, Breach: failed}).Error(); !strings.Contains(text, "had copies of 20 % of the requests already and did not do its work with it") {
		t.Errorf("it says %s", text)
	}
	held := copying(3).Holding()
	main.Progress = &held
	if b := main.LeftBy("v1", "jane", "", time.Unix(1, 0)); b == nil || b.Mirror != 20 {
		t.Errorf("while it waits for others, it is remembered as %+v", b)
	}
}
