package attrs

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
)

// The identity of a resource is what Terraform tells it by, beside its address:
// for importing it, and for `terraform query`. It is unique among the clusters
// of one provider configuration, and never changes while the resource lives:
// clusters come and go in place, so they are no part of it.

// IdentitySchema has texts that an import by identity must give.
func IdentitySchema(descriptions map[string]string) identityschema.Schema {
	attributes := map[string]identityschema.Attribute{}
	for name, text := range descriptions {
		attributes[name] = identityschema.StringAttribute{RequiredForImport: true, Description: text}
	}
	return identityschema.Schema{Attributes: attributes}
}

// ImportID is what an import asks for, by id or by identity.
func ImportID[T fmt.Stringer](ctx context.Context, req resource.ImportStateRequest, diags *diag.Diagnostics) string {
	if req.ID != "" || req.Identity == nil || req.Identity.Raw.IsNull() {
		return req.ID
	}
	var identity T
	diags.Append(req.Identity.Get(ctx, &identity)...)
	return identity.String()
}
