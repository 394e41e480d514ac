package provider_test

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// wantLeast fails the test where an autoscaler may go down to another number of pods.
func (l *lab) wantLeast(name string, want int32) {
	l.t.Helper()
	h, err := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Get(l.t.Context(), name, metav1.GetOptions{})
	l.must(err)
	if *h.Spec.MinReplicas != want {
		l.t.Errorf("%s may go down to %d pods, want %d", name, *h.Spec.MinReplicas, want)
	}
}

// canaryOfAutoscalers holds what they leave to both versions, which no plan takes for a
// change, until the end.
func (l *lab) canaryOfAutoscalers() {
	w := l.inProcess()
	const before, after = "autoscaling = { min = 2, max = 6, cpu = 70 }", "autoscaling = { min = 3, max = 6, cpu = 70 }"
	config := func(tag, scaler string, lines ...string) string {
		return l.config(l.deployment(image(tag), replicas(2), createFirst, requestingCPU, scaler), l.main(routed(), keepPrevious(1), canaryOf(`{ weight = 25 }, { weight = 60 }`, append(lines, "scale_with_weight = true")...)))
	}
	w.apply(config("v1", before))
	v1 := w.nameInState()
	l.autoscale(v1, 6)
	w.write(config("v2", before, "max_weight = 60"))
	w.plan().wantSummary(theMain, map[string]any{"text": "Where an autoscaler decides, it leaves the new one what its share takes, and the former one what it has, until then."})
	w.apply(config("v2", before, "max_weight = 60"))
	v2 := w.nameInState()
	w.wantState(theMain, "status", "paused", "split", shares(v1, 40, v2, 60))
	l.wantReplicas(v2, 4)
	l.wantLeast(v1, 6)
	l.wantLeast(v2, 4)
	w.wantNoChanges()
	w.apply(config("v2", after, "max_weight = 60")).wantActions(theDeployment, "update")
	l.wantLeast(v2, 4)
	w.wantNoChanges()
	_, err := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Patch(l.t.Context(), v2, types.MergePatchType, []byte(`{"spec":{"minReplicas":1}}`), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
	w.refresh()
	if found := w.drift(theDeployment); len(found) != 1 || !(driftLine{Object: ourScaler + v2, Field: "spec.minReplicas", Expected: "4", Actual: "1", Manager: somebody}).in(found[0]) {
		l.t.Errorf("drift is %+v", found)
	}
	w.apply(config("v2", after, "max_weight = 60")).wantActions(theDeployment, "update")
	l.wantLeast(v2, 4)
	w.apply(config("v2", after))
	w.wantState(theMain, "status", "finalized", "split", shares(v2, 100))
	l.wantReplicas(v2, 6)
	l.wantLeast(v1, 2)
	l.wantLeast(v2, 3)
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}
