package address

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// mirrorPath is where the mirror is configured.
var mirrorPath = path.Root("canary").AtName("mirror")

// mirrorModel is `canary.mirror` where it is known.
type mirrorModel struct {
	Percent  *int32  `tfsdk:"percent" json:"percent,omitempty"`
	Pause    *string `tfsdk:"pause" json:"pause,omitempty"`
	Gate     *string `tfsdk:"gate" json:"gate,omitempty"`
	Replicas *int32  `tfsdk:"replicas" json:"replicas,omitempty"`
}

// mirrorAttribute is `canary.mirror`.
func mirrorAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "What comes before the first share: the new deployment gets copies of requests, while the former one answers all of them, and nobody sees what the new one answers. " +
			"The copies end in the same write in which the new one gets its first share. What it does with them is done: use it where a request may be handled twice. " +
			"It takes an `HTTPRoute` or a `GRPCRoute` of Switchback's own, and a Gateway that has it; of an `HTTPRoute`, its GatewayClass says whether it does. It takes `pause` or `gate`. Default: no copies.",
		Attributes: map[string]schema.Attribute{
			"percent": schema.Int32Attribute{
				CustomType: attrs.WholeNumber32{}, Optional: true,
				MarkdownDescription: "Percent of the requests that are copied to the new deployment: 1 to 100. Required. Less than 100 takes definitions of the Gateway API of version 1.3 or later.",
				Validators:          []validator.Int32{int32validator.Between(1, 100)},
			},
			"pause": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "How long it is watched with the copies, as `steps[].pause`.",
				Validators:          []validator.String{attrs.IsPositiveDuration()},
				PlanModifiers:       []planmodifier.String{attrs.KeepSameDuration()},
			},
			"gate": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Who has to say, after the pause, that it may go on, as `steps[].gate`: " + attrs.EnumText(release.Gates(), gateMeaning) + ". Default: nobody.",
				Validators:          []validator.String{attrs.OneOf(release.Gates())},
			},
			"replicas": schema.Int32Attribute{
				CustomType: attrs.WholeNumber32{}, Optional: true,
				MarkdownDescription: "How many of its pods must be ready for the copies. Default: `percent` of those that the former deployment has, rounded up.",
				Validators:          []validator.Int32{int32validator.AtLeast(1)},
			},
		},
	}
}

// mirror is what the engine is asked for; nil where there is none.
func (m *mirrorModel) mirror() *release.CanaryMirror {
	if m == nil {
		return nil
	}
	mirror := &release.CanaryMirror{Percent: whole(m.Percent), Replicas: whole(m.Replicas)}
	if m.Pause != nil {
		mirror.Pause, _ = time.ParseDuration(*m.Pause)
	}
	if m.Gate != nil {
		mirror.Gate = release.Gate(*m.Gate)
	}
	return mirror
}

// MirrorOf is `mirror` of a `canary`; nil where there is none, or it is not known.
func MirrorOf(ctx context.Context, canary types.Object) *release.CanaryMirror {
	var quiet diag.Diagnostics // said elsewhere
	return CanaryOf(ctx, canary, &quiet).Mirror
}

// CheckMirror says where the address's router cannot send copies, of a main deployment or
// of a member of a group. What is not known yet passes.
func (m *Model) CheckMirror(ctx context.Context) diag.Diagnostics {
	var diags diag.Diagnostics
	route := m.Route(ctx, &diags)
	if MirrorOf(ctx, m.Canary) == nil || route == nil {
		return diags
	}
	switch {
	case route.Kind == traffic.TCPRoute:
		diags.AddAttributeError(mirrorPath, "Copies of another kind of route",
			"A TCPRoute knows connections, and no requests that it could copy. An HTTPRoute and a GRPCRoute can. Remove `canary.mirror`, or set `traffic.gateway.kind`.")
	case route.Adopt:
		diags.AddAttributeError(mirrorPath, "Copies of an adopted route",
			fmt.Sprintf("The %s belongs to somebody else, who has handed over the backends of a rule, and copies would be one of its filters. A route of Switchback's own can send copies. Remove `canary.mirror`, or `traffic.gateway.adopt`.", route.Ref()))
	}
	return diags
}

// CheckMirrorEnds refuses copies that would end when they begin, and those of which nobody
// says how many they are: where an object's own validator does, the framework looks no deeper.
func CheckMirrorEnds(ctx context.Context, canary types.Object) diag.Diagnostics {
	var diags diag.Diagnostics
	if mirror, ok := canary.Attributes()["mirror"].(types.Object); ok && !mirror.IsNull() && !mirror.IsUnknown() && mirror.Attributes()["percent"].IsNull() {
		diags.AddAttributeError(mirrorPath.AtName("percent"), "Attribute is missing", fmt.Sprintf("`%s` must have `percent`. Set it.", mirrorPath))
	}
	if mirror := MirrorOf(ctx, canary); mirror != nil && mirror.Pause == 0 && mirror.Gate == "" {
		diags.AddAttributeError(mirrorPath, "Copies that end at once",
			"Nothing says how long the new deployment gets copies before its first share. Set `pause`, such as \"10m\", or `gate = \"manual\"`, or both.")
	}
	return diags
}

// mayMirror says that the route of a state may send copies: a promotion is open.
func (m *Model) mayMirror(ctx context.Context) bool {
	return MirrorOf(ctx, m.Canary) != nil && m.isOpen()
}

// copiesPods says how many pods the copies take.
func copiesPods(step release.Step) string {
	if step.Needs > 0 {
		return fmt.Sprintf("%d for the copies", step.Needs)
	}
	return fmt.Sprintf("%d %% of them for the copies", step.Mirror)
}

// mirrorStep is the mirror as `plan_summary` has it among the steps.
func mirrorStep(mirror *release.CanaryMirror) types.String {
	return types.StringValue(release.Step{Kind: release.StepShift, Mirror: mirror.Percent}.String())
}
