package provider_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wantImported fails the test unless an import of the deployment into a workspace of its
// own finds what is in w's state, and then plans nothing.
func (l *lab) wantImported(w *workspace, config string) {
	l.t.Helper()
	w.refresh()
	made, _ := w.attributes(theDeployment)
	imported := l.workspace()
	imported.write(config)
	imported.do("import", "-input=false", "-no-color", theDeployment, made["id"].(string))
	found, _ := imported.attributes(theDeployment)
	if diff := cmp.Diff(made, found); diff != "" {
		l.t.Errorf("it is imported with what is marked by +\n%s", diff)
	}
	imported.wantNoChanges()
}

// TestAccAffinity: what draws the pods somewhere is applied, is no drift, comes back by an
// import, and is part of the content.
func TestAccAffinity(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(weight string) string {
		return l.config(l.deployment(createFirst, `affinity = {
    node_affinity = {
      required_during_scheduling_ignored_during_execution = [{ match_expressions = [{ key = "type", operator = "In", values = ["kwok"] }] }, { match_expressions = [{ key = "kubernetes.io/hostname", operator = "Exists" }] }]
      preferred_during_scheduling_ignored_during_execution = [{ weight = `+weight+`, preference = { match_fields = [{ key = "metadata.name", operator = "NotIn", values = ["other"] }] } }]
    }
    pod_affinity = { preferred_during_scheduling_ignored_during_execution = [{ weight = 5, pod_affinity_term = { topology_key = "kubernetes.io/hostname", namespace_selector = {}, label_selector = { match_labels = { app = "cache" } } } }] }
    pod_anti_affinity = { preferred_during_scheduling_ignored_during_execution = [{ weight = 9, pod_affinity_term = { topology_key = "kubernetes.io/hostname" } }] }
  }
`))
	}
	w.apply(config("7"))
	w.wantNoChanges()
	first, _ := w.attributes(theDeployment)
	away := l.workload(first["name"].(string)).Spec.Template.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	if away[0].PodAffinityTerm.LabelSelector.MatchLabels["switchback.dev/deployment"] != first["name"] {
		t.Errorf("the pods are kept from %+v", away)
	}
	l.wantImported(w, config("7"))
	w.apply(config("8"))
	if second, _ := w.attributes(theDeployment); second["id"] == first["id"] {
		t.Error("another affinity is the same version")
	}
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}
