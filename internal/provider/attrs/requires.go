package attrs

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// requires is what an object in a list must have.
type requires []string

// Requires refuses an object in a list that lacks one of these attributes, which the
// schema calls optional. Its messages have the whole path: Terraform shows, of an attribute
// in an object, only the resource that it is in. Where the schema required them, the framework would refuse an
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
			resp.Diagnostics.AddAttributeError(req.Path.AtName(name), "Attribute is missing", fmt.Sprintf("`%s` must have `%s`. Set it.", req.Path, name))
		}
	}
}

// requiresOne are the names of attributes of which exactly one is there.
type requiresOne []string

// RequiresOne is for objects that have one of several attributes, like [Requires].
func RequiresOne(names ...string) validator.Object { return requiresOne(names) }

func (r requiresOne) Description(context.Context) string {
	return fmt.Sprintf("an object with one of %s", Quoted(r))
}

func (r requiresOne) MarkdownDescription(ctx context.Context) string { return r.Description(ctx) }

func (r requiresOne) ValidateObject(_ context.Context, req validator.ObjectRequest, resp *validator.ObjectResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	there := 0
	for _, name := range r {
		value := req.ConfigValue.Attributes()[name]
		if value == nil || value.IsNull() {
			continue
		}
		if value.IsUnknown() {
			return // it may be null in the end
		}
		there++
	}
	switch {
	case there == 0:
		resp.Diagnostics.AddAttributeError(req.Path, "Attribute is missing", fmt.Sprintf("`%s` must have one of `%s`. Set it.", req.Path, strings.Join(r, "`, `")))
	case there > 1:
		resp.Diagnostics.AddAttributeError(req.Path, "Attributes exclude each other", fmt.Sprintf("`%s` must have one of `%s`, and no more. Make several of it.", req.Path, strings.Join(r, "`, `")))
	}
}

// requiresAny are the names of attributes of which at least one is there.
type requiresAny []string

// RequiresAny is for objects that have at least one of several attributes, like [Requires].
func RequiresAny(names ...string) validator.Object { return requiresAny(names) }

func (r requiresAny) Description(context.Context) string {
	return fmt.Sprintf("an object with at least one of %s", Quoted(r))
}

func (r requiresAny) MarkdownDescription(ctx context.Context) string { return r.Description(ctx) }

func (r requiresAny) ValidateObject(_ context.Context, req validator.ObjectRequest, resp *validator.ObjectResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	for _, name := range r {
		if value := req.ConfigValue.Attributes()[name]; value != nil && !value.IsNull() {
			return
		}
	}
	resp.Diagnostics.AddAttributeError(req.Path, "Attribute is missing", fmt.Sprintf("`%s` must have at least one of `%s`. Set it.", req.Path, strings.Join(r, "`, `")))
}
