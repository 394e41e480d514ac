package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

type rollingUpdateModel struct {
	MaxSurge       types.String `tfsdk:"max_surge"`
	MaxUnavailable types.String `tfsdk:"max_unavailable"`
}

// setStrategy puts the model's strategy into a spec.
func (m *deploymentModel) setStrategy(d decoder, spec *release.Spec) {
	if s := release.Strategy(m.Strategy.ValueString()); s != release.StrategyBlueGreen {
		spec.Strategy = s // which empty stands for, as in what an import reads
	}
	if !whollyKnown(d.ctx, m.RollingUpdate) {
		return // not content, may still be unknown
	}
	r := decode[rollingUpdateModel](d, m.RollingUpdate)
	spec.Rolling = release.Rolling{MaxSurge: r.MaxSurge.ValueString(), MaxUnavailable: r.MaxUnavailable.ValueString()}
}

// fromStrategy is the way back, for an import.
func (m *deploymentModel) fromStrategy(e encoder, spec release.Spec) {
	m.Strategy = types.StringValue(string(orDefault(spec.Strategy, release.StrategyBlueGreen)))
	attributes := deploymentTypes()["rolling_update"].(types.ObjectType).AttrTypes
	r := spec.Rolling
	if r == (release.Rolling{}) {
		m.RollingUpdate = types.ObjectNull(attributes)
		return
	}
	typed := rollingUpdateModel{MaxSurge: textOrNull(r.MaxSurge), MaxUnavailable: textOrNull(r.MaxUnavailable)}
	out, diags := types.ObjectValueFrom(e.ctx, attributes, typed)
	e.diags.Append(diags...)
	m.RollingUpdate = out
}

// inPlace says that the content changes in place; false also where that is not
// known yet.
func (m *deploymentModel) inPlace() bool { return release.Strategy(m.Strategy.ValueString()).InPlace() }

// planRoll plans a change of content in place: what names the deployment stays,
// and so what depends on it has no difference.
func (p *deploymentPlan) planRoll() {
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
func (p *deploymentPlan) nameInPlace() {
	m := &p.plan
	if !m.inPlace() || !known(m.Application) {
		return
	}
	spec := release.Spec{Strategy: release.Strategy(m.Strategy.ValueString()), Content: release.Content{Application: m.Application.ValueString()}}
	m.Name = types.StringValue(spec.Name())
	if known(m.Namespace) {
		m.ID = types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: spec.Name()}.String())
	}
}

// rolled sets what follows from the content where it has changed in place, and
// was not known at plan.
func (m *deploymentModel) rolled(spec release.Spec) {
	if m.inPlace() {
		m.Version = types.StringValue(spec.Content.Version)
		m.setIdentity(spec, spec.Content.Hash())
	}
}
