package release_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestHoldings(t *testing.T) {
	both := release.Companions()
	records := map[string]*release.Record{
		"api-2": {Companions: both, Baseline: release.Baseline{string(release.CompanionDisruptionBudget): {"spec.maxUnavailable": "00"}}},
		"api-1": {Companions: both, Baseline: release.Baseline{string(release.CompanionDisruptionBudget): {"spec.maxUnavailable": "00"}}},
		"api-3": {Companions: both}, // a record that was lost: nobody has seen either
		"api-4": {},
	}
	h := release.HoldingsOf(&release.Main{Deployment: "api-2", Progress: open("api-2", "api-3", release.MainRunning, nil)}, records)
	if got := h.Having(release.CompanionDisruptionBudget, ""); got != "api-1" {
		t.Errorf("a budget: %q", got)
	}
	if got := h.Having(release.CompanionDisruptionBudget, "api-2"); got != "api-2" {
		t.Errorf("a budget of api-2: %q", got)
	}
	if got := h.Having(release.CompanionDisruptionBudget, "api-3"); got != "" {
		t.Errorf("a budget of api-3: %q", got)
	}
	if got := h.Having(release.CompanionAutoscaler, ""); got != "" {
		t.Errorf("an autoscaler: %q", got)
	}
	for name, want := range map[string]bool{"api-1": false, "api-2": true, "api-3": true} {
		if h.Main(name) != want {
			t.Errorf("%s is main: %t", name, !want)
		}
	}
	if h.Adopted() || h.Named() {
		t.Error("its address is its own, and has no name")
	}

	for what, test := range map[string]struct {
		main           *release.Main
		adopted, named bool
	}{
		"none":                      {},
		"adopted":                   {main: &release.Main{Adopted: &release.Adoption{}}, adopted: true},
		"named":                     {main: &release.Main{DNS: &release.DNSWritten{Spec: release.DNS{Endpoints: true}}}, named: true},
		"named by others":           {main: &release.Main{DNS: &release.DNSWritten{}}},
		"named by others since now": {main: &release.Main{DNS: &release.DNSWritten{Object: true}}, named: true},
	} {
		h := release.HoldingsOf(test.main, nil)
		if h.Adopted() != test.adopted || h.Named() != test.named || h.Main("api-1") {
			t.Errorf("%s: adopted %t, named %t, main %t", what, h.Adopted(), h.Named(), h.Main("api-1"))
		}
	}
}
