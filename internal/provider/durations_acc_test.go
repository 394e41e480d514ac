package provider_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type shownDurations struct {
	Total                 *float64
	Queue, Build, Startup *float64
	ImagePull             *float64 `json:"image_pull"`
	Clusters              map[string]shownDurations
}

func TestAccDurations(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string, lines ...string) string {
		return l.config(l.deployment(append([]string{image(tag)}, lines...)...), l.data("history", "all", `application = "api"`, "depends_on = [switchback_deployment.api]"),
			l.data("deployment", "now", `application = "api"`, fmt.Sprintf("version = %q", tag), "depends_on = [switchback_deployment.api]"))
	}
	r := w.apply(config("v1", `duration_budget = { total = "1h" }`))
	r.silent("budget")
	w.wantNoChanges()
	took := read[struct{ Durations shownDurations }](w, theDeployment).Durations
	one := took.Clusters["default"]
	if took.Total == nil || *took.Total <= 0 || took.Queue == nil || took.Startup == nil || took.Build != nil || took.ImagePull != nil ||
		len(took.Clusters) != 1 || one.Total == nil || *one.Total <= 0 || *one.Total > *took.Total || one.Startup == nil || *one.Startup != *took.Startup {
		t.Errorf("%+v", took)
	}
	live := read[struct {
		ByCluster map[string]struct{ Durations shownDurations } `json:"by_cluster"`
	}](w, "switchback_deployment.now").ByCluster["default"].Durations
	if live.Total == nil || *live.Total != *one.Total || live.Queue == nil {
		t.Errorf("the data source has %+v", live)
	}
	entries := read[struct {
		Entries []struct {
			Operation string
			Durations *shownDurations
		}
	}](w, "switchback_history.all").Entries
	if len(entries) != 1 || entries[0].Durations == nil || *entries[0].Durations.Total != *one.Total {
		t.Errorf("the history has %+v", entries)
	}

	// Only how it is looked at: no cluster is touched.
	before := l.recordVersion(nameOf("v1"))
	w.write(config("v1", `duration_budget = { total = "1ms", factor = 2 }`))
	if actions := w.plan().actions[theDeployment]; !slices.Equal(actions, []string{"update"}) {
		t.Errorf("it is planned as %v", actions)
	}
	w.apply(config("v1", `duration_budget = { total = "1ms", factor = 2 }`)).silent("budget")
	if now := l.recordVersion(nameOf("v1")); now != before {
		t.Errorf("the record was written: %s, after %s", now, before)
	}
	w.apply(config("v2", `duration_budget = { total = "1ms", factor = 2 }`)).
		warns("Deployment took longer than its budget", nameOf("v2")+" (version v2)", "`duration_budget.total` is")
	w.wantNoChanges()

	// What was found again has started nothing; what is imported has what its record
	// says.
	name := l.namespace + "/" + nameOf("v2")
	w.do("state", "rm", theDeployment)
	w.apply(config("v2"))
	took = read[struct{ Durations shownDurations }](w, theDeployment).Durations
	if took.Total == nil || *took.Total <= 0 || took.Queue != nil || took.Startup != nil || took.Clusters["default"].Total == nil {
		t.Errorf("adopted: %+v", took)
	}
	w.do("state", "rm", theDeployment)
	w.do("import", "-input=false", "-no-color", theDeployment, name)
	imported := read[struct{ Durations shownDurations }](w, theDeployment).Durations
	if imported.Total == nil || *imported.Total != *took.Total || *imported.Clusters["default"].Total != *took.Clusters["default"].Total || imported.Clusters["default"].Total == nil {
		t.Errorf("imported: %+v", imported)
	}
}

// recordVersion is the resourceVersion of a release's record.
func (l *lab) recordVersion(name string) string {
	l.t.Helper()
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), name, metav1.GetOptions{})
	l.must(err)
	return cm.ResourceVersion
}

func TestAccDurationBudgetIsChecked(t *testing.T) {
	l := newLab(t)
	for lines, says := range map[string]string{
		`duration_budget = {}`:                             "Invalid Attribute Combination",
		`duration_budget = { total = "soon" }`:             "Invalid duration",
		`duration_budget = { total = "0s" }`:               "above zero",
		`duration_budget = { factor = 0.5 }`:               "at least 1",
		`duration_budget = { total = "1m", factor = "x" }`: "number",
	} {
		t.Run(lines, func(t *testing.T) {
			t.Parallel()
			w := newInProcess(t)
			w.applyFails(l.config(l.deployment(lines))).tells(says)
		})
	}
}

// TestAccLog: with TF_LOG=INFO, each phase is one line with fields; DEBUG adds the
// requests; and without, nothing is written at all. Secrets are in none.
func TestAccLog(t *testing.T) {
	l := newLab(t)
	w := l.workspace()
	w.useProgram()
	config := func(tag string) string {
		return l.config(l.deployment(createFirst, image(tag), `container = { ports = { http = 8080 }, env = { PASSWORD = "hunter2hunter2" } }`), l.main())
	}
	w.Env = []string{"TF_LOG=INFO"}
	r := w.apply(config("v1"))
	lines := slices.DeleteFunc(strings.Split(r.text, "\n"), func(line string) bool { return !strings.Contains(line, "switchback.rollout") })
	for _, phase := range []string{"claimed", "applied", "healthy", "succeeded", "switching", "finalized"} {
		found := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, "phase="+phase) })
		if len(found) < 1 || len(found) > 2 {
			t.Errorf("%d lines of %s:\n%s", len(found), phase, strings.Join(lines, "\n"))
			continue
		}
		for _, text := range []string{"[INFO]", "application=api", "namespace=" + l.namespace, "deployment=api-", "cluster=default", "operation=", "tf_resource_type=switchback_"} {
			if !strings.Contains(found[0], text) {
				t.Errorf("the line of %s has no %s: %s", phase, text, found[0])
			}
		}
	}
	for _, field := range []string{"took_ms=", "total_ms=", "startup_ms=", "version=v1"} {
		if !strings.Contains(strings.Join(lines, "\n"), field) {
			t.Errorf("no line has %s", field)
		}
	}
	if strings.Contains(r.text, "switchback.cluster") {
		t.Error("requests are in the log at INFO")
	}
	w.Env = []string{"TF_LOG_PROVIDER=DEBUG", "TF_LOG_PROVIDER_SWITCHBACK_ROLLOUT=ERROR"}
	debug := w.apply(config("v2"))
	if !strings.Contains(debug.text, "switchback.cluster") || !strings.Contains(debug.text, "verb=apply") || !strings.Contains(debug.text, "kind=Deployment") || strings.Contains(debug.text, "switchback.rollout") {
		t.Errorf("at DEBUG:\n%s", debug.text)
	}
	w.Env = []string{"TF_LOG_PROVIDER=OFF"}
	if silent := w.apply(config("v1")); strings.Contains(silent.text, "switchback.") {
		t.Errorf("the log is off:\n%s", silent.text)
	}
	for _, text := range []string{r.text, debug.text} {
		if strings.Contains(text, "hunter2") {
			t.Error("a value of the environment is in the log")
		}
	}
}

// TestAccDurationsOfAFormerVersion: a state that has only a total and a start is
// no difference, and its record no mystery.
func TestAccDurationsOfAFormerVersion(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.apply(l.config(l.deployment()))
	text := w.stateText()
	var state map[string]any
	l.must(json.Unmarshal([]byte(text), &state))
	attributes := state["resources"].([]any)[0].(map[string]any)["instances"].([]any)[0].(map[string]any)["attributes"].(map[string]any)
	attributes["durations"] = map[string]any{"total": 4.5, "startup": 3}
	delete(attributes, "duration_budget")
	former, err := json.Marshal(state)
	l.must(err)
	l.must(os.WriteFile(filepath.Join(w.Dir, "terraform.tfstate"), former, 0o600))
	w.wantNoChanges()
	w.apply(l.config(l.deployment("replicas = 2")))
	if took := read[struct{ Durations shownDurations }](w, theDeployment).Durations; took.Total == nil || *took.Total != 4.5 || *took.Startup != 3 || took.Clusters != nil {
		t.Errorf("%+v", took)
	}
	w.wantNoChanges()
}
