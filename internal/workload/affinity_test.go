package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// drawn is a release with all that an affinity can say.
func drawn() release.Spec {
	spec := minimal()
	elsewhere := release.PodTerm{
		TopologyKey: "topology.kubernetes.io/zone", Namespaces: []string{"cache"}, NamespaceSelector: &release.LabelSelector{},
		Selector: &release.LabelSelector{Labels: map[string]string{"app": "redis"}, Expressions: []release.Requirement{{Key: "tier", Operator: "NotIn", Values: []string{"test"}}}},
	}
	spec.Content.Affinity = &release.Affinity{
		Node: &release.NodeAffinity{
			Required: []release.NodeTerm{
				{Expressions: []release.Requirement{{Key: "disk", Operator: "In", Values: []string{"ssd", "nvme"}}, {Key: "cores", Operator: "Gt", Values: []string{"8"}}}},
				{Fields: []release.Requirement{{Key: "metadata.name", Operator: "In", Values: []string{"node-1"}}}},
			},
			Preferred: []release.PreferredNode{{Weight: 100, Preference: release.NodeTerm{Expressions: []release.Requirement{{Key: "spot", Operator: "DoesNotExist"}}}}},
		},
		Pod:     &release.PodAffinity{Preferred: []release.PreferredPod{{Weight: 1, Term: elsewhere}}},
		PodAnti: &release.PodAffinity{Required: []release.PodTerm{{TopologyKey: "kubernetes.io/hostname"}, {TopologyKey: "zone", Selector: &release.LabelSelector{}}}},
	}
	return spec
}

// TestAffinityAndBack: what is typed is in the pods, and an import that has nothing but
// them finds it again. What says nothing of which pods is about the release's own.
func TestAffinityAndBack(t *testing.T) {
	spec := drawn()
	for _, p := range workload.Validate(spec) {
		t.Error(p)
	}
	d, err := workload.Deployment(spec)
	if err != nil {
		t.Fatal(err)
	}
	away := d.Spec.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if diff := cmp.Diff(release.Selector(d.Name), away[0].LabelSelector.MatchLabels); diff != "" || len(away[1].LabelSelector.MatchLabels) != 0 {
		t.Errorf("the pods are kept from %+v", away)
	}
	delete(d.Annotations, release.AnnotationSpec)
	d.Spec.Template.Spec.DNSPolicy = "ClusterFirst" // as the server does
	got, exact, err := workload.FromDeployment(d)
	if err != nil || !exact {
		t.Errorf("exact: %v, error: %v", exact, err)
	}
	if diff := cmp.Diff(spec.Content.Normalize(), got.Content); diff != "" {
		t.Errorf("the import differs (-typed +imported):\n%s", diff)
	}
}

func TestValidateAffinity(t *testing.T) {
	nodes := func(q release.Requirement) func(*release.Spec) {
		return onContent(func(c *content) {
			c.Affinity = &release.Affinity{Node: &release.NodeAffinity{Required: []release.NodeTerm{{Expressions: []release.Requirement{q}}}}}
		})
	}
	field := func(q release.Requirement) func(*release.Spec) {
		return onContent(func(c *content) {
			c.Affinity = &release.Affinity{Node: &release.NodeAffinity{Required: []release.NodeTerm{{Fields: []release.Requirement{q}}}}}
		})
	}
	pods := func(term release.PodTerm) func(*release.Spec) {
		return onContent(func(c *content) {
			c.Affinity = &release.Affinity{PodAnti: &release.PodAffinity{Required: []release.PodTerm{term}}}
		})
	}
	const node = "affinity.node_affinity.required_during_scheduling_ignored_during_execution[0]"
	const pod = "affinity.pod_anti_affinity.required_during_scheduling_ignored_during_execution[0]"
	runChecks(t, map[string]check{
		"operator":      {nodes(release.Requirement{Key: "a", Operator: "Equals"}), node + ".match_expressions[0].operator", []string{`"Equals"`, "In, NotIn"}},
		"key":           {nodes(release.Requirement{Key: "a b", Operator: "Exists"}), node + ".match_expressions[0].key", []string{`"a b"`}},
		"no value":      {nodes(release.Requirement{Key: "a", Operator: "In"}), node + ".match_expressions[0].values", []string{"Name one"}},
		"a value":       {nodes(release.Requirement{Key: "a", Operator: "In", Values: []string{"x", "a b"}}), node + ".match_expressions[0].values[1]", []string{`"a b"`}},
		"useless value": {nodes(release.Requirement{Key: "a", Operator: "Exists", Values: []string{"x"}}), node + ".match_expressions[0].values", []string{"Remove values"}},
		"two numbers":   {nodes(release.Requirement{Key: "a", Operator: "Gt", Values: []string{"1", "2"}}), node + ".match_expressions[0].values", []string{"exactly one"}},
		"no number":     {nodes(release.Requirement{Key: "a", Operator: "Lt", Values: []string{"x"}}), node + ".match_expressions[0].values", []string{"whole number"}},
		"a field":       {field(release.Requirement{Key: "spec.x", Operator: "In", Values: []string{"n"}}), node + ".match_fields[0].key", []string{"metadata.name"}},
		"its operator":  {field(release.Requirement{Key: "metadata.name", Operator: "Exists", Values: []string{"n"}}), node + ".match_fields[0].operator", []string{"In or NotIn"}},
		"its values":    {field(release.Requirement{Key: "metadata.name", Operator: "In", Values: []string{"n", "m"}}), node + ".match_fields[0].values", []string{"exactly one"}},
		"an empty term": {onContent(func(c *content) {
			c.Affinity = &release.Affinity{Node: &release.NodeAffinity{Required: []release.NodeTerm{{}}}}
		}), node, []string{"no node at all"}},
		"a weight": {onContent(func(c *content) {
			c.Affinity = &release.Affinity{Pod: &release.PodAffinity{Preferred: []release.PreferredPod{{Weight: 101, Term: release.PodTerm{TopologyKey: "zone"}}}}}
		}), "affinity.pod_affinity.preferred_during_scheduling_ignored_during_execution[0].weight", []string{"1 to 100"}},
		"a node's weight": {onContent(func(c *content) {
			c.Affinity = &release.Affinity{Node: &release.NodeAffinity{Preferred: []release.PreferredNode{{Preference: release.NodeTerm{Expressions: []release.Requirement{{Key: "a", Operator: "Exists"}}}}}}}
		}), "affinity.node_affinity.preferred_during_scheduling_ignored_during_execution[0].weight", []string{"0 is not"}},
		"no topology key": {pods(release.PodTerm{}), pod + ".topology_key", []string{"node label"}},
		"a namespace":     {pods(release.PodTerm{TopologyKey: "z", Namespaces: []string{"A"}}), pod + ".namespaces[0]", []string{`"A"`}},
		"a label":         {pods(release.PodTerm{TopologyKey: "z", Selector: &release.LabelSelector{Labels: map[string]string{"a": "b c"}}}), pod + `.label_selector.match_labels["a"]`, []string{`"b c"`}},
		"pods by number": {
			pods(release.PodTerm{TopologyKey: "z", NamespaceSelector: &release.LabelSelector{Expressions: []release.Requirement{{Key: "a", Operator: "Gt", Values: []string{"1"}}}}}),
			pod + ".namespace_selector.match_expressions[0].operator",
			[]string{"In, NotIn, Exists, DoesNotExist"},
		},
	})
}
