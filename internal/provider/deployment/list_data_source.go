package deployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var _ datasource.DataSourceWithConfigure = (*deploymentsDataSource)(nil)

type deploymentsDataSource struct{ session.DataSource }

// NewListDataSource is the data source switchback_deployments.
func NewListDataSource() datasource.DataSource { return &deploymentsDataSource{} }

func (d *deploymentsDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_deployments"
}

type deploymentsModel struct {
	Namespace   types.String    `tfsdk:"namespace"`
	Application types.String    `tfsdk:"application"`
	Environment types.String    `tfsdk:"environment"`
	Version     types.String    `tfsdk:"version"`
	Status      types.String    `tfsdk:"status"`
	Main        types.Bool      `tfsdk:"main"`
	Clusters    types.Set       `tfsdk:"clusters"`
	Deployments []attrs.Release `tfsdk:"deployments"`
}

func (d *deploymentsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	only := func(what string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: "Only those " + what + "."}
	}
	application, status := only("of this application"), only("with this status, one of "+attrs.EnumText(release.DeploymentLifecycle().Shown().Statuses(), nil))
	application.Validators = attrs.ApplicationName()
	status.Validators = []validator.String{attrs.OneOf(release.DeploymentLifecycle().Shown().Statuses())}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Every deployment of a namespace, or of one application: also those that are in no Terraform state, with their live pods, " +
			"and what the next promotion will remove.",
		Attributes: map[string]schema.Attribute{
			"namespace":   attrs.DataNamespaceAttribute(),
			"application": application,
			"environment": only("with this environment"),
			"version":     only("with exactly this version"),
			"status":      status,
			"main":        schema.BoolAttribute{Optional: true, MarkdownDescription: "Only those that get the traffic of their application's address (`true`), or only those that do not (`false`)."},
			"clusters":    attrs.DataClustersAttribute(),
			"deployments": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "One for each deployment and cluster, the newest first.",
				NestedObject:        schema.NestedAttributeObject{Attributes: attrs.ReleaseAttributes()},
			},
		},
	}
}

// Read lists what the clusters have.
func (d *deploymentsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m deploymentsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	found := d.Surveyed(ctx, m.Clusters, m.Namespace.ValueString(), m.Application.ValueString(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	m.Deployments = []attrs.Release{}
	for _, s := range found {
		if r := attrs.ReleaseOf(s); m.wants(r) {
			m.Deployments = append(m.Deployments, r)
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// wants says whether a release passes every filter that is set.
func (m *deploymentsModel) wants(r attrs.Release) bool {
	for _, filter := range []struct{ asked, is types.String }{
		{m.Environment, r.Environment}, {m.Version, r.Version}, {m.Status, r.Status},
	} {
		if !filter.asked.IsNull() && !filter.asked.Equal(filter.is) {
			return false
		}
	}
	return m.Main.IsNull() || m.Main.Equal(r.Main)
}
