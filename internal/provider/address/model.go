package address

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Model is one application's address in configuration, plan and state. A main
// deployment embeds it; a group makes one of each member.
type Model struct {
	Application  types.String `tfsdk:"application"`
	Namespace    types.String `tfsdk:"namespace"`
	DeploymentID types.String `tfsdk:"deployment_id"`
	Traffic      types.Object `tfsdk:"traffic"`
	Clusters     types.Set    `tfsdk:"clusters"`
	KeepPrevious types.Object `tfsdk:"keep_previous"`
	Drain        types.String `tfsdk:"drain"`
	Canary       types.Object `tfsdk:"canary"`
	RetryToken   types.String `tfsdk:"retry_token"`

	AbandonUnreachable types.Bool `tfsdk:"abandon_unreachable"`

	ID                   types.String `tfsdk:"id"`
	Owner                types.String `tfsdk:"owner"`
	PreviousDeploymentID types.String `tfsdk:"previous_deployment_id"`
	URL                  types.String `tfsdk:"url"`
	Split                types.Map    `tfsdk:"split"`
	PromotedAt           types.String `tfsdk:"promoted_at"`
	Status               types.String `tfsdk:"status"`
	StatusReason         types.String `tfsdk:"status_reason"`
	ClusterStatus        types.Map    `tfsdk:"cluster_status"`
	Drift                types.List   `tfsdk:"drift"`
	Retained             types.List   `tfsdk:"retained"`
	PlanSummary          types.Object `tfsdk:"plan_summary"`
	Refused              types.Object `tfsdk:"refused"`
	StoppedBy            types.Object `tfsdk:"stopped_by"`
}

// New has a null of the right type in every field, as tfsdk.State.Set demands.
func New() Model {
	return Model{
		Traffic:       types.ObjectNull(trafficTypes()),
		Clusters:      types.SetNull(types.StringType),
		KeepPrevious:  types.ObjectNull(keepPreviousTypes),
		Canary:        types.ObjectNull(canaryTypes()),
		Split:         types.MapNull(SplitType),
		ClusterStatus: attrs.NoClusterStatus(),
		Drift:         types.ListNull(attrs.DriftType()),
		Retained:      types.ListNull(stayType),
		PlanSummary:   types.ObjectNull(summaryTypes),
		Refused:       types.ObjectNull(refusedTypes),
		StoppedBy:     types.ObjectNull(stoppedByTypes),
	}
}

// What names the address in a sentence.
func (m *Model) What() string { return "main deployment " + m.ID.ValueString() }

// ClusterNames are the clusters that have the address.
func (m *Model) ClusterNames(ctx context.Context, diags *diag.Diagnostics) []string {
	return attrs.Decode[[]string](ctx, diags, m.Clusters)
}

// Addresses tell this address on each of its clusters from those of other
// applications; none while that is not known.
func (m *Model) Addresses(ctx context.Context) (at []string) {
	if !attrs.Known(m.ID) || !attrs.WhollyKnown(ctx, m.Clusters) {
		return nil
	}
	var diags diag.Diagnostics
	for _, name := range m.ClusterNames(ctx, &diags) {
		at = append(at, name+"/"+m.ID.ValueString())
	}
	return at
}

type keepPreviousModel struct {
	Count types.Int32  `tfsdk:"count"`
	TTL   types.String `tfsdk:"ttl"`
	State types.String `tfsdk:"state"`
}

// KeepOf is `keep_previous`, which validation has checked.
func KeepOf(ctx context.Context, value types.Object) (release.Keep, diag.Diagnostics) {
	var diags diag.Diagnostics
	keep := release.Keep{Count: defaultKeepCount, State: release.DesiredStarted}
	if value.IsNull() || value.IsUnknown() {
		return keep, diags
	}
	typed := attrs.Decode[keepPreviousModel](ctx, &diags, value)
	if !typed.Count.IsNull() && !typed.Count.IsUnknown() {
		keep.Count = int(typed.Count.ValueInt32())
	}
	if attrs.Known(typed.State) {
		keep.State = release.DesiredState(typed.State.ValueString())
	}
	if ttl, err := time.ParseDuration(typed.TTL.ValueString()); err == nil {
		keep.TTL = ttl
	}
	return keep, diags
}

// KeepValue is the way back.
func KeepValue(keep release.Keep) types.Object {
	ttl := types.StringNull()
	if keep.TTL > 0 {
		ttl = types.StringValue(attrs.DurationText(keep.TTL))
	}
	return types.ObjectValueMust(keepPreviousTypes, map[string]attr.Value{
		"count": types.Int32Value(int32(keep.Count)), "ttl": ttl, "state": types.StringValue(string(keep.State)),
	})
}

// DrainOf is `drain`, which validation has checked.
func DrainOf(value types.String) time.Duration {
	d, err := time.ParseDuration(value.ValueString())
	if err != nil {
		return release.DefaultDrain
	}
	return d
}

// deployment is the id of one of the application's deployments.
func (m *Model) deployment(name string) types.String {
	return types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: name}.String())
}

// SplitValue is the `split` attribute.
func SplitValue(splits map[string]release.Split) types.Map {
	clusters := make(map[string]attr.Value, len(splits))
	for cluster, split := range splits {
		percents := make(map[string]attr.Value, len(split))
		for name, percent := range split {
			percents[name] = types.Int64Value(int64(percent))
		}
		clusters[cluster] = types.MapValueMust(types.Int64Type, percents)
	}
	return types.MapValueMust(SplitType, clusters)
}

// splitOf reads `split`.
func splitOf(ctx context.Context, value types.Map, diags *diag.Diagnostics) map[string]release.Split {
	splits := map[string]release.Split{}
	for cluster, percents := range attrs.Decode[map[string]map[string]int64](ctx, diags, value) {
		splits[cluster] = release.Split{}
		for name, percent := range percents {
			splits[cluster][name] = int(percent)
		}
	}
	return splits
}

// PlannedTraffic is, by cluster, which release had the traffic in the state that
// a change was planned on. It leaves out where that was not known.
func (m *Model) PlannedTraffic(ctx context.Context, diags *diag.Diagnostics) map[string]string {
	planned := map[string]string{}
	for cluster, split := range splitOf(ctx, m.Split, diags) {
		if name, ok := split.Stable(); ok {
			planned[cluster] = name
		}
	}
	return planned
}

// Agreed is what all agree on; empty where they do not.
func Agreed(names map[string]bool) string {
	if len(names) != 1 {
		return ""
	}
	return slices.Collect(maps.Keys(names))[0]
}
