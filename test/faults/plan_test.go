package faults_test

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/coretest"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
)

// nothingIsPlanned is planIsEmpty in this process, for what has many points: what is
// planned follows from the state that the CLI left and from what stands, whoever asks.
// Tests of one point ask the CLI.
func (w *workspace) nothingIsPlanned() {
	w.t.Helper()
	cli, err := testcli.CLI()
	if err != nil {
		w.t.Fatal(err)
	}
	core := coretest.Core{
		Address: "registry.terraform.io/switchback-dev/switchback",
		Serve: func(ctx context.Context) (coretest.Server, error) {
			return provider.Timed(ctx, "test", rollout.DefaultTiming())
		},
	}
	if cli.Tofu {
		core.Address = "registry.opentofu.org/switchback-dev/switchback"
	}
	code, text, err := core.Run(w.t.Context(), w.Dir, "plan", "-json", "-input=false", "-no-color")
	if err != nil {
		w.t.Fatal(err)
	}
	changes := 0
	for line := range strings.Lines(text) {
		var told struct{ Type string }
		if err := json.Unmarshal([]byte(line), &told); err != nil {
			w.t.Fatalf("%v: %s", err, line)
		}
		if told.Type == "planned_change" {
			changes++
		}
	}
	if code != 0 || changes > 0 {
		w.t.Errorf("the plan afterwards is not empty (%d changes, exit code %d):\n%s", changes, code, text)
	}
}
