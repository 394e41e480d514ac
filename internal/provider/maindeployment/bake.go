package maindeployment

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// How a main deployment moves: watched, and over its clusters.

// mainRolloutMeaning documents rollout.on_failure.
var mainRolloutMeaning = map[release.FailurePolicy]string{
	release.FailureAbort: "every cluster goes back to where its traffic was",
	release.FailureContinue: "that cluster is left, or put back, as it was, and the others go on, with a warning for each that has failed: until the next apply has moved it, too, clusters send traffic to different deployments. " +
		"`status`, `split` and `cluster_status` tell, so that the next plan is not empty, and the next apply goes on there",
}

func bakeAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true,
		MarkdownDescription: "How long the new main deployment is watched after the traffic has moved, before anything of the old one stops, as a text like `90s` or `10m`. " +
			"When it has fewer ready pods than it needs (all but one, and never none), when its address does not lead to them with all of its ports, when a container crashes again and again, or when containers run out of memory twice, traffic goes back to the previous one at once; the apply fails and says what was seen. " +
			"The same deployment is then refused until `retry_token` changes. Where there is nothing to go back to, traffic stays, and the next apply bakes again. Default: not at all. " +
			"By default, an apply has the time for it; `timeouts` that are set must have it, too. An import finds it as the last change had it that reached a cluster." + attrs.InPlace,
		Validators:    []validator.String{attrs.IsDuration()},
		PlanModifiers: []planmodifier.String{attrs.KeepSameDuration()},
	}
}

// mainGoverning are the attributes of a main deployment that say how traffic is
// moved: where only they differ, nothing moves.
var mainGoverning = append(slices.Clone(attrs.Governing), "bake", "canary", "retry_token")

// betweenBatches is how long a release is watched between the batches of its clusters, in all.
func (m *model) betweenBatches(ctx context.Context, diags *diag.Diagnostics) time.Duration {
	r := attrs.RolloutOf(ctx, diags, m.Rollout)
	return r.Bake * time.Duration(max(0, len(r.Batches(m.ClusterNames(ctx, diags)))-1))
}

// defaultLimit is how long a create or an update may take where nobody has typed it: the time
// for what it does, and that in which it only watches.
func (m *model) defaultLimit(ctx context.Context, diags *diag.Diagnostics) time.Duration {
	shifts := 1 + len(address.CanaryOf(ctx, m.Canary, diags).Steps)
	return attrs.DefaultTimeout + m.Pauses(ctx) + m.bakes() + time.Duration(shifts)*m.betweenBatches(ctx, diags)
}

// checkBake says where a promotion could never come to its end in the time that
// it has. What is not known yet passes.
func (p *planning) checkBake() {
	m := &p.plan
	if m.Bake.IsUnknown() || !attrs.WhollyKnown(p.ctx, m.Rollout) || !attrs.WhollyKnown(p.ctx, m.Clusters) || !attrs.WhollyKnown(p.ctx, m.Timeouts) {
		return
	}
	between := m.betweenBatches(p.ctx, &p.resp.Diagnostics)
	bake := m.bakes()
	for _, limit := range []struct {
		entry string
		read  func(timeouts.Value, context.Context, time.Duration) (time.Duration, diag.Diagnostics)
	}{{"create", timeouts.Value.Create}, {"update", timeouts.Value.Update}} {
		most, diags := limit.read(m.Timeouts, attrs.Quiet(p.ctx), m.defaultLimit(p.ctx, &p.resp.Diagnostics))
		if diags.HasError() || bake+between < most {
			continue // the timeouts have their own diagnostics
		}
		at, what := path.Root("bake"), fmt.Sprintf("`bake` is %s", attrs.DurationText(bake))
		if bake < most {
			at, what = path.Root("rollout").AtName("bake"), fmt.Sprintf("The bakes of all batches together take %s, with `bake` %s", attrs.DurationText(between), attrs.DurationText(bake+between))
		}
		p.resp.Diagnostics.AddAttributeError(at, "Bake takes longer than the operation may",
			fmt.Sprintf("%s, and `timeouts.%s` is %s, in which the pods must become ready, too, and the old side drains. Raise the one, or lower the other.", what, limit.entry, attrs.DurationText(most)))
		return
	}
}

// mayEndOtherwise plans the status as unknown where the rollout may end without
// some clusters.
func (p *planning) mayEndOtherwise() {
	if p.plan.ClusterStatus.IsUnknown() && attrs.MayContinue(p.ctx, p.plan.Rollout) {
		p.plan.Status = types.StringUnknown()
	}
}

// onlyGoverns says that nothing differs but how changes are made: that is
// written down and needs no cluster.
func onlyGoverns(planned, prior tftypes.Value) bool {
	names, err := attrs.Differing(planned, prior)
	return err == nil && len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool {
		return name == "clusters" || !slices.Contains(mainGoverning, name)
	})
}
