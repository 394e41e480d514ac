package explain

import (
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

// Where ends what is said of an attribute that is inside of another one with its path: a CLI
// shows the line of the outermost one, and several of these have parts of the same names. For
// example: container.liveness_probe.period_seconds.
func Where(diags *diag.Diagnostics) {
	for i, d := range *diags {
		placed, ok := d.(diag.DiagnosticWithPath)
		if !ok || len(placed.Path().Steps()) < 2 {
			continue
		}
		(*diags)[i] = at(placed.Path(), d, d.Detail()+"\n\nWhere: "+placed.Path().String())
	}
}

// at is a diagnostic of an attribute with another detail.
func at(place path.Path, d diag.Diagnostic, detail string) diag.Diagnostic {
	if d.Severity() == diag.SeverityWarning {
		return diag.NewAttributeWarningDiagnostic(place, d.Summary(), detail)
	}
	return diag.NewAttributeErrorDiagnostic(place, d.Summary(), detail)
}
