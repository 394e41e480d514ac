//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestDiagnosis looks at a release that crashes, and at one that runs, through the
// data sources: real kubelets rotate, refuse and forget logs in their own way.
func TestDiagnosis(t *testing.T) {
	beside(t, light)
	w := newWorkspace(t, newNamespace(t))
	runs := config{application: "api", version: "v2", replicas: 1, noMain: true}
	w.mustApply(runs)
	healthy := w.release()
	w.failsToApply(t, config{version: "v1", replicas: 2, noMain: true, deployment: "on_failure = \"keep\"", env: map[string]string{
		"APP_CRASH_AFTER": "100ms", "APP_NEVER_READY": "true",
		"APP_CRASH_MESSAGE": `{"level":"error","msg":"no database","dsn":"postgres://app:hunter2@db/shop"}`,
	}})
	crashed := w.releaseOtherThan(t, healthy)
	file := filepath.Join(w.Dir, "crash.log")
	data := func(kind, name string, lines ...string) string {
		return fmt.Sprintf("data \"switchback_%s\" %q {\n  %s\n}\n", kind, name, strings.Join(lines, "\n  "))
	}
	bad, good := fmt.Sprintf("deployment = %q", w.namespace+"/"+crashed), fmt.Sprintf("deployment = %q", w.namespace+"/"+healthy)
	w.file("main.tf", runs.text(w.namespace, w.kubeconfig)+
		data("logs", "crash", bad, "previous = true", `level = "error"`, fmt.Sprintf("download_path = %q", file))+
		data("logs", "runs", good, `contains = "listening"`)+
		data("logs", "new", good, `previous = true`)+
		data("events", "crash", bad, `type = "Warning"`, `reason = "BackOff"`)+
		data("diagnosis", "crash", bad)+
		data("diagnosis", "selected", fmt.Sprintf("namespace = %q", w.namespace), fmt.Sprintf("selector = %q", selectorLabel+"="+crashed))+
		data("diagnosis", "runs", good))
	// The kubelet writes the event of a container's back-off only at its second one.
	testcluster.Eventually(t, testcluster.Hang, "an event about the back-off", func() error {
		if _, err := w.start("apply", "-auto-approve", "-no-color", "-input=false").wait(); err != nil {
			return err
		}
		var events struct {
			Events []struct{ Name, Message string }
		}
		w.data(t, "switchback_events", "crash", &events)
		if len(events.Events) == 0 || !strings.HasPrefix(events.Events[0].Name, crashed+"-") {
			return errors.New("there is none")
		}
		return nil
	})

	var log struct {
		Entries []struct{ Level, Pod, Container, Message, Time string }
		Notes   []string
		Lines   int `json:"downloaded_lines"`
	}
	w.data(t, "switchback_logs", "crash", &log)
	const words = `{"level":"error","msg":"no database","dsn":"postgres://***@db/shop"}`
	var pods []string
	for _, e := range log.Entries {
		pods = append(pods, e.Pod)
		if at, err := time.Parse(time.RFC3339Nano, e.Time); e.Level != "error" || e.Message != words || e.Container != "web" || err != nil || time.Since(at) > 10*time.Minute {
			t.Errorf("%+v, %v", e, err)
		}
	}
	slices.Sort(pods)
	if len(slices.Compact(pods)) != 2 || len(log.Notes) > 0 {
		t.Errorf("%d lines of %v, %q", len(log.Entries), pods, log.Notes)
	}
	whole, err := os.ReadFile(file)
	if lines := strings.Count(string(whole), "\n"); err != nil || lines != log.Lines || !strings.Contains(string(whole), "crashing on purpose") || strings.Contains(string(whole), "hunter2") {
		t.Errorf("%v, %d lines of %d:\n%s", err, lines, log.Lines, whole)
	}
	w.data(t, "switchback_logs", "runs", &log)
	if len(log.Entries) != 1 || !strings.Contains(log.Entries[0].Message, "listening on") {
		t.Errorf("%+v", log)
	}
	w.data(t, "switchback_logs", "new", &log)
	if len(log.Entries) != 0 || len(log.Notes) != 1 || !strings.Contains(log.Notes[0], "has not been restarted") {
		t.Errorf("%+v", log)
	}

	for _, name := range []string{"crash", "selected"} {
		var d struct {
			Verdict  string
			Findings []struct {
				Cause, Container, Log, Evidence, Hint string
				Affected, Of                          int
			}
			Unread []string
		}
		w.data(t, "switchback_diagnosis", name, &d)
		if d.Verdict != "failed" || len(d.Findings) == 0 || len(d.Unread) > 0 {
			t.Fatalf("%s: %+v", name, d)
		}
		f := d.Findings[0]
		if f.Cause != string(health.CauseCrashLoop) || f.Container != "web" || f.Affected != 2 || f.Of != 2 || f.Hint == "" || !strings.Contains(f.Log+f.Evidence, words) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	var well struct {
		Verdict     string
		Ready, Want int
	}
	w.data(t, "switchback_diagnosis", "runs", &well)
	if well.Verdict != "healthy" || well.Ready != 1 || well.Want != 1 {
		t.Errorf("%+v", well)
	}
	if state := w.StateText(t); state == "" || strings.Contains(state, "hunter2") {
		t.Error("a secret is in the state, or it is empty")
	}
}

// data reads what a data source said in the last apply.
func (w *workspace) data(t *testing.T, kind, name string, into any) {
	t.Helper()
	found := w.State(t).At(kind + "." + name)
	if len(found) == 0 {
		t.Fatalf("%s.%s is not in the state", kind, name)
	}
	if err := found[0].Decode(into); err != nil {
		t.Fatal(err)
	}
}
