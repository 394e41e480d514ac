package events

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

var _ datasource.DataSourceWithConfigure = (*eventsDataSource)(nil)

type eventsDataSource struct{ session.DataSource }

// NewDataSource is the data source switchback_events.
func NewDataSource() datasource.DataSource { return &eventsDataSource{} }

func (d *eventsDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_events"
}

type eventsModel struct {
	Deployment types.String `tfsdk:"deployment"`
	Clusters   types.Set    `tfsdk:"clusters"`
	Type       types.String `tfsdk:"type"`
	Reason     types.String `tfsdk:"reason"`
	Since      types.String `tfsdk:"since"`
	Events     []eventModel `tfsdk:"events"`
	Notes      []string     `tfsdk:"notes"`
}

type eventModel struct {
	Cluster   types.String `tfsdk:"cluster"`
	Type      types.String `tfsdk:"type"`
	Reason    types.String `tfsdk:"reason"`
	Kind      types.String `tfsdk:"kind"`
	Name      types.String `tfsdk:"name"`
	Container types.String `tfsdk:"container"`
	Message   types.String `tfsdk:"message"`
	Source    types.String `tfsdk:"source"`
	Count     types.Int32  `tfsdk:"count"`
	FirstSeen types.String `tfsdk:"first_seen"`
	LastSeen  types.String `tfsdk:"last_seen"`
}

var eventTypeMeaning = map[diagnose.EventType]string{
	diagnose.EventNormal: "what happens anyway", diagnose.EventWarning: "what may be wrong",
}

func (d *eventsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "What a cluster says about a deployment: Kubernetes' events about its Deployment, ReplicaSets, pods, Services, claims, autoscaler and disruption budget, " +
			"and Switchback's own. A cluster keeps them for an hour, usually. What looks like a credential is masked. " + session.ReadAnew,
		Attributes: map[string]schema.Attribute{
			"deployment": attrs.DeploymentIDAttribute(),
			"clusters":   attrs.DataClustersAttribute(),
			"type": schema.StringAttribute{
				Optional: true, Validators: []validator.String{attrs.OneOf(diagnose.EventTypes())},
				MarkdownDescription: "Only events of this type: " + attrs.EnumText(diagnose.EventTypes(), eventTypeMeaning) + ". Default: both.",
			},
			"reason": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
				MarkdownDescription: "Only events with this reason, as in `FailedScheduling`. Default: all.",
			},
			"since": schema.StringAttribute{
				Optional: true, Validators: []validator.String{attrs.IsPositiveDuration()},
				MarkdownDescription: "Only events that happened not longer ago, as in `15m`, by the cluster's clock. Default: all that the cluster still has.",
			},
			"events": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: fmt.Sprintf("The events, the last one at the end, and the last %d of them. What says the same of the same object is one event.", diagnose.EventsMost),
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"cluster":    attrs.DataString("Name of the cluster."),
					"type":       attrs.DataString("How bad it is: " + attrs.EnumText(diagnose.EventTypes(), nil) + "."),
					"reason":     attrs.DataString("What happened, in a word."),
					"kind":       attrs.DataString("Kind of the object that it is about."),
					"name":       attrs.DataString("Name of that object."),
					"container":  attrs.DataString("The container that it is about; null for none."),
					"message":    attrs.DataString("What happened."),
					"source":     attrs.DataString("Who says so; null where it does not say."),
					"count":      attrs.DataInt("How often it happened."),
					"first_seen": attrs.DataString("When it happened first, in RFC 3339."),
					"last_seen":  attrs.DataString("When it happened last, in RFC 3339."),
				}},
			},
			"notes": schema.ListAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "What is not among them, and why.",
			},
		},
	}
}

// Read reads the events anew.
func (d *eventsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m eventsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	id := session.DeploymentAsked(m.Deployment, &resp.Diagnostics)
	targets := d.LooksAt(ctx, m.Clusters, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	q := diagnose.EventQuery{ID: id, Type: diagnose.EventType(m.Type.ValueString()), Reason: m.Reason.ValueString()}
	q.Since, _ = time.ParseDuration(m.Since.ValueString())
	found, err := diagnose.EventsOf(ctx, targets, q)
	if err != nil {
		explain.Error(&resp.Diagnostics, err)
		return
	}
	m.Events, m.Notes = []eventModel{}, append([]string{}, found.Notes...)
	for _, e := range found.Events {
		m.Events = append(m.Events, eventModel{
			Cluster: types.StringValue(e.Cluster), Type: types.StringValue(string(e.Type)), Reason: types.StringValue(e.Reason),
			Kind: types.StringValue(e.Kind), Name: types.StringValue(e.Name), Container: attrs.TextOrNull(e.Container),
			Message: types.StringValue(e.Message), Source: attrs.TextOrNull(e.Source), Count: types.Int32Value(e.Count),
			FirstSeen: attrs.TimeOrNull(e.First), LastSeen: attrs.TimeOrNull(e.Last),
		})
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}
