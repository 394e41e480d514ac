package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNormalizeAffinity: what says nothing is no other content; a selector that is empty
// means everything, and is one.
func TestNormalizeAffinity(t *testing.T) {
	plain := Content{Application: "api", Version: "1", Image: "nginx:1"}
	with := func(a *Affinity) Content {
		c := plain
		c.Affinity = a
		return c.Normalize()
	}
	for name, a := range map[string]*Affinity{
		"none": nil, "empty": {}, "no nodes": {Node: &NodeAffinity{}}, "no terms": {Pod: &PodAffinity{Required: []PodTerm{}}, PodAnti: &PodAffinity{}},
	} {
		if with(a).Hash() != plain.Hash() {
			t.Errorf("%s is another content", name)
		}
	}
	term := PodTerm{TopologyKey: "zone"}
	all, every := term, term
	all.Selector, every.NamespaceSelector = &LabelSelector{}, &LabelSelector{}
	seen := map[string]bool{}
	for _, term := range []PodTerm{term, all, every} {
		seen[with(&Affinity{Pod: &PodAffinity{Required: []PodTerm{term}}}).Hash()] = true
		seen[with(&Affinity{PodAnti: &PodAffinity{Preferred: []PreferredPod{{Weight: 1, Term: term}}}}).Hash()] = true
	}
	if len(seen) != 6 {
		t.Errorf("of 6 contents there are %d", len(seen))
	}
	typed := func() *Affinity {
		return &Affinity{Node: &NodeAffinity{
			Required:  []NodeTerm{{Expressions: []Requirement{{Key: "disk", Operator: "In", Values: []string{"ssd"}}}, Fields: []Requirement{}}},
			Preferred: []PreferredNode{{Weight: 3, Preference: NodeTerm{Expressions: []Requirement{{Key: "gpu", Operator: "Exists", Values: []string{}}}}}},
		}, Pod: &PodAffinity{Required: []PodTerm{{TopologyKey: "zone", Namespaces: []string{"shop"}, Selector: &LabelSelector{Labels: map[string]string{"a": "b"}}}}}}
	}
	a := typed()
	n := with(a).Affinity
	n.Node.Required[0].Expressions[0].Values[0] = "x"
	n.Pod.Required[0].Namespaces[0] = "x"
	clear(n.Pod.Required[0].Selector.Labels)
	if diff := cmp.Diff(typed(), a); diff != "" {
		t.Errorf("the result shares memory with the argument:\n%s", diff)
	}
	if n.Node.Required[0].Fields != nil || n.Node.Preferred[0].Preference.Expressions[0].Values != nil {
		t.Errorf("an empty list stays: %+v", n.Node)
	}
}

// TestHashGoldenOfAffinity: as TestHashGolden.
func TestHashGoldenOfAffinity(t *testing.T) {
	c := Content{Application: "api", Version: "1", Image: "nginx:1", Affinity: &Affinity{
		Node:    &NodeAffinity{Required: []NodeTerm{{Expressions: []Requirement{{Key: "disk", Operator: "In", Values: []string{"ssd"}}}, Fields: []Requirement{{Key: "metadata.name", Operator: "In", Values: []string{"a"}}}}}, Preferred: []PreferredNode{{Weight: 1, Preference: NodeTerm{Expressions: []Requirement{{Key: "gpu", Operator: "Exists"}}}}}},
		Pod:     &PodAffinity{Required: []PodTerm{{TopologyKey: "zone", Selector: &LabelSelector{Labels: map[string]string{"a": "b"}, Expressions: []Requirement{{Key: "c", Operator: "Exists"}}}, Namespaces: []string{"x"}, NamespaceSelector: &LabelSelector{}}}},
		PodAnti: &PodAffinity{Preferred: []PreferredPod{{Weight: 100, Term: PodTerm{TopologyKey: "kubernetes.io/hostname"}}}},
	}}
	const want = "d6daebced3e37e1a1e689df4eab906483e162ac766b44bc824cd0bc682e44062"
	if got := c.Normalize().Hash(); got != want {
		t.Errorf("the hash is %s, and was %s in every release so far", got, want)
	}
}
