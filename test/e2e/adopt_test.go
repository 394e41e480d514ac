//go:build e2e

package e2e_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// TestExistingDeploymentMovesInUnderLoad takes over the Service of a plain
// Deployment, releases a version, and destroys the main deployment while the old
// pods still run: the Service goes back to them. Requests come in all the time,
// on new connections and on connections that are kept alive. None may fail.
func TestExistingDeploymentMovesInUnderLoad(t *testing.T) {
	w := newWorkspace(t, newNamespace(t))
	before := w.legacy()
	url := "http://" + before.Spec.ClusterIP
	w.untilAnsweredBy(url, "v0")
	endpoints := testcluster.Shared(t).WatchMain(t, w.namespace, "web")

	l := newLoad(t, url)
	var marks []mark
	note := func(format string, args ...any) time.Time {
		now := time.Now()
		marks = append(marks, mark{now, fmt.Sprintf(format, args...)})
		return now
	}
	const calm = 3 * time.Second
	l.offer(freshRate, 200, newSingle)
	l.offer(keptRate, 40, newKeepAlive("opened to v0"))
	pause(t, calm)

	v1, v2 := config{version: "v1", adopt: true}, config{version: "v2", adopt: true}
	adopted := note("adopt, v1")
	w.mustApply(v1)
	w.untilAnsweredBy(url, "v1")
	l.offer(keptRate/4, 10, newKeepAlive("opened to v1"))
	pause(t, calm)

	bumped := note("v2")
	w.mustApply(v2)
	w.untilAnsweredBy(url, "v2")
	pause(t, calm)
	w.planIsEmpty(v2)

	ended := note("destroy")
	if _, err := w.destroy(); err != nil {
		t.Fatal(err)
	}
	destroyed := note("destroyed")
	pause(t, calm)
	over := time.Now()
	answers := l.end()

	t.Logf("v0 alone:   %s", sum(between(answers, l.began, adopted)))
	t.Logf("to v1:      %s", sum(between(answers, adopted, bumped)))
	t.Logf("to v2:      %s", sum(between(answers, bumped, ended)))
	t.Logf("back to v0: %s", sum(between(answers, ended, destroyed)))
	t.Logf("v0 alone:   %s", sum(between(answers, destroyed, over)))
	l.draw(t, "adopt", "A Service that was there: v0 moves in as v1, v2, and back: answers a second", answers, marks)

	l.mustNotFail(t, answers)
	endpoints.NeverEmpty(t)
	for _, version := range []string{"v0", "v1", "v2"} {
		if !answered(answers, fresh, version) {
			t.Errorf("%s never answered on a %s", version, fresh)
		}
	}
	last := between(answers, over.Add(-time.Second), over)
	if answered(last, fresh, "v1") || answered(last, fresh, "v2") || !answered(last, fresh, "v0") {
		t.Errorf("at the end these answer: %s", sum(last))
	}
	after, err := w.service(config{})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(after.Spec.Selector, before.Spec.Selector) {
		t.Errorf("the Service selects %v, want %v", after.Spec.Selector, before.Spec.Selector)
	}
}

// legacy is the plain Deployment of an application with two pods that answer as v0, and
// the Service in front of it, as they were before anybody knew of Switchback.
func (w *workspace) legacy() *corev1.Service {
	w.t.Helper()
	return testcluster.Shared(w.t).Legacy(w.t, w.namespace, "web", testnode.AppImage("v1"), func(d *appsv1.Deployment) {
		pods, replicas := &d.Spec.Template.Spec, int32(2)
		d.Spec.Replicas = &replicas
		pods.Containers[0].Env = []corev1.EnvVar{{Name: "APP_VERSION", Value: "v0"}}
		pods.Containers[0].ReadinessProbe = &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(8080)}},
			PeriodSeconds: 1,
		}
	})
}
