package observe_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestAPauseLastsAsLongAsOneClusterWaits: an apply would end in the same pause.
func TestAPauseLastsAsLongAsOneClusterWaits(t *testing.T) {
	t.Parallel()
	on := func(cluster, waits string) observe.Main {
		p := &release.Progress{From: "v1", To: "v2", Paused: true, Direction: release.DirectionForward}
		return observe.Main{Cluster: cluster, Waits: waits, Main: &release.Main{Deployment: "v1", Progress: p}}
	}
	status, reason := observe.StatusOf([]observe.Main{on("a", ""), on("b", "until somebody says so")})
	if status != release.MainPaused || reason != "until somebody says so" {
		t.Errorf("while b waits, it is %s: %s", status, reason)
	}
	if status, reason = observe.StatusOf([]observe.Main{on("a", ""), on("b", "")}); status != release.MainRunning {
		t.Errorf("when nobody waits, it is %s: %s", status, reason)
	}
}
