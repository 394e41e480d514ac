package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// compared is one command, given to both sides. After it, each may have to plan
// from the other's state.
type compared struct {
	what    string
	do      func(l *lab, w *workspace) *result
	crossed bool
}

func step(what string, do func(*lab, *workspace) *result) compared {
	return compared{what: what, do: do}
}

func (c compared) crossing() compared {
	c.crossed = true
	return c
}

func applies(config func(l *lab) string, args ...string) func(*lab, *workspace) *result {
	return func(l *lab, w *workspace) *result { return w.tryApply(config(l), args...) }
}

func plans(config func(l *lab) string) func(*lab, *workspace) *result {
	return func(l *lab, w *workspace) *result {
		w.write(config(l))
		return w.plan()
	}
}

func refreshes(after func(l *lab)) func(*lab, *workspace) *result {
	return func(l *lab, w *workspace) *result {
		after(l)
		return w.refresh()
	}
}

func destroys(_ *lab, w *workspace) *result { return w.destroy() }

// TestAccInProcessIsAsTheCLI: what tests see of a plan, a state and diagnostics is
// the same whether a CLI has made it or coretest, and both read one another's
// states.
func TestAccInProcessIsAsTheCLI(t *testing.T) {
	t.Parallel()
	version := func(tag string, lines ...string) func(*lab) string {
		return func(l *lab) string {
			return l.config(l.deployment(append(lines, image(tag))...), l.main(keepPrevious(0)), output("id", theDeployment+".id"))
		}
	}
	members := func(api, web string, lines ...string) func(*lab) string {
		return func(l *lab) string { return l.both(api, web, lines...) }
	}
	looks := func(lines ...string) func(*lab) string {
		return func(l *lab) string {
			about := []string{fmt.Sprintf("deployment = %q", l.namespace+"/"+nameOf("v1")), "depends_on = [switchback_main_deployment.api]"}
			return l.config(
				l.deployment(lines...), l.main(),
				l.data("deployments", "known"), l.data("deployment", "known", `application = "api"`, `version = "v1"`, "depends_on = [switchback_main_deployment.api]"),
				l.data("main_deployment", "later", `application = switchback_main_deployment.api.application`, "depends_on = [switchback_main_deployment.api]"),
				l.data("history", "later", `application = "api"`, "depends_on = [switchback_main_deployment.api]"),
				l.data("deployments", "referring", "version = switchback_deployment.api.created_at"),
				l.environment("later", "depends_on = [switchback_main_deployment.api]"),
				block(`data "switchback_diagnosis" "later"`, about), block(`data "switchback_events" "later"`, about), block(`data "switchback_logs" "later"`, about),
			)
		}
	}
	bad := func(lines ...string) compared {
		return compared{what: strings.Join(lines, " "), do: applies(func(l *lab) string { return l.config(l.deployment(lines...)) })}
	}
	drifted := func(l *lab) { l.patchWorkload(nameOf("v2"), `{"spec":{"replicas":3}}`) }
	both := func(tag string) func(*lab) string {
		return func(l *lab) string {
			return l.config(l.deployment(`for_each = toset(["v1", "v2"])`, `image = "demo/api:${each.key}"`), l.main(`deployment_id = switchback_deployment.api["`+tag+`"].id`))
		}
	}
	tests := map[string][]compared{
		"deployment and main": {
			step("plan of a create", plans(version("v1"))),
			step("create", applies(version("v1"))),
			step("nothing", applies(version("v1"))),
			step("in place", applies(version("v1", replicas(2)))).crossing(),
			step("destroyed first", applies(version("v2"))),
			step("refresh with drift", refreshes(drifted)),
			step("repair", applies(version("v2"))),
			step("failure, destroyed first", applies(version("missing"))),
			step("back", applies(version("v2"))),
			step("stop of main", applies(version("v2", stopped))),
			step("replace", applies(version("v2"), "-replace="+theDeployment)),
			step("destroy", destroys),
		},
		"created first": {
			step("create", applies(version("v1", createFirst))),
			step("another", applies(version("v2", createFirst))),
			step("a failure", applies(version("missing", createFirst))),
			step("the next plan", plans(version("v2", createFirst))),
			step("its repetition", applies(version("missing", createFirst))),
			step("somebody else has the address", func(l *lab, w *workspace) *result {
				l.patchService("api", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"Helm"}}}`)
				return w.tryApply(version("v3", createFirst)(l))
			}).crossing(),
			step("with what is deposed", func(l *lab, w *workspace) *result {
				l.patchService("api", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"switchback"}}}`)
				return w.tryApply(version("v3", createFirst)(l))
			}),
			step("replace", applies(version("v3", createFirst), "-replace="+theDeployment)),
			step("destroy", destroys),
		},
		"for_each": {
			step("two", applies(both("v1"))),
			step("move", applies(both("v2"))).crossing(),
			step("without one", applies(func(l *lab) string { return strings.ReplaceAll(both("v2")(l), `"v1", `, "") })),
			step("without main", applies(func(l *lab) string {
				return l.config(l.deployment(`for_each = toset(["v2"])`, `image = "demo/api:${each.key}"`))
			})),
			step("destroy", destroys),
		},
		"group": {
			step("plan of a create", plans(members("v1", "v1"))),
			step("create", applies(members("v1", "v1"))),
			step("nothing", applies(members("v1", "v1"))),
			step("in place", applies(members("v1", "v1", apiThenWeb))),
			step("another version", applies(members("v2", "v1", apiThenWeb))).crossing(),
			step("a failure", applies(members("missing", "v1", apiThenWeb))),
			step("back", applies(members("v2", "v1", apiThenWeb))),
			step("refresh with drift", refreshes(func(l *lab) { l.patchService("web", `{"spec":{"sessionAffinity":"ClientIP"}}`) })),
			step("repair", applies(members("v2", "v1", apiThenWeb))),
			step("destroy", destroys),
		},
		"data sources": {
			step("plan", plans(looks())),
			step("create", applies(looks())),
			step("nothing to do", applies(looks())).crossing(),
			step("pending", applies(looks(replicas(2)))),
			step("refresh", refreshes(func(*lab) {})),
			step("destroy", destroys),
		},
		"bad input": {
			bad(`strategy = "canary"`), bad(`health = { min_ready = "60s", progress_deadline = "1m" }`), bad(`replicas = "many"`),
			bad(`container = "api"`), bad(`container = { secret_env = { A = { name = "x" } } }`), bad(`nonsense = true`), bad(`duration_budget = { total = "1m", factor = "x" }`),
			step("nothing at all", applies(func(l *lab) string { return l.config(block(`resource "switchback_deployment" "api"`, nil)) })),
			step("no connection", applies(func(l *lab) string { return block(`provider "switchback"`, nil) + l.deployment() })),
			step("no data", applies(func(l *lab) string { return l.config(l.data("main_deployment", "none", `application = "api"`)) })),
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			cli, core := newLab(t), labOn(t, testcluster.Shared(t))
			byCLI, inProcess := cli.workspace(), core.inProcess()
			for _, s := range steps {
				want := seenBy(cli, byCLI, s.do(cli, byCLI))
				got := seenBy(core, inProcess, s.do(core, inProcess))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s: the CLI has what is marked by -, coretest what is marked by +\n%s", s.what, diff)
				}
				if s.crossed {
					crossed(t, byCLI, inProcess)
				}
			}
			cli.wantNothingLeft()
			core.wantNothingLeft()
		})
	}
}

// volatile are attributes that no two runs have alike.
var volatile = []string{"owner", "created_at", "promoted_at", "durations", "events", "entries", "text"}

// varying are such texts: times, durations, pods' names.
var varying = regexp.MustCompile(`"(queue|startup|total)":[\d.]+|\d{4}-\d\d-\d\dT[\d:.]+Z|\b\d+(\.\d+)?m?s\b|-[0-9a-z]{6,10}-[0-9a-z]{5}\b`)

// seenBy is all that tests look at after a command.
func seenBy(l *lab, w *workspace, r *result) []string {
	l.t.Helper()
	lines := []string{fmt.Sprint("failed: ", r.failed)}
	for _, d := range r.diags {
		if d.Address == "" {
			d.Detail = "" // about the configuration as such: the CLI's own words, which differ by its version
		}
		lines = append(lines, fmt.Sprintf("%s of %s: %s: %s", d.Severity, d.Address, d.Summary, d.Detail))
	}
	for address, actions := range r.actions {
		slices.Sort(actions)
		lines = append(lines, fmt.Sprintf("%s: %v", address, actions))
	}
	for _, in := range w.State(l.t).Resources {
		for _, i := range in.Instances {
			for _, name := range slices.Sorted(maps.Keys(i.Attributes)) {
				if !slices.Contains(volatile, name) {
					text, err := json.Marshal(i.Attributes[name])
					l.must(err)
					lines = append(lines, fmt.Sprintf("%s.%s[%v] deposed %t %s.%s: %s", in.Type, in.Name, i.Key, i.Deposed != "", i.Status, name, text))
				}
			}
		}
	}
	for i, line := range lines {
		lines[i] = varying.ReplaceAllString(strings.ReplaceAll(line, l.namespace, "NAMESPACE"), "…")
	}
	slices.Sort(lines)
	return lines
}

// crossed fails the test unless each side plans from the other's state what it
// plans from its own.
func crossed(t *testing.T, byCLI, inProcess *workspace) {
	t.Helper()
	own, other := inProcess.run("plan", "-json", "-input=false"), inProcess.throughCLI().run("plan", "-json", "-input=false")
	if diff := cmp.Diff(own.actions, other.actions); diff != "" {
		t.Errorf("of the state that coretest wrote, it plans what is marked by -, a CLI what is marked by +\n%s", diff)
	}
	swapped := *byCLI
	swapped.inCore = true
	own, other = byCLI.run("plan", "-json", "-input=false"), swapped.run("plan", "-json", "-input=false")
	if diff := cmp.Diff(own.actions, other.actions); diff != "" {
		t.Errorf("of the state that a CLI wrote, it plans what is marked by -, coretest what is marked by +\n%s", diff)
	}
}

// TestNothingIsWatchedAfterACommand: a command in this process leaves no watch behind,
// as one of a CLI's does not, nor does one of a CLI that this process serves.
func TestNothingIsWatchedAfterACommand(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	l.provider = connection(proxy.KubeconfigPath)
	w := l.inProcess()
	for name, w := range map[string]*workspace{"coretest": w, "a CLI": w.throughCLI()} {
		proxy.Reset()
		w.apply(l.config(l.deployment()))
		w.wantNoChanges()
		if !slices.ContainsFunc(proxy.Requests(), func(r testcluster.Request) bool { return r.Watch() }) {
			t.Errorf("%s watched nothing: this test tests nothing", name)
		}
		testcluster.Eventually(t, hang, name+"'s watches to end", func() error {
			if n := proxy.OpenWatches(); n > 0 {
				return fmt.Errorf("%d are open", n)
			}
			return nil
		})
	}
}
