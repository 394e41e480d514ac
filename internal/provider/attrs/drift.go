package attrs

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// Gone is the drift of an object that is not there.
func Gone(cluster, object string) Drift {
	return Drift{
		Cluster: types.StringValue(cluster), Object: types.StringValue(object),
	}
}

// FieldDrift is what is other in the fields of one object. What the cluster says is
// masked.
func FieldDrift(cluster, object string, drifts []workload.FieldDrift) []Drift {
	var models []Drift
	for _, d := range drifts {
		models = append(models, Drift{
			Cluster: types.StringValue(cluster), Object: types.StringValue(object), Field: types.StringValue(d.Field),
			Expected: TextOrNull(d.Expected), Actual: TextOrNull(mask.Redact(d.Actual)), Manager: TextOrNull(mask.Redact(d.Manager)),
		})
	}
	return models
}

// Drift is one difference between what we applied and what lives.
type Drift struct {
	Cluster  types.String `tfsdk:"cluster"`
	Object   types.String `tfsdk:"object"`
	Field    types.String `tfsdk:"field"`
	Expected types.String `tfsdk:"expected"`
	Actual   types.String `tfsdk:"actual"`
	Manager  types.String `tfsdk:"manager"`
}

// DriftAttribute is `drift`.
func DriftAttribute() schema.ListNestedAttribute {
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
			"expected": computed("The value that was applied; null where it is not recorded, and of what somebody has added."),
			"actual":   computed("The value that lives there; null where the field or the object is gone."),
			"manager":  computed("The field manager that changed it, as the API server recorded it; null where it did not, as for what was removed."),
		}},
	}
}

// DriftType is the type of one difference.
func DriftType() types.ObjectType {
	return DriftAttribute().NestedObject.Type().(types.ObjectType)
}

// DriftList is the attribute's value; no drift is an empty list, never null.
func DriftList(ctx context.Context, drift []Drift) (types.List, diag.Diagnostics) {
	if drift == nil {
		drift = []Drift{}
	}
	return types.ListValueFrom(ctx, DriftType(), drift)
}

// NoDrift is planned for every apply, which repairs what there is.
func NoDrift() types.List { return types.ListValueMust(DriftType(), []attr.Value{}) }

// TakenBack is the drift of what is held by an older claim than the state's.
func TakenBack(cluster, object string) Drift {
	return Drift{
		Cluster: types.StringValue(cluster), Object: types.StringValue(object),
		Expected: types.StringValue("held by this state's claim"), Actual: types.StringValue("held by an older claim"),
	}
}
