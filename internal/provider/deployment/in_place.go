package deployment

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// setStrategy puts the model's strategy into a spec.
func (m *model) setStrategy(ctx context.Context, diags *diag.Diagnostics, spec *release.Spec) {
	if s := release.Strategy(m.Strategy.ValueString()); s != release.StrategyBlueGreen {
		spec.Strategy = s // which empty stands for, as in what an import reads
	}
	if attrs.WhollyKnown(ctx, m.RollingUpdate) { // it is no content, and may still be unknown
		spec.Rolling = attrs.RollingOf(ctx, diags, m.RollingUpdate)
	}
}

// inPlace says that the content changes in place; false also where that is not
// known yet.
func (m *model) inPlace() bool { return release.Strategy(m.Strategy.ValueString()).InPlace() }

// planRoll plans a change of content in place: what names the deployment stays,
// and so what depends on it has no difference.
func (p *planning) planRoll() {
	m := &p.plan
	m.ContentHash = types.StringUnknown()
	if p.known {
		m.setIdentity(p.spec, p.spec.Content.Hash())
	} else if !m.Container.Equal(p.state.Container) {
		m.ServiceName, m.InternalURL = types.StringUnknown(), types.StringUnknown()
	}
	m.Status = p.goal()
	p.attempt()
	if p.known {
		p.warn(workload.StrategyAdvice(p.spec))
	}
}

// nameInPlace plans the name and the id of what is new, although its content is
// not known yet.
func (p *planning) nameInPlace() {
	m := &p.plan
	if !m.inPlace() || !attrs.Known(m.Application) {
		return
	}
	spec := release.Spec{Strategy: release.Strategy(m.Strategy.ValueString()), Content: release.Content{Application: m.Application.ValueString()}}
	m.Name = types.StringValue(spec.Name())
	if attrs.Known(m.Namespace) {
		m.ID = types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: spec.Name()}.String())
	}
}

// rolled sets what follows from the content where it has changed in place, and
// was not known at plan.
func (m *model) rolled(spec release.Spec) {
	if m.inPlace() {
		m.Version = types.StringValue(spec.Content.Version)
		m.setIdentity(spec, spec.Content.Hash())
	}
}

// waits says that a state is in a pause of a change in place that nothing in the plan ends.
func (m *model) waits(plan *model) bool {
	return m.Status.ValueString() == string(release.StatusPaused) && m.Drift.Equal(attrs.NoDrift()) && m.RollingUpdate.Equal(plan.RollingUpdate)
}

// mayPause says that what is planned may stop on its way, or go on from where it has. Read
// decides which: a pause may be over at any time, so that nothing of the outcome is known.
func (p *planning) mayPause(prior tftypes.Value) bool {
	m := &p.plan
	stops := !attrs.WhollyKnown(p.ctx, m.RollingUpdate) || len(attrs.RollingOf(p.ctx, &p.resp.Diagnostics, m.RollingUpdate).PauseAt) > 0
	switch {
	case p.rolls || m.Status.IsUnknown():
		return stops
	case p.state.Status.ValueString() == string(release.StatusPaused):
		names, err := attrs.Differing(p.resp.Plan.Raw, prior)
		return err != nil || len(names) > 0
	default:
		return stops && m.ClusterStatus.IsUnknown()
	}
}

// pauses is how long the pauses of `rolling_update` take together.
func (m *model) pauses(ctx context.Context) time.Duration {
	var quiet diag.Diagnostics // said elsewhere
	if !attrs.WhollyKnown(ctx, m.RollingUpdate) {
		return 0
	}
	return attrs.RollingOf(ctx, &quiet, m.RollingUpdate).Pauses()
}

// warnOfPauses tells that a typed `timeouts.update` ends before the pauses do. It is no
// error: an apply that ends in a pause is a way to release.
func (p *planning) warnOfPauses() {
	pauses := p.plan.pauses(p.ctx)
	if pauses == 0 || p.plan.Timeouts.IsUnknown() {
		return
	}
	limit, diags := p.plan.Timeouts.Update(attrs.Quiet(p.ctx), pauses+attrs.DefaultTimeout)
	if diags.HasError() || limit > pauses { // what cannot be read is said elsewhere
		return
	}
	all := attrs.DurationText(pauses)
	p.resp.Diagnostics.AddAttributeWarning(path.Root("timeouts").AtName("update"), "Pauses outlast the apply", fmt.Sprintf(
		"The pauses of `rolling_update.pause_at` take %s in all, and `timeouts.update` is %s. A change of the content ends as paused in the first one that does not fit: a success, after which nobody watches until an apply after its end goes on. "+
			"For one apply to do all of it, set `timeouts.update` to well over %s, or leave it out: by default it has room for all pauses.", all, attrs.DurationText(limit), all))
}
