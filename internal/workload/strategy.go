package workload

import (
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// inPlaceHistoryLimit is Kubernetes' own default: what changes in place has its
// former templates there, for kubectl rollout history, and for going back.
const inPlaceHistoryLimit int32 = 10

// setStrategy renders how the workload's pods are replaced. What has a name of
// its own for every content rolls too: for a restart, and a repair of drift.
func setStrategy(d *appsv1.DeploymentSpec, spec release.Spec) {
	if spec.Strategy.InPlace() {
		limit := inPlaceHistoryLimit
		d.RevisionHistoryLimit = &limit
	}
	if spec.Strategy == release.StrategyRecreate {
		d.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
		return
	}
	surge, unavailable := rollingLimits(spec.Rolling)
	d.Strategy = appsv1.DeploymentStrategy{
		Type:          appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &unavailable, MaxSurge: &surge},
	}
}

// markContent says in the pods themselves which content they have: every change
// of it replaces them, also one that is seen nowhere else, and each revision that
// Kubernetes keeps tells which it is.
func markContent(template *corev1.PodTemplateSpec, hash string) {
	if template.Annotations == nil {
		template.Annotations = map[string]string{}
	}
	template.Annotations[release.AnnotationContentHash] = hash
}

func rollingLimits(r release.Rolling) (surge, unavailable intstr.IntOrString) {
	text := func(typed, fallback string) intstr.IntOrString {
		if typed == "" {
			typed = fallback
		}
		return intstr.Parse(typed)
	}
	return text(r.MaxSurge, release.DefaultMaxSurge), text(r.MaxUnavailable, release.DefaultMaxUnavailable)
}

// typed is what an import needs of what the user typed: the annotation's JSON.
type typed struct {
	release.Content
	Strategy release.Strategy `json:"strategy,omitempty"`
	Rolling  release.Rolling  `json:"rollingUpdate,omitzero"`
}

// typedOf leaves out the strategy that needs no word: no annotation that is out
// there changes by it.
func typedOf(spec release.Spec, c release.Content) typed {
	t := typed{Content: c}
	if spec.Strategy.InPlace() {
		t.Strategy, t.Rolling = spec.Strategy, spec.Rolling
	}
	return t
}

// strategyOf reads a live workload's strategy from the annotation, or, where
// that is gone, from its name and what it does. Its name has the last word: no
// import may rename what lives.
func strategyOf(d *appsv1.Deployment) (release.Strategy, release.Rolling) {
	if !release.NamedInPlace(d.Name) {
		return "", release.Rolling{}
	}
	var t typed
	if json.Unmarshal([]byte(d.Annotations[release.AnnotationSpec]), &t) == nil && t.Strategy.InPlace() {
		return t.Strategy, t.Rolling
	}
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return release.StrategyRecreate, release.Rolling{}
	}
	return release.StrategyRolling, rollingOf(d.Spec)
}

// rollingOf leaves out what is the default.
func rollingOf(d appsv1.DeploymentSpec) release.Rolling {
	r := release.Rolling{}
	if u := d.Strategy.RollingUpdate; u != nil {
		if u.MaxSurge != nil && u.MaxSurge.String() != release.DefaultMaxSurge {
			r.MaxSurge = u.MaxSurge.String()
		}
		if u.MaxUnavailable != nil && u.MaxUnavailable.String() != release.DefaultMaxUnavailable {
			r.MaxUnavailable = u.MaxUnavailable.String()
		}
	}
	return r
}
