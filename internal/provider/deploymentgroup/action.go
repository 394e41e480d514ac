package deploymentgroup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

var _ action.ActionWithConfigure = (*groupAction)(nil)

// groupAction takes a group back as a whole.
type groupAction struct {
	*session.Session
	name   string
	what   string // it does
	decide func(string, *release.GroupAsked, map[string][]release.MainOn) (map[string]release.Back, error)
}

// NewRollbackAction is switchback_rollback_group.
func NewRollbackAction() action.Action {
	return &groupAction{
		name: "rollback_group", decide: release.GroupBack,
		what: "Moves the traffic of a deployment group back, of all those together that its last move has moved; members that stood stay. While the group moves, all go back to where they were: " +
			"a run that watches them is asked to take them back. Those that moved last go first. All of them are ready before the first moves, and where one cannot be moved, the others are put where they were. " +
			"It is refused while a run lets go of the old sides. A deployment that was stopped meanwhile is started. A first deployment behind an adopted rule gives the rule back.",
	}
}

// NewCancelAction is switchback_cancel_group.
func NewCancelAction() action.Action {
	return &groupAction{
		name: "cancel_group", decide: release.GroupCancel,
		what: "Gives up the move of a deployment group: every member goes back to where it was before, those that moved last first. The run that is at it, and watches them, is asked to take them back; what a run that died has left is taken back here. " +
			"It is refused where nothing moves, where a member has yet to begin (then `switchback_rollback_group` goes back), and while a run lets go of the old sides.",
	}
}

// actionModel is their configuration.
type actionModel struct {
	Namespace types.String `tfsdk:"namespace"`
	Name      types.String `tfsdk:"name"`
	Reason    types.String `tfsdk:"reason"`
	Timeout   types.String `tfsdk:"timeout"`
}

func (a *groupAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + a.name
}

func (a *groupAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: a.what + session.ActionNeeds +
			"what members leave is remembered: plans warn, say who asked for it, and leave the traffic of the whole group where it is, until none asks for that, or `retry_token` changes. Change the versions back as well.",
		Attributes: map[string]schema.Attribute{
			"namespace": schema.StringAttribute{Required: true, MarkdownDescription: "Kubernetes namespace of a member. Members in other namespaces go back, too.", Validators: attrs.NamespaceName()},
			"name":      schema.StringAttribute{Required: true, MarkdownDescription: "Name of the group. All clusters of the provider's configuration are looked at; one that cannot be reached is an error.", Validators: groupName()},
			"reason":    session.ActionReason(),
			"timeout":   session.ActionTimeout("it"),
		},
	}
}

func (a *groupAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.Session = session.Of(req.ProviderData, &resp.Diagnostics)
}

// Invoke takes the group back.
func (a *groupAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config actionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	lines := session.NewStream(resp.SendProgress)
	defer lines.End(ctx)
	ctx, cancel := session.Limited(ctx, config.Timeout, config.Reason)
	defer cancel()
	now := goingBack{a.Act(req, resp)}
	back, theirs := now.prepare(ctx, config, a.decide)
	if resp.Diagnostics.HasError() {
		return
	}
	for name, member := range back.Members {
		member.Progress = func(line string) { lines.Say(name + ": " + line) }
		back.Members[name] = member
		if member.Undoes {
			continue // it takes no pods of ours
		}
		if err := a.Engine.Warm(ctx, member.PromoteRequest); err != nil {
			now.Fail(err)
			return
		}
	}
	done, err := group.New(a.Engine).GoBack(ctx, back)
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		var diags diag.Diagnostics
		explain.GroupBackError(&diags, err)
		now.Tell(diags)
		return
	}
	var where []string
	for _, name := range slices.Sorted(maps.Keys(back.Members)) {
		to := back.Members[name].To
		if back.Members[name].Undoes {
			to = theirs[name]
		}
		where = append(where, name+" on "+to)
	}
	lines.Say(fmt.Sprintf("the group %q is back: %s", back.Name, strings.Join(where, ", ")))
}

// goingBack is one invocation.
type goingBack struct{ session.Invocation }

// prepare asks for what lives of all members that go back; theirs is who has the traffic of
// an adopted rule again, by member.
func (a goingBack) prepare(ctx context.Context, config actionModel, decide func(string, *release.GroupAsked, map[string][]release.MainOn) (map[string]release.Back, error)) (back group.GoBackRequest, theirs map[string]string) {
	theirs = map[string]string{}
	back = group.GoBackRequest{Name: config.Name.ValueString(), Members: map[string]rollout.GoBackRequest{}}
	clusters, _ := a.ClustersOf(ctx, types.SetNull(types.StringType))
	if a.Diags().HasError() {
		return back, theirs
	}
	found := observe.GroupIn(ctx, clusters, config.Namespace.ValueString(), back.Name)
	for _, err := range found.Errs {
		a.Fail(err)
	}
	living := a.living(found, config)
	if a.Diags().HasError() {
		return back, theirs
	}
	var asked *release.GroupAsked
	if found.Asked != nil {
		asked = found.Asked.Group
	}
	standings := map[string][]release.MainOn{}
	for name, l := range living {
		standings[name] = l.Standings
	}
	goes, err := decide(back.Name, asked, standings)
	if err == nil {
		back.Plan, err = asked.BackPlan(goes)
	}
	if err != nil {
		a.Fail(err)
		return back, theirs
	}
	for name, to := range goes {
		request := living[name].Request
		request.To, request.Was, request.Undoes = to.To, to.Was, to.Theirs != ""
		theirs[name] = to.Theirs
		for _, c := range clusters {
			if _, there := to.Was[c.Name()]; there {
				request.Clusters = append(request.Clusters, c)
			}
		}
		request.Clusters = a.Allowed(ctx, request.Clusters, session.ToPromote(request.Service, false).And(request.Route))
		back.Members[name] = request
	}
	return back, theirs
}

// living is what lives of each member. What cannot go back as one is refused.
func (a goingBack) living(found observe.Group, config actionModel) map[string]rollout.Living {
	living := map[string]rollout.Living{}
	if len(found.Members) == 0 && !a.Diags().HasError() {
		a.Diags().AddError("No such deployment group", fmt.Sprintf("The namespace %s has no member of a group %q on any of the clusters. Apply its switchback_deployment_group.", config.Namespace.ValueString(), found.Name))
	}
	owner := ""
	for _, name := range slices.Sorted(maps.Keys(found.Members)) {
		member := found.Members[name]
		for _, o := range member.Mains {
			if o.Service == nil {
				a.Diags().AddError("Member has no address", fmt.Sprintf("The Service %s of %s is gone from cluster %q; its settings with it. Traffic was not touched. Apply the group.", o.Main.Service, name, o.Cluster))
				return nil
			}
		}
		l := rollout.LivingOf(member.Namespace, member.Application, member.Mains)
		if len(l.Unlike) > 0 {
			a.Diags().AddError("Clusters are not alike", fmt.Sprintf("The member %s has other settings on cluster %q than on cluster %q, because a run has not finished. Traffic was not touched. "+
				"Apply the group, or go back application by application with switchback_rollback.", name, l.Unlike[0], l.Standings[0].Cluster))
		}
		if owner = attrs.OrDefault(owner, l.Request.Owner); owner != l.Request.Owner {
			a.Diags().AddError("Several groups of one name", fmt.Sprintf("The member %s belongs to another Terraform state's group %q than the others. Traffic was not touched. Go back application by application with switchback_rollback.", name, found.Name))
		}
		living[name] = l
	}
	return living
}
