package attrs

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// durationValidator accepts Go durations that are not negative, or not zero either.
type durationValidator struct{ positive bool }

// IsDuration accepts durations that are not negative.
func IsDuration() validator.String { return durationValidator{} }

// IsPositiveDuration accepts durations above zero.
func IsPositiveDuration() validator.String { return durationValidator{positive: true} }

func (v durationValidator) Description(context.Context) string {
	if v.positive {
		return `a duration above zero, such as "30m", "48h" or "1h30m"`
	}
	return `a duration that is not negative, such as "10s", "1m30s" or "2h"`
}

func (v durationValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v durationValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	text := req.ConfigValue.ValueString()
	if d, err := time.ParseDuration(text); err != nil || d < 0 || d == 0 && v.positive {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid duration",
			fmt.Sprintf("Attribute %s: %q is not %s.", req.Path, text, v.Description(ctx)))
	}
}

// DurationText is a duration as people write it: 48h, not 48h0m0s.
func DurationText(d time.Duration) string { return release.DurationText(d) }

// sameDuration keeps the prior text where the new one means the same length of
// time, so that "60s" -> "1m" is no change. Terraform allows a plan to keep a
// prior value that is equivalent to the configured one.
type sameDuration struct{}

// KeepSameDuration makes "60s" -> "1m" no change.
func KeepSameDuration() planmodifier.String { return sameDuration{} }

func (sameDuration) Description(context.Context) string {
	return "Another spelling of the same length of time is no change."
}

func (m sameDuration) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

func (sameDuration) PlanModifyString(_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	if req.StateValue.IsNull() || req.PlanValue.IsNull() || req.PlanValue.IsUnknown() {
		return
	}
	prior, err := time.ParseDuration(req.StateValue.ValueString())
	if err != nil {
		return
	}
	if planned, err := time.ParseDuration(req.PlanValue.ValueString()); err == nil && planned == prior {
		resp.PlanValue = req.StateValue
	}
}
