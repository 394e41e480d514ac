package provider_test

import (
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const (
	requestingCPU = `container = { ports = { http = 8080 }, resources = { requests = { cpu = "10m" } } }`
	autoscaling   = `autoscaling = { min = 2, max = 6, cpu = 70 }`
	ourScaler     = "HorizontalPodAutoscaler/"
)

// nameInState is the name of the release that a state holds.
func (w *workspace) nameInState() string {
	w.t.Helper()
	state, _ := w.attributes(theDeployment)
	return state["name"].(string)
}

// autoscale decides like an autoscaler that has metrics, which the test cluster
// has not, and waits for the pods.
func (l *lab) autoscale(name string, replicas int32) {
	l.t.Helper()
	deployments := l.cluster.Client().AppsV1().Deployments(l.namespace)
	scale, err := deployments.GetScale(l.t.Context(), name, metav1.GetOptions{})
	l.must(err)
	scale.Spec.Replicas, scale.ResourceVersion = replicas, ""
	_, err = deployments.UpdateScale(l.t.Context(), name, scale, metav1.UpdateOptions{FieldManager: "kube-controller-manager"})
	l.must(err)
	testcluster.Eventually(l.t, hang, fmt.Sprintf("%s to have %d pods", name, replicas), func() error {
		if d := l.workload(name); d.Status.ReadyReplicas != replicas || d.Status.Replicas != replicas {
			return fmt.Errorf("it has %+v", d.Status)
		}
		return nil
	})
}

func (l *lab) wantReplicas(name string, want int32) {
	l.t.Helper()
	if got := *l.workload(name).Spec.Replicas; got != want {
		l.t.Errorf("%s is asked to have %d pods, want %d", name, got, want)
	}
}

func TestAccAutoscalerDecides(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(lines ...string) string {
		return l.config(l.deployment(append([]string{requestingCPU, createFirst, "replicas = 3"}, lines...)...), l.main())
	}
	w.apply(config(image("v1"), autoscaling))
	v1 := w.nameInState()
	l.wantReplicas(v1, 3)
	w.wantNoChanges()

	// What it decides is neither drift nor a difference, and stays.
	l.autoscale(v1, 5)
	w.wantNoChanges()
	w.refresh()
	w.wantState(theDeployment, "replicas", 3)
	w.apply(config(image("v1"), autoscaling, `environment = "staging"`)).wantActions(theDeployment, "update")
	l.wantReplicas(v1, 5)
	w.applyFails(config(image("v1"), `autoscaling = { min = 2, max = 8, memory = 90 }`)).tells("container.resources.requests.memory")
	w.apply(config(image("v1"), `autoscaling = { min = 2, max = 8, cpu = 50 }`)).wantActions(theDeployment, "update")
	l.wantReplicas(v1, 5)
	w.wantNoChanges()
	watch.NeverEmpty(t)
	w.destroy()
	l.wantNothingLeft()
}

func TestAccAutoscalerIsRepaired(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := l.config(l.deployment(requestingCPU, "replicas = 2", autoscaling))
	w.apply(config)
	name := w.nameInState()
	repaired := func(want driftLine) {
		t.Helper()
		w.refresh()
		if found := w.drift(theDeployment); len(found) != 1 || !want.in(found[0]) {
			t.Errorf("drift is %+v, want %+v", found, want)
		}
		w.apply(config).wantActions(theDeployment, "update")
		w.wantNoChanges()
	}
	scalers := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace)
	_, err := scalers.Patch(t.Context(), name, types.MergePatchType, []byte(`{"spec":{"maxReplicas":50}}`), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
	repaired(driftLine{Object: ourScaler + name, Field: "spec.maxReplicas", Expected: "6", Actual: "50", Manager: somebody})
	l.must(scalers.Delete(t.Context(), name, metav1.DeleteOptions{}))
	repaired(driftLine{Object: ourScaler + name, Manager: unrecorded})
	l.must(l.cluster.Client().PolicyV1().PodDisruptionBudgets(l.namespace).Delete(t.Context(), name, metav1.DeleteOptions{}))
	repaired(driftLine{Object: "PodDisruptionBudget/" + name, Manager: unrecorded})
	l.autoscale(name, 0) // which switches it off
	repaired(driftLine{Object: "Deployment/" + name, Field: "spec.replicas", Expected: "at least 2", Actual: "0"})
	l.wantPods(name, 2)
	w.destroy()
	l.wantNothingLeft()
}

// A whole life with an autoscaler: import, bump, handing over, and back.
func TestAccAutoscalerComesAndGoes(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(lines ...string) string {
		return l.config(l.deployment(append([]string{requestingCPU, createFirst, "replicas = 2"}, lines...)...), l.main())
	}
	w.apply(config())
	v1 := w.nameInState()
	w.apply(config(autoscaling)).wantActions(theDeployment, "update")
	l.wantReplicas(v1, 2)
	w.wantNoChanges()
	l.autoscale(v1, 5)

	w.do("state", "rm", theDeployment)
	w.do("import", "-input=false", "-no-color", theDeployment, l.namespace+"/"+v1)
	w.wantNoChanges()

	// The next one finds the same traffic.
	w.apply(config(image("v2"), autoscaling))
	v2 := w.nameInState()
	l.wantReplicas(v2, 5)
	w.wantNoChanges()

	watch.Check(t, drain)

	w.apply(config(image("v2"))).wantActions(theDeployment, "update")
	l.wantReplicas(v2, 2)
	w.wantNoChanges()
	if _, err := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Get(t.Context(), v2, metav1.GetOptions{}); err == nil {
		t.Error("the autoscaler is still there")
	}
	watch.NeverEmpty(t)
	w.destroy()
	l.wantNothingLeft()
}

// Who does not ask for companions need not be allowed to have any.
func TestAccPermissionsOfCompanions(t *testing.T) {
	l := newLab(t)
	rules, clusterRules := policyRules(slices.DeleteFunc(cluster.Features(), func(f cluster.Feature) bool {
		return f == cluster.FeatureAutoscale || f == cluster.FeatureDisrupt
	})...)
	l.provider = connection(l.cluster.RestrictedKubeconfig(t, l.namespace, rules, clusterRules...))
	w := l.inProcess()
	w.applyFails(l.config(l.deployment("replicas = 2"))).tells("Permissions are missing", `verb "patch" on poddisruptionbudgets.policy`)
	w.applyFails(l.config(l.deployment(requestingCPU, `autoscaling = { min = 1, max = 6, cpu = 70 }`))).
		tells("Permissions are missing", `verb "delete" on horizontalpodautoscalers.autoscaling`)
	l.wantNothingLeft()
	w.apply(l.config(l.deployment(), l.main()))
	w.wantNoChanges()

	// Not even to make up for a record that somebody deleted.
	l.must(l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(t.Context(), nameOf("v1"), metav1.DeleteOptions{}))
	w.apply(l.config(l.deployment(), l.main())).wantActions(theDeployment, "update")
	w.wantNoChanges()
	l.must(l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(t.Context(), nameOf("v1"), metav1.DeleteOptions{}))
	w.destroy()
	l.wantNothingLeft()
}
