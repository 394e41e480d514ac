package terminal_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// talking is an application on a node whose pods have logs.
type talking struct {
	*shop
	kubelet *testcluster.Kubelet
	here    []string // the command's flags
}

func talk(t *testing.T) *talking {
	t.Helper()
	c := testcluster.Shared(t)
	return talkOn(t, c, c.Namespace(t), "prod")
}

// talkOn is one on a cluster of that name.
func talkOn(t *testing.T, c *testcluster.Cluster, namespace, name string) *talking {
	t.Helper()
	s := shopOn(t, namespace, map[string]string{name: c.KubeconfigPath})
	return &talking{s, c.Kubelet(t), []string{"--kubeconfig", c.KubeconfigPath, "-n", namespace}}
}

func (a *talking) content(version string) release.Spec {
	spec := a.spec(version, "demo/api:"+version)
	spec.Content.Sidecars = []release.Helper{{Name: "proxy", Image: "demo/proxy:v1"}}
	spec.Content.TemplatePatch = "spec: {nodeName: " + a.kubelet.Node + "}"
	return spec
}

// starts deploys a version there, and is its release's name.
func (a *talking) starts(version string) string {
	a.t.Helper()
	spec := a.content(version)
	if _, err := a.engine.Deploy(a.t.Context(), a.on, spec); err != nil {
		a.t.Fatal(err)
	}
	return spec.Content.Name()
}

// says writes lines of a release's container, one a second from a time on.
func (a *talking) says(release, container string, from int, lines ...string) {
	for i, line := range lines {
		a.kubelet.Write(testcluster.LogOf{Pod: release, Container: container}, testcluster.LogLine{Time: time.Unix(int64(1_700_000_000+from+i), 0), Text: line})
	}
}

// messages are the lines of a log without what stands before them.
func messages(log string) (all []string) {
	for line := range strings.Lines(log) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		all = append(all, parts[len(parts)-1])
	}
	return all
}

// TestLogs: many containers of two releases are one log, by levels, texts and containers.
func TestLogs(t *testing.T) {
	t.Parallel()
	a := talk(t)
	do := func(args ...string) said {
		t.Helper()
		return run(t, append(append([]string{"logs"}, args...), a.here...)...)
	}
	do("api").wants(t, terminal.ExitFailed, `application "api" not found`)
	v1, v2 := a.starts("v1"), a.starts("v2")
	a.says(v1, "api", 0, "INFO listening", "level=error password=hunter22")
	a.says(v2, "api", 2, "INFO listening, too")
	a.says(v2, "proxy", 9, "[warn] slow")

	all := do("api")
	all.wants(t, terminal.ExitDone, "2023-11-14T22:13:20.000000000Z "+v1+"-", "/api INFO listening\n")
	want := []string{"INFO listening", "level=error password=***", "INFO listening, too", "[warn] slow"}
	if got := messages(all.out); !slices.Equal(got, want) || strings.Contains(all.out, "\x1b") {
		t.Errorf("it is %q, want %q", got, want)
	}
	for args, want := range map[string][]string{
		"api --level warn":                  {"level=error password=***", "[warn] slow"},
		"api --contains listening --tail 1": {"INFO listening", "INFO listening, too"},
		"api --regex ^INFO.*g$":             {"INFO listening"},
		v2 + " -c api":                      {"INFO listening, too"},
		"api -c proxy":                      {"[warn] slow"},
		"api --since 1m":                    nil,
	} {
		if got := messages(do(strings.Fields(args)...).out); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", args, got, want)
		}
	}
	do("api", "-o", "wide").wants(t, terminal.ExitDone, "Z error devcluster/"+v1+"-")
	do("api", "-c", "web").wants(t, terminal.ExitFailed, `has a container "web"; there are: proxy, api`)
	do(v1, "-c", "web").wants(t, terminal.ExitFailed, `has a container "web"; there are: proxy, api`)
	do("api", "--previous").wants(t, terminal.ExitDone, "has not been restarted, so that there is no previous log.")
	var list terminal.LogList
	decode(t, do("api", "-o", "json", "--level", "error"), &list)
	if len(list.Items) != 1 || list.Items[0].Level != logs.Error || list.Items[0].Cluster == "" || list.Items[0].Time == nil || list.Items[0].Container != "api" {
		t.Errorf("as data, it is %+v", list.Items)
	}
}

// TestLogsOfANodeThatDoesNotAnswer: what could not be read is no empty log.
func TestLogsOfANodeThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	a := talk(t)
	v1 := a.starts("v1")
	a.says(v1, "api", 0, "INFO one")
	a.kubelet.AwaitPods(t, 1)
	logs := append([]string{"logs", "api"}, a.here...)
	run(t, logs...).wants(t, terminal.ExitDone, "INFO one")
	a.kubelet.Stop()
	run(t, logs...).wants(t, terminal.ExitIncomplete, "has no log: ", "connection refused", "Error: the logs of 2 containers of "+v1+" could not be read, because their nodes did not answer", "kubectl switchback diagnose "+v1)
}

// TestLogsFollow: lines come as they are written, each once: also by a release that starts
// meanwhile, and after every connection to the cluster broke.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	a := talk(t)
	proxy := testcluster.Shared(t).Proxy(t)
	v1 := a.starts("v1")
	a.says(v1, "api", 0, "INFO one", "INFO two", "INFO three")
	follow := begin(t, "logs", "api", "-f", "--tail", "2", "--level", "info", "--kubeconfig", proxy.KubeconfigPath, "-n", a.namespace)
	follow.until("INFO three")
	quiet := begin(t, append([]string{"logs", v1, "--follow", "--tail", "0", "-o", "json"}, a.here...)...)
	testcluster.Eventually(t, testcluster.Hang, "both have the log open", func() error {
		open := slices.DeleteFunc(a.kubelet.Requests(), func(asked string) bool {
			return !strings.Contains(asked, "/api?") || !strings.Contains(asked, "follow=true")
		})
		return wantAtLeast(len(open), 2)
	})
	a.says(v1, "api", 3, "INFO four", "nothing to see", "ERROR token=abcdefgh12345678")
	a.says(v1, "proxy", 10, "[warn] slow")
	follow.until("[warn] slow")
	quiet.until("[warn] slow")
	proxy.Down(t)
	a.says(v1, "api", 6, "INFO while it was away")
	proxy.Up(t)
	follow.until("INFO while it was away")
	v2 := a.starts("v2")
	a.says(v2, "api", 20, "INFO the second")
	follow.until(v2 + "-")
	a.says(v1, "api", 7, "INFO the end")
	follow.until("INFO the end")

	said := follow.interrupted()
	said.wants(t, terminal.ExitDone)
	got := messages(said.out)
	slices.Sort(got)
	want := []string{"ERROR token=***", "INFO four", "INFO the end", "INFO the second", "INFO three", "INFO two", "INFO while it was away", "[warn] slow"}
	if !slices.Equal(got, want) {
		t.Errorf("it told %q, want %q", got, want)
	}
	quiet.until("the end")
	told := quiet.interrupted()
	told.wants(t, terminal.ExitDone, `{"time":"2023-11-14T22:13:23.000000Z","cluster":`, `"level":"info","message":"INFO four"}`)
	if strings.Contains(told.out, "three") || strings.Contains(told.out, "second") || strings.Count(told.out, "\n") != 6 {
		t.Errorf("of %s, from now on, it told\n%s", v1, told.out)
	}
}

// TestLogsOfSeveralClusters are one, in the order of time, and a line says where it is from.
// A cluster that goes away keeps back none of the others' lines, and goes on with its own.
func TestLogsOfSeveralClusters(t *testing.T) {
	t.Parallel()
	both := testcluster.Clusters(t, 2)
	namespace := both[0].Namespace(t)
	both[1].NamespaceNamed(t, namespace)
	away := both[1].Proxy(t)
	config := testcluster.Contexts(t, namespace, map[string]string{"eu": both[0].KubeconfigPath, "us": away.KubeconfigPath})
	here := []string{"--kubeconfig", config, "--contexts", "eu,us"}
	eu, us := talkOn(t, both[0], namespace, "eu"), talkOn(t, both[1], namespace, "us")
	inEU, inUS := eu.starts("v1"), us.starts("v1")
	eu.says(inEU, "api", 0, "INFO one")
	us.says(inUS, "api", 1, "INFO two")
	eu.says(inEU, "proxy", 2, "INFO three")
	us.says(inUS, "proxy", 3, "[warn] four")

	all := run(t, append([]string{"logs", "api"}, here...)...)
	all.wants(t, terminal.ExitDone, "eu/"+inEU+"-", "/api INFO one\n", "us/"+inUS+"-", "/proxy [warn] four\n")
	if got, want := messages(all.out), []string{"INFO one", "INFO two", "INFO three", "[warn] four"}; !slices.Equal(got, want) {
		t.Errorf("it is %q, want %q", got, want)
	}
	follow := begin(t, append([]string{"logs", "api", "-f", "--tail", "1", "--level", "info"}, here...)...)
	for _, line := range []string{"INFO one", "INFO two", "INFO three", "[warn] four"} {
		follow.until(line)
	}
	away.Down(t)
	us.says(inUS, "api", 5, "INFO while it was away")
	eu.says(inEU, "api", 6, "INFO beside it")
	follow.until("INFO beside it")
	away.Up(t)
	follow.until("INFO while it was away")
	next := us.starts("v2")
	us.says(next, "api", 9, "INFO the second")
	follow.until("us/" + next + "-")

	said := follow.interrupted()
	said.wants(t, terminal.ExitDone)
	got, want := messages(said.out), []string{"INFO beside it", "INFO one", "INFO the second", "INFO three", "INFO two", "INFO while it was away", "[warn] four"}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("it told %q, want %q", got, want)
	}
	away.Down(t)
	alone := begin(t, append([]string{"logs", "api", "-f"}, here...)...)
	alone.until("Without cluster us: ")
	alone.until("INFO beside it")
	alone.interrupted().wants(t, terminal.ExitIncomplete)
}
