package workload_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestProblemTold: a CLI shows the line of the whole resource for what is inside of an
// attribute, so that the text says where it is.
func TestProblemTold(t *testing.T) {
	for name, tt := range map[string]struct {
		at   []any
		want string
	}{
		"an attribute": {[]any{"replicas"}, "Raise it."},
		"a part":       {[]any{"container", "liveness_probe", "period_seconds"}, "Raise it.\n\nWhere: container.liveness_probe.period_seconds"},
		"a list's":     {[]any{"sidecars", 1, "env", workload.Key("A B")}, "Raise it.\n\nWhere: sidecars[1].env[\"A B\"]"},
		"no place":     {nil, "Raise it."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (workload.Problem{Path: tt.at, Detail: "Raise it."}).Told(); got != tt.want {
				t.Errorf("told as %q, want %q", got, tt.want)
			}
		})
	}
}
