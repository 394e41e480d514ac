package address

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
)

var portName = regexp.MustCompile(`^[a-z0-9]([a-z0-9]|-[a-z0-9])*$`)

func serviceAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"name": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			MarkdownDescription: "Name of the Service: a DNS-1035 label. Default: the application's name. A change makes the new Service before the old one is removed." + attrs.InPlace,
			Validators: []validator.String{
				stringvalidator.LengthBetween(1, 63),
				stringvalidator.RegexMatches(attrs.DNS1035, "must be lower case letters, digits and -, beginning with a letter and not ending with -"),
			},
		},
		"adopt": schema.BoolAttribute{
			Optional: true,
			MarkdownDescription: "`true`: the Service exists and stays somebody else's. Only its `spec.selector` is handed to Switchback; its ports, type, labels and annotations are never changed, and none of the other attributes but `name` can be set. " +
				"Destroying the main deployment gives the selector back, if what the Service selected before has a ready pod; otherwise it stays as it is, with a warning. " +
				"Neither this nor `name` can change while a Service is adopted.",
		},
		"ports": schema.MapAttribute{
			ElementType: attrs.WholeNumber32{},
			Optional:    true,
			MarkdownDescription: "Name of one of the deployment's `container.ports` to the number that the Service listens on (1 to 65535). " +
				"As ports are matched by name, versions may listen on different numbers; the protocol is that of the container's port. Required without `adopt`." + attrs.InPlace,
			Validators: []validator.Map{
				mapvalidator.SizeAtLeast(1),
				mapvalidator.NoNullValues(),
				mapvalidator.ValueInt32sAre(int32validator.Between(1, 65535)),
				mapvalidator.KeysAre(
					stringvalidator.LengthBetween(1, 15),
					stringvalidator.RegexMatches(portName, "must be a port name: lower case letters, digits and single -"),
				),
			},
		},
		"type": schema.StringAttribute{
			Optional: true,
			Computed: true,
			Default:  stringdefault.StaticString(serviceClusterIP),
			MarkdownDescription: "`ClusterIP` (default), `NodePort` or `LoadBalancer`. Headless and `ExternalName` Services are refused: " +
				"their clients find pods by DNS, which nobody can switch at a known moment." + attrs.InPlace,
			Validators: []validator.String{serviceTypeValidator{}},
		},
		"annotations": attrs.StringMap("Annotations of the Service, such as those for a cloud's load balancer." + attrs.InPlace),
		"session_affinity": schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			Default:             stringdefault.StaticString(affinityNone),
			MarkdownDescription: "`None` (default), or `ClientIP`: one client's connections go to one pod as long as it is selected." + attrs.InPlace,
			Validators:          []validator.String{stringvalidator.OneOf(affinityNone, "ClientIP")},
		},
		"load_balancer_class": attrs.OptionalString("With type `LoadBalancer`: which implementation serves it. Kubernetes allows no change while the Service is a `LoadBalancer`. Default: the cluster's."),
		"external_traffic_policy": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "With type `NodePort` or `LoadBalancer`: `Cluster` (Kubernetes' default), or `Local`, which keeps clients' addresses and sends traffic only to nodes that have a pod; " +
				"a load balancer needs its own time to notice that pods have moved to other nodes." + attrs.InPlace,
			Validators: []validator.String{stringvalidator.OneOf(policyCluster, policyLocal)},
		},
		"app_protocols": attrs.StringMap("Names of `ports` to what is spoken there, for load balancers and meshes: `http`, `https`, `kubernetes.io/h2c`, …" + attrs.InPlace),
		"node_ports": schema.MapAttribute{
			ElementType:         attrs.WholeNumber32{},
			Optional:            true,
			MarkdownDescription: "With type `NodePort` or `LoadBalancer`: names of `ports` to the port of the nodes, of the cluster's range (30000 to 32767, unless it is told otherwise). Default: Kubernetes chooses." + attrs.InPlace,
			Validators:          []validator.Map{mapvalidator.NoNullValues(), mapvalidator.ValueInt32sAre(int32validator.Between(1, 65535))},
		},
		"load_balancer_source_ranges": schema.ListAttribute{
			ElementType:         types.StringType,
			Optional:            true,
			MarkdownDescription: "With type `LoadBalancer`: CIDRs from which clients may come, such as `10.0.0.0/8`, where the implementation can do that. Default: from everywhere." + attrs.InPlace,
			Validators:          []validator.List{listvalidator.SizeAtLeast(1), listvalidator.ValueStringsAre(cidrValidator{}), listvalidator.NoNullValues()},
		},
		"ip_family_policy": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "`SingleStack`, `PreferDualStack` (both families where the cluster has both) or `RequireDualStack`. Default: the cluster's. " +
				"Without a word about it, Kubernetes keeps what the Service has." + attrs.InPlace,
			Validators: []validator.String{stringvalidator.OneOf(string(corev1.IPFamilyPolicySingleStack), string(corev1.IPFamilyPolicyPreferDualStack), string(corev1.IPFamilyPolicyRequireDualStack))},
		},
		"ip_families": schema.ListAttribute{
			ElementType: types.StringType,
			Optional:    true,
			MarkdownDescription: "`IPv4`, `IPv6` or both, the Service's own address first. Kubernetes allows no change of the first one: give the Service another `name` with it. Default: the cluster's. " +
				"Without a word about it, Kubernetes keeps what the Service has." + attrs.InPlace,
			Validators: []validator.List{
				listvalidator.SizeBetween(1, 2), listvalidator.UniqueValues(), listvalidator.NoNullValues(),
				listvalidator.ValueStringsAre(stringvalidator.OneOf(string(corev1.IPv4Protocol), string(corev1.IPv6Protocol))),
			},
		},
		"traffic_distribution": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Which pods traffic prefers: `PreferClose` or `PreferSameZone` (those of the client's zone), or `PreferSameNode`, as far as the cluster's version knows them. " +
				"Default: all alike. Where a zone has none, others take it." + attrs.InPlace,
			Validators: []validator.String{stringvalidator.OneOf(corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode)},
		},
	}
}

// cidrValidator accepts ranges of addresses.
type cidrValidator struct{}

func (cidrValidator) Description(context.Context) string { return "a CIDR, such as 10.0.0.0/8" }

func (v cidrValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v cidrValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := netip.ParsePrefix(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid range of addresses", fmt.Sprintf("%q is not %s.", req.ConfigValue.ValueString(), v.Description(ctx)))
	}
}
