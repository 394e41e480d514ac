package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

type shownEnvironment struct {
	Status       string
	Unreachable  []string `json:"unreachable_clusters"`
	Applications []struct {
		Namespace, Application, Status, Version string
		MainStatus                              string `json:"main_status"`
		DeploymentID                            string `json:"deployment_id"`
		Clusters, Running, Problems             []string
	}
}

// line is what is told of all applications, without their problems.
func (s shownEnvironment) line() string {
	text := s.Status
	for _, a := range s.Applications {
		text += fmt.Sprintf("; %s %s %s %v %d", a.Application, a.Status, a.Version, a.Clusters, len(a.Running))
	}
	return text
}

func (l *lab) environment(name string, lines ...string) string {
	return block(fmt.Sprintf("data \"switchback_environment\" %q", name), append([]string{fmt.Sprintf("namespaces = [%q]", l.namespace)}, lines...))
}

// The status of the whole follows from what lives, whoever did it.
func TestAccEnvironment(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	api := []string{l.deployment(`environment = "production"`, createFirst), l.main()}
	worker := block(`resource "switchback_deployment" "worker"`, []string{
		`application = "worker"`, fmt.Sprintf("namespace = %q", l.namespace), `image = "demo/worker:v7"`, `environment = "batch"`, `desired_state = "stopped"`,
	})
	looks := []string{
		l.environment("all"), l.environment("production", `environment = "production"`), l.environment("batch", `environment = "batch"`),
		l.environment("none", `environment = "nowhere"`),
	}
	look := func(blocks ...string) (all, production, batch shownEnvironment) {
		t.Helper()
		w.apply(l.config(slices.Concat(blocks, looks)...))
		if none := read[shownEnvironment](w, "switchback_environment.none"); none.line() != "empty" {
			t.Errorf("of another environment there is %s", none.line())
		}
		return read[shownEnvironment](w, "switchback_environment.all"), read[shownEnvironment](w, "switchback_environment.production"), read[shownEnvironment](w, "switchback_environment.batch")
	}
	want := func(what string, got shownEnvironment, line string, problems ...string) {
		t.Helper()
		if got.line() != line {
			t.Errorf("%s is %q, want %q", what, got.line(), line)
		}
		var told []string
		for _, a := range got.Applications {
			told = append(told, a.Problems...)
		}
		if len(told) != len(problems) {
			t.Errorf("%s has the problems %q", what, told)
		}
		for _, problem := range problems {
			if !slices.ContainsFunc(told, func(text string) bool { return strings.Contains(text, problem) }) {
				t.Errorf("%s does not say %q: %q", what, problem, told)
			}
		}
	}

	all, _, _ := look()
	want("an empty namespace", all, "empty")
	w.apply(l.config(append(api, worker)...))
	all, production, batch := look(append(api, worker)...)
	want("all", all, "ready; api ready v1 [default] 1; worker stopped  [default] 0")
	want("production", production, "ready; api ready v1 [default] 1")
	want("batch", batch, "stopped; worker stopped  [default] 0")
	if a := all.Applications[0]; a.Namespace != l.namespace || a.MainStatus != "finalized" || a.DeploymentID != l.namespace+"/"+nameOf("v1") || a.Running[0] != a.DeploymentID {
		t.Errorf("%+v", a)
	}
	w.wantNoChanges()

	// A create that failed was given up; nothing of it is in the way.
	w.applyFails(l.config(l.deployment(`image = "demo/missing:v2"`, `environment = "production"`, createFirst), l.main(), worker))
	all, _, batch = look(append(api, worker)...)
	want("all, after a failed create", all, "ready; api ready v1 [default] 1; worker stopped  [default] 0", "start_error")
	want("batch, after that", batch, "stopped; worker stopped  [default] 0")

	l.setReady(nameOf("v1"), corev1.ConditionFalse)
	l.untilNoneReady(nameOf("v1"))
	all, _, _ = look(append(api, worker)...)
	want("all, without ready pods", all, "degraded; api degraded v1 [default] 0; worker stopped  [default] 0", "start_error", "0 of 1 pods")
	l.setReady(nameOf("v1"), corev1.ConditionTrue)

	w.destroy()
	l.wantNothingLeft()
}

// A cluster that cannot be reached is not taken for an empty one, and clusters
// that disagree are told.
func environmentOverBoth(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	config := l.config(
		l.deployment(`for_each = toset(["v1", "v2"])`, `image = "demo/api:${each.key}"`, on("east", "west")),
		l.main(`deployment_id = switchback_deployment.api["v1"].id`, on("east", "west")),
	)
	w.apply(config)
	looker := p.east.inProcess()
	look := func() (shownEnvironment, *result) {
		r := looker.apply(l.config(l.environment("all")))
		return read[shownEnvironment](looker, "switchback_environment.all"), r
	}
	seen, _ := look()
	if got := seen.line(); got != "ready; api ready v1 [east west] 2" {
		t.Errorf("both: %s", got)
	}

	p.proxy.Down(t)
	seen, r := look()
	if got := seen.line(); got != "unknown; api ready v1 [east] 2" || !slices.Equal(seen.Unreachable, []string{"west"}) {
		t.Errorf("without west: %s, %v", got, seen.Unreachable)
	}
	r.warns("Cluster is unreachable", "west")
	p.proxy.Up(t)

	p.west.patchService("api", `{"spec":{"selector":{"`+release.LabelDeployment+`":"`+nameOf("v2")+`"}}}`)
	seen, _ = look()
	if a := seen.Applications[0]; seen.Status != "degraded" || a.DeploymentID != "" || !slices.ContainsFunc(a.Problems, func(text string) bool { return strings.Contains(text, "different deployments") }) {
		t.Errorf("%s %+v", seen.line(), a)
	}

	p.west.patchService("api", `{"spec":{"selector":{"`+release.LabelDeployment+`":"nothing"}}}`)
	seen, _ = look()
	if a := seen.Applications[0]; seen.Status != "failed" || !slices.ContainsFunc(a.Problems, func(text string) bool { return strings.Contains(text, `cluster "west" leads to no deployment`) }) {
		t.Errorf("%s %+v", seen.line(), a)
	}
	w.apply(config)
	seen, _ = look()
	if seen.Status != "ready" {
		t.Errorf("repaired: %s", seen.line())
	}
	w.destroy()
	p.both((*lab).wantNothingLeft)
}
