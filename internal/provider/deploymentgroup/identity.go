package deploymentgroup

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// groupIdentity is that of a switchback_deployment_group. A group has no namespace of
// its own: the first one of its members stands for it. So it may change, as the name
// may.
type groupIdentity struct {
	Namespace types.String `tfsdk:"namespace"`
	Name      types.String `tfsdk:"name"`
}

func (r *deploymentGroupResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = attrs.IdentitySchema(map[string]string{
		"namespace": "Kubernetes namespace of the members; the first one by name where they are in several.",
		"name":      "Name of the group.",
	})
}

// identity is that of a group whose members are known.
func (g *model) identity(ctx context.Context, diags *diag.Diagnostics) groupIdentity {
	if g.imported() {
		id, _ := release.ParseID(g.ID.ValueString())
		return groupIdentity{Namespace: types.StringValue(id.Namespace), Name: g.Name}
	}
	first := ""
	for _, member := range g.members(ctx, diags) {
		id, err := release.ParseID(member.DeploymentID.ValueString())
		if err == nil && (first == "" || id.Namespace < first) {
			first = id.Namespace
		}
	}
	return groupIdentity{Namespace: types.StringValue(first), Name: g.Name}
}

// String is the import id.
func (i groupIdentity) String() string {
	return attrs.MainID(i.Namespace.ValueString(), i.Name.ValueString())
}
