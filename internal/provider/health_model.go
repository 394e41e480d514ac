package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// healthModel is the `health` attribute.
type healthModel struct {
	ProgressDeadline types.String `tfsdk:"progress_deadline"`
	FailFastGrace    types.String `tfsdk:"fail_fast_grace"`
	CrashLimit       types.Int32  `tfsdk:"crash_limit"`
	MinReady         types.String `tfsdk:"min_ready"`
	LogTail          types.Int32  `tfsdk:"log_tail"`
}

// setHealth puts the model's `health` into a spec. It is no content, and may
// still be unknown.
func (m *deploymentModel) setHealth(d decoder, spec *release.Spec) {
	if !whollyKnown(d.ctx, m.Health) {
		return
	}
	h := decode[healthModel](d, m.Health)
	spec.Health = release.Health{
		ProgressDeadline: durationOf(h.ProgressDeadline), MinReady: durationOf(h.MinReady),
		CrashLimit: h.CrashLimit.ValueInt32(), LogTail: h.LogTail.ValueInt32Pointer(),
	}
	if !h.FailFastGrace.IsNull() {
		grace := durationOf(h.FailFastGrace)
		spec.Health.FailFastGrace = &grace
	}
}

// durationOf is the text's length of time; zero where it has none. The schema has
// seen to it that it can be read.
func durationOf(text types.String) time.Duration {
	d, _ := time.ParseDuration(text.ValueString())
	return d
}

// fromHealth is the way back, for an import.
func (m *deploymentModel) fromHealth(e encoder, spec release.Spec) {
	attributes := deploymentTypes()["health"].(types.ObjectType).AttrTypes
	h := spec.Health
	if h == (release.Health{}) {
		m.Health = types.ObjectNull(attributes)
		return
	}
	typed := healthModel{LogTail: types.Int32PointerValue(h.LogTail)}
	if h.ProgressDeadline > 0 {
		typed.ProgressDeadline = types.StringValue(durationText(h.ProgressDeadline))
	}
	if h.MinReady > 0 {
		typed.MinReady = types.StringValue(durationText(h.MinReady))
	}
	if h.FailFastGrace != nil {
		typed.FailFastGrace = types.StringValue(durationText(*h.FailFastGrace))
	}
	if h.CrashLimit > 0 {
		typed.CrashLimit = types.Int32Value(h.CrashLimit)
	}
	out, diags := types.ObjectValueFrom(e.ctx, attributes, typed)
	e.diags.Append(diags...)
	m.Health = out
}

// onWorkload are the parts of `health` that the workload itself goes by. The
// others say how we wait: where only they differ, no cluster is touched.
var onWorkload = []string{"progress_deadline", "min_ready"}

// healthAsks says that going from one to the other changes the workload.
func healthAsks(planned, prior tftypes.Value) bool {
	now, was := healthParts(planned), healthParts(prior)
	for _, name := range onWorkload {
		if a, b := now[name], was[name]; !a.IsKnown() || !b.IsKnown() || healthDuration(a) != healthDuration(b) {
			return true
		}
	}
	return false
}

// healthParts are the parts of a resource's `health`; none where it is not set.
// What is not there is null, which is known.
func healthParts(resource tftypes.Value) map[string]tftypes.Value {
	var attributes, parts map[string]tftypes.Value
	if resource.As(&attributes) == nil && attributes["health"].IsKnown() {
		_ = attributes["health"].As(&parts)
	}
	return parts
}

func healthDuration(v tftypes.Value) time.Duration {
	var text string
	if v.IsNull() || v.As(&text) != nil {
		return 0
	}
	d, _ := time.ParseDuration(text)
	return d
}

// checkHealth refuses a wait that would always end otherwise than `health` says:
// with the time that the planned operation has.
func (p *deploymentPlan) checkHealth(timeout func(context.Context, time.Duration) (time.Duration, diag.Diagnostics), setting string) {
	if p.plan.Timeouts.IsUnknown() || p.plan.Health.IsNull() || p.plan.Health.IsUnknown() {
		return
	}
	limit, diags := timeout(quiet(p.ctx), defaultTimeout)
	h := decode[healthModel](decoder{p.ctx, &diags}, p.plan.Health)
	if diags.HasError() {
		return // said elsewhere
	}
	at := path.Root("health")
	for name, d := range map[string]time.Duration{"progress_deadline": durationOf(h.ProgressDeadline), "min_ready": durationOf(h.MinReady)} {
		if d > limit {
			p.resp.Diagnostics.AddAttributeError(at.AtName(name), "Health setting is longer than the whole may take",
				fmt.Sprintf("`health.%s` is %s, and all must be done within %s, which is `%s`. Raise that entry, or lower this one.", name, durationText(d), durationText(limit), setting))
		}
	}
}
