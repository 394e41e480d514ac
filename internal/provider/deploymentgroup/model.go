package deploymentgroup

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// model is switchback_deployment_group in configuration, plan and
// state.
type model struct {
	Name         types.String   `tfsdk:"name"`
	Members      types.Map      `tfsdk:"members"`
	Clusters     types.Set      `tfsdk:"clusters"`
	Waves        types.List     `tfsdk:"waves"`
	Failure      types.Object   `tfsdk:"failure"`
	Canary       types.Object   `tfsdk:"canary"`
	DesiredState types.String   `tfsdk:"desired_state"`
	KeepPrevious types.Object   `tfsdk:"keep_previous"`
	Drain        types.String   `tfsdk:"drain"`
	RetryToken   types.String   `tfsdk:"retry_token"`
	Timeouts     timeouts.Value `tfsdk:"timeouts"`

	AbandonUnreachable types.Bool `tfsdk:"abandon_unreachable"`

	ID           types.String `tfsdk:"id"`
	Owner        types.String `tfsdk:"owner"`
	Status       types.String `tfsdk:"status"`
	StatusReason types.String `tfsdk:"status_reason"`
	Drift        types.List   `tfsdk:"drift"`
	PlanSummary  types.Object `tfsdk:"plan_summary"`
}

// memberModel is one of a group's members.
type memberModel struct {
	DeploymentID types.String `tfsdk:"deployment_id"`
	Traffic      types.Object `tfsdk:"traffic"`
	Clusters     types.Set    `tfsdk:"clusters"`
	After        types.Set    `tfsdk:"after"`
	KeepPrevious types.Object `tfsdk:"keep_previous"`
	Drain        types.String `tfsdk:"drain"`

	PreviousDeploymentID types.String `tfsdk:"previous_deployment_id"`
	URL                  types.String `tfsdk:"url"`
	Split                types.Map    `tfsdk:"split"`
	Status               types.String `tfsdk:"status"`
	Retained             types.List   `tfsdk:"retained"`
	PlanSummary          types.Object `tfsdk:"plan_summary"`
	Refused              types.Object `tfsdk:"refused"`
	StoppedBy            types.Object `tfsdk:"stopped_by"`
}

type waveModel struct {
	Members     types.Set    `tfsdk:"members"`
	Bake        types.String `tfsdk:"bake"`
	MaxParallel types.Int32  `tfsdk:"max_parallel"`
}

type failureModel struct {
	Scope types.String `tfsdk:"scope"`
}

var deploymentGroupTypes = sync.OnceValue(func() map[string]attr.Type {
	return attrs.AttributeTypes(deploymentGroupSchema(context.Background()))
})

func memberTypes() map[string]attr.Type {
	return deploymentGroupTypes()["members"].(types.MapType).ElemType.(types.ObjectType).AttrTypes
}

// members are the group's members by name; none while they are unknown as a
// whole.
func (g *model) members(ctx context.Context, diags *diag.Diagnostics) map[string]memberModel {
	return attrs.Decode[map[string]memberModel](ctx, diags, g.Members)
}

func (g *model) setMembers(ctx context.Context, members map[string]memberModel, diags *diag.Diagnostics) {
	value, more := types.MapValueFrom(ctx, types.ObjectType{AttrTypes: memberTypes()}, members)
	diags.Append(more...)
	g.Members = value
}

// address is what a member asks for: everything that a group does to an address is
// what a main deployment does.
func (g *model) address(member memberModel) address.Model {
	m := address.New()
	m.Namespace, m.Application, m.ID = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	if id, err := release.ParseID(member.DeploymentID.ValueString()); err == nil {
		application, _ := release.ApplicationOf(id.Name)
		m.Namespace, m.Application = types.StringValue(id.Namespace), types.StringValue(application)
		m.ID = types.StringValue(attrs.MainID(id.Namespace, application))
	}
	m.DeploymentID, m.Traffic, m.Owner, m.Drift = member.DeploymentID, member.Traffic, g.Owner, attrs.NoDrift()
	m.Clusters, m.KeepPrevious, m.Drain, m.RetryToken, m.AbandonUnreachable = g.Clusters, g.KeepPrevious, g.Drain, g.RetryToken, g.AbandonUnreachable
	m.Canary = g.Canary
	if !member.Clusters.IsNull() {
		m.Clusters = member.Clusters
	}
	if !member.KeepPrevious.IsNull() {
		m.KeepPrevious = member.KeepPrevious
	}
	if !member.Drain.IsNull() {
		m.Drain = member.Drain
	}
	m.PreviousDeploymentID, m.URL, m.Split, m.Status = member.PreviousDeploymentID, member.URL, member.Split, member.Status
	m.Retained, m.PlanSummary, m.Refused, m.StoppedBy = member.Retained, member.PlanSummary, member.Refused, member.StoppedBy
	return m
}

// held is the address that a member of a state has. Its split says on which
// clusters that is, whatever the default was then.
func (g *model) held(ctx context.Context, member memberModel, diags *diag.Diagnostics) address.Model {
	m := g.address(member)
	if member.Clusters.IsNull() && len(member.Split.Elements()) > 0 {
		m.Clusters = attrs.ClusterSet(ctx, slices.Sorted(maps.Keys(member.Split.Elements())), diags)
	}
	return m
}

// pauses is how long the pauses of all waves take together, of which members may be moved
// by shares.
func (g *model) pauses(ctx context.Context, diags *diag.Diagnostics) (sum time.Duration) {
	order, _, known := g.order(ctx, diags)
	if !known {
		return 0
	}
	members := g.members(ctx, diags)
	for _, wave := range order.Waves {
		shared := slices.ContainsFunc(wave.Members(), func(name string) bool { a := g.address(members[name]); return a.MayRoute(ctx) })
		if of := (address.Model{Canary: g.Canary}); shared {
			sum += of.Pauses(ctx)
		}
	}
	return sum
}

// bakes is how long the waves are watched in all.
func (g *model) bakes(ctx context.Context, diags *diag.Diagnostics) time.Duration {
	var sum time.Duration
	for _, wave := range attrs.Decode[[]waveModel](ctx, diags, g.Waves) {
		sum += wave.bake()
	}
	return sum
}

// take writes what became of the member's address.
func (m *memberModel) take(a address.Model) {
	m.DeploymentID, m.Traffic = a.DeploymentID, a.Traffic
	m.PreviousDeploymentID, m.URL, m.Split, m.Status = a.PreviousDeploymentID, a.URL, a.Split, a.Status
	m.Retained, m.PlanSummary, m.Refused, m.StoppedBy = a.Retained, a.PlanSummary, a.Refused, a.StoppedBy
}

// after are the names of those that the member comes after, and false while they
// are not known.
func (m *memberModel) after(ctx context.Context, diags *diag.Diagnostics) ([]string, bool) {
	if !attrs.WhollyKnown(ctx, m.After) {
		return nil, false
	}
	return attrs.Decode[[]string](ctx, diags, m.After), true
}

// scope is `failure.scope`, which validation has checked.
func (g *model) scope(ctx context.Context, diags *diag.Diagnostics) release.FailureScope {
	failure := attrs.Decode[failureModel](ctx, diags, g.Failure)
	return release.FailureScope(attrs.OrDefault(failure.Scope.ValueString(), string(release.ScopeGroup)))
}

// order is `waves` and `after` as a plan, the faults that keep them from being
// one, and false while they are not known.
func (g *model) order(ctx context.Context, diags *diag.Diagnostics) (release.GroupPlan, []release.OrderFault, bool) {
	if g.Members.IsUnknown() || !attrs.WhollyKnown(ctx, g.Waves) {
		return release.GroupPlan{}, nil, false
	}
	after := map[string][]string{}
	for name, member := range g.members(ctx, diags) {
		others, known := member.after(ctx, diags)
		if !known {
			return release.GroupPlan{}, nil, false
		}
		after[name] = others
	}
	var waves []release.WaveSpec
	for _, wave := range attrs.Decode[[]waveModel](ctx, diags, g.Waves) {
		waves = append(waves, release.WaveSpec{
			Members: attrs.Decode[[]string](ctx, diags, wave.Members), Bake: wave.bake(), MaxParallel: int(wave.MaxParallel.ValueInt32()),
		})
	}
	plan, faults := release.PlanGroup(after, waves)
	return plan, faults, true
}

func (w waveModel) bake() time.Duration {
	d, err := time.ParseDuration(w.Bake.ValueString())
	if err != nil {
		return 0
	}
	return d
}
