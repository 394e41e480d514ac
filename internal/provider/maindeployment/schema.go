package maindeployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func mainDeploymentSchema(ctx context.Context) schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Which deployment gets the traffic of an application's own address. " +
			"Moving it waits until the new deployment is ready on every cluster, moves the traffic, verifies it, drains, and only then lets go of the old one. " +
			"A move that fails leaves the traffic, and the state, with the old deployment. " +
			"Deleting this resource removes the address.\n\n" +
			"A connection that is kept open stays with the pods it was made to until either side closes it.",
		Attributes: map[string]schema.Attribute{
			"application": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Name of the application. A change makes a new main deployment.",
				Validators:          attrs.ApplicationName(),
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"namespace": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Kubernetes namespace of the application. A change makes a new main deployment.",
				Validators:          attrs.NamespaceName(),
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"deployment_id": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "The deployment that gets the traffic: `id` of a `switchback_deployment` of the same application and namespace. " +
					"After a refresh it is the one that has all the traffic, whoever moved it." + attrs.InPlace,
			},
			"desired_state": address.DesiredStateAttribute("the application"),
			"traffic":       address.TrafficAttribute(),
			"clusters":      attrs.ClustersAttribute("Names of the clusters that have the address, of those in the provider's configuration."),
			"keep_previous": address.KeepPreviousAttribute(),
			"drain":         address.DrainAttribute(),
			"bake":          bakeAttribute(),
			"canary":        address.CanaryAttribute("The traffic moves to a new deployment by shares of it that grow. It needs `traffic.gateway`."),
			"retry_token":   address.RetryTokenAttribute(),
			"rollout": attrs.RolloutAttribute(mainRolloutMeaning, "How long the clusters whose traffic has moved are watched before it moves on the next ones, as with the attribute `bake`, "+
				"which follows when it has moved on all of them."),
			"abandon_unreachable": attrs.AbandonAttribute(),
			"dns":                 attrs.DNSAttribute(),

			"timeouts": attrs.TimeoutsAttribute(ctx, "until the traffic has moved and the old side is let go", ", and the time in which it only watches: the pauses of `canary`, `bake`, and `rollout.bake`"),

			"id": attrs.ComputedString("`<namespace>/<application>`: the import id."),
			"owner": attrs.ComputedString("Token of the claim by which this state holds the address. Whoever claims it later makes it stale: then this state can no longer change or remove it. " +
				"An import copies it: both states can change and remove it then. Take it out of the other one first, with `terraform state rm`."),
			"previous_deployment_id": address.PreviousAttribute(),
			"url":                    address.URLAttribute(),
			"urls":                   attrs.URLsAttribute(address.URLsMeaning),
			"split":                  address.SplitAttribute(),
			"promoted_at":            attrs.ComputedString("When the traffic last moved, in RFC 3339."),
			"status": attrs.ComputedString(fmt.Sprintf("How far the last promotion came: `%s` when it is done. Unfinished work is planned back to that, in place. All are on the page [Statuses](../guides/statuses.md).",
				release.MainFinalized)),
			"status_reason":  attrs.ComputedString("Why `status` is what it is, where there is something to say."),
			"cluster_status": attrs.ClusterStatusAttribute("As `status`, of the one cluster"),
			"drift":          attrs.DriftAttribute(),
			"retained":       address.RetainedAttribute(),
			"plan_summary":   address.SummaryAttribute(),
			"refused":        address.RefusedAttribute(),
			"stopped_by":     address.StoppedByAttribute(),
			"dns_records":    attrs.DNSRecordsAttribute(),
		},
	}
}
