package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// DataClustersAttribute is `clusters` of a data source.
func DataClustersAttribute() schema.SetAttribute {
	return schema.SetAttribute{
		ElementType:         types.StringType,
		Optional:            true,
		MarkdownDescription: "Names of the clusters to look at, of those in the provider's configuration. Default: all of them. One that cannot be reached is an error.",
		Validators:          []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues()},
	}
}

// DataNamespaceAttribute is `namespace` of a data source.
func DataNamespaceAttribute() schema.StringAttribute {
	return schema.StringAttribute{Required: true, MarkdownDescription: "Kubernetes namespace to look at.", Validators: NamespaceName()}
}

// DataString is a text that a data source tells.
func DataString(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}

// DataBool is a fact that a data source tells.
func DataBool(description string) schema.BoolAttribute {
	return schema.BoolAttribute{Computed: true, MarkdownDescription: description}
}

// DataInt is a number that a data source tells.
func DataInt(description string) schema.Int32Attribute {
	return schema.Int32Attribute{Computed: true, MarkdownDescription: description}
}

// IDOrNull is a release's id by its name; null for none.
func IDOrNull(namespace, name string) types.String {
	if name == "" {
		return types.StringNull()
	}
	return types.StringValue(release.ID{Namespace: namespace, Name: name}.String())
}
