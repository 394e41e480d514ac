package deployment

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

type affinityModel struct {
	Node    *nodeAffinityModel `tfsdk:"node_affinity"`
	Pod     *podAffinityModel  `tfsdk:"pod_affinity"`
	PodAnti *podAffinityModel  `tfsdk:"pod_anti_affinity"`
}

type nodeAffinityModel struct {
	Required  []nodeTermModel      `tfsdk:"required_during_scheduling_ignored_during_execution"`
	Preferred []preferredNodeModel `tfsdk:"preferred_during_scheduling_ignored_during_execution"`
}

type nodeTermModel struct {
	Expressions []requirementModel `tfsdk:"match_expressions"`
	Fields      []requirementModel `tfsdk:"match_fields"`
}

type preferredNodeModel struct {
	Weight     int32         `tfsdk:"weight"`
	Preference nodeTermModel `tfsdk:"preference"`
}

type podAffinityModel struct {
	Required  []podTermModel      `tfsdk:"required_during_scheduling_ignored_during_execution"`
	Preferred []preferredPodModel `tfsdk:"preferred_during_scheduling_ignored_during_execution"`
}

type podTermModel struct {
	TopologyKey       string         `tfsdk:"topology_key"`
	LabelSelector     *selectorModel `tfsdk:"label_selector"`
	Namespaces        []string       `tfsdk:"namespaces"`
	NamespaceSelector *selectorModel `tfsdk:"namespace_selector"`
}

type preferredPodModel struct {
	Weight int32        `tfsdk:"weight"`
	Term   podTermModel `tfsdk:"pod_affinity_term"`
}

type selectorModel struct {
	Labels      map[string]*string `tfsdk:"match_labels"`
	Expressions []requirementModel `tfsdk:"match_expressions"`
}

type requirementModel struct {
	Key      string   `tfsdk:"key"`
	Operator string   `tfsdk:"operator"`
	Values   []string `tfsdk:"values"`
}

// affinityAttribute has the names that Kubernetes has.
func affinityAttribute() schema.SingleNestedAttribute {
	const required, preferred = "required_during_scheduling_ignored_during_execution", "preferred_during_scheduling_ignored_during_execution"
	weight := schema.Int32Attribute{CustomType: attrs.WholeNumber32{}, Required: true, MarkdownDescription: "How much it counts, from 1 to 100."}
	weighted := func(name, description string, attributes map[string]schema.Attribute) map[string]schema.Attribute {
		return map[string]schema.Attribute{
			"weight": weight,
			name:     schema.SingleNestedAttribute{Required: true, MarkdownDescription: description, Attributes: attributes},
		}
	}
	pods := func(description string) schema.SingleNestedAttribute {
		return schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: description,
			Attributes: map[string]schema.Attribute{
				required:  nestedList("All of these must hold, or the pods are not scheduled.", podTermAttributes()),
				preferred: nestedList("These are looked for, as far as that is possible.", weighted("pod_affinity_term", "Which pods, and where.", podTermAttributes())),
			},
		}
	}
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "To which nodes the pods go, and near to or far from which pods. Whether the pods of one deployment are spread evenly is said by `topology_spread`; " +
			"`required` terms between pods also hold between the former and the next deployment while both run, unless they are about a deployment's own pods." + attrs.Replaces,
		Attributes: map[string]schema.Attribute{
			"node_affinity": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Nodes by their labels.",
				Attributes: map[string]schema.Attribute{
					required:  nestedList("One of these must match a node, or the pods are not scheduled there.", nodeTermAttributes()),
					preferred: nestedList("These nodes are looked for, as far as that is possible.", weighted("preference", "What a node should have: all of it.", nodeTermAttributes())),
				},
			},
			"pod_affinity":      pods("Near to which pods: in the same domain of a node label."),
			"pod_anti_affinity": pods("Away from which pods: in another domain of a node label."),
		},
	}
}

func nodeTermAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"match_expressions": requirements("Labels of the node: all must match.", "`In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`."),
		"match_fields":      requirements("The node's name: `key` is `metadata.name`.", "`In` or `NotIn`."),
	}
}

func podTermAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"topology_key": requiredString("Node label whose values are the domains, such as `kubernetes.io/hostname`."),
		"label_selector": selectorAttribute("Which pods. Default: this deployment's own. `{}` is all pods. " +
			"Pods of every version of an application have the label `switchback.dev/application`."),
		"namespaces":         stringList("Namespaces of these pods. Default, without `namespace_selector`: the deployment's own."),
		"namespace_selector": selectorAttribute("Namespaces of these pods, by their labels, beside `namespaces`. `{}` is all namespaces."),
	}
}

func selectorAttribute(description string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: description,
		Attributes: map[string]schema.Attribute{
			"match_labels":      attrs.StringMap("Labels with these values."),
			"match_expressions": requirements("Labels that compare like this.", "`In`, `NotIn`, `Exists` or `DoesNotExist`."),
		},
	}
}

func requirements(description, operators string) schema.ListNestedAttribute {
	return nestedList(description, map[string]schema.Attribute{
		"key":      requiredString("What is compared."),
		"operator": requiredString(operators),
		"values":   stringList("What it is compared with, as the operator wants it."),
	})
}

func nestedList(description string, attributes map[string]schema.Attribute) schema.ListNestedAttribute {
	return schema.ListNestedAttribute{
		Optional:            true,
		MarkdownDescription: description,
		Validators:          []validator.List{listvalidator.NoNullValues()},
		NestedObject:        schema.NestedAttributeObject{Attributes: attributes},
	}
}

func (m *affinityModel) content() *release.Affinity {
	if m == nil {
		return nil
	}
	a := &release.Affinity{Pod: m.Pod.content(), PodAnti: m.PodAnti.content()}
	if n := m.Node; n != nil {
		a.Node = &release.NodeAffinity{
			Required: attrs.ConvertList(n.Required, nodeTermModel.content),
			Preferred: attrs.ConvertList(n.Preferred, func(p preferredNodeModel) release.PreferredNode {
				return release.PreferredNode{Weight: p.Weight, Preference: p.Preference.content()}
			}),
		}
	}
	return a
}

func (m nodeTermModel) content() release.NodeTerm {
	return release.NodeTerm{Expressions: attrs.ConvertList(m.Expressions, requirementModel.content), Fields: attrs.ConvertList(m.Fields, requirementModel.content)}
}

func (m requirementModel) content() release.Requirement {
	return release.Requirement{Key: m.Key, Operator: m.Operator, Values: m.Values}
}

func (m *podAffinityModel) content() *release.PodAffinity {
	if m == nil {
		return nil
	}
	return &release.PodAffinity{
		Required: attrs.ConvertList(m.Required, podTermModel.content),
		Preferred: attrs.ConvertList(m.Preferred, func(p preferredPodModel) release.PreferredPod {
			return release.PreferredPod{Weight: p.Weight, Term: p.Term.content()}
		}),
	}
}

func (m podTermModel) content() release.PodTerm {
	return release.PodTerm{TopologyKey: m.TopologyKey, Selector: m.LabelSelector.content(), Namespaces: m.Namespaces, NamespaceSelector: m.NamespaceSelector.content()}
}

func (m *selectorModel) content() *release.LabelSelector {
	if m == nil {
		return nil
	}
	return &release.LabelSelector{Labels: attrs.Present(m.Labels), Expressions: attrs.ConvertList(m.Expressions, requirementModel.content)}
}

// affinity is the way back, for an import.
func (e encoder) affinity(a *release.Affinity) types.Object {
	attributes := deploymentTypes()["affinity"].(types.ObjectType).AttrTypes
	if a == nil {
		return types.ObjectNull(attributes)
	}
	m := affinityModel{Pod: newPodAffinityModel(a.Pod), PodAnti: newPodAffinityModel(a.PodAnti)}
	if n := a.Node; n != nil {
		m.Node = &nodeAffinityModel{
			Required: attrs.ConvertList(n.Required, newNodeTermModel),
			Preferred: attrs.ConvertList(n.Preferred, func(p release.PreferredNode) preferredNodeModel {
				return preferredNodeModel{Weight: p.Weight, Preference: newNodeTermModel(p.Preference)}
			}),
		}
	}
	out, diags := types.ObjectValueFrom(e.ctx, attributes, m)
	e.diags.Append(diags...)
	return out
}

func newNodeTermModel(t release.NodeTerm) nodeTermModel {
	return nodeTermModel{Expressions: attrs.ConvertList(t.Expressions, newRequirementModel), Fields: attrs.ConvertList(t.Fields, newRequirementModel)}
}

func newRequirementModel(q release.Requirement) requirementModel {
	return requirementModel{Key: q.Key, Operator: q.Operator, Values: q.Values}
}

func newPodAffinityModel(a *release.PodAffinity) *podAffinityModel {
	if a == nil {
		return nil
	}
	return &podAffinityModel{
		Required: attrs.ConvertList(a.Required, newPodTermModel),
		Preferred: attrs.ConvertList(a.Preferred, func(p release.PreferredPod) preferredPodModel {
			return preferredPodModel{Weight: p.Weight, Term: newPodTermModel(p.Term)}
		}),
	}
}

func newPodTermModel(t release.PodTerm) podTermModel {
	return podTermModel{TopologyKey: t.TopologyKey, LabelSelector: newSelectorModel(t.Selector), Namespaces: t.Namespaces, NamespaceSelector: newSelectorModel(t.NamespaceSelector)}
}

func newSelectorModel(s *release.LabelSelector) *selectorModel {
	if s == nil {
		return nil
	}
	return &selectorModel{Labels: pointers(s.Labels), Expressions: attrs.ConvertList(s.Expressions, newRequirementModel)}
}
