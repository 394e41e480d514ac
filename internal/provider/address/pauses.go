package address

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Pauses is how long the pauses of `canary` take together. By default, an apply has the
// time for them.
func (m *Model) Pauses(ctx context.Context) time.Duration {
	var quiet diag.Diagnostics // said elsewhere
	var sum time.Duration
	canary := CanaryOf(ctx, m.Canary, &quiet)
	if canary.Mirror != nil {
		sum += canary.Mirror.Pause
	}
	for _, step := range canary.Steps {
		sum += step.Pause
	}
	return sum
}

// TypedLimit is `timeouts.update` where somebody has typed it; else 0.
func TypedLimit(ctx context.Context, of timeouts.Value) time.Duration {
	if of.IsUnknown() {
		return 0
	}
	limit, diags := of.Update(attrs.Quiet(ctx), 0)
	if diags.HasError() { // what cannot be read is said elsewhere
		return 0
	}
	return limit
}

// warnOfPauses tells that a typed `timeouts.update` ends before the planned steps do. It
// is no error: an apply that ends in a pause is a way to release.
func (p *Plan) warnOfPauses(steps []release.Step) {
	var watched time.Duration
	pauses := false
	for _, step := range steps {
		watched += step.For
		pauses = pauses || step.Kind == release.StepPause && step.For > 0
	}
	if limit := p.Watch.Limit; pauses && limit > 0 && limit <= watched {
		all := attrs.DurationText(watched)
		p.Diags.AddAttributeWarning(path.Root("timeouts").AtName("update"), "Pauses outlast the apply", fmt.Sprintf(
			"The pauses of `canary`, and `bake` after them, take %s in all, and `timeouts.update` is %s. The apply ends as paused in the first pause that does not fit: a success, after which nobody watches until an apply after its end goes on. "+
				"For one apply to do all of it, set `timeouts.update` to well over %s, or leave it out: by default it has room for all pauses.", all, attrs.DurationText(limit), all))
	}
}

// warnOfLimit tells that a `max_weight` below the share that a paused deployment has takes
// nothing from it.
func (p *Plan) warnOfLimit(ctx context.Context) {
	most := p.Watch.Canary.MaxWeight
	id, err := release.ParseID(p.Planned.DeploymentID.ValueString())
	if most == 0 || err != nil || !p.Planned.DeploymentID.Equal(p.Prior.DeploymentID) {
		return
	}
	has := 0
	for _, split := range splitOf(ctx, p.Prior.Split, p.Diags) {
		has = max(has, split[id.Name])
	}
	if most < has {
		p.Diags.AddAttributeWarning(p.Place.At(path.Root("canary").AtName("max_weight")), "Share is not lowered", fmt.Sprintf(
			"`canary.max_weight` is %d, and the deployment %s has %d %% of the traffic already. It keeps them, and gets no more. To take its traffic back, all at once, set `deployment_id` to the former deployment, or use the action switchback_rollback.",
			most, id, has))
	}
}
