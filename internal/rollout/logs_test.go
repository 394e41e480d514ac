package rollout_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// talkative is an application whose pods have logs.
type talkative struct {
	*process
	kubelet *testcluster.Kubelet
	id      release.ID
	pods    []string // in the order of their names
}

// talk deploys two pods onto a node with logs, each with an init container and a
// sidecar.
func talk(t *testing.T) *talkative {
	t.Helper()
	return talkOf(t, func(*release.Spec) {})
}

func talkOf(t *testing.T, edit func(*release.Spec)) *talkative {
	t.Helper()
	l := newLife(t, testcluster.Shared(t))
	k := l.cluster.Kubelet(t)
	spec := l.spec("v1", "demo/api")
	spec.Replicas = 2
	spec.Content.InitContainers = []release.Helper{{Name: "migrate", Image: "demo/migrate:v1"}}
	spec.Content.Sidecars = []release.Helper{{Name: "proxy", Image: "demo/proxy:v1"}}
	spec.Content.TemplatePatch = "spec: {nodeName: " + k.Node + "}"
	edit(&spec)
	a := &talkative{process: l.process(t), kubelet: k, id: release.ID{Namespace: l.namespace, Name: spec.Content.Name()}}
	if err := a.create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	for _, pod := range k.AwaitPods(t, 2) {
		a.pods = append(a.pods, pod.Name)
	}
	slices.Sort(a.pods)
	return a
}

// named are connections to the application's cluster, by other names.
func (a *talkative) named(t *testing.T, kubeconfig string, names ...string) []rollout.Cluster {
	t.Helper()
	var all []rollout.Cluster
	for _, name := range names {
		c, err := cluster.New(cluster.Config{Name: name, UserAgent: "terraform-provider-switchback/test", ConfigPath: kubeconfig})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		all = append(all, wiredCluster{c})
	}
	return all
}

// says writes lines of a container, one a second from a time on.
func (a *talkative) says(pod, container string, previous bool, from int, lines ...string) {
	for i, line := range lines {
		a.kubelet.Write(testcluster.LogOf{Pod: pod, Container: container, Previous: previous},
			testcluster.LogLine{Time: time.Unix(int64(1_700_000_000+from+i), 0), Text: line})
	}
}

func (a *talkative) query(edit func(*diagnose.LogQuery)) diagnose.LogQuery {
	q := diagnose.LogQuery{ID: a.id, Tail: 100}
	if edit != nil {
		edit(&q)
	}
	return q
}

// told are entries in a line each: the pod by its number, the container, the
// level and the message.
func (a *talkative) told(log diagnose.Log) []string {
	var all []string
	for _, e := range log.Entries {
		all = append(all, fmt.Sprintf("%d %s %s %s", slices.Index(a.pods, e.Pod), e.Container, e.Level, e.Message))
	}
	return all
}

func TestLogsOfManyContainersAreOne(t *testing.T) {
	t.Parallel()
	a := talk(t)
	a.says(a.pods[0], "migrate", false, 0, "level=info msg=migrating", "done")
	a.says(a.pods[0], "api", false, 2, `{"level":"info","msg":"listening"}`, `{"level":50,"msg":"no database","password":"hunter2"}`, "\tat api.go:7")
	a.says(a.pods[1], "api", false, 3, "INFO listening", "-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "-----END PRIVATE KEY-----", "token: abcdefgh")
	a.says("", "proxy", false, 60, "[warn] proxy is slow")

	for name, tt := range map[string]struct {
		edit func(*diagnose.LogQuery)
		want []string
	}{
		"all": {nil, []string{
			"0 migrate info level=info msg=migrating", "0 migrate  done",
			`0 api info {"level":"info","msg":"listening"}`, `0 api error {"level":50,"msg":"no database","password":"***"}`, "1 api info INFO listening",
			"0 api error \tat api.go:7", "1 api  ***", "1 api  ***", "1 api  ***", "1 api  token: ***",
			"0 proxy warn [warn] proxy is slow", "1 proxy warn [warn] proxy is slow",
		}},
		"the last of each": {func(q *diagnose.LogQuery) { q.Tail = 1; q.Container = "api" }, []string{"0 api  \tat api.go:7", "1 api  token: ***"}},
		"bad ones": {func(q *diagnose.LogQuery) { q.Filter.Level = logs.Error }, []string{
			`0 api error {"level":50,"msg":"no database","password":"***"}`, "0 api error \tat api.go:7",
		}},
		"the last bad one": {func(q *diagnose.LogQuery) { q.Filter.Level, q.Tail = logs.Error, 1 }, []string{"0 api error \tat api.go:7"}},
		"by a text":        {func(q *diagnose.LogQuery) { q.Filter.Contains = "listening" }, []string{`0 api info {"level":"info","msg":"listening"}`, "1 api info INFO listening"}},
		"by a pattern":     {func(q *diagnose.LogQuery) { q.Filter.Regex = regexp.MustCompile(`^(done|INFO)`) }, []string{"0 migrate  done", "1 api info INFO listening"}},
		"none so new":      {func(q *diagnose.LogQuery) { q.Since = time.Minute }, nil},
	} {
		log, err := diagnose.Logs(t.Context(), a.on, a.query(tt.edit))
		if got := a.told(log); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", name, err, got, tt.want)
		}
		if len(log.Notes) > 0 {
			t.Errorf("%s: it notes %q", name, log.Notes)
		}
	}

	log, err := diagnose.Logs(t.Context(), a.named(t, a.proxy.KubeconfigPath, "west", "east"), a.query(func(q *diagnose.LogQuery) { q.Container = "proxy" }))
	var clusters []string
	for _, e := range log.Entries {
		clusters = append(clusters, e.Cluster)
	}
	if err != nil || !slices.Equal(clusters, []string{"east", "east", "west", "west"}) {
		t.Errorf("on two clusters: %v, %v", clusters, err)
	}
}

// TestLogsThatAreNotThere are notes, one for all pods of which the same is true.
func TestLogsThatAreNotThere(t *testing.T) {
	t.Parallel()
	a := talk(t)
	a.kubelet.Status(func(pod *corev1.Pod) corev1.PodStatus {
		return testcluster.PodStatus(pod, map[string]corev1.ContainerStatus{
			"api": testcluster.CrashLoop(3, 2), "proxy": testcluster.WaitingFor("ImagePullBackOff", "no such image"),
		})
	})
	a.says("", "api", true, 0, "FATAL last words")
	a.says("", "migrate", false, 0, "done")
	a.awaitStatus(t, "api", 2)

	log, err := diagnose.Logs(t.Context(), a.on, a.query(func(q *diagnose.LogQuery) { q.Previous = true }))
	if got, want := a.told(log), []string{"0 api fatal FATAL last words", "1 api fatal FATAL last words"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("what ran before: %q, %v", got, err)
	}
	both := fmt.Sprintf(`of 2 pods (%s) on cluster "prod"`, strings.Join(a.pods, ", "))
	if want := []string{
		`Container "migrate" ` + both + " has not been restarted, so that there is no previous log.",
		`Container "proxy" ` + both + " has not been restarted, so that there is no previous log.",
	}; !slices.Equal(log.Notes, want) {
		t.Errorf("it notes %q", log.Notes)
	}
	log, err = diagnose.Logs(t.Context(), a.on, a.query(nil))
	if want := []string{`Container "proxy" ` + both + " has not started yet: ImagePullBackOff."}; err != nil || len(log.Entries) != 4 || !slices.Equal(log.Notes, want) {
		t.Errorf("what runs now: %q, %q, %v", a.told(log), log.Notes, err)
	}

	var unknown *diagnose.NoContainerError
	if _, err := diagnose.Logs(t.Context(), a.on, a.query(func(q *diagnose.LogQuery) { q.Container = "web" })); !errors.As(err, &unknown) ||
		!strings.Contains(err.Error(), a.id.String()+` has a container "web"; there are: `) || len(unknown.Have) != 3 {
		t.Errorf("a container that is not there: %v", err)
	}
	var absent *diagnose.AbsentError
	if _, err := diagnose.Logs(t.Context(), a.on, diagnose.LogQuery{ID: release.ID{Namespace: a.namespace, Name: "api-00000000"}, Tail: 1}); !errors.As(err, &absent) {
		t.Errorf("a deployment that is not there: %v", err)
	}
}

// awaitStatus waits until all pods say so often that a container was restarted.
func (a *talkative) awaitStatus(t *testing.T, container string, restarts int32) {
	t.Helper()
	testcluster.Eventually(t, testcluster.Hang, container+" to have been restarted", func() error {
		for _, name := range a.pods {
			pod, err := a.cluster.Client().CoreV1().Pods(a.namespace).Get(t.Context(), name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == container }); i < 0 || pod.Status.ContainerStatuses[i].RestartCount != restarts {
				return fmt.Errorf("%s: %+v", name, pod.Status.ContainerStatuses)
			}
		}
		return nil
	})
}

// TestRunThatEndedLast: of a container that has ended, and is not started again
// yet, it is the present one. A node has removed those before.
func TestRunThatEndedLast(t *testing.T) {
	t.Parallel()
	a := talk(t)
	a.kubelet.Status(func(pod *corev1.Pod) corev1.PodStatus {
		app := testcluster.CrashLoop(3, 2)
		app.State = corev1.ContainerState{Terminated: app.LastTerminationState.Terminated.DeepCopy()}
		return testcluster.PodStatus(pod, map[string]corev1.ContainerStatus{"api": app})
	})
	a.says("", "api", false, 0, "last words")
	a.kubelet.Gone(testcluster.LogOf{Container: "api", Previous: true})
	a.awaitStatus(t, "api", 2)
	log, err := diagnose.Logs(t.Context(), a.on, a.query(func(q *diagnose.LogQuery) { q.Previous, q.Container = true, "api" }))
	if got, want := a.told(log), []string{"0 api  last words", "1 api  last words"}; err != nil || !slices.Equal(got, want) || len(log.Notes) > 0 {
		t.Errorf("%q, %q, %v", got, log.Notes, err)
	}
}

// TestLogThatTheNodeHasRemoved: a kubelet says so in place of the log.
func TestLogThatTheNodeHasRemoved(t *testing.T) {
	t.Parallel()
	a := talk(t)
	a.kubelet.Gone(testcluster.LogOf{Pod: a.pods[0], Container: "api"})
	a.says(a.pods[1], "api", false, 0, "hello")
	log, err := diagnose.Logs(t.Context(), a.on, a.query(nil))
	want := fmt.Sprintf(`Container "api" of pod %s on cluster "prod" has no log any more: its node has removed it.`, a.pods[0])
	if got := a.told(log); err != nil || !slices.Equal(got, []string{"1 api  hello"}) || !slices.Equal(log.Notes, []string{want}) {
		t.Errorf("%q, %q, %v", got, log.Notes, err)
	}
}

// TestLogsNeedPermissions: the sentence names verb, resource and namespace, once
// for all containers.
func TestLogsNeedPermissions(t *testing.T) {
	t.Parallel()
	a := talk(t)
	for missing, verb := range map[string]string{"pods/log": "get", "pods": "list", "deployments.apps": "get"} {
		var rules []rbacv1.PolicyRule
		for _, rule := range []rbacv1.PolicyRule{
			{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods/log"}},
			{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"pods"}},
			{Verbs: []string{"get"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}},
		} {
			if strings.TrimSuffix(rule.Resources[0]+"."+rule.APIGroups[0], ".") != missing {
				rules = append(rules, rule)
			}
		}
		_, err := diagnose.Logs(t.Context(), a.named(t, a.cluster.RestrictedKubeconfig(t, a.namespace, rules), "prod"), a.query(nil))
		want := fmt.Sprintf(`cluster "prod": this takes verb %q on %s in namespace %q`, verb, missing, a.namespace)
		if err == nil || strings.Count(err.Error(), want) != 1 || strings.Contains(err.Error(), "\n") {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

// TestLogsOnABrokenWire: what breaks off is read again, and a cluster that is away
// is an error, not an empty log.
func TestLogsOnABrokenWire(t *testing.T) {
	t.Parallel()
	a := talk(t)
	var long []string
	for i := range 5000 {
		long = append(long, fmt.Sprintf("line %d %s", i, strings.Repeat("x", 100)))
	}
	a.says(a.pods[0], "api", false, 0, long...)
	ofPod := func(r *testcluster.Request) bool {
		return strings.HasSuffix(r.Path, a.pods[0]+"/log") && r.Query.Get("container") == "api"
	}
	a.proxy.SetFault(testcluster.OnNth(1, ofPod, testcluster.Fault{}.BreaksOff(200_000)))
	log, err := diagnose.Logs(t.Context(), a.on, a.query(func(q *diagnose.LogQuery) { q.Filter.Contains, q.Container = "line 49", "api" }))
	if err != nil || len(log.Entries) != 100 || !strings.HasPrefix(log.Entries[99].Message, "line 4999 ") {
		t.Errorf("%d lines, %v", len(log.Entries), err)
	}

	path := filepath.Join(t.TempDir(), "api.log")
	a.proxy.SetFault(testcluster.OnNth(1, ofPod, testcluster.Fault{}.BreaksOff(200_000)))
	d, err := diagnose.ToFile(t.Context(), a.on, a.query(nil), path, true)
	if err != nil || d.Lines != 5000 {
		t.Errorf("%+v, %v", d, err)
	}

	a.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if ofPod(r) {
			return testcluster.Fault{}.BreaksOff(1000)
		}
		return testcluster.Fault{}
	})
	if _, err := diagnose.Logs(t.Context(), a.on, a.query(nil)); err == nil || !strings.Contains(err.Error(), `the log of container "api" of pod `+a.namespace+"/"+a.pods[0]+" broke off") {
		t.Errorf("a wire that breaks every time: %v", err)
	}
	a.proxy.Down(t)
	if _, err := diagnose.Logs(t.Context(), a.named(t, a.proxy.KubeconfigPath, "prod"), a.query(nil)); err == nil {
		t.Error("a cluster that is away has an empty log")
	}
}

// TestMuchLog: an answer has its limits, and says what was left out.
func TestMuchLog(t *testing.T) {
	t.Parallel()
	a := talk(t)
	var many []string
	for i := range diagnose.LogLines {
		many = append(many, fmt.Sprintf("line %d", i))
	}
	a.says("", "api", false, 0, many...)
	a.says("", "proxy", false, 1_000_000, strings.Repeat("y", 100_000))
	log, err := diagnose.Logs(t.Context(), a.on, a.query(func(q *diagnose.LogQuery) { q.Tail = diagnose.LogLines }))
	if err != nil || len(log.Entries) != diagnose.LogLines || len(log.Notes) != 1 || !strings.HasPrefix(log.Notes[0], "Only the last 2000 lines are here, of at most 256 KiB: 2002 before them were left out.") {
		t.Errorf("%d lines, %q, %v", len(log.Entries), log.Notes, err)
	}
	last := log.Entries[len(log.Entries)-1].Message
	if len(last) > 9000 || !strings.Contains(last, "bytes more)") {
		t.Errorf("a line of %d bytes: …%s", len(last), last[len(last)-40:])
	}
	for i, want := range []string{"line 1998", "line 1999", "line 1999"} {
		if got := log.Entries[len(log.Entries)-5+i].Message; i > 0 && got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	a := talk(t)
	a.says(a.pods[0], "api", false, 0, "INFO one", "password=hunter2")
	a.says(a.pods[1], "api", false, 1, "\x1b[31mERROR\x1b[0m two")
	dir := t.TempDir()
	path := filepath.Join(dir, "api.log")
	if err := os.WriteFile(path, []byte("of before"), 0o644); err != nil {
		t.Fatal(err)
	}
	query := a.query(func(q *diagnose.LogQuery) { q.Tail, q.Filter.Level, q.Container = 1, logs.Error, "api" })
	for redact, texts := range map[bool][2]string{true: {"password=***", "ERROR two"}, false: {"password=hunter2", "\x1b[31mERROR\x1b[0m two"}} {
		d, err := diagnose.ToFile(t.Context(), a.on, query, path, redact)
		content, err2 := os.ReadFile(path)
		want := fmt.Sprintf("2023-11-14T22:13:20.000000000Z prod/%s/api INFO one\n2023-11-14T22:13:21.000000000Z prod/%s/api %s\n2023-11-14T22:13:21.000000000Z prod/%s/api %s\n",
			a.pods[0], a.pods[0], texts[0], a.pods[1], texts[1])
		if err := errors.Join(err, err2); err != nil || string(content) != want {
			t.Errorf("redact %t: %v\n%s", redact, err, content)
		}
		if d.Path != path || d.Bytes != int64(len(content)) || d.Lines != 3 {
			t.Errorf("redact %t: %+v", redact, d)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("it may be read by others: %v, %v", info.Mode(), err)
		}
	}
	var failed *diagnose.DownloadError
	if _, err := diagnose.ToFile(t.Context(), a.on, query, filepath.Join(dir, "no", "such", "directory.log"), true); !errors.As(err, &failed) {
		t.Errorf("into a directory that is not there: %v", err)
	}
	// What cannot be read leaves the file as it was, and nothing beside it.
	a.proxy.Down(t)
	if _, err := diagnose.ToFile(t.Context(), a.named(t, a.proxy.KubeconfigPath, "prod"), query, path, true); err == nil {
		t.Error("a cluster that is away has an empty log")
	}
	left, err := os.ReadDir(dir)
	if content, _ := os.ReadFile(path); err != nil || len(left) != 1 || !strings.Contains(string(content), "ERROR") {
		t.Errorf("%v, %v: %s", left, err, content)
	}
}
