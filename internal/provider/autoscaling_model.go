package provider

import (
	"context"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// autoscalingModel is the `autoscaling` attribute.
type autoscalingModel struct {
	Min    types.Int32 `tfsdk:"min"`
	Max    types.Int32 `tfsdk:"max"`
	CPU    types.Int32 `tfsdk:"cpu"`
	Memory types.Int32 `tfsdk:"memory"`
}

var autoscalingTypes = sync.OnceValue(func() map[string]attr.Type {
	return autoscalingAttribute().GetType().(types.ObjectType).AttrTypes
})

// autoscalingOf is what a known `autoscaling` asks for; nil where there is none.
func autoscalingOf(ctx context.Context, diags *diag.Diagnostics, value types.Object) *release.Autoscaling {
	m := decode[*autoscalingModel](ctx, diags, value)
	if m == nil {
		return nil
	}
	return &release.Autoscaling{
		Min: m.Min.ValueInt32(), Max: m.Max.ValueInt32(),
		CPU: m.CPU.ValueInt32Pointer(), Memory: m.Memory.ValueInt32Pointer(),
	}
}

// autoscalingValue is the way back, for an import.
func autoscalingValue(ctx context.Context, diags *diag.Diagnostics, a *release.Autoscaling) types.Object {
	if a == nil {
		return types.ObjectNull(autoscalingTypes())
	}
	out, more := types.ObjectValueFrom(ctx, autoscalingTypes(), autoscalingModel{
		Min: types.Int32Value(a.Min), Max: types.Int32Value(a.Max),
		CPU: types.Int32PointerValue(a.CPU), Memory: types.Int32PointerValue(a.Memory),
	})
	diags.Append(more...)
	return out
}
