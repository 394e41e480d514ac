package workload

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// affinity renders what draws the pods somewhere. Where a term says nothing of which
// pods, it means those of the release, whose name is known to nobody who types.
func affinity(a *release.Affinity, name string) *corev1.Affinity {
	if a == nil {
		return nil
	}
	out := &corev1.Affinity{}
	if n := a.Node; n != nil {
		out.NodeAffinity = &corev1.NodeAffinity{}
		if len(n.Required) > 0 {
			out.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: each(n.Required, nodeTerm)}
		}
		out.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = each(n.Preferred, func(p release.PreferredNode) corev1.PreferredSchedulingTerm {
			return corev1.PreferredSchedulingTerm{Weight: p.Weight, Preference: nodeTerm(p.Preference)}
		})
	}
	if required, preferred, ok := podTerms(a.Pod, name); ok {
		out.PodAffinity = &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required, PreferredDuringSchedulingIgnoredDuringExecution: preferred}
	}
	if required, preferred, ok := podTerms(a.PodAnti, name); ok {
		out.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required, PreferredDuringSchedulingIgnoredDuringExecution: preferred}
	}
	return out
}

func nodeTerm(t release.NodeTerm) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: each(t.Expressions, nodeRequirement), MatchFields: each(t.Fields, nodeRequirement)}
}

func nodeRequirement(q release.Requirement) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: q.Key, Operator: corev1.NodeSelectorOperator(q.Operator), Values: q.Values}
}

func podTerms(a *release.PodAffinity, name string) (required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, ok bool) {
	if a == nil {
		return nil, nil, false
	}
	term := func(t release.PodTerm) corev1.PodAffinityTerm {
		out := corev1.PodAffinityTerm{
			TopologyKey: t.TopologyKey, LabelSelector: labelSelector(t.Selector), Namespaces: t.Namespaces, NamespaceSelector: labelSelector(t.NamespaceSelector),
		}
		if t.Selector == nil {
			out.LabelSelector = &metav1.LabelSelector{MatchLabels: release.Selector(name)}
		}
		return out
	}
	return each(a.Required, term), each(a.Preferred, func(p release.PreferredPod) corev1.WeightedPodAffinityTerm {
		return corev1.WeightedPodAffinityTerm{Weight: p.Weight, PodAffinityTerm: term(p.Term)}
	}), true
}

func labelSelector(s *release.LabelSelector) *metav1.LabelSelector {
	if s == nil {
		return nil
	}
	return &metav1.LabelSelector{MatchLabels: s.Labels, MatchExpressions: each(s.Expressions, func(q release.Requirement) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: q.Key, Operator: metav1.LabelSelectorOperator(q.Operator), Values: q.Values}
	})}
}

// fromAffinity is the way back; name is that of the release.
func fromAffinity(a *corev1.Affinity, name string) *release.Affinity {
	if a == nil {
		return nil
	}
	out := &release.Affinity{}
	if n := a.NodeAffinity; n != nil {
		out.Node = &release.NodeAffinity{}
		if r := n.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
			out.Node.Required = each(r.NodeSelectorTerms, fromNodeTerm)
		}
		out.Node.Preferred = each(n.PreferredDuringSchedulingIgnoredDuringExecution, func(p corev1.PreferredSchedulingTerm) release.PreferredNode {
			return release.PreferredNode{Weight: p.Weight, Preference: fromNodeTerm(p.Preference)}
		})
	}
	if p := a.PodAffinity; p != nil {
		out.Pod = fromPodTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, name)
	}
	if p := a.PodAntiAffinity; p != nil {
		out.PodAnti = fromPodTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, name)
	}
	return out
}

func fromNodeTerm(t corev1.NodeSelectorTerm) release.NodeTerm {
	from := func(q corev1.NodeSelectorRequirement) release.Requirement {
		return release.Requirement{Key: q.Key, Operator: string(q.Operator), Values: q.Values}
	}
	return release.NodeTerm{Expressions: each(t.MatchExpressions, from), Fields: each(t.MatchFields, from)}
}

func fromPodTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, name string) *release.PodAffinity {
	term := func(t corev1.PodAffinityTerm) release.PodTerm {
		out := release.PodTerm{
			TopologyKey: t.TopologyKey, Selector: fromLabelSelector(t.LabelSelector), Namespaces: t.Namespaces, NamespaceSelector: fromLabelSelector(t.NamespaceSelector),
		}
		if s := t.LabelSelector; s != nil && len(s.MatchExpressions) == 0 && maps.Equal(s.MatchLabels, release.Selector(name)) {
			out.Selector = nil // our own
		}
		return out
	}
	return &release.PodAffinity{Required: each(required, term), Preferred: each(preferred, func(p corev1.WeightedPodAffinityTerm) release.PreferredPod {
		return release.PreferredPod{Weight: p.Weight, Term: term(p.PodAffinityTerm)}
	})}
}

func fromLabelSelector(s *metav1.LabelSelector) *release.LabelSelector {
	if s == nil {
		return nil
	}
	return &release.LabelSelector{Labels: s.MatchLabels, Expressions: each(s.MatchExpressions, func(q metav1.LabelSelectorRequirement) release.Requirement {
		return release.Requirement{Key: q.Key, Operator: string(q.Operator), Values: q.Values}
	})}
}

// each converts a list; nothing stays nothing.
func each[A, B any](list []A, convert func(A) B) []B {
	var out []B
	for _, item := range list {
		out = append(out, convert(item))
	}
	return out
}
