package attrs

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// durationLimit accepts what is no longer than it.
type durationLimit time.Duration

// IsDurationUpTo accepts durations up to a longest one. What is no duration is told by
// [IsPositiveDuration].
func IsDurationUpTo(longest time.Duration) validator.String { return durationLimit(longest) }

func (d durationLimit) Description(context.Context) string {
	return "a duration of at most " + DurationText(time.Duration(d))
}

func (d durationLimit) MarkdownDescription(ctx context.Context) string { return d.Description(ctx) }

func (d durationLimit) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if !Known(req.ConfigValue) {
		return
	}
	text := req.ConfigValue.ValueString()
	if length, err := time.ParseDuration(text); err == nil && length > time.Duration(d) {
		resp.Diagnostics.AddAttributeError(req.Path, "Duration is too long", fmt.Sprintf("Attribute %s: %q is not %s.", req.Path, text, d.Description(ctx)))
	}
}
