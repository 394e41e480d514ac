package deploymentgroup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What a group is asked for lives in its members' ConfigMaps: asked puts it there, and
// rebuild finds it again.

// asked is what a known plan says of the group beside its members' addresses.
func (g *model) asked(ctx context.Context, diags *diag.Diagnostics) *release.Asked {
	keep, more := address.KeepOf(ctx, g.KeepPrevious)
	diags.Append(more...)
	all := release.GroupAsked{Members: map[string]release.MemberAsked{}, Scope: g.scope(ctx, diags), Keep: keep, Drain: address.DrainOf(g.Drain)}
	for name, member := range g.members(ctx, diags) {
		a := g.address(member)
		after, _ := member.after(ctx, diags)
		all.Members[name] = release.MemberAsked{
			ID: a.ID.ValueString(), To: releaseOf(member.DeploymentID), After: after,
			OwnClusters: !member.Clusters.IsNull(), OwnKeep: !member.KeepPrevious.IsNull(), OwnDrain: !member.Drain.IsNull(),
		}
	}
	for _, wave := range attrs.Decode[[]waveModel](ctx, diags, g.Waves) {
		all.Waves = append(all.Waves, release.WaveAsked{
			Members: attrs.Decode[[]string](ctx, diags, wave.Members), Bake: wave.Bake.ValueString(), MaxParallel: int(wave.MaxParallel.ValueInt32()),
		})
	}
	return &release.Asked{RetryToken: g.RetryToken.ValueStringPointer(), Canary: address.AskedCanary(ctx, g.Canary, diags), Group: &all}
}

// releaseOf is the release's name in an id that validation has checked.
func releaseOf(deploymentID types.String) string {
	id, _ := release.ParseID(deploymentID.ValueString())
	return id.Name
}

// rebuild fills an imported group from what lives. It says whether there is anything
// of it, or may be.
func (g *model) rebuild(ctx context.Context, id release.ID, found observe.Group, diags *diag.Diagnostics) (exists bool) {
	for _, err := range found.Errs {
		explain.Error(diags, err)
	}
	if diags.Append(mayImport(id, found)...); diags.HasError() {
		return true
	}
	built := map[string]address.Model{}
	for name, member := range found.Members {
		a := address.New()
		a.Namespace, a.Application = types.StringValue(member.Namespace), types.StringValue(member.Application)
		a.ID = types.StringValue(attrs.MainID(member.Namespace, member.Application))
		g.DesiredState = address.StateOf(g.DesiredState, member.Mains)
		if a.Rebuild(ctx, found.Name, member.Mains, diags) { // else an interrupted run has not made it yet
			built[name] = a
		}
	}
	if diags.HasError() || len(built) == 0 {
		return diags.HasError()
	}
	asked := found.Asked
	if asked == nil {
		asked = &release.Asked{Group: presumed(ctx, built, found, diags)}
	}
	g.takeAsked(ctx, asked, diags)
	g.takeBuilt(ctx, built, found, asked.Group, diags)
	return true
}

// mayImport refuses what is not one group, or not by this id.
func mayImport(id release.ID, found observe.Group) diag.Diagnostics {
	var diags diag.Diagnostics
	owners, first := map[string][]string{}, found.First()
	for _, name := range slices.Sorted(maps.Keys(found.Members)) {
		member := found.Members[name]
		for _, o := range member.Mains {
			owners[o.Main.Owner] = append(owners[o.Main.Owner], fmt.Sprintf("%s on cluster %q", name, o.Cluster))
		}
	}
	switch {
	case len(owners) > 1:
		var sides []string
		for _, members := range owners {
			sides = append(sides, strings.Join(members, ", "))
		}
		slices.Sort(sides)
		diags.AddError("Group cannot be imported",
			fmt.Sprintf("In %s, several Terraform states have a group of the name %q, or one has not finished making it: its members do not have one owner (%s). Apply the configuration that has it, or rename one of them.",
				id.Namespace, id.Name, strings.Join(sides, "; ")))
	case first != "" && first != id.Namespace:
		diags.AddError("Group has another import id",
			fmt.Sprintf("Members of the group %q are in several namespaces, of which the first one by name stands for it. Import %s/%s.", id.Name, first, id.Name))
	case len(found.Members) > 0 && found.Asked == nil:
		diags.AddWarning("Group is imported in part",
			fmt.Sprintf("An earlier version of the provider has moved the group %q, and has not noted its `waves`, `failure` and `retry_token`, whom its members come `after`, nor whether it has members outside the namespace %s. "+
				"The plan shows what the configuration says of these. The next apply notes it.", id.Name, id.Namespace))
	}
	return diags
}

// presumed is what a group was asked for, as far as its addresses tell: what the first
// member has counts as the group's, and so do all of the clusters.
func presumed(ctx context.Context, built map[string]address.Model, found observe.Group, diags *diag.Diagnostics) *release.GroupAsked {
	names := slices.Sorted(maps.Keys(built))
	first := found.Members[names[0]].Mains[0].Main
	asked := &release.GroupAsked{Members: map[string]release.MemberAsked{}, Scope: release.ScopeGroup, Keep: first.Keep(), Drain: first.Drain}
	var all []string
	for _, a := range built {
		all = append(all, a.ClusterNames(ctx, diags)...)
	}
	everywhere := attrs.ClusterSet(ctx, slices.Compact(slices.Sorted(slices.Values(all))), diags)
	for _, name := range names {
		a, main := built[name], found.Members[name].Mains[0].Main
		asked.Members[name] = release.MemberAsked{
			ID: a.ID.ValueString(), OwnClusters: !a.Clusters.Equal(everywhere), OwnKeep: main.Keep() != asked.Keep, OwnDrain: main.Drain != asked.Drain,
		}
	}
	return asked
}

// takeAsked writes what was asked of the group as a whole.
func (g *model) takeAsked(ctx context.Context, asked *release.Asked, diags *diag.Diagnostics) {
	g.RetryToken, g.Canary = types.StringPointerValue(asked.RetryToken), address.CanaryValue(ctx, asked.Canary, diags)
	g.KeepPrevious, g.Drain = address.KeepValue(asked.Group.Keep), types.StringValue(asked.Group.Drain.String())
	g.Failure = types.ObjectValueMust(failureTypes, map[string]attr.Value{"scope": types.StringValue(string(asked.Group.Scope))})
	g.AbandonUnreachable = types.BoolValue(false)
	var waves []waveModel
	for _, w := range asked.Group.Waves {
		wave := waveModel{Members: attrs.ClusterSet(ctx, w.Members, diags), Bake: attrs.TextOrNull(w.Bake)}
		if w.MaxParallel > 0 {
			wave.MaxParallel = types.Int32Value(int32(w.MaxParallel))
		}
		waves = append(waves, wave)
	}
	if len(waves) > 0 {
		list, more := types.ListValueFrom(ctx, g.Waves.ElementType(ctx), waves)
		diags.Append(more...)
		g.Waves = list
	}
}

// takeBuilt writes the members, and what follows from them for the group.
func (g *model) takeBuilt(ctx context.Context, built map[string]address.Model, found observe.Group, asked *release.GroupAsked, diags *diag.Diagnostics) {
	members := map[string]memberModel{}
	var (
		clusters []string
		statuses []release.MainStatus
		why      reason
	)
	for _, name := range slices.Sorted(maps.Keys(built)) {
		a, is := built[name], asked.Members[name]
		member := memberModel{Clusters: types.SetNull(types.StringType), After: types.SetNull(types.StringType), KeepPrevious: address.New().KeepPrevious}
		member.take(a)
		if is.OwnClusters {
			member.Clusters = a.Clusters
		} else {
			clusters = append(clusters, a.ClusterNames(ctx, diags)...)
		}
		if len(is.After) > 0 {
			member.After = attrs.ClusterSet(ctx, is.After, diags)
		}
		if is.OwnKeep {
			member.KeepPrevious = a.KeepPrevious
		}
		if is.OwnDrain {
			member.Drain = a.Drain
		}
		why.add(name, a.Status, a.StatusReason, found.Members[name].Mains)
		statuses = append(statuses, release.MainStatus(a.Status.ValueString()))
		members[name], g.Owner = member, a.Owner
	}
	if len(clusters) > 0 {
		g.Clusters = attrs.ClusterSet(ctx, slices.Compact(slices.Sorted(slices.Values(clusters))), diags)
	}
	g.setMembers(ctx, members, diags)
	g.ID, g.Drift = g.Name, attrs.NoDrift()
	g.Status, g.StatusReason = types.StringValue(string(release.GroupStatus(statuses...))), why.value()
}
