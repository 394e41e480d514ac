package explain_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
)

// TestWhere: a CLI shows the line of the outermost attribute for what is inside of it, so
// that the text says where it is.
func TestWhere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at   path.Path
		want string
	}{
		"an attribute": {path.Root("replicas"), "Raise it."},
		"a part":       {path.Root("container").AtName("liveness_probe").AtName("period_seconds"), "Raise it.\n\nWhere: container.liveness_probe.period_seconds"},
		"a list's":     {path.Root("sidecars").AtListIndex(1).AtName("env").AtMapKey("A B"), "Raise it.\n\nWhere: sidecars[1].env[\"A B\"]"},
	} {
		var diags diag.Diagnostics
		diags.AddAttributeError(tt.at, "Too low", "Raise it.")
		diags.AddAttributeWarning(tt.at, "Low", "Raise it.")
		diags.AddError("No place", "Raise it.")
		explain.Where(&diags)
		if diags[0].Detail() != tt.want || diags[1].Detail() != tt.want || diags[2].Detail() != "Raise it." {
			t.Errorf("%s: told as %q", name, diags)
		}
		if placed := diags[1].(diag.DiagnosticWithPath); !placed.Path().Equal(tt.at) || diags.ErrorsCount() != 2 || diags[1].Severity() != diag.SeverityWarning {
			t.Errorf("%s: it is told at another place: %v", name, diags)
		}
	}
}
