package address

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// actionMeaning documents plan_summary.action.
var actionMeaning = map[promotion.Action]string{
	promotion.ActionCreate:  "the address is made",
	promotion.ActionPromote: "the traffic moves to a deployment that was not main lately",
	promotion.ActionReturn:  "the traffic moves back to a former main deployment",
	promotion.ActionFinish:  "a promotion that was left open is brought to its end",
	promotion.ActionChange:  "the traffic stays; the address or what is kept changes",
	promotion.ActionStop:    "the application's pods go; the address stays",
	promotion.ActionStart:   "the application gets its pods back",
}

// stayMeaning documents retained[].state.
var stayMeaning = map[release.StayState]string{
	release.StayStarted: "with pods",
	release.StayStopped: "without pods",
	release.StayFailed:  "what a create that failed has left, until the next promotion",
}

// summaryTypes are the attributes of plan_summary.
var summaryTypes = map[string]attr.Type{
	"action": types.StringType, "from": types.StringType, "to": types.StringType, "warm": types.BoolType,
	"steps": types.ListType{ElemType: types.StringType}, "keeps": types.ListType{ElemType: types.StringType},
	"removes": types.ListType{ElemType: types.StringType}, "text": types.StringType,
}

// stayModel is one of `retained`.
type stayModel struct {
	DeploymentID types.String `tfsdk:"deployment_id"`
	State        types.String `tfsdk:"state"`
	Owned        types.Bool   `tfsdk:"owned"`
}

var stayType = types.ObjectType{AttrTypes: map[string]attr.Type{"deployment_id": types.StringType, "state": types.StringType, "owned": types.BoolType}}

// SummaryAttribute is `plan_summary`.
func SummaryAttribute() schema.SingleNestedAttribute {
	ids := func(description string) schema.ListAttribute {
		return schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: description}
	}
	return schema.SingleNestedAttribute{
		Computed: true,
		MarkdownDescription: "What the plan means: who gets the traffic from whom, what stays, and what goes. It follows from the configuration and the state alone, so that a person, or a policy over the plan's JSON, reads it before the apply. " +
			"The apply decides on what it finds in the cluster. A plan that moves nothing keeps what the last one said.",
		Attributes: map[string]schema.Attribute{
			"action":  attrs.ComputedString(attrs.EnumText(promotion.Actions(), actionMeaning) + "."),
			"from":    attrs.ComputedString("The deployment that has all the traffic; null where none has."),
			"to":      attrs.ComputedString("The deployment that gets it."),
			"warm":    schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the pods of `to` run already, because it is main or was: moving takes seconds."},
			"steps":   ids("The steps of the promotion, in order, such as `ready`, `shift 100%`, `analyse 10m`, `collect`. The guide [How a version bump works](../guides/how-a-version-bump-works.md) says what each one does."),
			"keeps":   ids("The former main deployments that stay for going back, newest first."),
			"removes": ids("What nobody needs any more afterwards. What `keep_previous.ttl` ends goes, too: only the apply knows the time."),
			"text":    attrs.ComputedString("The same in a few sentences."),
		},
	}
}

// RetainedAttribute is `retained`.
func RetainedAttribute() schema.ListNestedAttribute {
	return schema.ListNestedAttribute{
		Computed:            true,
		MarkdownDescription: "The application's deployments that are there beside the main one: its former ones, newest first, then what nobody's state has.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"deployment_id": attrs.ComputedString("`id` of the deployment."),
			"state":         attrs.ComputedString(attrs.EnumText(release.StayStates(), stayMeaning) + "."),
			"owned":         schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether a Terraform state has it: then it stays for as long as that does."},
		}},
	}
}

// setStays writes `retained`.
func (m *Model) setStays(stays []release.Stay) {
	elements := make([]attr.Value, 0, len(stays))
	for _, s := range stays {
		elements = append(elements, types.ObjectValueMust(stayType.AttrTypes, map[string]attr.Value{
			"deployment_id": m.deployment(s.Name), "state": types.StringValue(string(s.State)), "owned": types.BoolValue(s.Owned),
		}))
	}
	m.Retained = types.ListValueMust(stayType, elements)
}

// stays reads `retained`.
func (m *Model) stays(ctx context.Context, diags *diag.Diagnostics) []release.Stay {
	var stays []release.Stay
	for _, s := range attrs.Decode[[]stayModel](ctx, diags, m.Retained) {
		stays = append(stays, release.Stay{Name: nameOf(s.DeploymentID), State: release.StayState(s.State.ValueString()), Owned: s.Owned.ValueBool()})
	}
	return stays
}

// nameOf is the name in a release's id; empty where there is none.
func nameOf(id types.String) string {
	parsed, err := release.ParseID(id.ValueString())
	if err != nil {
		return ""
	}
	return parsed.Name
}

// Watch is how a promotion watches what has moved.
type Watch struct {
	Bake    time.Duration
	Canary  release.Canary
	Changed bool          // the canary has
	Limit   time.Duration // of an apply, where somebody has typed it
	Group   bool          // with others: what has moved may be taken back until all have
	Unknown bool
}

// summarize plans `plan_summary`.
func (p *Plan) summarize(ctx context.Context) {
	m := &p.Planned
	m.PlanSummary = types.ObjectUnknown(summaryTypes)
	to, known := nameOf(m.DeploymentID), promotion.Known{}
	service, ok, _ := m.ServiceModel(ctx)
	if to == "" || p.Watch.Unknown || !attrs.WhollyKnown(ctx, m.KeepPrevious) || !attrs.WhollyKnown(ctx, m.Clusters) || !ok || service.Name.IsUnknown() {
		return
	}
	keep, diags := KeepOf(ctx, m.KeepPrevious)
	p.Diags.Append(diags...)
	want := promotion.Want{To: to, Service: service.Name.ValueString(), Bake: p.Watch.Bake, Stopped: p.Stopped, Canary: p.Watch.Canary}
	if route := m.Route(ctx, p.Diags); route != nil {
		want.Route = new(route.Ref())
	} else if !m.gateway(ctx).IsNull() {
		return // not known yet
	}
	want.Reversible = want.Route != nil || want.Bake > 0 || p.Watch.Group || len(m.Clusters.Elements()) > 1
	if p.Prior != nil {
		known = p.Prior.known(ctx, p.Diags)
		known.Stopped = p.WasStopped
	}
	outlook := promotion.Foresee(want, known, keep)
	m.PlanSummary = m.summary(told{outlook, len(want.Canary.Steps) > 0 || want.Canary.Mirror != nil, want.Route != nil && traffic.RouteKind(want.Route.Kind) == traffic.TCPRoute}, keep)
	p.warnOfPauses(outlook.Steps)
	if outlook.Renames != "" {
		p.Diags.AddAttributeWarning(p.Place.At(attrs.ServicePath.AtName("name")), "Address gets another name",
			fmt.Sprintf("The Service %q leads to the main deployment before %q is removed, after the drain. Whatever calls the former name, or has an address of it, fails from then on: "+
				"change its callers first, or keep the name. With a load balancer, the new Service gets another one.", want.Service, outlook.Renames))
	}
}

// known is what a state knows of the application.
func (m *Model) known(ctx context.Context, diags *diag.Diagnostics) promotion.Known {
	k := known{Service: m.Service(ctx, diags).Name, Settled: m.Settled(), Stays: m.stays(ctx, diags)}
	on := map[string]bool{}
	for _, split := range splitOf(ctx, m.Split, diags) {
		name, _ := split.Stable()
		on[name] = true
	}
	k.From = Agreed(on)
	if route := m.Route(ctx, diags); route != nil {
		k.Route = new(route.Ref())
	}
	if !m.Refused.IsNull() && !m.Refused.IsUnknown() {
		k.Left = nameOf(attrs.Decode[refusedModel](ctx, diags, m.Refused).DeploymentID)
	}
	for _, split := range splitOf(ctx, m.Split, diags) {
		switch {
		case len(split) != 2 || k.From != "":
		case !m.isOpen():
			k.From, k.ByHand = nameOf(m.DeploymentID), split
		default:
			status := release.MainStatus(m.Status.ValueString())
			k.Over = observe.GoesOn(status, m.StatusReason.ValueString())
			k.share(split, m.Application.ValueString(), nameOf(m.DeploymentID), k.Over || status == release.MainPaused)
		}
	}
	return promotion.Known(k)
}

// known is what a state knows, while that is found out.
type known promotion.Known

// share notes that two share the traffic: the one that is being tried, and the other.
func (k *known) share(split release.Split, application, tried string, paused bool) {
	for name := range split {
		switch of, is := release.ApplicationOf(name); {
		case name == tried:
		case is && of == application:
			k.From = name
		default: // what an adopted rule led to before
			k.Theirs = name
		}
	}
	k.Shares, k.Paused, k.Settled = split, paused, false
}

// summary is `plan_summary` of an outlook.
func (m *Model) summary(o told, keep release.Keep) types.Object {
	ids := func(names []string) []string {
		all := make([]string, len(names))
		for i, name := range names {
			all[i] = m.deployment(name).ValueString()
		}
		return all
	}
	from := types.StringNull()
	if o.From != "" {
		from = m.deployment(o.From)
	}
	keeps, removes, steps := ids(o.Keeps), ids(o.Removes), make([]string, len(o.Steps))
	for i, step := range o.Steps {
		steps[i] = step.String()
	}
	return types.ObjectValueMust(summaryTypes, map[string]attr.Value{
		"action": types.StringValue(string(o.Action)), "from": from, "to": m.deployment(o.To), "warm": types.BoolValue(o.Warm),
		"steps": attrs.Texts(steps), "keeps": attrs.Texts(keeps), "removes": attrs.Texts(removes),
		"text": types.StringValue(summaryText(o, from.ValueString(), m.deployment(o.To).ValueString(), keeps, removes, keep.TTL)),
	})
}

// told is what a promotion will do, to be told.
type told struct {
	promotion.Outlook
	shares      bool // the configuration asks for some
	connections bool // which are those of the connections
}

// pods says when the traffic moves.
func (o told) pods() string {
	stops := slices.ContainsFunc(o.Steps, func(step release.Step) bool { return step.Kind == release.StepStop })
	switch {
	case stops:
		return " without pods: the application is stopped"
	case o.Warm:
		return " whose pods run already"
	default:
		return " once its pods are ready"
	}
}

// adoptsText says which rule it takes over, whose that is, and what is given back.
func adoptsText(o told) string {
	meanwhile := ""
	if o.Theirs {
		meanwhile = "has the rest of the traffic until all of it has moved, and "
	}
	return fmt.Sprintf("Takes over the backends of the %s, which stays somebody else's: nothing else of it is changed. What these are now is remembered, %sis what the rule leads to again when this goes back, or when it is destroyed.", *o.Adopts, meanwhile)
}

// podsText says how many pods a share takes.
func podsText(step release.Step) string {
	if step.Needs > 0 {
		return fmt.Sprintf("%d for %d %%", step.Needs, step.Weight)
	}
	return fmt.Sprintf("%d %% of them", step.Weight)
}

// summaryText says it in a few sentences.
func summaryText(o told, from, to string, keeps, removes []string, ttl time.Duration) string {
	var text []string
	say := func(format string, args ...any) { text = append(text, fmt.Sprintf(format, args...)) }
	whence := ""
	if from != "" && from != to {
		whence = " from " + from
	}
	switch o.Action {
	case promotion.ActionCreate:
		say("Makes the address, which leads to %s%s.", to, o.pods())
	case promotion.ActionPromote:
		say("Moves the traffic%s to %s,%s.", whence, to, o.pods())
	case promotion.ActionReturn:
		say("Moves the traffic%s back to %s,%s.", whence, to, o.pods())
	case promotion.ActionFinish:
		say("Finishes what was left open of the move to %s.", to)
	case promotion.ActionChange:
		if o.Regains {
			say("Gives %s all of the traffic again, whose shares somebody has changed.", to)
		} else {
			say("The traffic stays with %s.", to)
		}
	case promotion.ActionStop:
		say("Stops the application: its pods go, and its address stays, which leads to %s.", to)
	case promotion.ActionStart:
		say("Starts the application again: the traffic goes%s to %s once its pods are ready.", whence, to)
	}
	if o.Adopts != nil {
		say("%s", adoptsText(o))
	}
	var shares, pods []string
	pauses, gated, mirrors := time.Duration(0), false, false
	for _, step := range o.Steps {
		switch {
		case step.Kind == release.StepRestore:
			say("Gives all of the traffic to %s first.", cmp.Or(from, "what the rule led to before"))
		case step.Mirror > 0:
			say("It gets %s first, which %s answers, is watched meanwhile, and gets none any more if it fails.", release.CopiesText(step.Mirror), from)
			mirrors = true
			pods = append(pods, copiesPods(step))
		case step.Kind == release.StepShift && step.Weight < 100:
			shares, pods = append(shares, fmt.Sprintf("%d %%", step.Weight)), append(pods, podsText(step))
		case step.Kind == release.StepPause:
			pauses += step.For
			gated = gated || step.Gate != ""
		case step.Kind == release.StepAnalyse:
			say("Watches it with the traffic for %s, and goes back if it fails.", attrs.DurationText(step.For))
		}
	}
	if len(shares) > 0 {
		first := "first"
		if mirrors {
			first = "after that"
		}
		say("It gets %s of it %s, is watched meanwhile, and loses it if it fails.", strings.Join(shares, ", "), first)
	}
	switch {
	case len(shares) == 0 && o.shares && o.Action == promotion.ActionCreate:
		say("It gets all of the traffic at once: it is the first, and nobody else could have the rest.")
	case len(shares) > 0 && o.connections:
		say("These are shares of the connections, when they are made: one that is open stays where it is.")
	}
	if len(pods) > 0 && o.Scales {
		say("It has only the pods that each share takes, which are %s, and all of them before it gets everything.", strings.Join(pods, ", "))
		say("Where an autoscaler decides, it leaves the new one what its share takes, and the former one what it has, until then.")
	}
	if pauses > 0 {
		say("The pauses take %s in all.", attrs.DurationText(pauses))
	}
	if gated {
		say("Somebody has to let it go on in between: until then, it is paused.")
	}
	if o.Renames != "" {
		say("Removes the Service %s, the address's former name.", o.Renames)
	}
	if len(keeps) > 0 {
		say("Keeps %s for going back.", strings.Join(keeps, ", "))
	}
	if len(removes) > 0 {
		say("Removes %s.", strings.Join(removes, ", "))
	}
	if ttl > 0 {
		say("What has not been main for %s goes, too.", attrs.DurationText(ttl))
	}
	return strings.Join(text, " ")
}
