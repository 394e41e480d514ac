package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestBreachRefuses: the same release is tried again with a token that was not tried,
// and with no other.
func TestBreachRefuses(t *testing.T) {
	t.Parallel()
	breach := func(token string) *release.Breach { return &release.Breach{To: "v2", RetryToken: token} }
	for name, c := range map[string]struct {
		breach    *release.Breach
		to, token string
		refuses   bool
	}{
		"nothing was seen":            {nil, "v2", "", false},
		"another release":             {breach(""), "v3", "", false},
		"the same":                    {breach(""), "v2", "", true},
		"with a token":                {breach(""), "v2", "once", false},
		"with the same token":         {breach("once"), "v2", "once", true},
		"with another one":            {breach("once"), "v2", "twice", false},
		"without the one that failed": {breach("once"), "v2", "", true},
	} {
		if got := c.breach.Refuses(c.to, c.token); got != c.refuses {
			t.Errorf("%s: it refuses: %t", name, got)
		}
	}
}

// TestLeftBy: what somebody takes the traffic from is remembered, with the token that was
// tried: also where all of it had moved, and nothing is open any more.
func TestLeftBy(t *testing.T) {
	t.Parallel()
	before, token, at := &release.Main{Deployment: "v1"}, "once", time.Unix(7, 5)
	steps := []release.Step{{Kind: release.StepShift, Weight: 10}, {Kind: release.StepPause, Gate: release.GateManual}, {Kind: release.StepShift, Weight: 100}, {Kind: release.StepCommit}}
	open := func(at int, steps []release.Step) *release.Main {
		return &release.Main{Deployment: "v1", Asked: &release.Asked{RetryToken: &token}, Progress: &release.Progress{From: "v1", To: "v2", Before: before, Steps: steps, At: at}}
	}
	b := open(1, steps).LeftBy("v1", "alice", "", at)
	if want := (release.Breach{From: "v1", To: "v2", Share: 10, RetryToken: "once", Reason: "alice asked to go back", By: "alice", At: time.Unix(7, 0).UTC()}); b == nil || *b != want {
		t.Fatalf("it remembers %+v", b)
	}
	id := release.ID{Namespace: "shop", Name: "v2"}
	text := (&release.TakenBackError{Cluster: "prod", ID: id, Breach: *b}).Error()
	if want := `the deployment shop/v2 on cluster "prod" had 10 % of the traffic already, and alice asked to go back; traffic went back to v1 at 1970-01-01T00:00:07Z`; text != want {
		t.Errorf("it says %s", text)
	}
	all := open(3, steps).LeftBy("v1", "", "", at)
	if text := (&release.TakenBackError{Cluster: "prod", ID: id, Breach: *all}).Error(); !strings.Contains(text, "had all of the traffic already, and somebody asked") {
		t.Errorf("it says %s", text)
	}
	waits := append([]release.Step{{Kind: release.StepPause, Gate: release.GateMaxWeight}}, steps...)
	none := open(0, waits).LeftBy("v1", "", "", at)
	if text := (&release.TakenBackError{Cluster: "prod", ID: id, Breach: *none}).Error(); !strings.Contains(text, "had none of the traffic yet, and somebody asked") {
		t.Errorf("it says %s", text)
	}
	former := &release.Breach{To: "v0", By: "bob", Reason: "bob asked to go back: 5xx"}
	settled := &release.Main{Deployment: "v2", Previous: []string{"v1", "v0"}, Asked: &release.Asked{RetryToken: &token}}
	over := settled.LeftBy("v0", "alice", "", at)
	if want := (release.Breach{From: "v0", To: "v2", RetryToken: "once", Reason: "alice asked to go back", By: "alice", At: time.Unix(7, 0).UTC()}); over == nil || *over != want {
		t.Errorf("of what was over, it remembers %+v", over)
	}
	if b := open(1, steps).LeftBy("v1", "alice", "5xx", at); b.Reason != "alice asked to go back: 5xx" {
		t.Errorf("with a reason, it remembers %+v", b)
	}
	elsewhere := open(1, steps).LeftBy("v0", "alice", "", at)
	if elsewhere == nil || elsewhere.To != "v2" || elsewhere.From != "v0" {
		t.Errorf("of what goes back further, it remembers %+v", elsewhere)
	}
	for name, m := range map[string]*release.Main{
		"nothing is main": {Breach: former}, "it is there": {Deployment: "v1", Breach: former},
		"it is on its way there": {Deployment: "v2", Breach: former, Progress: &release.Progress{From: "v2", To: "v1"}},
	} {
		if got := m.LeftBy("v1", "alice", "night", at); got != former {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestBreachWithoutMain: of the first release behind an adopted rule, it is remembered where
// nothing is main any more, until something is.
func TestBreachWithoutMain(t *testing.T) {
	t.Parallel()
	open := &release.Main{Deployment: "v1", Progress: &release.Progress{To: "v1", Theirs: "old", Before: &release.Main{}}}
	b := open.LeftBy("", "alice", "", time.Unix(7, 0))
	if b == nil || b.To != "v1" || b.From != "" || b.Theirs != "old" {
		t.Fatalf("it remembers %+v", b)
	}
	text := (&release.TakenBackError{Cluster: "prod", ID: release.ID{Namespace: "shop", Name: "v1"}, Breach: *b}).Error()
	if !strings.Contains(text, "had all of the traffic already, and alice asked to go back; traffic went back to old at") {
		t.Errorf("it says %s", text)
	}
	data := release.WithBreach(map[string]string{release.HistoryKey: "{}"}, b)
	if got := release.BreachIn(data); got == nil || *got != *b {
		t.Errorf("it is read as %+v", got)
	}
	if m, err := release.MainOf(map[string]string{release.BreachKey: data[release.BreachKey]}); m != nil || err != nil {
		t.Errorf("it is read as main: %+v, %v", m, err)
	}
	if release.PointerIn(data) == "" {
		t.Error("who writes beside it does not see it")
	}
	main, err := (&release.Main{Deployment: "v2"}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if data := release.WithPointer(data, main); release.BreachIn(data) != nil || data[release.BreachKey] != "" || data[release.HistoryKey] == "" {
		t.Errorf("with v2 as main, there is %v", data)
	}
	if got := release.BreachIn(map[string]string{release.BreachKey: "{"}); got != nil {
		t.Errorf("what cannot be read is %+v", got)
	}
	if data := release.WithBreach(data, nil); data[release.BreachKey] != "" || data[release.HistoryKey] == "" {
		t.Errorf("forgotten, there is %v", data)
	}
}

// TestRefused: who was left by a request is refused, unless it has the traffic all the same,
// or is tried once more. What has failed is another matter.
func TestRefused(t *testing.T) {
	t.Parallel()
	left := &release.Breach{From: "v1", To: "v2", By: "alice"}
	for name, tt := range map[string]struct {
		main    release.Main
		now     string
		refuses bool
	}{
		"left":                  {main: release.Main{Breach: left}, now: "v1", refuses: true},
		"nobody has all of it":  {main: release.Main{Breach: left}, refuses: true},
		"it has the traffic":    {main: release.Main{Breach: left}, now: "v2"},
		"it is tried once more": {main: release.Main{Breach: left, Progress: &release.Progress{From: "v1", To: "v2"}}},
		"another one is tried":  {main: release.Main{Breach: left, Progress: &release.Progress{From: "v1", To: "v3"}}, refuses: true},
		"it has failed":         {main: release.Main{Breach: &release.Breach{From: "v1", To: "v2"}}, now: "v1"},
		"nothing is remembered": {now: "v1"},
	} {
		if got := tt.main.Refused(tt.now); (got != nil) != tt.refuses {
			t.Errorf("%s: it refuses %+v", name, got)
		}
	}
}

func TestNoWayBackFromShare(t *testing.T) {
	t.Parallel()
	err := &release.NoWayBackError{Cluster: "prod", ID: release.ID{Namespace: "shop", Name: "web-2"}, Shared: true, Reason: "0 of the 3 pods of web-1 are ready"}
	want := `the traffic stays as it is shared with shop/web-2, because on cluster "prod" nothing could take all of it: 0 of the 3 pods of web-1 are ready`
	if err.Error() != want {
		t.Errorf("it says %s", err)
	}
}
