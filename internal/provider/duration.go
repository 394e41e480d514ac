package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// durationValidator accepts Go durations that are not negative.
type durationValidator struct{}

func isDuration() validator.String { return durationValidator{} }

func (durationValidator) Description(context.Context) string {
	return `a duration that is not negative, such as "10s", "1m30s" or "2h"`
}

func (v durationValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v durationValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	text := req.ConfigValue.ValueString()
	if d, err := time.ParseDuration(text); err != nil || d < 0 {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid duration",
			fmt.Sprintf("%q is not %s.", text, v.Description(ctx)))
	}
}

// sameDuration keeps the prior text where the new one means the same length of
// time, so that "60s" -> "1m" is no change. Terraform allows a plan to keep a
// prior value that is equivalent to the configured one.
type sameDuration struct{}

func keepSameDuration() planmodifier.String { return sameDuration{} }

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
