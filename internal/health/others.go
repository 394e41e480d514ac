package health

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What somebody else has done to the workload itself while it is waited for.

// othersFindings are that it is paused, and that it is scaled. They need no pods.
func othersFindings(in Input) []Finding {
	var found []Finding
	for _, f := range []*Finding{pausedFinding(in), scaledFinding(in)} {
		if f != nil {
			found = append(found, *f)
		}
	}
	return found
}

// Changed says, in a sentence, what somebody else has done to a workload of which so many
// pods are waited for, that keeps them from coming; empty: nothing.
func Changed(d *appsv1.Deployment, want int32) string {
	for _, f := range othersFindings(Input{Workload: d, WantReplicas: want}) {
		if f.Class == Certain {
			return f.Sentence
		}
	}
	return ""
}

var (
	pausedPath   = fieldpath.MakePathOrDie("spec", "paused")
	replicasPath = fieldpath.MakePathOrDie("spec", "replicas")
)

// pausedFinding: a paused Deployment makes no pods of its present template. One that
// has made all of them, and has no others left, is not held up by that; nor is one that
// we have paused, at a stop of its way.
func pausedFinding(in Input) *Finding {
	d := in.Workload
	if !d.Spec.Paused || oursHolds(d, pausedPath) || d.Status.UpdatedReplicas == d.Status.Replicas && d.Status.UpdatedReplicas >= in.WantReplicas {
		return nil
	}
	by := writerOf(d, pausedPath)
	return &Finding{
		Cause: CausePaused, Class: Certain, Object: "workload " + d.Name,
		Sentence: fmt.Sprintf("the Deployment is paused%s: %d of its %d pods have its present template, and Kubernetes makes no others", by.name(), d.Status.UpdatedReplicas, in.want()),
		Evidence: "spec.paused is true" + by.recorded(),
		Hint: fmt.Sprintf("ask who paused it, and let it go on before the next apply:\n  kubectl --namespace %s rollout resume deployment/%s",
			d.Namespace, d.Name),
	}
}

// noPodsYet says that a paused workload has not begun with its present template: its
// pods are of an earlier one, and explain nothing.
func noPodsYet(in Input) bool {
	return in.Workload.Status.UpdatedReplicas == 0 && pausedFinding(in) != nil
}

// scaledDownFor is how long fewer pods than were asked for must last: an autoscaler may
// think otherwise of it. None at all are an order.
const scaledDownFor = time.Minute

// want is how many pods are waited for: as many as were asked for, and what somebody
// else has added to them.
func (in Input) want() int32 { return max(in.WantReplicas, in.has()) }

// has is how many pods the workload is asked for by now, whoever asks.
func (in Input) has() int32 {
	if n := in.Workload.Spec.Replicas; n != nil { // an API server always says
		return *n
	}
	return in.WantReplicas
}

// scaledFinding: somebody else has asked for another number of pods than we wait for.
// Fewer of them never are as many; more of them are waited for.
func scaledFinding(in Input) *Finding {
	d, has := in.Workload, in.has()
	if has == in.WantReplicas {
		return nil
	}
	f := &Finding{
		Cause: CauseScaled, Class: Certain, Object: "workload " + d.Name,
		Sentence: fmt.Sprintf("the Deployment was scaled to %d%s, and this release waits for %d", has, in.scaledBy().name(), in.WantReplicas),
		Evidence: fmt.Sprintf("spec.replicas is %d%s", has, in.scaledBy().recorded()),
		Hint: fmt.Sprintf("see that nothing else scales it, or leave the number to what does: by the attribute autoscaling, or by ignore_drift = [\"spec.replicas\"]. "+
			"To scale it back now:\n  kubectl --namespace %s scale deployment/%s --replicas=%d", d.Namespace, d.Name, in.WantReplicas),
	}
	switch {
	case has > in.WantReplicas:
		f.Class = Warning
		f.Sentence = fmt.Sprintf("the Deployment was scaled to %d%s, and this release asks for %d: all of them are waited for", has, in.scaledBy().name(), in.WantReplicas)
	case has > 0:
		f.Patience = scaledDownFor
	}
	if e := lastEvent(in.Events, d, "Deployment", "ScalingReplicaSet"); strings.HasSuffix(messageOf(e), fmt.Sprintf(" to %d", has)) {
		f.Evidence += "\n" + quote(e)
	}
	return f
}

// scaledBy is who did. Of a zero that came through the scale subresource nobody is
// recorded; an autoscaler that is known may have been it.
func (in Input) scaledBy() writer {
	if in.has() == 0 {
		return writer{}
	}
	by := writerOf(in.Workload, replicasPath)
	if hpa := in.Around.Autoscaler; hpa != nil && by.subresource == "scale" && by.manager == "kube-controller-manager" {
		by.also = fmt.Sprintf(" for the HorizontalPodAutoscaler %q", hpa.Name)
	}
	return by
}

// writer is a field manager that has written a field.
type writer struct {
	manager, subresource string
	also                 string // what is known of it beyond that
	at                   metav1.Time
}

// writerOf is who has a field, besides an apply of ours: of several the one that wrote
// last. The zero value: nobody is recorded.
func writerOf(d *appsv1.Deployment, field fieldpath.Path) writer {
	var by writer
	for _, entry := range d.ManagedFields {
		if entry.Manager == release.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" || entry.FieldsV1 == nil {
			continue
		}
		var fields fieldpath.Set
		if fields.FromJSON(entry.FieldsV1.GetRawReader()) != nil || !fields.Has(field) {
			continue
		}
		w := writer{manager: entry.Manager, subresource: entry.Subresource}
		if entry.Time != nil {
			w.at = *entry.Time
		}
		if by.manager == "" || w.at.After(by.at.Time) {
			by = w
		}
	}
	return by
}

// oursHolds says that our own apply has a field.
func oursHolds(d *appsv1.Deployment, field fieldpath.Path) bool {
	for _, entry := range d.ManagedFields {
		var fields fieldpath.Set
		if entry.Manager == release.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" && entry.FieldsV1 != nil &&
			fields.FromJSON(entry.FieldsV1.GetRawReader()) == nil && fields.Has(field) {
			return true
		}
	}
	return false
}

// name goes on in a sentence with who it was.
func (w writer) name() string {
	if w.manager == "" {
		return " by somebody else (Kubernetes has not recorded who)"
	}
	return fmt.Sprintf(" by the field manager %q%s", w.manager, w.also)
}

// recorded goes on in an evidence with where that is from.
func (w writer) recorded() string {
	if w.manager == "" {
		return ", and no field manager but Switchback has it"
	}
	text := fmt.Sprintf(", written by the field manager %q", w.manager)
	if w.subresource != "" {
		text += fmt.Sprintf(" through the subresource %s", w.subresource)
	}
	if !w.at.IsZero() {
		text += " at " + w.at.UTC().Format(time.RFC3339)
	}
	return text
}
