package maindeployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
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
	Namespace   types.String `tfsdk:"namespace"`
	Application types.String `tfsdk:"application"`
	Clusters    types.Set    `tfsdk:"clusters"`
	ID          types.String `tfsdk:"id"`
	address.Live
}

func (d *mainDeploymentDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := address.LiveAttributes()
	attributes["namespace"] = attrs.DataNamespaceAttribute()
	attributes["application"] = schema.StringAttribute{Required: true, MarkdownDescription: "Name of the application.", Validators: attrs.ApplicationName()}
	attributes["clusters"] = attrs.DataClustersAttribute()
	attributes["id"] = attrs.DataString("`<namespace>/<application>`.")
	resp.Schema = schema.Schema{
		MarkdownDescription: "Who gets the traffic of an application's own address right now, and how far a move of it has come, whoever manages it.",
		Attributes:          attributes,
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
	on := map[string]rollout.Cluster{}
	var there []observe.Main
	for i, o := range observe.Mains(ctx, targets, namespace, application, "") {
		switch {
		case o.Err != nil:
			explain.Error(&resp.Diagnostics, o.Err)
		case o.Main != nil:
			there = append(there, o)
			on[o.Cluster] = targets[i]
		}
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if len(there) == 0 {
		resp.Diagnostics.AddError("No main deployment", fmt.Sprintf("The application %s/%s has no main deployment on any of the clusters: no switchback_main_deployment of it has been applied.", namespace, application))
		return
	}
	m.ID = types.StringValue(attrs.MainID(namespace, application))
	m.Live = address.LiveOf(ctx, namespace, there, on, &resp.Diagnostics)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}
