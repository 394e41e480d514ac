//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestPodsThatLeaveTakeNoRequestAlong deletes the pods of a main deployment one
// by one, as draining a node does, while requests come in. The news that a pod
// leaves reaches kube-proxy later than the pod; the pause before its process is
// told to end (workload.PreStopSeconds) is for that. Without the pause, some 400 requests
// fail.
func TestPodsThatLeaveTakeNoRequestAlong(t *testing.T) {
	beside(t, loaded)
	w := newWorkspace(t, newNamespace(t))
	v1 := config{version: "v1", replicas: 3}
	w.mustApply(v1)
	url := w.address(v1)
	getEventually(t, url)

	failed, late := w.replacePods(url)
	for _, a := range failed {
		t.Errorf("failed: %s, at %s", a.err, a.began.Format(time.StampMilli))
	}
	t.Logf("%d requests failed; the last new connection came to a pod %s after it was told to leave", len(failed), late)
	if _, err := w.destroy(); err != nil {
		t.Error(err)
	}
}

// replacePods deletes all pods of the main deployment, each when the one before
// is replaced. It returns the requests that failed, and the longest time after
// which a pod that had been deleted was still found by a new connection.
func (w *workspace) replacePods(url string) (failed []answer, late time.Duration) {
	w.t.Helper()
	pods := w.podsOf(w.release())
	if len(pods) == 0 {
		w.t.Fatal("there are no pods")
	}
	l := newLoad(w.t, url)
	l.offer(freshRate/2, 100, newSingle)
	l.offer(keptRate/4, 20, newKeepAlive("opened first"))
	pause(w.t, time.Second)
	told := map[string]time.Time{}
	for _, pod := range pods {
		told[pod.Name] = time.Now()
		if err := w.cluster.Client().CoreV1().Pods(w.namespace).Delete(w.t.Context(), pod.Name, metav1.DeleteOptions{}); err != nil {
			w.t.Fatal(err)
		}
		testcluster.Eventually(w.t, testcluster.Hang, "a pod in place of "+pod.Name, func() error {
			d, err := w.cluster.Client().AppsV1().Deployments(w.namespace).Get(w.t.Context(), w.release(), metav1.GetOptions{})
			if err == nil && !allThere(d, len(w.podsOf(w.release()))) {
				err = fmt.Errorf("%d pods are ready", d.Status.ReadyReplicas)
			}
			return err
		})
	}
	pause(w.t, 7*time.Second) // the last one ends within that
	answers := l.end()
	for _, a := range answers {
		if at, ok := told[a.pod]; ok && a.kind == fresh && a.err == nil {
			late = max(late, ms(at, a.began))
		}
	}
	return failedOf(answers), late
}

func allThere(d *appsv1.Deployment, pods int) bool {
	return d.Status.ObservedGeneration == d.Generation && pods == int(*d.Spec.Replicas) && d.Status.ReadyReplicas == *d.Spec.Replicas
}
