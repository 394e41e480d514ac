package address

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int32default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/objectdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

const (
	defaultKeepCount = 1
	maxKeepCount     = 20 // release.Main remembers no more
)

// keepPreviousTypes are the attributes of keep_previous.
var keepPreviousTypes = map[string]attr.Type{"count": attrs.WholeNumber32{}, "ttl": types.StringType, "state": types.StringType}

// keepStateMeaning documents keep_previous.state.
var keepStateMeaning = map[release.DesiredState]string{
	release.DesiredStarted: "running: going back takes seconds",
	release.DesiredStopped: "scaled to zero after the drain, with everything else kept: going back takes as long as its pods take to start",
}

// TrafficAttribute is `traffic`.
func TrafficAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Required:            true,
		MarkdownDescription: "How traffic reaches the application." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"service": schema.SingleNestedAttribute{
				Required:            true,
				MarkdownDescription: "The application's address is a Kubernetes Service whose selector moves from one deployment to the next, all at once." + attrs.InPlace,
				Attributes:          serviceAttributes(),
			},
			"gateway": gatewayAttribute(),
		},
	}
}

// KeepPreviousAttribute is `keep_previous`, with its default.
func KeepPreviousAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		Computed: true,
		Default: objectdefault.StaticValue(types.ObjectValueMust(keepPreviousTypes, map[string]attr.Value{
			"count": types.Int32Value(defaultKeepCount), "ttl": types.StringNull(), "state": types.StringValue(string(release.DesiredStarted)),
		})),
		MarkdownDescription: "What stays of former main deployments, so that going back is quick. Default: the last one, running. " +
			"A change applies to those that are retained already, too." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"count": schema.Int32Attribute{
				CustomType: attrs.WholeNumber32{},
				Optional:   true,
				Computed:   true,
				Default:    int32default.StaticInt32(defaultKeepCount),
				MarkdownDescription: fmt.Sprintf("How many former main deployments stay, the newest first: 0 to %d. Default: %d. Older ones that are in nobody's state are removed at the next promotion.",
					maxKeepCount, defaultKeepCount) + attrs.InPlace,
				Validators: []validator.Int32{int32validator.Between(0, maxKeepCount)},
			},
			"ttl": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "How long one stays after it was main, as a text like `48h`. Default: for ever. " +
					"It acts at the next apply that changes this resource, such as the next promotion: time alone makes no plan. " +
					"`terraform apply -replace` of this resource is such an apply, and moves no traffic. The clock is the API server's." + attrs.InPlace,
				Validators:    []validator.String{attrs.IsPositiveDuration()},
				PlanModifiers: []planmodifier.String{attrs.KeepSameDuration()},
			},
			"state": schema.StringAttribute{
				Optional:            true,
				Computed:            true,
				Default:             stringdefault.StaticString(string(release.DesiredStarted)),
				MarkdownDescription: "What is retained is " + attrs.EnumText(release.DesiredStates(), keepStateMeaning) + ". Default: `" + string(release.DesiredStarted) + "`." + attrs.InPlace,
				Validators:          []validator.String{attrs.OneOf(release.DesiredStates())},
			},
		},
	}
}

// DrainAttribute is `drain`, with its default.
func DrainAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true,
		Computed: true,
		Default:  stringdefault.StaticString(release.DefaultDrain.String()),
		MarkdownDescription: fmt.Sprintf("How long both sides keep running after a verified switch before anything of the old one stops, as a text like `30s` or `2m`. Default: `%s`. Another spelling of the same time is no change.",
			release.DefaultDrain) + attrs.InPlace,
		Validators:    []validator.String{attrs.IsDuration()},
		PlanModifiers: []planmodifier.String{attrs.KeepSameDuration()},
	}
}

// RetryTokenAttribute is `retry_token`.
func RetryTokenAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true,
		MarkdownDescription: "Any text. A deployment that did not pass its `bake`, or that somebody has taken the traffic from in the middle of a canary, is not made main again before this changes, or another deployment has become main: " +
			"change it when the cause was elsewhere and is gone. Without such a deployment it changes nothing." + attrs.InPlace,
	}
}

// PreviousAttribute is `previous_deployment_id`.
func PreviousAttribute() schema.StringAttribute {
	return attrs.ComputedString("The deployment that had the traffic before; null at first. Known after apply whenever traffic may move.")
}

// URLAttribute is `url`.
func URLAttribute() schema.StringAttribute {
	return attrs.ComputedString("`http://<service>.<namespace>.svc:<port>` with the port named `http`, else the first one by name.")
}

// SplitType is cluster -> release name -> percent, less the outer map.
var SplitType = types.MapType{ElemType: types.Int64Type}

// SplitAttribute is `split`.
func SplitAttribute() schema.MapAttribute {
	return schema.MapAttribute{
		Computed:            true,
		ElementType:         SplitType,
		MarkdownDescription: "Who gets the traffic: cluster, to name of the deployment, to percent.",
	}
}

// What the main Service can be.
const (
	serviceClusterIP    = "ClusterIP"
	serviceNodePort     = "NodePort"
	serviceLoadBalancer = "LoadBalancer"
	affinityNone        = "None"
	policyCluster       = "Cluster"
	policyLocal         = "Local"
)

// serviceTypeValidator accepts the types whose address a selector can switch,
// and says of the others why not.
type serviceTypeValidator struct{}

func (serviceTypeValidator) Description(context.Context) string {
	return serviceClusterIP + ", " + serviceNodePort + " or " + serviceLoadBalancer
}

func (v serviceTypeValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

func (v serviceTypeValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	const summary = "Service type cannot be switched"
	switch t := req.ConfigValue.ValueString(); t {
	case serviceClusterIP, serviceNodePort, serviceLoadBalancer:
	case "Headless", "None":
		resp.Diagnostics.AddAttributeError(req.Path, summary,
			"Clients of a headless Service resolve pods' addresses themselves and cache them, so nobody can say when they have moved to another deployment. Use "+v.Description(ctx)+".")
	case "ExternalName":
		resp.Diagnostics.AddAttributeError(req.Path, summary,
			"An ExternalName Service is a DNS alias without pods: there is nothing to switch. Use "+v.Description(ctx)+".")
	default:
		resp.Diagnostics.AddAttributeError(req.Path, "Unknown Service type", fmt.Sprintf("%q is not one of %s.", t, v.Description(ctx)))
	}
}
