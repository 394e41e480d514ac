package provider

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// statusPending stands in `cluster_status` for a cluster that the last change
// has not reached: nothing there tells of it, so that it is kept until an apply
// has made the change.
const statusPending = "pending"

// clusterStatus is how the last operation ended on one cluster.
type clusterStatus struct {
	Status  string
	Message string // empty: there is nothing to say
}

// clusterStatuses are the outcomes by cluster.
type clusterStatuses map[string]clusterStatus

var clusterStatusType = types.ObjectType{AttrTypes: map[string]attr.Type{"status": types.StringType, "message": types.StringType}}

// clusterStatusAttribute is `cluster_status`; statuses says which ones there are.
func clusterStatusAttribute(statuses string) schema.MapNestedAttribute {
	return schema.MapNestedAttribute{
		Computed:            true,
		MarkdownDescription: "How the last operation ended on each cluster, by its name. How many pods are ready is not here: it would change with every refresh.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"status":  computedString(statuses + ", or `" + statusPending + "` where the change has not been made yet."),
			"message": computedString("Why, where there is something to say."),
		}},
	}
}

// value is the attribute's value. It is never null: no cluster, no entry.
func (s clusterStatuses) value() types.Map {
	elements := make(map[string]attr.Value, len(s))
	for name, one := range s {
		elements[name] = types.ObjectValueMust(clusterStatusType.AttrTypes, map[string]attr.Value{
			"status": types.StringValue(one.Status), "message": textOrNull(one.Message),
		})
	}
	return types.MapValueMust(clusterStatusType, elements)
}

// clusterStatusesOf reads the attribute; there are none where it is null, as in
// the state of an earlier version, or unknown.
func clusterStatusesOf(ctx context.Context, value types.Map, diags *diag.Diagnostics) clusterStatuses {
	type model struct {
		Status  types.String `tfsdk:"status"`
		Message types.String `tfsdk:"message"`
	}
	statuses := clusterStatuses{}
	for name, m := range decode[map[string]model](ctx, diags, value) {
		statuses[name] = clusterStatus{m.Status.ValueString(), m.Message.ValueString()}
	}
	return statuses
}

// unknownClusterStatus is planned wherever something will be attempted.
func unknownClusterStatus() types.Map { return types.MapUnknown(clusterStatusType) }

// noClusterStatus is the typed null of a model.
func noClusterStatus() types.Map { return types.MapNull(clusterStatusType) }

// ended adds how an operation ended on a cluster. Where nothing there tells of it,
// it is pending.
func (s clusterStatuses) ended(cluster, status, message string) {
	if status == "" {
		status = statusPending
	}
	s[cluster] = clusterStatus{Status: status, Message: message}
}

// done says that the last operation brought the cluster to the goal, with
// nothing left to say.
func (s clusterStatuses) done(cluster, goal string) bool {
	one, ok := s[cluster]
	return ok && one.Status == goal && one.Message == ""
}

// summary is one text for the whole resource: what there is to say of clusters
// that are not at the goal, by their names; empty where all are.
func (s clusterStatuses) summary(goal string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if one := s[name]; !s.done(name, goal) {
			text := one.Message
			if text == "" {
				text = one.Status
			}
			parts = append(parts, name+": "+text)
		}
	}
	return strings.Join(parts, "; ")
}
