package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestProcessIsKilled: a process of the plugin gets a SIGKILL when it has written what the
// command is about. The same command, run once more, ends it.
func TestProcessIsKilled(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for verb, tt := range map[string]struct {
		at   string // what is written in that moment
		ends func(*shop)
	}{
		"rollback": {"/services/api", func(s *shop) { s.wantMain("v1") }},
		"stop":     {"/deployments/" + nameOf("v2"), func(s *shop) { s.wantMain("v2"); s.wantPods("v2", 0) }},
		"restart":  {"/deployments/" + nameOf("v2"), func(s *shop) { s.wantMain("v2"); s.wantPods("v2", 1) }},
	} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			c := testcluster.Shared(t)
			s := &shop{T: t, cluster: c, namespace: c.Namespace(t), w: testcli.New(t, built)}
			for _, version := range []string{"v1", "v2"} {
				s.config(version, "1", "")
				s.apply()
			}
			proxy := c.Proxy(t)
			run := func() (*exec.Cmd, *strings.Builder) {
				command, said := exec.CommandContext(t.Context(), self, verb, "api", "--yes", "--kubeconfig", proxy.KubeconfigPath, "-n", s.namespace), &strings.Builder{}
				command.Env = append(os.Environ(), asPlugin+"=1")
				command.Stdout, command.Stderr = said, said
				return command, said
			}
			command, said := run()
			death := proxy.DiesAfter(1, func(r *testcluster.Request) bool { return r.Write() && strings.HasSuffix(r.Path, tt.at) }, func() { _ = command.Process.Kill() })
			proxy.SetFault(death.Fault)
			_ = command.Run()
			if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
				t.Fatalf("it was not killed: %s\n%s", command.ProcessState, said)
			}
			proxy.SetFault(nil)
			if command, said = run(); command.Run() != nil {
				t.Fatalf("once more, it ended with %s:\n%s", command.ProcessState, said)
			}
			tt.ends(s)
		})
	}
}
