package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// listSchema is what a list block says: where to look, and for what. what is in
// the plural.
func listSchema(what, how string) schema.Schema {
	return schema.Schema{
		MarkdownDescription: fmt.Sprintf("The %s of a namespace, for `terraform query` (Terraform 1.14 or later): %s "+
			"A cluster that cannot be reached is told; with `include_resource`, or when configuration is generated, it is an error, "+
			"because what was found on the others alone would look complete.", what, how),
		Attributes: map[string]schema.Attribute{
			"namespace": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Kubernetes namespace. Use `for_each` on the `list` block for several.",
				Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"application": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of the application. Default: every one.",
				Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"clusters": schema.ListAttribute{
				ElementType:         types.StringType,
				Optional:            true,
				MarkdownDescription: "Names of the clusters to look at, of those in the provider's configuration. Default: all of them.",
				Validators:          []validator.List{listvalidator.SizeAtLeast(1), listvalidator.NoNullValues(), listvalidator.UniqueValues()},
			},
		},
	}
}

// listModel is a list block's configuration.
type listModel struct {
	Namespace   types.String `tfsdk:"namespace"`
	Application types.String `tfsdk:"application"`
	Clusters    types.List   `tfsdk:"clusters"`
}
