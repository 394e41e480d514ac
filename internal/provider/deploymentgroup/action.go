package deploymentgroup

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var _ action.ActionWithConfigure = (*groupAction)(nil)

// groupAction takes a group back as a whole.
type groupAction struct {
	*session.Session
	name   string
	what   string // it does
	decide group.Decide
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
	now := a.Act(req, resp)
	clusters, _ := now.ClustersOf(ctx, types.SetNull(types.StringType))
	if resp.Diagnostics.HasError() {
		return
	}
	back, err := group.WayBackOf(ctx, group.WayBackRequest{Namespace: config.Namespace.ValueString(), Name: config.Name.ValueString(), Clusters: clusters}, a.decide)
	if err != nil {
		now.Fail(err)
		return
	}
	for name, member := range back.Members {
		member.Clusters = now.Allowed(ctx, member.Clusters, session.ToPromote(member.Service, false).And(member.Route))
		back.Members[name] = member
	}
	if resp.Diagnostics.HasError() {
		return
	}
	done, err := group.New(a.Engine).TakeBack(ctx, back, lines.Say)
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		var diags diag.Diagnostics
		explain.GroupBackError(&diags, err)
		now.Tell(diags)
		return
	}
	lines.Say(fmt.Sprintf("the group %q is back: %s", back.Name, back.To()))
}
