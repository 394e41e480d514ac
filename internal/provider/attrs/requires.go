package attrs

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// requires is what an object in a list must have.
type requires []string

// Requires refuses an object in a list that lacks one of these attributes, which the
// schema calls optional. Where the schema required them, the framework would refuse an
// object that is not known yet, such as a variable when a module is validated.
func Requires(names ...string) validator.Object { return requires(names) }

func (r requires) Description(context.Context) string {
	return fmt.Sprintf("an object with %s", Quoted(r))
}

func (r requires) MarkdownDescription(ctx context.Context) string { return r.Description(ctx) }

func (r requires) ValidateObject(_ context.Context, req validator.ObjectRequest, resp *validator.ObjectResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	for _, name := range r {
		if value := req.ConfigValue.Attributes()[name]; value == nil || value.IsNull() {
			resp.Diagnostics.AddAttributeError(req.Path.AtName(name), "Attribute is missing", fmt.Sprintf("Each of these must have `%s`. Set it.", name))
		}
	}
}
