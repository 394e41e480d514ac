package workload

import (
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ContentHash is the full hash of the content that a workload was last applied
// with.
func ContentHash(d *appsv1.Deployment) string { return d.Annotations[release.AnnotationContentHash] }

// Former is our own apply of what lives, to go back to: see Owned. Where others
// have taken fields of the pod template from us since (baseline says what was
// ours), the template is taken as it lives, or going back would remove them.
func Former(live *appsv1.Deployment, baseline map[string]string) (*appsv1.Deployment, error) {
	former, err := Owned(live)
	if err != nil {
		return nil, err
	}
	still := Baseline(live)
	for path := range baseline {
		if _, ok := still[path]; !ok && strings.HasPrefix(path, "spec.template.") {
			live.Spec.Template.DeepCopyInto(&former.Spec.Template)
			break
		}
	}
	return former, nil
}

// Revision is what lives with the pod template of one of its ReplicaSets, where
// that has the content with this hash; nil where it has not. The template is
// taken whole, with the server's defaults: only what equals it is taken for the
// same revision, whose pods stay.
func Revision(live *appsv1.Deployment, set *appsv1.ReplicaSet, hash string) (*appsv1.Deployment, error) {
	owner := false
	for _, ref := range set.OwnerReferences {
		owner = owner || ref.UID == live.UID
	}
	if !owner || set.Spec.Template.Annotations[release.AnnotationContentHash] != hash {
		return nil, nil
	}
	former, err := Owned(live)
	if err != nil {
		return nil, err
	}
	set.Spec.Template.DeepCopyInto(&former.Spec.Template)
	delete(former.Spec.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	// Kubernetes copies a workload's annotations to the ReplicaSet of its template.
	for _, key := range []string{release.AnnotationVersion, release.AnnotationSpec} {
		if former.Annotations[key] = set.Annotations[key]; former.Annotations[key] == "" {
			delete(former.Annotations, key)
		}
	}
	former.Annotations[release.AnnotationContentHash] = hash
	if version, ok := set.Spec.Template.Labels[release.LabelVersion]; ok {
		former.Labels[release.LabelVersion] = version
	} else {
		delete(former.Labels, release.LabelVersion)
	}
	return former, nil
}

// SetFormer puts what was there before into what is about to be applied. The
// number of pods stays where it is, or was, somebody else's to say.
func SetFormer(d, former *appsv1.Deployment) {
	replicas := d.Spec.Replicas
	former.Spec.DeepCopyInto(&d.Spec)
	if replicas == nil || d.Spec.Replicas == nil {
		d.Spec.Replicas = replicas
	}
	d.Spec.Paused = false // a change that has stopped on its way may be what is left
	former = former.DeepCopy()
	d.Labels, d.Annotations = former.Labels, former.Annotations
}

// OtherContent adds to the drift of what changes its content in place that it
// has another one: our own apply may have been lost to its state, where a
// process was killed, or had been taken back.
func OtherContent(live, wanted *appsv1.Deployment, drift []FieldDrift) []FieldDrift {
	const field = "metadata.annotations[" + release.AnnotationContentHash + "]"
	is, want := ContentHash(live), ContentHash(wanted)
	if !release.NamedInPlace(live.Name) || is == want || slices.ContainsFunc(drift, func(d FieldDrift) bool { return d.Field == field }) {
		return drift
	}
	return append(drift, FieldDrift{
		Field: field, Expected: strconv.Quote(want), Actual: strconv.Quote(is), Manager: managerOf(field, live.GetManagedFields()), Removed: is == "",
	})
}
