package release

// Affinity draws the pods to nodes, to other pods and away from them, as in the
// Kubernetes API.
type Affinity struct {
	Node    *NodeAffinity `json:"nodeAffinity,omitempty"`
	Pod     *PodAffinity  `json:"podAffinity,omitempty"`
	PodAnti *PodAffinity  `json:"podAntiAffinity,omitempty"`
}

// NodeAffinity is to nodes. One of Required must match, where there are any.
type NodeAffinity struct {
	Required  []NodeTerm      `json:"required,omitempty"`
	Preferred []PreferredNode `json:"preferred,omitempty"`
}

// NodeTerm is what a node must have: all of it.
type NodeTerm struct {
	Expressions []Requirement `json:"matchExpressions,omitempty"` // of its labels
	Fields      []Requirement `json:"matchFields,omitempty"`      // of metadata.name
}

// PreferredNode is a term that counts, with a weight from 1 to 100.
type PreferredNode struct {
	Weight     int32    `json:"weight"`
	Preference NodeTerm `json:"preference"`
}

// Requirement is one comparison; which values it takes depends on the operator.
type Requirement struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values,omitempty"`
}

// PodAffinity is to other pods, or away from them. All of Required must hold.
type PodAffinity struct {
	Required  []PodTerm      `json:"required,omitempty"`
	Preferred []PreferredPod `json:"preferred,omitempty"`
}

// PodTerm is which pods, and what counts as the same place.
type PodTerm struct {
	TopologyKey       string         `json:"topologyKey"`
	Selector          *LabelSelector `json:"labelSelector,omitempty"`     // nil: the release's own pods; empty: all
	Namespaces        []string       `json:"namespaces,omitempty"`        // beside those of NamespaceSelector; none of either: its own
	NamespaceSelector *LabelSelector `json:"namespaceSelector,omitempty"` // nil: none; empty: all
}

// PreferredPod is a term that counts, with a weight from 1 to 100.
type PreferredPod struct {
	Weight int32   `json:"weight"`
	Term   PodTerm `json:"podAffinityTerm"`
}

// LabelSelector is which labels; all of it must match.
type LabelSelector struct {
	Labels      map[string]string `json:"matchLabels,omitempty"`
	Expressions []Requirement     `json:"matchExpressions,omitempty"`
}

// normalize drops what says nothing. A selector that is empty says something.
func (a *Affinity) normalize() *Affinity {
	if a == nil {
		return nil
	}
	n := Affinity{Node: a.Node.normalize(), Pod: a.Pod.normalize(), PodAnti: a.PodAnti.normalize()}
	if n == (Affinity{}) {
		return nil
	}
	return &n
}

func (a *NodeAffinity) normalize() *NodeAffinity {
	if a == nil || len(a.Required)+len(a.Preferred) == 0 {
		return nil
	}
	n := NodeAffinity{Required: cloneSlice(a.Required), Preferred: cloneSlice(a.Preferred)}
	for i := range n.Required {
		n.Required[i] = n.Required[i].normalize()
	}
	for i := range n.Preferred {
		n.Preferred[i].Preference = n.Preferred[i].Preference.normalize()
	}
	return &n
}

func (t NodeTerm) normalize() NodeTerm {
	return NodeTerm{normalizeRequirements(t.Expressions), normalizeRequirements(t.Fields)}
}

func (a *PodAffinity) normalize() *PodAffinity {
	if a == nil || len(a.Required)+len(a.Preferred) == 0 {
		return nil
	}
	n := PodAffinity{Required: cloneSlice(a.Required), Preferred: cloneSlice(a.Preferred)}
	for i := range n.Required {
		n.Required[i] = n.Required[i].normalize()
	}
	for i := range n.Preferred {
		n.Preferred[i].Term = n.Preferred[i].Term.normalize()
	}
	return &n
}

func (t PodTerm) normalize() PodTerm {
	return PodTerm{t.TopologyKey, t.Selector.normalize(), cloneSlice(t.Namespaces), t.NamespaceSelector.normalize()}
}

func (s *LabelSelector) normalize() *LabelSelector {
	if s == nil {
		return nil
	}
	return &LabelSelector{cloneMap(s.Labels), normalizeRequirements(s.Expressions)}
}

func normalizeRequirements(list []Requirement) []Requirement {
	list = cloneSlice(list)
	for i := range list {
		list[i].Values = cloneSlice(list[i].Values)
	}
	return list
}
