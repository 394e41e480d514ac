package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// driftModel is one difference between what we applied and what lives.
type driftModel struct {
	Cluster  types.String `tfsdk:"cluster"`
	Object   types.String `tfsdk:"object"`
	Field    types.String `tfsdk:"field"`
	Expected types.String `tfsdk:"expected"`
	Actual   types.String `tfsdk:"actual"`
	Manager  types.String `tfsdk:"manager"`
}

func driftAttribute() schema.ListNestedAttribute {
	computed := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	return schema.ListNestedAttribute{
		Computed: true,
		MarkdownDescription: "What somebody else changed in the clusters, as of the last refresh. It is always planned back to `[]`: " +
			"the next apply repairs it in place and never replaces anything for it.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"cluster":  computed("Name of the cluster."),
			"object":   computed("Kind and name of the object, such as `Service/api`."),
			"field":    computed("Path of the field."),
			"expected": computed("The value that was applied; null where it is not recorded."),
			"actual":   computed("The value that lives there; null where the field or the object is gone."),
			"manager":  computed("The field manager that changed it, as the API server recorded it."),
		}},
	}
}

func driftType() types.ObjectType {
	return driftAttribute().NestedObject.Type().(types.ObjectType)
}

// driftList is the attribute's value; no drift is an empty list, never null.
func driftList(ctx context.Context, drift []driftModel) (types.List, diag.Diagnostics) {
	if drift == nil {
		drift = []driftModel{}
	}
	return types.ListValueFrom(ctx, driftType(), drift)
}

func noDrift() types.List { return types.ListValueMust(driftType(), []attr.Value{}) }
