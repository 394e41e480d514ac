package deployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// deploymentIdentity is that of a switchback_deployment.
type deploymentIdentity struct {
	Namespace types.String `tfsdk:"namespace"`
	Name      types.String `tfsdk:"name"`
}

func (r *deploymentResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = attrs.IdentitySchema(map[string]string{
		"namespace": "Kubernetes namespace, the same on every cluster.",
		"name":      fmt.Sprintf("The deployment's name: `<application>-<first %d characters of the content hash>`.", release.HashLength),
	})
}

// identity of a deployment whose id is known, as it always is in a state.
func (m *model) identity() deploymentIdentity {
	id, _ := release.ParseID(m.ID.ValueString())
	return deploymentIdentity{Namespace: attrs.TextOrNull(id.Namespace), Name: attrs.TextOrNull(id.Name)}
}

// String is the import id.
func (i deploymentIdentity) String() string {
	return release.ID{Namespace: i.Namespace.ValueString(), Name: i.Name.ValueString()}.String()
}
