package provider

import (
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

func (m *autoscalingModel) autoscaling() *release.Autoscaling {
	if m == nil {
		return nil
	}
	return &release.Autoscaling{
		Min: m.Min.ValueInt32(), Max: m.Max.ValueInt32(),
		CPU: m.CPU.ValueInt32Pointer(), Memory: m.Memory.ValueInt32Pointer(),
	}
}

func (e encoder) autoscaling(a *release.Autoscaling) types.Object {
	attributes := deploymentTypes()["autoscaling"].(types.ObjectType).AttrTypes
	if a == nil {
		return types.ObjectNull(attributes)
	}
	out, diags := types.ObjectValueFrom(e.ctx, attributes, autoscalingModel{
		Min: types.Int32Value(a.Min), Max: types.Int32Value(a.Max),
		CPU: types.Int32PointerValue(a.CPU), Memory: types.Int32PointerValue(a.Memory),
	})
	e.diags.Append(diags...)
	return out
}
