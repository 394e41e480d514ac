package attrs

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"k8s.io/apimachinery/pkg/labels"
)

// selectorValidator accepts label selectors that do not match everything.
type selectorValidator struct{}

// IsSelector accepts label selectors that ask for something.
func IsSelector() validator.String { return selectorValidator{} }

func (selectorValidator) Description(context.Context) string {
	return `a label selector that asks for something, such as "team=payments" or "tier in (web, api)"`
}

func (v selectorValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v selectorValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	text := req.ConfigValue.ValueString()
	selector, err := labels.Parse(text)
	switch {
	case err != nil:
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid selector",
			fmt.Sprintf("Attribute %s: %q is not %s: %s.", req.Path, text, v.Description(ctx), err))
	case selector.Empty():
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid selector",
			fmt.Sprintf("Attribute %s: %q is not %s.", req.Path, text, v.Description(ctx)))
	}
}
