package deployment

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What is said of the pods as a whole.

type dnsModel struct {
	Policy      *string            `tfsdk:"policy"`
	Nameservers []string           `tfsdk:"nameservers"`
	Searches    []string           `tfsdk:"searches"`
	Options     map[string]*string `tfsdk:"options"`
}

type spreadModel struct {
	TopologyKey       string  `tfsdk:"topology_key"`
	MaxSkew           *int32  `tfsdk:"max_skew"`
	WhenUnsatisfiable *string `tfsdk:"when_unsatisfiable"`
	MinDomains        *int32  `tfsdk:"min_domains"`
}

func podAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"affinity":            affinityAttribute(),
		"priority_class_name": attrs.OptionalString("PriorityClass of the pods. Default: the cluster's." + attrs.Replaces),
		"runtime_class_name":  attrs.OptionalString("RuntimeClass of the pods, such as that of a sandbox. Default: the nodes' usual runtime." + attrs.Replaces),
		"host_aliases": schema.MapAttribute{
			ElementType:         types.ListType{ElemType: types.StringType},
			Optional:            true,
			MarkdownDescription: "Lines of the pods' hosts file: address to names, such as `{ \"10.0.0.5\" = [\"db.internal\"] }`." + attrs.Replaces,
		},
		"dns": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "How the pods resolve names." + attrs.Replaces,
			Attributes: map[string]schema.Attribute{
				"policy":      attrs.OptionalString("`ClusterFirst` (default), `ClusterFirstWithHostNet`, `Default` (as the node does) or `None` (as `nameservers` says)."),
				"nameservers": stringList("Addresses of name servers, asked besides those of the policy."),
				"searches":    stringList("Domains in which a short name is looked for."),
				"options":     attrs.StringMap("Resolver options, such as `{ ndots = \"2\" }`; an empty value is an option without one."),
			},
		},
		"topology_spread": schema.ListNestedAttribute{
			Optional:            true,
			MarkdownDescription: "How the pods of this deployment are kept apart. Default: over the nodes, where that is possible; `[]` leaves it to the scheduler." + attrs.Replaces,
			Validators:          []validator.List{listvalidator.NoNullValues()},
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"topology_key":       requiredString("Node label whose values are the domains, such as `topology.kubernetes.io/zone`."),
				"max_skew":           optionalInt32("How many pods more one domain may have than another. Default: 1."),
				"when_unsatisfiable": attrs.OptionalString("`ScheduleAnyway` (default) or `DoNotSchedule`."),
				"min_domains":        optionalInt32("With `DoNotSchedule`: how many domains there must be."),
			}},
		},
	}
}

func (m *dnsModel) content() *release.PodDNS {
	if m == nil {
		return nil
	}
	return &release.PodDNS{Policy: value(m.Policy), Nameservers: m.Nameservers, Searches: m.Searches, Options: attrs.Present(m.Options)}
}

// topologySpread tells an empty list from none.
func topologySpread(models []spreadModel, none bool) *[]release.TopologySpread {
	if none {
		return nil
	}
	list := make([]release.TopologySpread, len(models))
	for i, m := range models {
		list[i] = release.TopologySpread{TopologyKey: m.TopologyKey, MaxSkew: value(m.MaxSkew), WhenUnsatisfiable: value(m.WhenUnsatisfiable), MinDomains: m.MinDomains}
	}
	return &list
}

func (e encoder) dns(d *release.PodDNS) types.Object {
	attributes := deploymentTypes()["dns"].(types.ObjectType).AttrTypes
	if d == nil {
		return types.ObjectNull(attributes)
	}
	m := dnsModel{Policy: pointer(d.Policy), Nameservers: d.Nameservers, Searches: d.Searches, Options: pointers(d.Options)}
	out, diags := types.ObjectValueFrom(e.ctx, attributes, m)
	e.diags.Append(diags...)
	return out
}

func (e encoder) topologySpread(list *[]release.TopologySpread) types.List {
	element := deploymentTypes()["topology_spread"].(types.ListType).ElemType
	if list == nil {
		return types.ListNull(element)
	}
	models := make([]spreadModel, len(*list))
	for i, t := range *list {
		models[i] = spreadModel{TopologyKey: t.TopologyKey, MaxSkew: pointer(t.MaxSkew), WhenUnsatisfiable: pointer(t.WhenUnsatisfiable), MinDomains: t.MinDomains}
	}
	out, diags := types.ListValueFrom(e.ctx, element, models)
	e.diags.Append(diags...)
	return out
}
