package workload

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// The attributes of an affinity that Kubernetes, and so everybody, has these names for.
const (
	requiredTerms  = "required_during_scheduling_ignored_during_execution"
	preferredTerms = "preferred_during_scheduling_ignored_during_execution"
)

// podOperators and nodeOperators are what labels can be compared by.
var (
	podOperators  = []string{"In", "NotIn", "Exists", "DoesNotExist"}
	nodeOperators = append(slices.Clone(podOperators), "Gt", "Lt")
)

func checkAffinity(r *report, at path, a *release.Affinity) {
	if a == nil {
		return
	}
	if n := a.Node; n != nil {
		at := at.to("node_affinity")
		for i, t := range n.Required {
			checkNodeTerm(r, at.to(requiredTerms, i), t)
		}
		for i, p := range n.Preferred {
			at := at.to(preferredTerms, i)
			checkWeight(r, at, p.Weight)
			checkNodeTerm(r, at.to("preference"), p.Preference)
		}
	}
	checkPodAffinity(r, at.to("pod_affinity"), a.Pod)
	checkPodAffinity(r, at.to("pod_anti_affinity"), a.PodAnti)
}

func checkPodAffinity(r *report, at path, a *release.PodAffinity) {
	if a == nil {
		return
	}
	for i, t := range a.Required {
		checkPodTerm(r, at.to(requiredTerms, i), t)
	}
	for i, p := range a.Preferred {
		at := at.to(preferredTerms, i)
		checkWeight(r, at, p.Weight)
		checkPodTerm(r, at.to("pod_affinity_term"), p.Term)
	}
}

func checkWeight(r *report, at path, weight int32) {
	if weight < 1 || weight > 100 {
		r.add(at.to("weight"), "Weight out of range", "The weight of a preference is a number from 1 to 100; %d is not. Choose one by how much it counts beside the others.", weight)
	}
}

func checkNodeTerm(r *report, at path, t release.NodeTerm) {
	if len(t.Expressions)+len(t.Fields) == 0 {
		r.add(at, "Affinity to no node", "A term without match_expressions and match_fields matches no node at all. Say what the nodes must have, or remove the term.")
	}
	for i, q := range t.Expressions {
		checkRequirement(r, at.to("match_expressions", i), "node label", q, nodeOperators)
	}
	for i, q := range t.Fields {
		at := at.to("match_fields", i)
		if q.Key != "metadata.name" {
			r.add(at.to("key"), "Unknown node field", "Nodes are found by no field %q. Use \"metadata.name\", or match_expressions for labels.", q.Key)
		}
		if q.Operator != "In" && q.Operator != "NotIn" {
			r.add(at.to("operator"), "Unknown operator", "A node's name cannot be compared by %q. Use In or NotIn.", q.Operator)
		}
		if len(q.Values) != 1 || len(validation.IsDNS1123Subdomain(q.Values[0])) > 0 {
			r.add(at.to("values"), "Not one node", "A node's name is compared with exactly one name. Give one, and a term for each further node.")
		}
	}
}

func checkPodTerm(r *report, at path, t release.PodTerm) {
	checkQualifiedName(r, at.to("topology_key"), "node label", t.TopologyKey)
	for i, name := range t.Namespaces {
		if bad := validation.IsDNS1123Label(name); len(bad) > 0 {
			r.add(at.to("namespaces", i), "Invalid namespace", "%q cannot name a namespace: %s. Use the name of an existing namespace.", name, reasons(bad))
		}
	}
	checkLabelSelector(r, at.to("label_selector"), t.Selector)
	checkLabelSelector(r, at.to("namespace_selector"), t.NamespaceSelector)
}

func checkLabelSelector(r *report, at path, s *release.LabelSelector) {
	if s == nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		at := at.to("match_labels", Key(key))
		checkQualifiedName(r, at, "label", key)
		checkLabelValue(r, at, "label", s.Labels[key])
	}
	for i, q := range s.Expressions {
		checkRequirement(r, at.to("match_expressions", i), "label", q, podOperators)
	}
}

// checkRequirement looks at one comparison of a label.
func checkRequirement(r *report, at path, kind string, q release.Requirement, operators []string) {
	checkQualifiedName(r, at.to("key"), kind, q.Key)
	if !slices.Contains(operators, q.Operator) {
		r.add(at.to("operator"), "Unknown operator", "There is no operator %q here. Use one of %s.", q.Operator, strings.Join(operators, ", "))
		return
	}
	values := at.to("values")
	switch corev1.NodeSelectorOperator(q.Operator) {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(q.Values) == 0 {
			r.add(values, "Comparison without a value", "%s compares a label with values, of which there are none. Name one or more, or use Exists or DoesNotExist.", q.Operator)
		}
		for i, value := range q.Values {
			checkLabelValue(r, values.to(i), kind, value)
		}
	case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
		if len(q.Values) > 0 {
			r.add(values, "Comparison with useless values", "%s looks whether there is the label, whatever its value. Remove values, or use In or NotIn.", q.Operator)
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		number := len(q.Values) == 1
		if number {
			_, err := strconv.ParseInt(q.Values[0], 10, 64)
			number = err == nil
		}
		if !number {
			r.add(values, "Not one number", "%s compares a label with exactly one whole number. Give one, as a text such as [\"8\"].", q.Operator)
		}
	}
}
