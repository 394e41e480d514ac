package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// partMeaning says what the parts of a start are.
var partMeaning = map[release.Part]string{
	release.PartQueue:     "Seconds from the pod's creation until it had a node.",
	release.PartBuild:     "Seconds that building the image took; null, since no image is built.",
	release.PartImagePull: "Seconds that pulling the pod's images took, with the wait for the node's other pulls; null where all images were on the node, or its events cannot be read any more.",
	release.PartStartup:   "Seconds from the start of the pod's first container, an init container where there is one, until the pod was ready, less what was pulled in between. Null where a container has been restarted more than once.",
}

const (
	durationsMeaning = "How long the last change of it took, in seconds. `total` is what its user waited. The parts are those of the pod that took longest, as the cluster tells: mostly in whole seconds, " +
		"and null where they are not known, or where no pod was started, as when a deployment is found again. They need not add up to `total`."
	totalMeaning = "Seconds from the first write until it was as asked for."
)

// durationsModel is how long one thing took.
type durationsModel struct {
	Total     types.Float64 `tfsdk:"total"`
	Queue     types.Float64 `tfsdk:"queue"`
	Build     types.Float64 `tfsdk:"build"`
	ImagePull types.Float64 `tfsdk:"image_pull"`
	Startup   types.Float64 `tfsdk:"startup"`
}

func newDurationsModel(d release.Durations) durationsModel {
	return durationsModel{
		Total: types.Float64Value(d.Total.Seconds()), Queue: secondsOrNull(d.Queue), Build: secondsOrNull(d.Build),
		ImagePull: secondsOrNull(d.ImagePull), Startup: secondsOrNull(d.Startup),
	}
}

// durationsOrNil is a data source's; nil where nothing was measured.
func durationsOrNil(d release.Durations) *durationsModel {
	if d == (release.Durations{}) {
		return nil
	}
	return new(newDurationsModel(d))
}

func secondsOrNull(d *time.Duration) types.Float64 {
	if d == nil {
		return types.Float64Null()
	}
	return types.Float64Value(d.Seconds())
}

// durationNames are total and the parts, with what they mean.
func durationNames(total string) map[string]string {
	names := map[string]string{"total": total}
	for _, part := range release.Parts() {
		names[string(part)] = partMeaning[part]
	}
	return names
}

// durationsAttribute is `durations` of a deployment.
func durationsAttribute() schema.SingleNestedAttribute {
	numbers := func(total string) map[string]schema.Attribute {
		attributes := map[string]schema.Attribute{}
		for name, description := range durationNames(total) {
			attributes[name] = schema.Float64Attribute{Computed: true, MarkdownDescription: description}
		}
		return attributes
	}
	whole := numbers("Seconds that the whole took, on all clusters.")
	whole["clusters"] = schema.MapNestedAttribute{
		Computed:            true,
		MarkdownDescription: "The same of each cluster, by its name, from when its turn came until it was healthy there. What stands beside it is that of the one that took longest.",
		NestedObject:        schema.NestedAttributeObject{Attributes: numbers(totalMeaning)},
	}
	return schema.SingleNestedAttribute{Computed: true, MarkdownDescription: durationsMeaning, Attributes: whole}
}

// dataDurationsAttribute is a data source's.
func dataDurationsAttribute(description string) dataschema.SingleNestedAttribute {
	attributes := map[string]dataschema.Attribute{}
	for name, description := range durationNames(totalMeaning) {
		attributes[name] = dataschema.Float64Attribute{Computed: true, MarkdownDescription: description}
	}
	return dataschema.SingleNestedAttribute{Computed: true, MarkdownDescription: description, Attributes: attributes}
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
	values := map[string]attr.Value{"total": types.Float64Value(d.Total.Seconds())}
	for _, part := range release.Parts() {
		values[string(part)] = secondsOrNull(d.Of(part))
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
func (m *deploymentModel) setDurations(done rollout.Deployed, prior types.Object, now []string) {
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
func recordedDurations(observed []rollout.Observed) (done rollout.Deployed) {
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
	m := decode[budgetModel](ctx, diags, value)
	total, _ := time.ParseDuration(m.Total.ValueString()) // the schema has seen to it
	return release.DurationBudget{Total: total, Factor: m.Factor.ValueFloat64()}
}
