package maindeployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

var _ datasource.DataSourceWithConfigure = (*mainDeploymentDataSource)(nil)

type mainDeploymentDataSource struct{ session.DataSource }

// NewDataSource is the data source switchback_main_deployment.
func NewDataSource() datasource.DataSource { return &mainDeploymentDataSource{} }

func (d *mainDeploymentDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_main_deployment"
}

type dataModel struct {
	Namespace            types.String            `tfsdk:"namespace"`
	Application          types.String            `tfsdk:"application"`
	Clusters             types.Set               `tfsdk:"clusters"`
	ID                   types.String            `tfsdk:"id"`
	DeploymentID         types.String            `tfsdk:"deployment_id"`
	PreviousDeploymentID types.String            `tfsdk:"previous_deployment_id"`
	ServiceName          types.String            `tfsdk:"service_name"`
	Status               types.String            `tfsdk:"status"`
	StatusReason         types.String            `tfsdk:"status_reason"`
	PromotedAt           types.String            `tfsdk:"promoted_at"`
	Split                types.Map               `tfsdk:"split"`
	StrategyData         map[string]strategyData `tfsdk:"strategy_data"`
}

type strategyData struct {
	DeploymentID           types.String `tfsdk:"deployment_id"`
	SwitchedTraffic        types.Int32  `tfsdk:"switched_traffic"`
	DesiredSwitchedTraffic types.Int32  `tfsdk:"desired_switched_traffic"`
	SwitchTrafficStep      types.Int32  `tfsdk:"switch_traffic_step"`
	AmountInstancesToWait  types.Int32  `tfsdk:"amount_instances_to_wait"`
	HealthyInstances       types.Int32  `tfsdk:"healthy_instances"`
	LaunchedInstances      types.Int32  `tfsdk:"launched_instances"`
}

func (d *mainDeploymentDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Who gets the traffic of an application's own address right now, and how far a move of it has come, whoever manages it.",
		Attributes: map[string]schema.Attribute{
			"namespace":     attrs.DataNamespaceAttribute(),
			"application":   schema.StringAttribute{Required: true, MarkdownDescription: "Name of the application.", Validators: attrs.ApplicationName()},
			"clusters":      attrs.DataClustersAttribute(),
			"id":            attrs.DataString("`<namespace>/<application>`."),
			"deployment_id": attrs.DataString("The deployment that has all the traffic on every cluster that has the address; null where they disagree: `split` shows how."),
			"previous_deployment_id": attrs.DataString("The deployment that had the traffic before; null where there was none, or where the clusters disagree. " +
				"Going back is `deployment_id` set to this one."),
			"service_name":  attrs.DataString("Name of the Service that is the address."),
			"status":        attrs.DataString(fmt.Sprintf("How far the last move came: `%s` when it is done.", release.MainFinalized)),
			"status_reason": attrs.DataString("What is unfinished, where something is."),
			"promoted_at":   attrs.DataString("When the traffic last moved, in RFC 3339: the latest of the clusters."),
			"split": schema.MapAttribute{
				Computed: true, ElementType: address.SplitType,
				MarkdownDescription: "Who gets the traffic: cluster, to name of the deployment, to percent.",
			},
			"strategy_data": schema.MapNestedAttribute{
				Computed:            true,
				MarkdownDescription: "How far the move has come, live, by the name of the cluster.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"deployment_id":            attrs.DataString("The deployment that has the traffic, or is getting it; null where nobody has it."),
					"switched_traffic":         attrs.DataInt("Percent of the traffic that it has."),
					"desired_switched_traffic": attrs.DataInt("Percent that it is to get."),
					"switch_traffic_step":      attrs.DataInt("Percent that the next step moves: 0 when all is moved."),
					"amount_instances_to_wait": attrs.DataInt("How many of its pods are not ready yet."),
					"healthy_instances":        attrs.DataInt("How many of its pods are ready."),
					"launched_instances":       attrs.DataInt("How many pods it has."),
				}},
			},
		},
	}
}

// Read shows the address as it is on every cluster that has it.
func (d *mainDeploymentDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m dataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	namespace, application := m.Namespace.ValueString(), m.Application.ValueString()
	targets := d.LooksAt(ctx, m.Clusters, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	m.StrategyData = map[string]strategyData{}
	var there []observe.Main
	for i, o := range observe.Mains(ctx, targets, namespace, application, "") {
		switch {
		case o.Err != nil:
			explain.Error(&resp.Diagnostics, o.Err)
		case o.Main != nil:
			there = append(there, o)
			m.StrategyData[o.Cluster] = d.strategy(ctx, targets[i], namespace, o, &resp.Diagnostics)
		}
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if len(there) == 0 {
		resp.Diagnostics.AddError("No main deployment", fmt.Sprintf("The application %s/%s has no main deployment on any of the clusters: no switchback_main_deployment of it has been applied.", namespace, application))
		return
	}
	m.fill(namespace, application, there)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// strategy is how far the move has come on one cluster.
func (d *mainDeploymentDataSource) strategy(ctx context.Context, c rollout.Cluster, namespace string, o observe.Main, diags *diag.Diagnostics) strategyData {
	s, err := observe.ShiftOf(ctx, c, namespace, o)
	if err != nil {
		explain.Error(diags, err)
	}
	return strategyData{
		DeploymentID:    attrs.IDOrNull(namespace, s.To),
		SwitchedTraffic: types.Int32Value(int32(s.Switched)), DesiredSwitchedTraffic: types.Int32Value(int32(s.Desired)),
		SwitchTrafficStep: types.Int32Value(int32(s.Step)), AmountInstancesToWait: types.Int32Value(int32(s.Awaited)),
		HealthyInstances: types.Int32Value(int32(s.Healthy)), LaunchedInstances: types.Int32Value(int32(s.Launched)),
	}
}

func (m *dataModel) fill(namespace, application string, there []observe.Main) {
	m.ID = types.StringValue(attrs.MainID(namespace, application))
	splits := map[string]release.Split{}
	stable, previous := map[string]bool{}, map[string]bool{}
	for _, o := range there {
		splits[o.Cluster] = o.Split
		name, _ := o.Split.Stable()
		stable[name] = true
		before := ""
		if len(o.Main.Previous) > 0 {
			before = o.Main.Previous[0]
		}
		previous[before] = true
		if at := attrs.TimeOrNull(o.Main.PromotedAt); at.ValueString() > m.PromotedAt.ValueString() {
			m.PromotedAt = at
		}
		m.ServiceName = attrs.TextOrNull(o.Main.Service)
	}
	m.Split = address.SplitValue(splits)
	m.DeploymentID, m.PreviousDeploymentID = attrs.IDOrNull(namespace, address.Agreed(stable)), attrs.IDOrNull(namespace, address.Agreed(previous))
	m.Status, m.StatusReason = address.StatusOf(there)
}
