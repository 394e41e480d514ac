package attrs

import (
	"context"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
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
	return AutoscalingAttribute().GetType().(types.ObjectType).AttrTypes
})

// AutoscalingOf is what a known `autoscaling` asks for; nil where there is none.
func AutoscalingOf(ctx context.Context, diags *diag.Diagnostics, value types.Object) *release.Autoscaling {
	m := Decode[*autoscalingModel](ctx, diags, value)
	if m == nil {
		return nil
	}
	return &release.Autoscaling{
		Min: m.Min.ValueInt32(), Max: m.Max.ValueInt32(),
		CPU: m.CPU.ValueInt32Pointer(), Memory: m.Memory.ValueInt32Pointer(),
	}
}

// AutoscalingValue is the way back, for an import.
func AutoscalingValue(ctx context.Context, diags *diag.Diagnostics, a *release.Autoscaling) types.Object {
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

// AutoscalingAttribute is `autoscaling`.
func AutoscalingAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Lets a HorizontalPodAutoscaler choose the number of pods, on each cluster for itself. `replicas` is then what the deployment " +
			"starts with, and no difference afterwards. One that is to follow a main deployment starts with as many pods as that has by then, up to `max`, so that " +
			"the traffic finds as many as it left. The autoscaler goes by the application's own container, which must request what is a target. " +
			"It needs metrics in the cluster, such as those of metrics-server." + InPlace,
		Attributes: map[string]schema.Attribute{
			"min": schema.Int32Attribute{
				CustomType: WholeNumber32{}, Required: true,
				MarkdownDescription: "The fewest pods, at least 1. A `canary` raises it in the cluster for as long as the traffic is shared: of a new deployment to what each share takes, of the former one to what that has. It is no difference.",
			},
			"max": schema.Int32Attribute{CustomType: WholeNumber32{}, Required: true, MarkdownDescription: "The most pods."},
			"cpu": schema.Int32Attribute{
				CustomType:          WholeNumber32{},
				Optional:            true,
				MarkdownDescription: "Target for the average use of CPU, in percent of `container.resources.requests.cpu`.",
			},
			"memory": schema.Int32Attribute{
				CustomType:          WholeNumber32{},
				Optional:            true,
				MarkdownDescription: "Target for the average use of memory, in percent of `container.resources.requests.memory`.",
			},
		},
	}
}
