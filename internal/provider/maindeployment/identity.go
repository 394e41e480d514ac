package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
)

// mainDeploymentIdentity is that of a switchback_main_deployment.
type mainDeploymentIdentity struct {
	Namespace   types.String `tfsdk:"namespace"`
	Application types.String `tfsdk:"application"`
}

func (r *mainDeploymentResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = attrs.IdentitySchema(map[string]string{
		"namespace":   "Kubernetes namespace, the same on every cluster.",
		"application": "Name of the application.",
	})
}

func (m *model) identity() mainDeploymentIdentity {
	return mainDeploymentIdentity{Namespace: m.Namespace, Application: m.Application}
}

// String is the import id.
func (i mainDeploymentIdentity) String() string {
	return attrs.MainID(i.Namespace.ValueString(), i.Application.ValueString())
}
