package address

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// canaryModel is `canary` where it is known. As JSON, it is remembered in the cluster, for
// an import.
type canaryModel struct {
	Steps     []stepModel   `tfsdk:"steps" json:"steps,omitempty"`
	Mirror    *mirrorModel  `tfsdk:"mirror" json:"mirror,omitempty"`
	MaxWeight *int32        `tfsdk:"max_weight" json:"max_weight,omitempty"`
	Match     []cohortModel `tfsdk:"match" json:"match,omitempty"`
	OnAbandon *string       `tfsdk:"on_abandon" json:"on_abandon,omitempty"`
	Scales    *bool         `tfsdk:"scale_with_weight" json:"scale_with_weight,omitempty"`
}

type cohortModel struct {
	Header *headerModel `tfsdk:"header" json:"header,omitempty"`
	Cookie *headerModel `tfsdk:"cookie" json:"cookie,omitempty"`
}

type headerModel struct {
	Name  *string `tfsdk:"name" json:"name,omitempty"`
	Exact *string `tfsdk:"exact" json:"exact,omitempty"`
}

type stepModel struct {
	Weight   *int32  `tfsdk:"weight" json:"weight,omitempty"`
	Pause    *string `tfsdk:"pause" json:"pause,omitempty"`
	Gate     *string `tfsdk:"gate" json:"gate,omitempty"`
	Replicas *int32  `tfsdk:"replicas" json:"replicas,omitempty"`
}

var (
	gateMeaning = map[release.Gate]string{
		release.GateManual: "the apply ends with the status `" + string(release.MainPaused) + "`, which is a success; `status_reason` says how to let it go on, and the apply after that does",
	}
	abandonMeaning = map[release.AbandonPolicy]string{
		release.AbandonStable: "all of the traffic goes back first, and the steps begin anew",
		release.AbandonHold:   "it goes on with the share that it has",
	}
)

// CanaryAttribute is `canary`, of a main deployment or of a group. meaning says how it goes
// there.
func CanaryAttribute(meaning string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: meaning + " After each share it is watched as with `bake`; when it fails, when a step cannot be done in time, or when the apply is interrupted, all of the traffic goes back at once, and the apply fails. " +
			"The first deployment, and a way back to a former main deployment, take one step: see `plan_summary`." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"steps": schema.ListNestedAttribute{
				Required:            true,
				MarkdownDescription: "The shares, in the order in which they grow. The end is 100 %, whether it is one of them or not.",
				Validators:          []validator.List{listvalidator.SizeBetween(1, 20)},
				NestedObject: schema.NestedAttributeObject{Validators: []validator.Object{attrs.Requires("weight")}, Attributes: map[string]schema.Attribute{
					"weight": schema.Int32Attribute{
						CustomType: attrs.WholeNumber32{}, Optional: true,
						MarkdownDescription: "Percent of the traffic that goes to the new deployment: 1 to 100. Required.",
						Validators:          []validator.Int32{int32validator.Between(1, 100)},
					},
					"pause": schema.StringAttribute{
						Optional: true,
						MarkdownDescription: "How long it is watched with that share before the next one, as a text like `90s` or `10m`. A pause that does not fit into the rest of `timeouts.update` ends the apply with the status `" +
							string(release.MainPaused) + "`, which is a success: an apply after its end goes on. Default: not at all.",
						Validators:    []validator.String{attrs.IsPositiveDuration()},
						PlanModifiers: []planmodifier.String{attrs.KeepSameDuration()},
					},
					"gate": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "Who has to say, after the pause, that it may go on: " + attrs.EnumText(release.Gates(), gateMeaning) + ". Default: nobody.",
						Validators:          []validator.String{attrs.OneOf(release.Gates())},
					},
					"replicas": schema.Int32Attribute{
						CustomType: attrs.WholeNumber32{}, Optional: true,
						MarkdownDescription: "How many of its pods must be ready for that share. Default: the share of those that the former deployment has, rounded up.",
						Validators:          []validator.Int32{int32validator.AtLeast(1)},
					},
				}},
			},
			"mirror": mirrorAttribute(),
			"max_weight": schema.Int32Attribute{
				CustomType: attrs.WholeNumber32{}, Optional: true,
				MarkdownDescription: "The most that the new deployment gets for now, in percent. With it, the apply ends with the status `" + string(release.MainPaused) + "`, and goes on when it is raised. Default: 100.",
				Validators:          []validator.Int32{int32validator.Between(1, 100)},
			},
			"match": schema.ListNestedAttribute{
				Optional: true,
				MarkdownDescription: "Which requests go to the new deployment, whatever its share is, as long as it has one and does not have all: those to which one of these applies. " +
					"They come beside its share: its `replicas` must do for both. Not of a `TCPRoute`. Default: none.",
				Validators: []validator.List{listvalidator.SizeBetween(1, 8)},
				NestedObject: schema.NestedAttributeObject{Validators: []validator.Object{attrs.RequiresOne("header", "cookie")}, Attributes: map[string]schema.Attribute{
					"cookie": cookieAttribute(),
					"header": schema.SingleNestedAttribute{
						Optional: true, MarkdownDescription: "A header of the request. This or `cookie`.", Validators: []validator.Object{attrs.Requires("name", "exact")},
						Attributes: map[string]schema.Attribute{
							"name":  schema.StringAttribute{Optional: true, MarkdownDescription: "Its name, such as `x-canary`. Required.", Validators: []validator.String{stringvalidator.LengthBetween(1, 256)}},
							"exact": schema.StringAttribute{Optional: true, MarkdownDescription: "Its value. Required.", Validators: []validator.String{stringvalidator.LengthBetween(1, 1024)}},
						},
					},
				}},
			},
			"scale_with_weight": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Whether a new deployment has, while its share grows, only the pods that this takes: so many percent of its `replicas`, and of the pods that the former one has, rounded up, or what `steps[].replicas` says. " +
					"It starts with those for the first step, or for `mirror`; before each further one, more are started and become ready; before 100 %, it has all of them. The former one keeps its pods until the end. " +
					"`replicas` of the deployment stays what it is, and its plan is empty. It begins with the first version that is created after it has been applied. " +
					"With `autoscaling`, it starts with those for the first step of what the former one has. " +
					"A way back and the first deployment start all of their pods, and so does one with `strategy` other than `" + string(release.StrategyBlueGreen) + "`. Default: false.",
			},
			"on_abandon": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "What the next apply does about a promotion whose run was killed: " + attrs.EnumText(release.AbandonPolicies(), abandonMeaning) + ". Default: `" + string(release.AbandonStable) + "`.",
				Validators:          []validator.String{attrs.OneOf(release.AbandonPolicies())},
			},
		},
	}
}

// canaryTypes are the attributes of `canary`.
var canaryTypes = sync.OnceValue(func() map[string]attr.Type {
	return CanaryAttribute("").GetType().(types.ObjectType).AttrTypes
})

// CanaryOf is `canary`; the zero value where there is none, or it is not known.
func CanaryOf(ctx context.Context, value types.Object, diags *diag.Diagnostics) (c release.Canary) {
	if value.IsNull() || !attrs.WhollyKnown(ctx, value) {
		return c
	}
	typed := attrs.Decode[canaryModel](ctx, diags, value)
	for _, s := range typed.Steps {
		step := release.CanaryStep{Weight: whole(s.Weight), Replicas: whole(s.Replicas)}
		if s.Pause != nil {
			step.Pause, _ = time.ParseDuration(*s.Pause)
		}
		if s.Gate != nil {
			step.Gate = release.Gate(*s.Gate)
		}
		c.Steps = append(c.Steps, step)
	}
	c.Mirror = typed.Mirror.mirror()
	if c.MaxWeight = whole(typed.MaxWeight); c.MaxWeight == 100 {
		c.MaxWeight = 0
	}
	c.Scales = typed.Scales != nil && *typed.Scales
	if typed.OnAbandon != nil {
		c.OnAbandon = release.AbandonPolicy(*typed.OnAbandon)
	}
	return c
}

// AskedCanary is `canary` as it was typed, for an import; nil where there is none.
func AskedCanary(ctx context.Context, value types.Object, diags *diag.Diagnostics) json.RawMessage {
	if value.IsNull() || !attrs.WhollyKnown(ctx, value) {
		return nil
	}
	text, err := json.Marshal(attrs.Decode[canaryModel](ctx, diags, value))
	if err != nil {
		explain.Error(diags, err)
	}
	return text
}

// CanaryValue is what AskedCanary was made of. What cannot be read was written by a later
// provider: then there is none.
func CanaryValue(ctx context.Context, asked json.RawMessage, diags *diag.Diagnostics) types.Object {
	var typed canaryModel
	if len(asked) == 0 || json.Unmarshal(asked, &typed) != nil {
		return types.ObjectNull(canaryTypes())
	}
	value, more := types.ObjectValueFrom(ctx, canaryTypes(), typed)
	diags.Append(more...)
	return value
}

func whole(number *int32) int {
	if number == nil {
		return 0
	}
	return int(*number)
}

// StartsOtherwise says that new deployments are to start with other pods than before. They
// read that in the cluster, where it must be written.
func (m *Model) StartsOtherwise(ctx context.Context, plan *Model) bool {
	var quiet diag.Diagnostics // said elsewhere
	was, is := CanaryOf(ctx, m.Canary, &quiet).FirstShare(), CanaryOf(ctx, plan.Canary, &quiet).FirstShare()
	return (was == nil) != (is == nil) || was != nil && *was != *is
}

// cohort are the headers of `match`; none where they are not known.
func (m *Model) cohort(ctx context.Context, diags *diag.Diagnostics) (headers []traffic.Header) {
	if m.Canary.IsNull() || !attrs.WhollyKnown(ctx, m.Canary) {
		return nil
	}
	for _, match := range attrs.Decode[canaryModel](ctx, diags, m.Canary).Match {
		switch header, cookie := match.Header, match.Cookie; {
		case cookie != nil && cookie.Name != nil && cookie.Exact != nil:
			headers = append(headers, traffic.Cookie(*cookie.Name, *cookie.Exact))
		case header != nil && header.Name != nil && header.Exact != nil:
			headers = append(headers, traffic.Header{Name: *header.Name, Value: *header.Exact})
		} // else RequiresOne says so
	}
	return headers
}

// CheckCohort says where the address's route cannot have `match`, of a main deployment or
// of a member of a group.
func (m *Model) CheckCohort(ctx context.Context) diag.Diagnostics {
	var diags diag.Diagnostics
	route, cohort, at := m.Route(ctx, &diags), m.cohort(ctx, &diags), path.Root("canary").AtName("match")
	if route == nil || len(cohort) == 0 {
		return diags
	}
	if route.Kind == traffic.TCPRoute {
		diags.AddAttributeError(at, "Match of another kind of route", "A TCPRoute knows connections, and no headers. Remove `canary.match`.")
	} else if summary, detail := cohortFault(*route, cohort); summary != "" {
		diags.AddAttributeError(at, summary, detail)
	}
	return diags
}

// cohortFault is why a rule that is for a cohort as well cannot be made of what a route asks
// for, which is its own, or that of an adopted rule; empty: it can.
func cohortFault(route traffic.RouteSpec, cohort []traffic.Header) (summary, detail string) {
	own, asking := max(len(route.HTTPMatches), len(route.GRPCMatches), 1), "`traffic.gateway.matches`"
	if route.Adopt {
		asking = fmt.Sprintf("the matches of the %s", route.Ref())
	}
	switch {
	case slices.ContainsFunc(cohort, func(h traffic.Header) bool { return route.Asks(h.Name) }):
		return "Header is asked for twice", "One of " + asking + " asks for a header of this name already, and a match of the Gateway API names each header once; a cookie is in the header `cookie`. Use another one."
	case len(cohort) > 1 && route.ReplacesPrefix():
		return "Too many matches", "The route's filter `url_rewrite` replaces a prefix of the path, and a rule of the Gateway API that does has one match. Use one header, or `type = \"ReplaceFullPath\"`."
	case own*len(cohort) > traffic.MaxMatches:
		return "Too many matches", fmt.Sprintf("Each of the %d matches of the %s is combined with each of these %d, and a rule of the Gateway API may have %d. Use fewer.", own, whose(route), len(cohort), traffic.MaxMatches)
	}
	return "", ""
}

// whose is what has the matches: a route of ours, or an adopted rule.
func whose(route traffic.RouteSpec) string {
	if route.Adopt {
		return route.Ref().String()
	}
	return "route"
}

// CheckCanary says what of `canary` cannot be meant.
func (m *Model) CheckCanary(ctx context.Context) diag.Diagnostics {
	var diags diag.Diagnostics
	at := path.Root("canary")
	if m.Canary.IsNull() || m.Canary.IsUnknown() {
		return diags
	}
	if !m.Traffic.IsUnknown() && !m.MayRoute(ctx) {
		diags.AddAttributeError(at, "Nothing can share the traffic",
			"`traffic` has a Service alone, which leads to one deployment at a time. Add `traffic.gateway`, a route that can share it, or remove `canary`; `bake` watches a deployment that has all of the traffic.")
	}
	diags.Append(m.CheckCohort(ctx)...)
	diags.Append(m.CheckMirror(ctx)...)
	diags.Append(CheckMirrorEnds(ctx, m.Canary)...)
	diags.Append(CheckSteps(ctx, m.Canary)...)
	return diags
}
