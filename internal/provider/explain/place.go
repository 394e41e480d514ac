package explain

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

// Place says where the attributes of an application's address stand. The zero value
// is a main deployment, where they are at the top. In a group they are in a member:
// "traffic.service" of the member "api" is members["api"].traffic.service.
type Place struct{ member path.Path }

// Member is the place of a group's member.
func Member(name string) Place { return Place{path.Root("members").AtMapKey(name)} }

// ofMember are the attributes that a member has itself. Others that a main
// deployment has are the group's: timeouts, …
var ofMember = []string{"deployment_id", "traffic", "clusters", "keep_previous", "drain"}

// Named is the path to an attribute.
func (p Place) Named(attribute string) path.Path { return p.At(path.Root(attribute)) }

// At is where an attribute of a main deployment is in this place. What is about no
// attribute is about the member as a whole.
func (p Place) At(at path.Path) path.Path {
	if len(p.member.Steps()) == 0 { // Equal tells nil from empty
		return at
	}
	found := p.member
	for i, step := range at.Steps() {
		switch s := step.(type) {
		case path.PathStepAttributeName:
			name := string(s)
			if i == 0 && (name == "application" || name == "namespace") {
				name = "deployment_id" // which says both of a member
			}
			if i == 0 && !slices.Contains(ofMember, name) {
				return path.Root(name)
			}
			found = found.AtName(name)
		case path.PathStepElementKeyString:
			found = found.AtMapKey(string(s))
		case path.PathStepElementKeyInt:
			found = found.AtListIndex(int(s))
		case path.PathStepElementKeyValue:
			found = found.AtSetValue(s.Value)
		}
	}
	return found
}

// Put gives diagnostics that were made for a main deployment their place: those of
// clusters, which know nothing of members.
func (p Place) Put(diags diag.Diagnostics) diag.Diagnostics {
	var put diag.Diagnostics
	for _, d := range diags {
		where := path.Empty()
		if placed, ok := d.(diag.DiagnosticWithPath); ok {
			where = placed.Path()
		}
		put.Append(at(p.At(where), d, d.Detail()))
	}
	return put
}
