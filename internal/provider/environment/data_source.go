package environment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var _ datasource.DataSourceWithConfigure = (*environmentDataSource)(nil)

type environmentDataSource struct{ session.DataSource }

// NewDataSource is the data source switchback_environment.
func NewDataSource() datasource.DataSource { return &environmentDataSource{} }

func (d *environmentDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_environment"
}

// environmentModel is many applications, seen as one.
type environmentModel struct {
	Namespaces  types.Set    `tfsdk:"namespaces"`
	Environment types.String `tfsdk:"environment"`
	Clusters    types.Set    `tfsdk:"clusters"`

	Status       types.String       `tfsdk:"status"`
	Unreachable  []string           `tfsdk:"unreachable_clusters"`
	Applications []applicationModel `tfsdk:"applications"`
}

// applicationModel is one application on all the clusters that were read.
type applicationModel struct {
	Namespace    types.String `tfsdk:"namespace"`
	Application  types.String `tfsdk:"application"`
	Status       types.String `tfsdk:"status"`
	MainStatus   types.String `tfsdk:"main_status"`
	DeploymentID types.String `tfsdk:"deployment_id"`
	Version      types.String `tfsdk:"version"`
	Clusters     []string     `tfsdk:"clusters"`
	Running      []string     `tfsdk:"running"`
	Problems     []string     `tfsdk:"problems"`
}

func (d *environmentDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = environmentSchema()
}

func environmentSchema() schema.Schema {
	clusters := attrs.DataClustersAttribute()
	clusters.MarkdownDescription = "Names of the clusters to look at, of those in the provider's configuration. Default: all of them. " +
		"One that cannot be reached is a warning: see `unreachable_clusters`."
	texts := func(description string) schema.ListAttribute {
		return schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: description}
	}
	return schema.Schema{
		MarkdownDescription: "How all applications of some namespaces are, or those of one environment: a status for the whole, and one line for each application. " +
			"Everything is read from the clusters, also what is in no Terraform state.",
		Attributes: map[string]schema.Attribute{
			"namespaces": schema.SetAttribute{
				Required: true, ElementType: types.StringType,
				MarkdownDescription: "Kubernetes namespaces to look at. Permissions are per namespace, so they are named.",
				Validators:          []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues(), setvalidator.ValueStringsAre(attrs.NamespaceName()...)},
			},
			"environment": schema.StringAttribute{Optional: true, MarkdownDescription: "Only deployments with this `environment`, and the applications that have such. Default: all."},
			"clusters":    clusters,
			"status": attrs.DataString("How the whole is: the worst of the applications, in this order: " + attrs.EnumText(release.EnvironmentStatuses(), release.EnvironmentMeaning) + ". " +
				"Deployments that are only kept for going back, or whose create was given up, have no part in it."),
			"unreachable_clusters": schema.SetAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "Clusters that could not be reached. What is there is not known, so that `status` is not better than `" + string(release.EnvironmentUnknown) + "`, and the applications are told without it.",
			},
			"applications": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "One for each application, by namespace and name.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"namespace":     attrs.DataString("Its namespace."),
					"application":   attrs.DataString("Its name."),
					"status":        attrs.DataString("How it is, by the same words as `status` of the whole."),
					"main_status":   attrs.DataString("How far its last promotion came, on the page [Statuses](../guides/statuses.md); null without a main deployment."),
					"deployment_id": attrs.DataString("The deployment that has its traffic on every cluster that has the address; null where there is none, or where they disagree."),
					"version":       attrs.DataString("The version of that one."),
					"clusters":      texts("Names of the clusters that it was found on."),
					"running":       texts("Ids of its deployments that have ready pods, the newest first."),
					"problems":      texts("What is wrong, a line each: also with deployments that have no part in `status`."),
				}},
			},
		},
	}
}

// Read asks every cluster. One that cannot be reached is told; it is not taken
// for an empty one.
func (d *environmentDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m environmentModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	namespaces := attrs.Decode[[]string](ctx, &resp.Diagnostics, m.Namespaces)
	targets := d.LooksAt(ctx, m.Clusters, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	look := newEnvironmentLook(m.Environment)
	for _, namespace := range namespaces {
		d.look(ctx, look, targets, namespace, &resp.Diagnostics)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	for _, name := range look.unreachable() {
		if !d.Told.First("environment/" + name) {
			continue
		}
		resp.Diagnostics.AddWarning("Cluster is unreachable",
			fmt.Sprintf("%s What is there is not known: the environment is told without it, and its status is not better than %q.", explain.Sentence(look.silent[name].Error()), release.EnvironmentUnknown))
	}
	look.fill(&m)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}
