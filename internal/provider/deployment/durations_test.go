package deployment

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// TestDurationsOfClusters: what an attempt had nothing to do on keeps what is
// known of it; what it failed on, and what was left, does not.
func TestDurationsOfClusters(t *testing.T) {
	t.Parallel()
	took := func(seconds int) release.Durations {
		return release.Durations{Total: time.Duration(seconds) * time.Second, Queue: new(time.Duration(0))}
	}
	attempt := func(whole release.Durations, outcomes ...rollout.Outcome) rollout.Deployed {
		return rollout.Deployed{Durations: whole, Clusters: outcomes}
	}
	var m model
	m.setDurations(attempt(release.Durations{}), types.Object{}, nil)
	if !m.Durations.IsNull() {
		t.Errorf("nothing was measured: %s", m.Durations)
	}
	m.setDurations(attempt(took(9), rollout.Outcome{Cluster: "a", Durations: took(1)}, rollout.Outcome{Cluster: "b", Durations: took(2)}, rollout.Outcome{Cluster: "c", Durations: took(3)}), types.Object{}, nil)
	prior := m.Durations
	m.setDurations(attempt(took(5), rollout.Outcome{Cluster: "b", Durations: took(4)}, rollout.Outcome{Cluster: "c"}), prior, []string{"a", "b", "c"})
	clusters := m.Durations.Attributes()["clusters"].(types.Map).Elements()
	if len(clusters) != 2 || !strings.Contains(clusters["a"].String(), `"total":1.0`) || !strings.Contains(clusters["b"].String(), `"total":4.0`) {
		t.Errorf("%s", m.Durations)
	}
	m.setDurations(attempt(took(5), rollout.Outcome{Cluster: "b", Durations: took(6)}), prior, []string{"b"})
	if clusters := m.Durations.Attributes()["clusters"].(types.Map).Elements(); len(clusters) != 1 || !strings.Contains(clusters["b"].String(), `"queue":0.0`) || !strings.Contains(clusters["b"].String(), `"startup":<null>`) {
		t.Errorf("%s", m.Durations)
	}
}
