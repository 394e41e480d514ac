package workload

import (
	"maps"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// RollingUpdateField is what the API server refuses beside the strategy Recreate.
const RollingUpdateField = "spec.strategy.rollingUpdate"

// Displacing is an apply of what lives that takes a rolling update's fields from whoever
// else has them; nil where nobody has. An apply removes only what it alone has: a
// null in it is no value, so that the fields of others would stay beside Recreate. Who
// is given another value loses a field; so both get one that changes no pods, as the
// template stays, and that the apply which follows removes.
func Displacing(live *appsv1.Deployment) (*appsv1.Deployment, error) {
	if live.Spec.Strategy.RollingUpdate == nil || !rolledByOthers(live) {
		return nil, nil
	}
	owned, err := Owned(live)
	if err != nil {
		return nil, err
	}
	surge, unavailable := another(live.Spec.Strategy.RollingUpdate.MaxSurge), another(live.Spec.Strategy.RollingUpdate.MaxUnavailable)
	owned.Spec.Strategy = appsv1.DeploymentStrategy{
		Type:          appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable},
	}
	return owned, nil
}

func rolledByOthers(live *appsv1.Deployment) bool {
	held := false
	for _, entry := range live.GetManagedFields() {
		if !ours(entry) {
			fieldSet(entry).Iterate(func(p fieldpath.Path) { held = held || Within(fieldText(p), RollingUpdateField) })
		}
	}
	return held
}

// another is a number of pods that differs from n.
func another(n *intstr.IntOrString) intstr.IntOrString {
	if one := intstr.FromInt32(1); n == nil || *n != one {
		return one
	}
	return intstr.FromInt32(2)
}

// Changed are the fields of a workload that a change of its spec changes, so that they
// may be taken from whoever else has them: the plan has shown where they come from.
func Changed(was, now release.Spec) []string {
	before, err := Deployment(was)
	after, err2 := Deployment(now)
	if err != nil || err2 != nil {
		return nil
	}
	old, fields := values(before), values(after)
	changed := map[string]bool{}
	for path, value := range fields {
		if former, ok := old[path]; !ok || !reflect.DeepEqual(former, value) {
			changed[path] = true
		}
	}
	for path := range old {
		if _, ok := fields[path]; !ok {
			changed[path] = true
		}
	}
	return slices.Sorted(maps.Keys(changed))
}
