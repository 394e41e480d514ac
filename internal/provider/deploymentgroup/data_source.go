package deploymentgroup

import (
	"context"
	"fmt"
	"maps"
	"slices"

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

var _ datasource.DataSourceWithConfigure = (*deploymentGroupDataSource)(nil)

type deploymentGroupDataSource struct{ session.DataSource }

// NewDataSource is the data source switchback_deployment_group.
func NewDataSource() datasource.DataSource { return &deploymentGroupDataSource{} }

func (d *deploymentGroupDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_deployment_group"
}

type dataModel struct {
	Namespace    types.String          `tfsdk:"namespace"`
	Name         types.String          `tfsdk:"name"`
	Clusters     types.Set             `tfsdk:"clusters"`
	Status       types.String          `tfsdk:"status"`
	StatusReason types.String          `tfsdk:"status_reason"`
	Waves        [][]string            `tfsdk:"waves"`
	Members      map[string]liveMember `tfsdk:"members"`
}

// liveMember is one member as it stands.
type liveMember struct {
	Namespace   types.String `tfsdk:"namespace"`
	Application types.String `tfsdk:"application"`
	After       []string     `tfsdk:"after"`
	address.Live
}

func (d *deploymentGroupDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	member := address.LiveAttributes()
	member["namespace"] = attrs.DataString("Kubernetes namespace of the member.")
	member["application"] = attrs.DataString("Name of the application that the member is.")
	member["after"] = schema.SetAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Members that move before this one; null where it comes after none."}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Who gets the traffic of each member of a group right now, and how far the group has come, whoever manages it.",
		Attributes: map[string]schema.Attribute{
			"namespace":     schema.StringAttribute{Required: true, MarkdownDescription: "Kubernetes namespace of a member. Members in other namespaces are found, too.", Validators: attrs.NamespaceName()},
			"name":          schema.StringAttribute{Required: true, MarkdownDescription: "Name of the group.", Validators: groupName()},
			"clusters":      attrs.DataClustersAttribute(),
			"status":        attrs.DataString(fmt.Sprintf("How far the last move of the group came: `%s` when every member is there.", release.MainFinalized)),
			"status_reason": attrs.DataString("What is unfinished, and of which member, where something is."),
			"waves": schema.ListAttribute{
				Computed: true, ElementType: types.ListType{ElemType: types.StringType},
				MarkdownDescription: "The names of the members that move together, wave by wave; null where the group has none, or where an earlier version of the provider has moved it last.",
			},
			"members": schema.MapNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The members, by the names that the group has for them.",
				NestedObject:        schema.NestedAttributeObject{Attributes: member},
			},
		},
	}
}

// Read shows the members as they are on every cluster that has them.
func (d *deploymentGroupDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m dataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	targets := d.LooksAt(ctx, m.Clusters, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	found := observe.GroupIn(ctx, targets, m.Namespace.ValueString(), m.Name.ValueString())
	for _, err := range found.Errs {
		explain.Error(&resp.Diagnostics, err)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if len(found.Members) == 0 {
		resp.Diagnostics.AddError("No such deployment group", fmt.Sprintf("The namespace %s has no member of a group %q on any of the clusters: no switchback_deployment_group of that name has been applied there.",
			m.Namespace.ValueString(), m.Name.ValueString()))
		return
	}
	m.fill(ctx, found, targets, &resp.Diagnostics)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

func (m *dataModel) fill(ctx context.Context, found observe.Group, targets []rollout.Cluster, diags *diag.Diagnostics) {
	on := map[string]rollout.Cluster{}
	for _, c := range targets {
		on[c.Name()] = c
	}
	asked := &release.GroupAsked{}
	if found.Asked != nil {
		asked = found.Asked.Group
	}
	for _, wave := range asked.Waves {
		m.Waves = append(m.Waves, slices.Sorted(slices.Values(wave.Members)))
	}
	m.Members = map[string]liveMember{}
	var statuses []release.MainStatus
	var why reason
	for _, name := range slices.Sorted(maps.Keys(found.Members)) {
		member := found.Members[name]
		live := liveMember{
			Namespace: types.StringValue(member.Namespace), Application: types.StringValue(member.Application),
			After: asked.Members[name].After, Live: address.LiveOf(ctx, member.Namespace, member.Mains, on, diags),
		}
		m.Members[name] = live
		statuses = append(statuses, release.MainStatus(live.Status.ValueString()))
		why.add(name, live.Status, live.StatusReason, member.Mains)
	}
	m.StatusReason = why.value()
	m.Status = types.StringValue(string(release.GroupStatus(statuses...)))
}
