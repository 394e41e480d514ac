package deployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var _ datasource.DataSourceWithConfigure = (*deploymentDataSource)(nil)

type deploymentDataSource struct{ session.DataSource }

// NewDataSource is the data source switchback_deployment.
func NewDataSource() datasource.DataSource { return &deploymentDataSource{} }

func (d *deploymentDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_deployment"
}

type dataModel struct {
	ID            types.String             `tfsdk:"id"`
	Namespace     types.String             `tfsdk:"namespace"`
	Application   types.String             `tfsdk:"application"`
	Version       types.String             `tfsdk:"version"`
	Clusters      types.Set                `tfsdk:"clusters"`
	Name          types.String             `tfsdk:"name"`
	Status        types.String             `tfsdk:"status"`
	StatusReason  types.String             `tfsdk:"status_reason"`
	Main          types.Bool               `tfsdk:"main"`
	Replicas      types.Int32              `tfsdk:"replicas"`
	ReadyReplicas types.Int32              `tfsdk:"ready_replicas"`
	CreatedAt     types.String             `tfsdk:"created_at"`
	CreatedBy     types.String             `tfsdk:"created_by"`
	ByCluster     map[string]attrs.Release `tfsdk:"by_cluster"`
}

func (d *deploymentDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	id := path.MatchRoot("id")
	either := func(description string, more ...validator.String) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Computed: true, MarkdownDescription: description, Validators: more}
	}
	with := func(names ...string) validator.String {
		var all []path.Expression
		for _, name := range names {
			all = append(all, path.MatchRoot(name))
		}
		return stringvalidator.AlsoRequires(all...)
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "One deployment as it is right now, whoever manages it. Give its `id`, or `namespace`, `application` and `version`.",
		Attributes: map[string]schema.Attribute{
			"id": either("`<namespace>/<name>`.", stringvalidator.ExactlyOneOf(id, path.MatchRoot("version"))),
			"namespace": either("Its namespace.", append(attrs.NamespaceName(),
				stringvalidator.ConflictsWith(id), with("application", "version"))...),
			"application": either("Its application.", append(attrs.ApplicationName(),
				stringvalidator.ConflictsWith(id), with("namespace", "version"))...),
			"version":        either("Its version, exactly. Where several deployments have it, the newest is taken.", with("namespace", "application")),
			"clusters":       attrs.DataClustersAttribute(),
			"name":           attrs.DataString("Name of its objects in the cluster."),
			"status":         attrs.DataString("How far it came: where clusters differ, of the first by name on which it is not `" + string(release.StatusStarted) + "`."),
			"status_reason":  attrs.DataString("Why `status` is what it is, where there is something to say."),
			"main":           attrs.DataBool("Whether it gets the traffic of the application's address on any of the clusters right now."),
			"replicas":       attrs.DataInt("How many pods it should have, on all clusters together."),
			"ready_replicas": attrs.DataInt("How many of its pods are ready right now, on all clusters together."),
			"created_at":     attrs.DataString("When it was first created on any cluster, in RFC 3339."),
			"created_by":     attrs.DataString("Who created it there, as the cluster names the user; null where it does not say."),
			"by_cluster": schema.MapNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The same in full, by the name of the cluster; clusters that do not have it are left out.",
				NestedObject:        schema.NestedAttributeObject{Attributes: attrs.ReleaseAttributes()},
			},
		},
	}
}

// Read finds the deployment and puts together what the clusters say of it.
func (d *deploymentDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m dataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	id := m.asked(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	found := d.Surveyed(ctx, m.Clusters, id.Namespace, m.Application.ValueString(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if id.Name == "" {
		id.Name = named(found, m.Version.ValueString())
	}
	if !m.fill(id, found) {
		resp.Diagnostics.AddError("No such deployment", m.missing(id))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// asked is the id that is looked for: without a name where it is found by version.
func (m *dataModel) asked(diags *diag.Diagnostics) release.ID {
	if m.ID.IsNull() {
		return release.ID{Namespace: m.Namespace.ValueString()}
	}
	id, err := release.ParseID(m.ID.ValueString())
	if err != nil {
		diags.AddAttributeError(path.Root("id"), "Invalid deployment id", explain.Sentence(err.Error()))
	}
	return id
}

// named is the newest release with this version; empty where there is none.
func named(found []observe.Surveyed, version string) string {
	for _, s := range found {
		if s.Record.Version == version {
			return s.ID.Name
		}
	}
	return ""
}

func (m *dataModel) missing(id release.ID) string {
	if m.ID.IsNull() {
		return fmt.Sprintf("None of the clusters has a deployment of %s/%s with version %q. The data source switchback_deployments lists those that are there.",
			id.Namespace, m.Application.ValueString(), m.Version.ValueString())
	}
	return fmt.Sprintf("None of the clusters has the deployment %s. The data source switchback_deployments lists those that are there.", id)
}

// fill says whether the release is anywhere.
func (m *dataModel) fill(id release.ID, found []observe.Surveyed) bool {
	m.ByCluster = map[string]attrs.Release{}
	m.Main = types.BoolValue(false)
	var replicas, ready int32
	first, worst := "", ""
	for _, s := range found { // the newest first: the last one tells who created it
		if s.ID != id {
			continue
		}
		r := attrs.ReleaseOf(s)
		m.ByCluster[s.Cluster] = r
		replicas, ready = replicas+r.Replicas.ValueInt32(), ready+r.ReadyReplicas.ValueInt32()
		m.Main = types.BoolValue(m.Main.ValueBool() || s.Main)
		m.CreatedAt, m.CreatedBy, m.Version, m.Application = r.CreatedAt, r.CreatedBy, r.Version, r.Application
		if first == "" || s.Cluster < first {
			first = s.Cluster
		}
		if r.Status.ValueString() != string(release.StatusStarted) && (worst == "" || s.Cluster < worst) {
			worst = s.Cluster
		}
	}
	if len(m.ByCluster) == 0 {
		return false
	}
	if worst == "" {
		worst = first
	}
	m.ID, m.Name, m.Namespace = types.StringValue(id.String()), types.StringValue(id.Name), types.StringValue(id.Namespace)
	m.Status, m.StatusReason = m.ByCluster[worst].Status, m.ByCluster[worst].StatusReason
	m.Replicas, m.ReadyReplicas = types.Int32Value(replicas), types.Int32Value(ready)
	return true
}
