package release_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// open is a promotion that users see in a status. before is main as it was, where it
// may still go back.
func open(from, to string, status release.MainStatus, before *release.Main) *release.Progress {
	p := &release.Progress{
		Schema: release.ProgressSchema, From: from, To: to, Before: before, Direction: release.DirectionForward,
		Steps: []release.Step{{Kind: release.StepReady}, {Kind: release.StepShift, Weight: 100}, {Kind: release.StepCommit}, {Kind: release.StepCollect}},
		At:    2,
	}
	if status == release.MainRunning {
		p.At = 1
	}
	if status == release.MainRollingBack {
		p.Direction = release.DirectionBack
	}
	if status == release.MainFailed {
		p.Direction = release.DirectionNone
	}
	return p
}

var update = flag.Bool("update", false, "write what was read of the checkpoints")

// TestCheckpointsOfSchema1: what providers wrote before a promotion had steps is read
// as the same promotion. Each file of testdata/checkpoints was written by such a
// provider, in another place of another promotion.
func TestCheckpointsOfSchema1(t *testing.T) {
	files, err := filepath.Glob("testdata/checkpoints/*.main.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no checkpoints", err)
	}
	statuses := map[release.MainStatus]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var was struct {
			Checkpoint struct {
				Step release.MainStatus
			}
		}
		if err := json.Unmarshal(text, &was); err != nil {
			t.Fatal(file, err)
		}
		main, err := release.ParseMain(map[string]string{release.MainKey: string(text)})
		if err != nil || main.Progress == nil {
			t.Fatalf("%s: %+v, %v", file, main, err)
		}
		if got := main.Progress.Status(); got != was.Checkpoint.Step {
			t.Errorf("%s: %s became %s", file, was.Checkpoint.Step, got)
		}
		statuses[was.Checkpoint.Step] = true
		got, err := json.MarshalIndent(main.Progress, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(file, ".main.json") + ".progress.json"
		if *update {
			if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if d := cmp.Diff(strings.TrimSpace(string(want)), string(got)); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", golden, err, d)
		}
	}
	for _, status := range []release.MainStatus{release.MainRunning, release.MainFinalizing, release.MainRollingBack, release.MainFailed} {
		if !statuses[status] {
			t.Errorf("no checkpoint is %s", status)
		}
	}
}

// TestOlderProvidersRefuseAnOpenPromotion: while one is open, main.json has a schema
// that they do not know; when it is over, they can go on.
func TestOlderProvidersRefuseAnOpenPromotion(t *testing.T) {
	main := release.Main{Deployment: "api-2", Progress: open("api-1", "api-2", release.MainRunning, nil)}
	for _, tt := range []struct {
		progress *release.Progress
		schema   int
		keys     int
	}{{main.Progress, release.MainSchemaOpen, 2}, {nil, release.MainSchema, 1}} {
		main.Progress = tt.progress
		data, err := main.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var written struct{ Schema int }
		if err := json.Unmarshal([]byte(data[release.MainKey]), &written); err != nil || written.Schema != tt.schema || len(data) != tt.keys {
			t.Errorf("%+v, %v, of %v", written, err, data)
		}
	}
}

// TestProgressThatCannotBeRead: nobody decides on a promotion of which a part is
// missing, or which has steps that this provider does not know.
func TestProgressThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		`{"schema": 99}`:          "upgrade the provider",
		`{"schema": 1, "at": 2}`:  "step 3 of 0",
		`{"schema": 1, "at": -1}`: "step 0 of 0",
		`{`:                       "progress.json cannot be read",
	} {
		_, err := release.ParseMain(map[string]string{release.MainKey: `{"schema": 2}`, release.ProgressKey: text})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", text, err, want)
		}
	}
	if _, err := release.ParseMain(map[string]string{release.MainKey: `{"schema": 2}`}); err == nil || !strings.Contains(err.Error(), `no key "progress.json"`) {
		t.Errorf("without progress: %v", err)
	}
}

// TestRoutesThatGo: a single one is written as older providers read it; what they would lose
// of several, they refuse.
func TestRoutesThatGo(t *testing.T) {
	one, other := &release.Route{Kind: "HTTPRoute", Name: "one"}, &release.Route{Kind: "HTTPRoute", Name: "other"}
	for text, leaves := range map[string]release.Routes{
		`"schema":1`: nil,
		`"schema":2,"to":"api-1","steps":null,"at":0,"direction":"","leaves":{"kind":"HTTPRoute","name":"one"}`: {one},
		`"leaves":[{"kind":"HTTPRoute","name":"one"},{"kind":"HTTPRoute","name":"other"}]`:                      {one, other},
	} {
		data, err := (&release.Main{Deployment: "api-1", Progress: &release.Progress{To: "api-1", Leaves: leaves}}).Marshal()
		if err != nil || !strings.Contains(data[release.ProgressKey], text) || len(leaves) > 1 != strings.Contains(data[release.ProgressKey], `"schema":5`) {
			t.Errorf("%s (%v), want %s", data[release.ProgressKey], err, text)
		}
		read, err := release.ParseMain(data)
		if err != nil || cmp.Diff(leaves, read.Progress.Leaves) != "" {
			t.Errorf("%v is read as %v (%v)", leaves, read, err)
		}
	}
}
