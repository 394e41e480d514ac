package provider_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

type shownLogs struct {
	Entries []struct{ Time, Cluster, Pod, Container, Level, Message string }
	Text    string
	Notes   []string
	Path    string `json:"downloaded_path"`
	Bytes   int64  `json:"downloaded_bytes"`
	Lines   int64  `json:"downloaded_lines"`
}

func (s shownLogs) messages() []string {
	var all []string
	for _, e := range s.Entries {
		all = append(all, strings.TrimSpace(e.Level+" "+e.Message))
	}
	return all
}

type shownEvents struct {
	Events []struct{ Cluster, Type, Reason, Kind, Name, Container, Message, Source string }
	Notes  []string
}

type shownDiagnosis struct {
	Verdict, Text string
	Ready, Want   int
	Unread        []string
	Findings      []struct {
		Clusters                                                       []string
		Cause, Class, Object, Container, Sentence, Evidence, Hint, Log string
		Affected, Of                                                   *int
	}
	ByCluster map[string]struct {
		Verdict        string
		Ready, Want    int
		Causes, Unread []string
	} `json:"by_cluster"`
}

// about is a data source about the deployment, which the configuration makes.
func about(kind, name string, lines ...string) string {
	return block(fmt.Sprintf("data %q %q", "switchback_"+kind, name), append([]string{"deployment = switchback_deployment.api.id", "depends_on = [switchback_deployment.api]"}, lines...))
}

// crashing lets all pods of a kubelet crash from now on, and waits until a
// release's pods do.
func (l *lab) crashing(k *testcluster.Kubelet, pods int) {
	l.t.Helper()
	k.Status(func(pod *corev1.Pod) corev1.PodStatus {
		return testcluster.PodStatus(pod, map[string]corev1.ContainerStatus{"api": testcluster.CrashLoop(3, 4)})
	})
	testcluster.Eventually(l.t, hang, "the pods to crash", func() error {
		list, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{})
		crashed := 0
		for _, pod := range list.Items {
			if len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].RestartCount == 4 {
				crashed++
			}
		}
		if err == nil && crashed != pods {
			err = fmt.Errorf("%d do", crashed)
		}
		return err
	})
}

func TestAccDiagnosis(t *testing.T) {
	l := newLab(t)
	k, w := l.cluster.Kubelet(t), l.inProcess()
	onNode := fmt.Sprintf("pod_template_patch = \"spec: {nodeName: %s}\"", k.Node)
	const planted = "hunter2hunter2"
	file := filepath.Join(w.Dir, "api.log")
	looks := []string{
		about("logs", "all"),
		about("logs", "crash", `previous = true`, `level = "warn"`, fmt.Sprintf("download_path = %q", file)),
		about("logs", "raw", `container = "api"`, `previous = true`, `regex = "^nothing"`, fmt.Sprintf("download_path = %q", file+".raw"), `redact = false`),
		about("logs", "events", `type = "events"`, `level = "warn"`),
		about("events", "warnings", `type = "Warning"`),
		about("events", "all"),
		about("diagnosis", "ours"),
		l.data("diagnosis", "pods", `selector = "switchback.dev/application=api"`, "depends_on = [switchback_deployment.api]"),
	}
	config := l.config(append([]string{l.deployment("replicas = 2", onNode)}, looks...)...)
	k.Write(testcluster.LogOf{Container: "api"}, testcluster.Lines(`{"level":30,"msg":"listening"}`)...)
	w.apply(config)
	if got := read[shownLogs](w, "switchback_logs.all"); !slices.Equal(got.messages(), []string{`info {"level":30,"msg":"listening"}`, `info {"level":30,"msg":"listening"}`}) || got.Entries[0].Cluster != "default" {
		t.Errorf("%+v", got)
	}
	if got := read[shownDiagnosis](w, "switchback_diagnosis.ours"); got.Verdict != "healthy" || got.Ready != 2 || got.Want != 2 || len(got.Findings) != 0 || len(got.Unread) != 0 {
		t.Errorf("%+v", got)
	}
	w.wantNoChanges()

	k.Write(testcluster.LogOf{Container: "api", Previous: true}, testcluster.Lines(
		`{"level":"info","msg":"starting"}`, `{"level":"error","msg":"no database","password":"`+planted+`"}`, "FATAL: postgres://app:"+planted+"@db/shop refused")...)
	l.crashing(k, 2)
	pods, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(t.Context(), metav1.ListOptions{})
	l.must(err)
	pod := pods.Items[0]
	_, err = l.cluster.Client().CoreV1().Events(l.namespace).Create(t.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: "test-"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: l.namespace, Name: pod.Name, UID: pod.UID, FieldPath: "spec.containers{api}"},
		Type:           corev1.EventTypeWarning, Reason: "BackOff", Message: "Back-off restarting, token=" + planted, Count: 3, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(),
	}, metav1.CreateOptions{})
	l.must(err)
	w.apply(config)
	w.wantNoChanges()

	crash := read[shownLogs](w, "switchback_logs.crash")
	bad := []string{`error {"level":"error","msg":"no database","password":"***"}`, "fatal FATAL: postgres://***@db/shop refused"}
	if got := crash.messages(); !slices.Equal(got, []string{bad[0], bad[0], bad[1], bad[1]}) && !slices.Equal(got, []string{bad[0], bad[1], bad[0], bad[1]}) {
		t.Errorf("the last words: %q", got)
	}
	if !strings.Contains(crash.Text, " default/"+pod.Name+"/api FATAL: postgres://***@db/shop refused\n") {
		t.Errorf("as a text:\n%s", crash.Text)
	}
	whole, err1 := os.ReadFile(file)
	raw, err2 := os.ReadFile(file + ".raw")
	l.must(errors.Join(err1, err2))
	if crash.Path != file || crash.Bytes != int64(len(whole)) || crash.Lines != 6 || strings.Contains(string(whole), planted) || !strings.Contains(string(whole), "starting") {
		t.Errorf("%+v\n%s", crash, whole)
	}
	if n := strings.Count(string(raw), planted); n != 4 {
		t.Errorf("what was written has the secret %d times:\n%s", n, raw)
	}
	for _, warnings := range [][]string{eventTexts(read[shownEvents](w, "switchback_events.warnings")), read[shownLogs](w, "switchback_logs.events").messages()} {
		if len(warnings) != 1 || !strings.Contains(warnings[0], "BackOff") || !strings.Contains(warnings[0], "token=***") {
			t.Errorf("%q", warnings)
		}
	}
	if all := eventTexts(read[shownEvents](w, "switchback_events.all")); !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, "Started "+nameOn(l, w)+" ") }) {
		t.Errorf("Switchback's own are not among %q", all)
	}
	for _, name := range []string{"ours", "pods"} {
		d := read[shownDiagnosis](w, "switchback_diagnosis."+name)
		if d.Verdict != "failed" || d.Ready != 0 || d.Want != 2 || len(d.Findings) != 1 {
			t.Fatalf("%s: %+v", name, d)
		}
		f := d.Findings[0]
		if f.Cause != "CrashLoopBackOff" || f.Class != "repeated" || f.Container != "api" || *f.Affected != 2 || *f.Of != 2 || !slices.Equal(f.Clusters, []string{"default"}) ||
			!strings.Contains(f.Log, "postgres://***@db/shop") || f.Hint == "" || f.Sentence == "" || !strings.HasPrefix(f.Object, "pod ") {
			t.Errorf("%s: %+v", name, f)
		}
		if on := d.ByCluster["default"]; on.Verdict != "failed" || !slices.Equal(on.Causes, []string{"CrashLoopBackOff"}) {
			t.Errorf("%s: %+v", name, d.ByCluster)
		}
		if !strings.Contains(d.Text, "failed, 0 of 2 pods are ready.") || !strings.Contains(d.Text, "CrashLoopBackOff: ") {
			t.Errorf("%s: %s", name, d.Text)
		}
	}
	if state := w.stateText(); strings.Contains(state, planted) {
		t.Error("a secret is in the state")
	}

	// What a user makes of it.
	r := w.throughCLI().apply(l.config(l.deployment("replicas = 2", onNode), about("diagnosis", "ours"), `check "healthy" {
  assert {
    condition     = data.switchback_diagnosis.ours.verdict == "healthy"
    error_message = data.switchback_diagnosis.ours.text
  }
}`))
	r.warns("Check block assertion failed", "CrashLoopBackOff")
	w.throughCLI().applyFails(l.config(l.deployment("replicas = 2", onNode), about("diagnosis", "ours", `lifecycle {
    postcondition {
      condition     = self.verdict != "failed"
      error_message = self.text
    }
  }`))).tells("Resource postcondition failed", "CrashLoopBackOff")

	l.lacksPermissions(nameOn(l, w))
	w.apply(l.config(l.deployment("replicas = 2", onNode)))
	w.destroy()
	l.wantNothingLeft()
}

// lacksPermissions: with a credential that may refresh and no more, each says what
// it lacks.
func (l *lab) lacksPermissions(name string) {
	l.t.Helper()
	rules, clusterRules := policyRules(cluster.FeatureRefresh)
	here := connection(l.cluster.RestrictedKubeconfig(l.t, l.namespace, rules, clusterRules...))
	look := func(kind string) string {
		return here + block(fmt.Sprintf("data %q %q", "switchback_"+kind, "x"), []string{fmt.Sprintf("deployment = %q", l.namespace+"/"+name)})
	}
	for kind, lacks := range map[string]string{"logs": `verb "list" on pods in namespace`, "events": `verb "list" on events in namespace`} {
		l.inProcess().applyFails(look(kind)).tells("Permission is missing", lacks, l.namespace)
	}
	w := l.inProcess()
	w.apply(look("diagnosis"))
	if d := read[shownDiagnosis](w, "switchback_diagnosis.x"); d.Verdict != "progressing" || len(d.Findings) > 0 || !slices.ContainsFunc(d.Unread, func(s string) bool { return strings.HasPrefix(s, `Cluster "default": pods: `) }) {
		l.t.Errorf("without pods: %+v", d)
	}
}

func eventTexts(s shownEvents) []string {
	var all []string
	for _, e := range s.Events {
		all = append(all, fmt.Sprintf("%s %s %s %s", e.Reason, e.Name, e.Container, e.Message))
	}
	return all
}

// nameOn is the name of the release that the workspace has.
func nameOn(l *lab, w *workspace) string {
	l.t.Helper()
	attributes, _ := w.attributes(theDeployment)
	name, _ := attributes["name"].(string)
	return name
}

// Bad input is refused on its attribute, where possible without a cluster.
func TestAccDiagnosisOfNothing(t *testing.T) {
	l := newLab(t)
	on := func(kind string, lines ...string) string {
		return block(fmt.Sprintf("data %q %q", "switchback_"+kind, "a"), lines)
	}
	id := fmt.Sprintf("deployment = %q", l.namespace+"/api-00000000")
	for name, tc := range map[string]struct{ data, says string }{
		"no such type":          {on("logs", id, `type = "audit"`), `"audit"`},
		"no id":                 {on("logs", `deployment = "api"`), "Invalid deployment id"},
		"a selector in an id":   {on("logs", `deployment = "shop/api,x=y"`), "Invalid deployment id"},
		"no pattern":            {on("logs", id, `regex = "("`), "Invalid regular expression"},
		"no level":              {on("logs", id, `level = "bad"`), `"bad"`},
		"no tail":               {on("logs", id, `tail = 0`), "between 1 and 2000"},
		"no time":               {on("logs", id, `since = "0s"`), "Invalid duration"},
		"events of a container": {on("logs", id, `type = "events"`, `container = "api"`), "Attribute is about containers"},
		"events into a file":    {on("logs", id, `type = "events"`, `download_path = "x"`), "Attribute is about containers"},
		"redact without a file": {on("logs", id, `redact = false`), "download_path"},
		"no deployment":         {on("logs", id), "Nothing like that is there"},
		"no event type":         {on("events", id, `type = "Error"`), `"Error"`},
		"no events":             {on("events", id), "is on none of the clusters that were looked at: \"default\""},
		"nothing to diagnose":   {on("diagnosis"), "Invalid Attribute Combination"},
		"two to diagnose":       {on("diagnosis", id, fmt.Sprintf("namespace = %q", l.namespace), `workload = "api"`), "Invalid Attribute Combination"},
		"no namespace":          {on("diagnosis", `workload = "api"`), "namespace"},
		"no selector":           {on("diagnosis", fmt.Sprintf("namespace = %q", l.namespace), `selector = "a in"`), "Invalid label selector"},
		"everything":            {on("diagnosis", fmt.Sprintf("namespace = %q", l.namespace), `selector = ""`), "Invalid label selector"},
		"no workload":           {on("diagnosis", fmt.Sprintf("namespace = %q", l.namespace), `workload = "api"`), "Nothing like that is there"},
		"no pods":               {on("diagnosis", fmt.Sprintf("namespace = %q", l.namespace), `selector = "a=b"`), "Nothing like that is there"},
		"no cluster":            {on("diagnosis", id, `clusters = ["moon"]`), "moon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newInProcess(t)
			r := w.applyFails(l.config(tc.data))
			if m := r.messages("error"); !strings.Contains(strings.Join(strings.Fields(m), " "), tc.says) {
				t.Errorf("it does not say %q:\n%s", tc.says, m)
			}
		})
	}
}

// What cannot be read or written is told where it was asked for.
func TestAccLogsThatCannotBeWritten(t *testing.T) {
	l := newLab(t)
	k, w := l.cluster.Kubelet(t), l.inProcess()
	onNode := fmt.Sprintf("pod_template_patch = \"spec: {nodeName: %s}\"", k.Node)
	w.applyFails(l.config(l.deployment(onNode), about("logs", "x", fmt.Sprintf("download_path = %q", filepath.Join(w.Dir, "no", "such.log"))))).tells("File cannot be written", "such.log")
	w.applyFails(l.config(l.deployment(onNode), about("logs", "x", `container = "web"`))).tells("No such container", "there are: api")
	proxy := l.cluster.Proxy(t)
	l.provider = connection(proxy.KubeconfigPath)
	w.apply(l.config(l.deployment(onNode)))
	proxy.Down(t)
	for _, kind := range []string{"logs", "events", "diagnosis"} {
		w.applyFails(l.config(block(fmt.Sprintf("data %q %q", "switchback_"+kind, "x"), []string{fmt.Sprintf("deployment = %q", l.namespace+"/api-00000000")}), l.deployment(onNode))).tells("Cluster is unreachable")
	}
}
