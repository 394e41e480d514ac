package attrs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
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

var healthTypes = sync.OnceValue(func() map[string]attr.Type {
	return HealthAttribute().GetType().(types.ObjectType).AttrTypes
})

// HealthOf is what a known `health` asks for; the zero Health where there is none.
func HealthOf(ctx context.Context, diags *diag.Diagnostics, value types.Object) release.Health {
	h := Decode[healthModel](ctx, diags, value)
	health := release.Health{
		ProgressDeadline: durationOf(h.ProgressDeadline), MinReady: durationOf(h.MinReady),
		CrashLimit: h.CrashLimit.ValueInt32(), LogTail: h.LogTail.ValueInt32Pointer(),
	}
	if !h.FailFastGrace.IsNull() {
		grace := durationOf(h.FailFastGrace)
		health.FailFastGrace = &grace
	}
	return health
}

// durationOf is the text's length of time; zero where it has none. The schema has
// seen to it that it can be read.
func durationOf(text types.String) time.Duration {
	d, _ := time.ParseDuration(text.ValueString())
	return d
}

// HealthValue is the way back, for an import.
func HealthValue(ctx context.Context, diags *diag.Diagnostics, h release.Health) types.Object {
	if h == (release.Health{}) {
		return types.ObjectNull(healthTypes())
	}
	typed := healthModel{LogTail: types.Int32PointerValue(h.LogTail)}
	if h.ProgressDeadline > 0 {
		typed.ProgressDeadline = types.StringValue(DurationText(h.ProgressDeadline))
	}
	if h.MinReady > 0 {
		typed.MinReady = types.StringValue(DurationText(h.MinReady))
	}
	if h.FailFastGrace != nil {
		typed.FailFastGrace = types.StringValue(DurationText(*h.FailFastGrace))
	}
	if h.CrashLimit > 0 {
		typed.CrashLimit = types.Int32Value(h.CrashLimit)
	}
	out, more := types.ObjectValueFrom(ctx, healthTypes(), typed)
	diags.Append(more...)
	return out
}

// onWorkload are the parts of `health` that the workload itself goes by. The
// others say how we wait: where only they differ, no cluster is touched.
var onWorkload = []string{"progress_deadline", "min_ready"}

// HealthAsks says that going from one to the other changes the workload.
func HealthAsks(planned, prior tftypes.Value) bool {
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

// CheckHealth refuses a wait that would always end otherwise than `health` says:
// with the time that the whole has, by the setting that says so.
func CheckHealth(ctx context.Context, value types.Object, limit time.Duration, setting string) diag.Diagnostics {
	var diags diag.Diagnostics
	h := Decode[healthModel](ctx, &diags, value)
	if diags.HasError() {
		return nil // said elsewhere
	}
	at := path.Root("health")
	for name, d := range map[string]time.Duration{"progress_deadline": durationOf(h.ProgressDeadline), "min_ready": durationOf(h.MinReady)} {
		if d > limit {
			diags.AddAttributeError(at.AtName(name), "Health setting is longer than the whole may take",
				fmt.Sprintf("`health.%s` is %s, and all must be done within %s, which is `%s`. Raise that entry, or lower this one.", name, DurationText(d), DurationText(limit), setting))
		}
	}
	return diags
}
