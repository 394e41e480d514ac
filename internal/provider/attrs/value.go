package attrs

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
)

// WhollyKnown is false where the value, or anything inside it, is unknown.
func WhollyKnown(ctx context.Context, v attr.Value) bool {
	tf, err := v.ToTerraformValue(ctx)
	return err == nil && tf.IsFullyKnown()
}

// Decode turns a framework value into Go values; null and unknown give T's zero.
func Decode[T any](ctx context.Context, diags *diag.Diagnostics, v attr.Value) T {
	var out T
	if v.IsNull() || v.IsUnknown() {
		return out
	}
	switch v := v.(type) {
	case types.Object:
		diags.Append(v.As(ctx, &out, basetypes.ObjectAsOptions{})...)
	case types.List:
		diags.Append(v.ElementsAs(ctx, &out, false)...)
	case types.Set:
		diags.Append(v.ElementsAs(ctx, &out, false)...)
	case types.Map:
		diags.Append(v.ElementsAs(ctx, &out, false)...)
	default:
		diags.AddError("Value cannot be read", fmt.Sprintf("This is a bug in the provider: no decoding of %T.", v))
	}
	return out
}

// OrDefault is v, or fallback where v is zero.
func OrDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// TextOrNull is null for "": no optional text of ours may be configured empty.
func TextOrNull(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

// TimeOrNull is a time in RFC 3339; null for none.
func TimeOrNull(t time.Time) types.String {
	if t.IsZero() {
		return types.StringNull()
	}
	return types.StringValue(t.UTC().Format(time.RFC3339))
}

// Known says that a value is configured and not unknown.
func Known(s types.String) bool { return !s.IsNull() && !s.IsUnknown() }

// Texts is a list of texts.
func Texts(texts []string) types.List {
	values := make([]attr.Value, len(texts))
	for i, text := range texts {
		values[i] = types.StringValue(text)
	}
	return types.ListValueMust(types.StringType, values)
}
