package address

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Live is an address as a data source shows it: of a main deployment, or of a member of
// a group.
type Live struct {
	DeploymentID         types.String            `tfsdk:"deployment_id"`
	PreviousDeploymentID types.String            `tfsdk:"previous_deployment_id"`
	ServiceName          types.String            `tfsdk:"service_name"`
	Status               types.String            `tfsdk:"status"`
	StatusReason         types.String            `tfsdk:"status_reason"`
	PromotedAt           types.String            `tfsdk:"promoted_at"`
	Split                types.Map               `tfsdk:"split"`
	StrategyData         map[string]strategyData `tfsdk:"strategy_data"`
	LoadBalancer         map[string]balancers    `tfsdk:"load_balancer"`
}

// balancers are where clients outside the cluster reach an address; nil: not told.
type balancers struct {
	Service []string `tfsdk:"service"`
	Gateway []string `tfsdk:"gateway"`
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

// LiveAttributes are those of Live.
func LiveAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"deployment_id": attrs.DataString("The deployment that has all the traffic on every cluster that has the address; null where they disagree: `split` shows how."),
		"previous_deployment_id": attrs.DataString("The deployment that had the traffic before; null where there was none, or where the clusters disagree. " +
			"Going back is `deployment_id` set to this one."),
		"service_name":  attrs.DataString("Name of the Service that is the address."),
		"status":        attrs.DataString(fmt.Sprintf("How far the last move came: `%s` when it is done.", release.MainFinalized)),
		"status_reason": attrs.DataString("What is unfinished, where something is."),
		"promoted_at":   attrs.DataString("When the traffic last moved, in RFC 3339: the latest of the clusters."),
		"split": schema.MapAttribute{
			Computed: true, ElementType: SplitType,
			MarkdownDescription: "Who gets the traffic: cluster, to name of the deployment, to percent.",
		},
		"load_balancer": schema.MapNestedAttribute{
			Computed:            true,
			MarkdownDescription: "Where clients outside of the cluster reach it, live, by the name of the cluster.",
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"service": schema.ListAttribute{
					Computed: true, ElementType: types.StringType,
					MarkdownDescription: "IP addresses of the Service's load balancer, or host names where it has no addresses. Empty while it has neither, and where the Service is none of type `LoadBalancer`.",
				},
				"gateway": schema.ListAttribute{
					Computed: true, ElementType: types.StringType,
					MarkdownDescription: "Addresses of the Gateways that serve its route, as they say. Empty without a route. Null where one of them may not be read, " +
						"which takes the verb `get` on `gateways.gateway.networking.k8s.io` in its namespace.",
				},
			}},
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
	}
}

// LiveOf is the address on the clusters that have it, of which on are the connections by
// name.
func LiveOf(ctx context.Context, namespace string, there []observe.Main, on map[string]rollout.Cluster, diags *diag.Diagnostics) Live {
	l := Live{StrategyData: map[string]strategyData{}, LoadBalancer: map[string]balancers{}}
	splits := map[string]release.Split{}
	stable, previous := map[string]bool{}, map[string]bool{}
	for _, o := range there {
		l.StrategyData[o.Cluster] = strategyOn(ctx, on[o.Cluster], namespace, o, diags)
		l.LoadBalancer[o.Cluster] = balancersOn(ctx, on[o.Cluster], o, diags)
		splits[o.Cluster] = o.Split
		name, _ := o.Split.Stable()
		stable[name] = true
		before := ""
		if len(o.Main.Previous) > 0 {
			before = o.Main.Previous[0]
		}
		previous[before] = true
		if at := attrs.TimeOrNull(o.Main.PromotedAt); at.ValueString() > l.PromotedAt.ValueString() {
			l.PromotedAt = at
		}
		l.ServiceName = attrs.TextOrNull(o.Main.Service)
	}
	l.Split = SplitValue(splits)
	l.DeploymentID, l.PreviousDeploymentID = attrs.IDOrNull(namespace, Agreed(stable)), attrs.IDOrNull(namespace, Agreed(previous))
	status, reason := observe.StatusOf(there)
	l.Status, l.StatusReason = types.StringValue(string(status)), attrs.TextOrNull(reason)
	return l
}

// balancersOn is where clients reach the address on one cluster.
func balancersOn(ctx context.Context, c rollout.Cluster, o observe.Main, diags *diag.Diagnostics) balancers {
	found := balancers{Service: append([]string{}, traffic.Addresses(o.Service)...)}
	gateways, told, err := observe.GatewayAddresses(ctx, c, o.Route)
	if err != nil {
		explain.Error(diags, err)
	}
	if told {
		found.Gateway = append([]string{}, gateways...)
	}
	return found
}

// strategyOn is how far the move has come on one cluster.
func strategyOn(ctx context.Context, c rollout.Cluster, namespace string, o observe.Main, diags *diag.Diagnostics) strategyData {
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
