package attrs

import (
	"context"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

type rollingUpdateModel struct {
	MaxSurge       types.String `tfsdk:"max_surge"`
	MaxUnavailable types.String `tfsdk:"max_unavailable"`
	PauseAt        types.List   `tfsdk:"pause_at"`
}

type rollStopModel struct {
	Percent types.Int32  `tfsdk:"percent"`
	Pause   types.String `tfsdk:"pause"`
	Gate    types.String `tfsdk:"gate"`
}

var rollingTypes = sync.OnceValue(func() map[string]attr.Type {
	return RollingUpdateAttribute().GetType().(types.ObjectType).AttrTypes
})

// RollingOf is what a known `rolling_update` asks for.
func RollingOf(ctx context.Context, diags *diag.Diagnostics, value types.Object) release.Rolling {
	r := Decode[rollingUpdateModel](ctx, diags, value)
	rolling := release.Rolling{MaxSurge: r.MaxSurge.ValueString(), MaxUnavailable: r.MaxUnavailable.ValueString()}
	for _, s := range Decode[[]rollStopModel](ctx, diags, r.PauseAt) {
		rolling.PauseAt = append(rolling.PauseAt, release.RollStop{
			Percent: int(s.Percent.ValueInt32()), Pause: durationOf(s.Pause), Gate: release.Gate(s.Gate.ValueString()),
		})
	}
	return rolling
}

// RollingValue is the way back, for an import.
func RollingValue(ctx context.Context, diags *diag.Diagnostics, r release.Rolling) types.Object {
	if r.IsZero() {
		return types.ObjectNull(rollingTypes())
	}
	list := rollingTypes()["pause_at"].(types.ListType)
	typed := rollingUpdateModel{MaxSurge: TextOrNull(r.MaxSurge), MaxUnavailable: TextOrNull(r.MaxUnavailable), PauseAt: types.ListNull(list.ElemType)}
	if len(r.PauseAt) > 0 {
		var stops []rollStopModel
		for _, s := range r.PauseAt {
			stop := rollStopModel{Percent: types.Int32Value(int32(s.Percent)), Pause: types.StringNull(), Gate: TextOrNull(string(s.Gate))}
			if s.Pause > 0 {
				stop.Pause = types.StringValue(DurationText(s.Pause))
			}
			stops = append(stops, stop)
		}
		value, more := types.ListValueFrom(ctx, list.ElemType, stops)
		diags.Append(more...)
		typed.PauseAt = value
	}
	out, more := types.ObjectValueFrom(ctx, rollingTypes(), typed)
	diags.Append(more...)
	return out
}

var strategyMeaning = map[release.Strategy]string{
	release.StrategyBlueGreen: "a new deployment beside it, under a name of its own",
	release.StrategyRolling:   "in place, a few pods at a time",
	release.StrategyRecreate:  "in place, all pods at once: the old ones end before the new ones start, so that there is an outage",
}

// StrategyAttribute is `strategy`.
func StrategyAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true,
		Computed: true,
		Default:  stringdefault.StaticString(string(release.StrategyBlueGreen)),
		MarkdownDescription: "What a change of the content does: " + EnumText(release.Strategies(), strategyMeaning) + ". Default: `" + string(release.StrategyBlueGreen) + "`. " +
			"In place, whatever says here that a change makes a new deployment changes this one, except `application` and `namespace`: `id` and `name` stay, so that nothing that depends on them changes, and `content_hash` is another one. " +
			"Pods that do not become healthy are taken back, to the last good content, on every cluster; so they are when the apply is interrupted or cancelled. The state keeps the former content, and the next plan shows the change again. " +
			"There is one deployment in place for each application in a namespace. A change between `" + string(release.StrategyBlueGreen) + "` and the others makes a new deployment; one between the others is in place.",
		Validators: []validator.String{OneOf(release.Strategies())},
	}
}

// RollingUpdateAttribute is `rolling_update`.
func RollingUpdateAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "How pods are replaced with `strategy = \"" + string(release.StrategyRolling) + "\"`, in Kubernetes' own terms." + InPlace,
		Attributes: map[string]schema.Attribute{
			"max_surge": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "How many pods there may be above `replicas`: a number, or percent of it (rounded up). Default: `" + release.DefaultMaxSurge + "`.",
			},
			"max_unavailable": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "How many of `replicas` pods may be missing: a number, or percent of it (rounded down). Default: `" + release.DefaultMaxUnavailable + "`, never fewer ready pods than asked for.",
			},
			"pause_at": pauseAtAttribute(),
		},
	}
}
