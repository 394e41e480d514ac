package provider_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A stop keeps what the autoscaler had decided on, and the autoscaler.
func TestAccAutoscalerOutlivesAStop(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string {
		return l.config(l.deployment(append([]string{requestingCPU, autoscaling, replicas(3)}, lines...)...))
	}
	w.apply(config())
	name := w.nameInState()
	l.autoscale(name, 5)
	scalers := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace)
	before, err := scalers.Get(t.Context(), name, metav1.GetOptions{})
	l.must(err)

	w.apply(config(stopped)).wantActions(theDeployment, "update")
	l.wantPods(name, 0)
	w.wantState(theDeployment, "status", "stopped", "replicas", 3, "desired_state", "stopped")
	w.wantNoChanges()

	// An import finds what was typed, and a change in place starts nothing.
	w.do("state", "rm", theDeployment)
	w.do("import", "-input=false", "-no-color", theDeployment, l.namespace+"/"+name)
	w.wantNoChanges()
	w.apply(config(stopped, `environment = "staging"`)).wantActions(theDeployment, "update")
	l.wantPods(name, 0)

	// Somebody wants pods: that is drift, which is taken back.
	l.patchWorkload(name, `{"spec":{"replicas":2}}`)
	w.refresh()
	if drift := w.drift(theDeployment); len(drift) != 1 || drift[0].Field != "spec.replicas" || drift[0].Expected != "0" || drift[0].Manager != somebody {
		t.Errorf("drift is %+v", drift)
	}
	w.apply(config(stopped, `environment = "staging"`)).wantActions(theDeployment, "update")
	l.wantPods(name, 0)
	w.wantNoChanges()

	w.apply(config(`environment = "staging"`)).wantActions(theDeployment, "update")
	l.wantReplicas(name, 5)
	l.wantPods(name, 5)
	w.wantState(theDeployment, "status", "started", "replicas", 3)
	w.wantNoChanges()
	after, err := scalers.Get(t.Context(), name, metav1.GetOptions{})
	l.must(err)
	if after.UID != before.UID {
		t.Error("it is another autoscaler")
	}
	l.autoscale(name, 4) // which goes on
	w.wantNoChanges()

	// Started, a zero that is somebody else's stays drift.
	l.autoscale(name, 0)
	w.refresh()
	if drift := w.drift(theDeployment); len(drift) != 1 || drift[0].Field != "spec.replicas" || drift[0].Actual != "0" {
		t.Errorf("drift is %+v", drift)
	}
	w.wantState(theDeployment, "status", "started")
	w.apply(config(`environment = "staging"`))
	l.wantReplicas(name, 3)
	w.wantNoChanges()
	w.apply(config(`environment = "staging"`, stopped))
	w.destroy() // of what is stopped
	l.wantNothingLeft()
}

// The actions need no configuration to know that there is an autoscaler.
func TestAccAutoscalerOutlivesActions(t *testing.T) {
	l := newLab(t)
	w, p := l.inProcess(), l.speak()
	config := l.config(l.deployment(requestingCPU, autoscaling, replicas(3)))
	w.apply(config)
	name := w.nameInState()
	l.autoscale(name, 5)
	it := data{"deployment_id": l.namespace + "/" + name}
	p.invoke("switchback_stop", it).fine("is stopped")
	l.wantPods(name, 0)
	w.refresh()
	w.wantState(theDeployment, "status", "stopped", "replicas", 3)
	if drift := w.drift(theDeployment); len(drift) > 0 { // its status says it
		t.Errorf("drift is %+v", drift)
	}
	p.invoke("switchback_start", it).fine("starting 5 pods", "is started")
	l.wantReplicas(name, 5)
	w.wantNoChanges()
	l.autoscale(name, 4)
	p.invoke("switchback_restart", it).fine("has been restarted")
	l.wantReplicas(name, 4)
	w.wantNoChanges()
	p.invoke("switchback_stop", it).fine("is stopped")
	w.apply(config).wantActions()
	l.wantPods(name, 0)
	p.invoke("switchback_start", it).fine("starting 4 pods", "is started")
	l.wantReplicas(name, 4)
	w.wantNoChanges()
}
