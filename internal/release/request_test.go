package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestRequestConcernsOnePromotion: what is asked of one promotion is not asked of the
// next one, and goes with it.
func TestRequestConcernsOnePromotion(t *testing.T) {
	running := open("api-1", "api-2", release.MainFinalizing, &release.Main{Deployment: "api-1"})
	main := release.Main{Deployment: "api-2", Progress: running}
	pointer, err := main.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	data := release.WithPointer(map[string]string{release.HistoryKey: "[]"}, pointer)
	if release.RequestIn(data).Asks(release.RequestReturn, running) {
		t.Error("nobody has asked")
	}
	asked, err := release.Asking(data, release.Request{Kind: release.RequestReturn, From: "api-1", To: "api-2", By: "ada", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	request := release.RequestIn(asked)
	if !request.Asks(release.RequestReturn, running) || request.By != "ada" {
		t.Errorf("%+v", request)
	}
	if request.Asks("hold", running) {
		t.Error("what it does not ask for is heard")
	}
	if request.Asks(release.RequestReturn, open("api-2", "api-3", release.MainFinalizing, nil)) {
		t.Error("the next promotion is asked, too")
	}
	if release.PointerIn(asked) != release.PointerIn(data) {
		t.Error("who asks changes the pointer")
	}
	if again := release.WithPointer(asked, pointer); release.RequestIn(again) == nil {
		t.Error("the request is gone while the promotion goes on")
	}
	main.Progress = nil
	over, err := main.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	after := release.WithPointer(asked, over)
	if release.RequestIn(after) != nil || after[release.ProgressKey] != "" || after[release.HistoryKey] != "[]" {
		t.Errorf("after it: %v", after)
	}
	if gone := release.WithPointer(asked, nil); release.PointerIn(gone) != "" || len(gone) != 1 {
		t.Errorf("without an address: %v", gone)
	}
	text := (&release.AskedBackError{Cluster: "prod", ID: release.ID{Namespace: "shop", Name: "api-2"}, Request: *request}).Error()
	for _, want := range []string{"ada", "prod", "shop/api-2", "api-1"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}

// TestProgressSaysWhereItIs: the status that users see follows from the step and the
// direction, and whether it may go back from whether it is committed.
func TestProgressSaysWhereItIs(t *testing.T) {
	before := &release.Main{Deployment: "api-1"}
	for status, mayGoBack := range map[release.MainStatus]bool{
		release.MainRunning: true, release.MainRollingBack: true, release.MainFailed: true, release.MainFinalizing: false,
	} {
		p := open("api-1", "api-2", status, nil)
		if p.Status() != status || p.Open() != mayGoBack {
			t.Errorf("%s: %s, may go back: %t", status, p.Status(), p.Open())
		}
	}
	p := open("api-1", "api-2", release.MainFinalizing, before)
	if !p.Open() || p.Step().Kind != release.StepCommit {
		t.Errorf("before its commit: %t at %+v", p.Open(), p.Step())
	}
	if p.At = len(p.Steps); p.Step() != (release.Step{}) {
		t.Errorf("after the last step: %+v", p.Step())
	}
	for kind, reached := range map[release.StepKind]bool{release.StepReady: false, release.StepShift: true, release.StepCollect: true} {
		if kind.Reaches(release.StepShift) != reached || kind.Reaches("") {
			t.Errorf("%s reaches the shift: %t", kind, !reached)
		}
	}
}

// TestWhatABreachLeaves: a promotion back to what was main before keeps it in mind, any
// other one that succeeds forgets it.
func TestWhatABreachLeaves(t *testing.T) {
	breach := &release.Breach{From: "api-1", To: "api-2", Reason: "it crashed"}
	if breach.Passed("api-1") != breach || breach.Passed("api-2") != nil || breach.Passed("api-3") != nil {
		t.Error("after", breach.Passed("api-1"), breach.Passed("api-2"), breach.Passed("api-3"))
	}
	main := release.Main{Owner: "token", Deployment: "api-2", Previous: []string{"api-1"}, Service: "api", KeepCount: 1, Breach: breach, Progress: open("api-1", "api-2", release.MainRunning, nil)}
	if b := main.AsBefore(); b.Owner != "" || b.Progress != nil || b.Deployment != "api-2" || b.Keep().Count != 1 || b.Breach != breach {
		t.Errorf("%+v", b)
	}
	text := (&release.TakenBackError{Cluster: "prod", ID: release.ID{Namespace: "shop", Name: "api-2"}, Breach: *breach}).Error()
	first := (&release.TakenBackError{Cluster: "prod", Breach: release.Breach{To: "api-2"}}).Error()
	if !strings.Contains(text, "traffic went back to api-1") || !strings.Contains(text, "it crashed") || !strings.Contains(first, "nothing to go back to") {
		t.Errorf("%s\n%s", text, first)
	}
	stays := (&release.NoWayBackError{Cluster: "prod", ID: release.ID{Namespace: "shop", Name: "api-2"}, Reason: "api-1 is gone"}).Error()
	if !strings.Contains(stays, "stays with shop/api-2") || !strings.Contains(stays, "api-1 is gone") {
		t.Error(stays)
	}
}
