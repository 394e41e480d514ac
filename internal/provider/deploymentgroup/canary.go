package deploymentgroup

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// checkCanary says what of `canary` cannot be meant. What is not known yet passes.
func (g *model) checkCanary(ctx context.Context) diag.Diagnostics {
	var diags diag.Diagnostics
	if g.Canary.IsNull() || g.Canary.IsUnknown() || g.Members.IsUnknown() {
		return diags
	}
	diags.Append(address.CheckSteps(ctx, g.Canary)...)
	diags.Append(address.CheckMirrorEnds(ctx, g.Canary)...)
	members, shared := g.members(ctx, &diags), false
	for _, name := range slices.Sorted(maps.Keys(members)) {
		a := g.address(members[name])
		shared = shared || a.MayRoute(ctx)
		for at, found := range map[string]diag.Diagnostics{"match": a.CheckCohort(ctx), "mirror": a.CheckMirror(ctx)} {
			for _, d := range found {
				diags.AddAttributeError(path.Root("canary").AtName(at), d.Summary(), fmt.Sprintf("Of the member %q: %s", name, d.Detail()))
			}
		}
	}
	if !shared {
		diags.AddAttributeError(path.Root("canary"), "Nothing can share the traffic",
			"The `traffic` of every member has a Service alone, which leads to one deployment at a time. Add `traffic.gateway`, a route that can share it, to those that are to move by shares, or remove `canary`; `waves[].bake` watches members that have all of their traffic.")
	}
	return diags
}

// copies are those that members which move get before any share; empty where none does.
func (p *planning) copies(moves map[string]bool, members map[string]memberModel) string {
	mirror := address.MirrorOf(p.ctx, p.plan.Canary)
	if mirror == nil {
		return ""
	}
	step := types.StringValue(release.Step{Kind: release.StepShift, Mirror: mirror.Percent}.String())
	for name := range moves {
		if steps, is := members[name].PlanSummary.Attributes()["steps"].(types.List); is && slices.ContainsFunc(steps.Elements(), step.Equal) {
			return release.CopiesText(mirror.Percent)
		}
	}
	return ""
}
