package terminal_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestHistory: the newest first, with both sides of a move.
func TestHistory(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	here := []string{"--kubeconfig", testcluster.Shared(t).KubeconfigPath, "-n", s.namespace, "history"}
	history := func(args ...string) said {
		t.Helper()
		return run(t, append(here, args...)...)
	}
	history("api").wants(t, terminal.ExitFailed, `application "api" not found`)
	for _, version := range []string{"v1", "v2"} {
		s.deploy(version)
		s.promote(version)
	}
	history("api").wants(t, terminal.ExitDone, "TIME OPERATION OUTCOME RELEASE VERSION BY TOOK REASON",
		"Z promote succeeded "+s.name("v1")+" -> "+s.name("v2")+" v2 ", "Z deploy succeeded "+s.name("v2")+" v2 ", "Z promote succeeded "+s.name("v1")+" v1 ")
	var h terminal.History
	decode(t, history("api", "-o", "json", "--operation", "promote", "--limit", "1"), &h)
	if len(h.Items) != 1 || h.Items[0].To != s.name("v2") || h.Items[0].From != s.name("v1") || h.Items[0].Operation != release.OperationPromote || h.Items[0].By == "" || h.Items[0].Seconds <= 0 {
		t.Errorf("the last promotion is %+v", h.Items)
	}
	history("api", "--operation", "collect").wants(t, terminal.ExitDone, "No history found of application api.")
}

// TestHistoryIsMasked: what looks like a credential in any text of a run is not shown, whoever
// has written it there.
func TestHistoryIsMasked(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.engine.In(release.Run{Tool: "ci-tool", ID: "ci-id", URL: "ci-url", Commit: "ci-commit", Ref: "ci-ref", Project: "ci-project", Workspace: "ci-workspace", Actor: "ci-actor"})
	s.deploy("v1")
	maps := testcluster.Shared(t).Client().CoreV1().ConfigMaps(s.namespace)
	cm, err := maps.Get(t.Context(), release.MainName("api"), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cm.Data[release.HistoryKey] = strings.ReplaceAll(cm.Data[release.HistoryKey], `"ci-`, `"password=hunter22 of ci-`)
	if _, err := maps.Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, output := range []string{"json", "wide"} {
		shown := run(t, "history", "api", "-o", output, "--kubeconfig", testcluster.Shared(t).KubeconfigPath, "-n", s.namespace)
		shown.wants(t, terminal.ExitDone, "password=***", "ci-workspace")
		if strings.Contains(shown.out, "hunter22") {
			t.Errorf("as %s, it is\n%s", output, shown.out)
		}
	}
}
