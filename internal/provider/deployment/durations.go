package deployment

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/float64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// durationsAttribute is `durations` of a deployment.
func durationsAttribute() schema.SingleNestedAttribute {
	numbers := func(total string) map[string]schema.Attribute {
		attributes := map[string]schema.Attribute{}
		for name, description := range attrs.DurationNames(total) {
			attributes[name] = schema.Float64Attribute{Computed: true, MarkdownDescription: description}
		}
		return attributes
	}
	whole := numbers("Seconds that the whole took, on all clusters.")
	whole["clusters"] = schema.MapNestedAttribute{
		Computed:            true,
		MarkdownDescription: "The same of each cluster, by its name, from when its turn came until it was healthy there. What stands beside it is that of the one that took longest.",
		NestedObject:        schema.NestedAttributeObject{Attributes: numbers(attrs.TotalMeaning)},
	}
	return schema.SingleNestedAttribute{Computed: true, MarkdownDescription: attrs.DurationsMeaning, Attributes: whole}
}

// durationsValue is the `durations` attribute; what was not measured is null.
func durationsValue(whole release.Durations, clusters map[string]attr.Value) types.Object {
	attributes := deploymentTypes()["durations"].(types.ObjectType).AttrTypes
	if whole == (release.Durations{}) && len(clusters) == 0 {
		return types.ObjectNull(attributes)
	}
	values := durationValues(whole)
	values["clusters"] = types.MapValueMust(clusterDurations(), clusters)
	return types.ObjectValueMust(attributes, values)
}

func durationValues(d release.Durations) map[string]attr.Value {
	values := map[string]attr.Value{"total": attrs.Seconds(d.Total)}
	for _, part := range release.Parts() {
		values[string(part)] = attrs.SecondsOrNull(d.Of(part))
	}
	return values
}

// clusterDurations is the type of one cluster's.
func clusterDurations() types.ObjectType {
	clusters := deploymentTypes()["durations"].(types.ObjectType).AttrTypes["clusters"].(types.MapType)
	return clusters.ElemType.(types.ObjectType)
}

// setDurations writes how long an attempt took. What is known of clusters on
// which it had nothing to do stays, where the resource still has them.
func (m *model) setDurations(done rollout.Deployed, prior types.Object, now []string) {
	clusters := map[string]attr.Value{}
	if was, ok := prior.Attributes()["clusters"].(types.Map); ok {
		for _, name := range now {
			if value, ok := was.Elements()[name]; ok {
				clusters[name] = value
			}
		}
	}
	for _, o := range done.Clusters {
		delete(clusters, o.Cluster)
		if o.Durations != (release.Durations{}) {
			clusters[o.Cluster] = types.ObjectValueMust(clusterDurations().AttrTypes, durationValues(o.Durations))
		}
	}
	m.Durations = durationsValue(done.Durations, clusters)
}

// recordedDurations are those that an import finds in the records.
func recordedDurations(observed []observe.Release) (done rollout.Deployed) {
	var records []*release.Record
	for _, o := range observed {
		if o.Err == nil && o.Record != nil {
			records = append(records, o.Record)
			done.Clusters = append(done.Clusters, rollout.Outcome{Cluster: o.Cluster, Durations: o.Record.Durations})
		}
	}
	done.Durations = rollout.Overall(records)
	return done
}

// budgetModel is the `duration_budget` attribute.
type budgetModel struct {
	Total  types.String  `tfsdk:"total"`
	Factor types.Float64 `tfsdk:"factor"`
}

// budgetOf is what a known `duration_budget` asks for.
func budgetOf(ctx context.Context, value types.Object, diags *diag.Diagnostics) release.DurationBudget {
	m := attrs.Decode[budgetModel](ctx, diags, value)
	total, _ := time.ParseDuration(m.Total.ValueString()) // the schema has seen to it
	return release.DurationBudget{Total: total, Factor: m.Factor.ValueFloat64()}
}

// budgetAttribute is `duration_budget`.
func budgetAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "How long a change may take until there is a warning, which names the part that took longest and what makes it shorter. Nothing fails because of it: that is what `timeouts` are for. " +
			"At least one of the two is given." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"total": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The whole, as `durations.total`: a text like `90s` or `2m`.",
				Validators: []validator.String{
					attrs.IsPositiveDuration(), stringvalidator.AtLeastOneOf(path.MatchRelative().AtParent().AtName("factor")),
				},
				PlanModifiers: []planmodifier.String{attrs.KeepSameDuration()},
			},
			"factor": schema.Float64Attribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("How many times as long as the median of the application's last releases on the same cluster, such as `2`: at least 1. It takes %d of them, and looks at no more than %d; "+
					"those that were found again, and started no pods, do not count.", release.BudgetFewest, release.BudgetMost),
				Validators: []validator.Float64{float64validator.AtLeast(1)},
			},
		},
	}
}
