package session

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
)

// selectorValidator accepts label selectors that do not match everything.
type selectorValidator struct{}

func (selectorValidator) Description(context.Context) string {
	return `a label selector that asks for something, such as "team=payments" or "tier in (web, api)"`
}

func (v selectorValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v selectorValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	text := req.ConfigValue.ValueString()
	detail := fmt.Sprintf("Attribute %s: %q is not %s.", req.Path, text, v.Description(ctx))
	selector, err := labels.Parse(text)
	switch {
	case err != nil:
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid selector", detail+"\n\n"+explain.Sentence(err.Error()))
	case selector.Empty():
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid selector", detail)
	}
}
