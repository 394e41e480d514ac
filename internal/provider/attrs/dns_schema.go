package attrs

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// dnsPolicyMeaning documents dns.policy.
var dnsPolicyMeaning = map[release.DNSPolicy]string{
	release.DNSSimple:   "one record with the addresses of all clusters",
	release.DNSWeighted: "a record for each cluster, with its share of the answers",
	release.DNSLatency:  "a record for each cluster, with its region: clients get the nearest",
	release.DNSFailover: "everything goes to the primary while it is healthy, else to the other one",
}

// DNSAttribute is a name across clusters: of a main deployment, or of any other
// resource that has an application's address.
func DNSAttribute() schema.SingleNestedAttribute {
	clusterMap := func(element schema.MapAttribute, description string) schema.MapAttribute {
		element.Optional, element.MarkdownDescription = true, description+InPlace
		element.Validators = append(element.Validators, mapvalidator.SizeAtLeast(1), mapvalidator.NoNullValues())
		return element
	}
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "One DNS name for the application on all its clusters. The records lead to the addresses of its main Services, which a promotion does not change. " +
			"They are in `dns_records`, and [external-dns](https://kubernetes-sigs.github.io/external-dns/) makes them from `DNSEndpoint` objects in the clusters. " +
			"The guide [Many clusters](../guides/many-clusters.md) shows both." + InPlace,
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "The name: whole, in lower case and without a dot at its end, such as `api.example.com`." + InPlace,
			},
			"policy": schema.StringAttribute{
				Optional: true, Computed: true,
				Default: stringdefault.StaticString(string(release.DNSSimple)),
				MarkdownDescription: "How the name spreads over the clusters: " + EnumText(release.DNSPolicies(), dnsPolicyMeaning) + ". Default: `" + string(release.DNSSimple) + "`. " +
					"With `endpoints`, only the backend `" + string(release.BackendAWS) + "` has more than that." + InPlace,
				Validators: []validator.String{OneOf(release.DNSPolicies())},
			},
			"ttl": schema.StringAttribute{
				Optional: true, Computed: true,
				Default:             stringdefault.StaticString(DurationText(release.DefaultDNSTTL)),
				MarkdownDescription: fmt.Sprintf("How long clients may remember an answer, as a text like `60s`. Default: `%s`. Some backends have one of their own. Another spelling of the same time is no change.", DurationText(release.DefaultDNSTTL)) + InPlace,
				Validators:          []validator.String{IsPositiveDuration()},
				PlanModifiers:       []planmodifier.String{KeepSameDuration()},
			},
			"endpoints": schema.BoolAttribute{
				Optional: true, Computed: true,
				Default: booldefault.StaticBool(true),
				MarkdownDescription: "`true` (default): write `DNSEndpoint` objects, named like the application, for the external-dns of each cluster, which must run with `--source=crd`. " +
					"Their CustomResourceDefinition must be installed. `false`: nothing is written, and `dns_records` says what to make." + InPlace,
			},
			"backend": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "What external-dns writes to: its `--provider`. Required with `endpoints`, because it decides which fields external-dns understands. One of " +
					EnumText(release.DNSBackends(), nil) + "." + InPlace,
				Validators: []validator.String{OneOf(release.DNSBackends())},
			},
			"primary": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Name of a cluster. With `failover`: the one that gets everything while it is healthy. " +
					"With `simple` on several clusters and `endpoints`: the one whose external-dns makes the record; another one leaves the name without a record until both external-dns have followed." + InPlace,
			},
			"weights": clusterMap(schema.MapAttribute{ElementType: WholeNumber64{}},
				"With `weighted`: name of the cluster to its weight, 0 to 255 with Route 53. A cluster gets its weight's share of the sum; 0 is nothing. Every cluster has one."),
			"regions": clusterMap(schema.MapAttribute{ElementType: types.StringType},
				"With `latency`: name of the cluster to its region, such as `us-east-1`. Every cluster has one of its own."),
			"targets": clusterMap(schema.MapAttribute{ElementType: types.SetType{ElemType: types.StringType}, Validators: []validator.Map{
				mapvalidator.ValueSetsAre(setvalidator.NoNullValues()),
			}},
				"Name of the cluster to where the name leads there: IP addresses, or one host name. Default: the addresses that the load balancer of the main Service has, which are waited for as long as the `timeouts` allow."),
			"health_checks": clusterMap(schema.MapAttribute{ElementType: types.StringType},
				"With `weighted`, `latency` and `failover`: name of the cluster to the id of its Route 53 health check."),
			"labels":      StringMap("Further labels of the `DNSEndpoint` objects, for external-dns' `--label-filter`." + InPlace),
			"annotations": StringMap("Annotations of the `DNSEndpoint` objects, for external-dns' `--annotation-filter`." + InPlace),
		},
	}
}

// DNSRecordsAttribute is what to make where external-dns does not.
func DNSRecordsAttribute() schema.ListNestedAttribute {
	return schema.ListNestedAttribute{
		Computed: true,
		MarkdownDescription: "The records of `dns`, for `aws_route53_record` and the like: by cluster and type; empty without `dns`. " +
			"Known at plan where the last refresh knew all addresses; with `simple`, where `targets` names them all. After a refresh they follow the load balancers' addresses; while one has none, or its cluster cannot be read, its last record stays.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"cluster":         ComputedString("Name of the cluster; null for the one record that all have together with `simple`."),
			"name":            ComputedString("The DNS name."),
			"type":            ComputedString("`A`, `AAAA` or `CNAME`, as the addresses are."),
			"ttl":             schema.Int64Attribute{Computed: true, MarkdownDescription: "Seconds."},
			"values":          schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Addresses, or one host name."},
			"set_identifier":  ComputedString("Tells the records of one name and type apart: `<namespace>/<application>/<cluster>`; null with `simple`."),
			"weight":          schema.Int64Attribute{Computed: true, MarkdownDescription: "With `weighted`."},
			"region":          ComputedString("With `latency`."),
			"failover":        ComputedString("With `failover`: `" + release.DNSFailoverPrimary + "` or `" + release.DNSFailoverSecondary + "`."),
			"health_check_id": ComputedString("The health check, where one is given."),
		}},
	}
}

// DNSRecordType is the type of one of `dns_records`.
func DNSRecordType() types.ObjectType {
	return DNSRecordsAttribute().NestedObject.Type().(types.ObjectType)
}

// DNSTypes is the type of `dns`.
func DNSTypes() types.ObjectType { return DNSAttribute().GetType().(types.ObjectType) }
