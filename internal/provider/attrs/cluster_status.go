package attrs

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

// StatusPending stands in `cluster_status` for a cluster that the last change
// has not reached: nothing there tells of it, so that it is kept until an apply
// has made the change.
const StatusPending = "pending"

// ClusterStatus is how the last operation ended on one cluster.
type ClusterStatus struct {
	Status  string
	Message string // empty: there is nothing to say
}

// ClusterStatuses are the outcomes by cluster.
type ClusterStatuses map[string]ClusterStatus

var clusterStatusType = types.ObjectType{AttrTypes: map[string]attr.Type{"status": types.StringType, "message": types.StringType}}

// ClusterStatusAttribute is `cluster_status`; statuses says which ones there are.
func ClusterStatusAttribute(statuses string) schema.MapNestedAttribute {
	return schema.MapNestedAttribute{
		Computed:            true,
		MarkdownDescription: "How the last operation ended on each cluster, by its name. How many pods are ready is not here: it would change with every refresh.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"status":  ComputedString(statuses + ", or `" + StatusPending + "` where the change has not been made yet."),
			"message": ComputedString("Why, where there is something to say."),
		}},
	}
}

// Value is the attribute's value. It is never null: no cluster, no entry.
func (s ClusterStatuses) Value() types.Map {
	elements := make(map[string]attr.Value, len(s))
	for name, one := range s {
		elements[name] = types.ObjectValueMust(clusterStatusType.AttrTypes, map[string]attr.Value{
			"status": types.StringValue(one.Status), "message": TextOrNull(one.Message),
		})
	}
	return types.MapValueMust(clusterStatusType, elements)
}

// ClusterStatusesOf reads the attribute; there are none where it is null, as in
// the state of an earlier version, or unknown.
func ClusterStatusesOf(ctx context.Context, value types.Map, diags *diag.Diagnostics) ClusterStatuses {
	type model struct {
		Status  types.String `tfsdk:"status"`
		Message types.String `tfsdk:"message"`
	}
	statuses := ClusterStatuses{}
	for name, m := range Decode[map[string]model](ctx, diags, value) {
		statuses[name] = ClusterStatus{m.Status.ValueString(), m.Message.ValueString()}
	}
	return statuses
}

// UnknownClusterStatus is planned wherever something will be attempted.
func UnknownClusterStatus() types.Map { return types.MapUnknown(clusterStatusType) }

// NoClusterStatus is the typed null of a model.
func NoClusterStatus() types.Map { return types.MapNull(clusterStatusType) }

// Ended adds how an operation ended on a cluster. Where nothing there tells of it,
// it is pending.
func (s ClusterStatuses) Ended(cluster, status, message string) {
	if status == "" {
		status = StatusPending
	}
	s[cluster] = ClusterStatus{Status: status, Message: message}
}

// Done says that the last operation brought the cluster to the goal, with
// nothing left to say.
func (s ClusterStatuses) Done(cluster, goal string) bool {
	one, ok := s[cluster]
	return ok && one.Status == goal && one.Message == ""
}

// summary is one text for the whole resource: what there is to say of clusters
// that are not at the goal, by their names; empty where all are.
func (s ClusterStatuses) summary(goal string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if one := s[name]; !s.Done(name, goal) {
			text := one.Message
			if text == "" {
				text = one.Status
			}
			parts = append(parts, name+": "+text)
		}
	}
	return strings.Join(parts, "; ")
}
