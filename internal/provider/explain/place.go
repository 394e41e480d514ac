package explain

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

var MembersPath = path.Root("members")

// Below gives diagnostics about a main deployment their place in a member of a
// group. Of what the member does not say itself, its deployment tells.
func Below(member path.Path, diags diag.Diagnostics) diag.Diagnostics {
	var moved diag.Diagnostics
	for _, d := range diags {
		at := member
		if placed, ok := d.(diag.DiagnosticWithPath); ok {
			at = atMember(member, placed.Path())
		}
		if d.Severity() == diag.SeverityWarning {
			moved.AddAttributeWarning(at, d.Summary(), d.Detail())
		} else {
			moved.AddAttributeError(at, d.Summary(), d.Detail())
		}
	}
	return moved
}

func atMember(member, at path.Path) path.Path {
	for i, step := range at.Steps() {
		switch s := step.(type) {
		case path.PathStepAttributeName:
			name := string(s)
			if i == 0 && (name == "application" || name == "namespace") {
				name = "deployment_id"
			}
			if i == 0 && !slices.Contains([]string{"deployment_id", "traffic", "clusters", "keep_previous", "drain"}, name) {
				return path.Root(name) // the group's: timeouts, …
			}
			member = member.AtName(name)
		case path.PathStepElementKeyString:
			member = member.AtMapKey(string(s))
		case path.PathStepElementKeyInt:
			member = member.AtListIndex(int(s))
		case path.PathStepElementKeyValue:
			member = member.AtSetValue(s.Value)
		}
	}
	return member
}
