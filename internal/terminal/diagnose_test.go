package terminal_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestDiagnoseAndEvents: what is wrong with a release is told as a failed apply tells it,
// beside one that is well.
func TestDiagnoseAndEvents(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	here := []string{"--kubeconfig", testcluster.Shared(t).KubeconfigPath, "-n", s.namespace}
	do := func(args ...string) said {
		t.Helper()
		return run(t, append(args, here...)...)
	}
	do("diagnose", "api").wants(t, terminal.ExitFailed, `application "api" not found`)
	s.deploy("v1")
	s.promote("v1")
	do("diagnose", "api").wants(t, terminal.ExitDone, s.name("v1")+" (v1, main): healthy, 1 of 1 pods are ready.")

	missing := s.spec("v2", "demo/missing:v2")
	missing.OnFailure = release.OnFailureKeep
	if _, err := s.engine.Deploy(t.Context(), s.on, missing); err == nil {
		t.Fatal("an image that is missing starts")
	}
	name := missing.Content.Name()
	sick := do("diagnose", "api")
	sick.wants(t, terminal.ExitNo, s.name("v1")+" (v1, main): healthy", name+" (v2, failed): failed, 0 of 1 pods are ready.", "ImageNotFound: ", "demo/missing:v2", "Try: ")
	do("diagnose", s.name("v1")).wants(t, terminal.ExitDone, "healthy")
	do("diagnose", "api-00000000").wants(t, terminal.ExitFailed, `"api-00000000" not found`, "It has: api.")
	one := do("diagnose", name, "-o", "json")
	one.exit = one.exitAs(t, terminal.ExitNo)
	var d terminal.Diagnosis
	decode(t, one, &d)
	if len(d.Items) != 1 || d.Items[0].Verdict != health.Failed || len(d.Items[0].Findings) == 0 || d.Items[0].Findings[0].Cause != "ImageNotFound" {
		t.Errorf("it is %+v", d.Items)
	}

	do("events", name).wants(t, terminal.ExitDone, "LAST SEEN TYPE REASON OBJECT MESSAGE", "Warning Failed Pod/"+name)
	do("events", name, "--type", "Warning", "--reason", "Nothing").wants(t, terminal.ExitDone, "No events found about "+name)
	do("events", name, "--type", "Bad").wants(t, terminal.ExitUsage, "say Normal or Warning")
	var events terminal.EventList
	decode(t, do("events", "api", "-o", "yaml"), &events)
	of := map[string]bool{}
	for _, e := range events.Items {
		of[e.Release] = true
	}
	if !of[name] || !of[s.name("v1")] {
		t.Errorf("the application's events are of %v", of)
	}
}

// exitAs checks an exit code, and is the one of a success.
func (s said) exitAs(t *testing.T, want terminal.Exit) terminal.Exit {
	t.Helper()
	if s.exit != want {
		t.Errorf("it ended with %d, want %d", s.exit, want)
	}
	return terminal.ExitDone
}
