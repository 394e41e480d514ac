package provider_test

import (
	"testing"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// wantBudget is how many pods of a release may be missing; empty: it has no budget.
func (l *lab) wantBudget(name, want string) {
	l.t.Helper()
	got := ""
	b, err := l.cluster.Client().PolicyV1().PodDisruptionBudgets(l.namespace).Get(l.t.Context(), name, metav1.GetOptions{})
	if err == nil {
		got = b.Spec.MaxUnavailable.String()
	} else if !apierrors.IsNotFound(err) {
		l.t.Fatal(err)
	}
	if got != want {
		l.t.Errorf("of %s, %q pods may be missing, want %q", name, got, want)
	}
}

// TestAccDisruptionBudget: it changes in place, goes and comes back, is repaired, and comes
// back by an import.
func TestAccDisruptionBudget(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string { return l.config(l.deployment(append(lines, replicas(2))...)) }
	w.apply(config())
	name := w.nameInState()
	l.wantBudget(name, "1")
	pods := l.wantPods(name, 2)
	for _, tt := range []struct{ line, want string }{
		{`disruption_budget = { max_unavailable = "50%" }`, "50%"},
		{`disruption_budget = { enabled = false }`, ""},
		{`disruption_budget = { enabled = true, max_unavailable = 2 }`, "2"},
	} {
		w.apply(config(tt.line)).wantActions(theDeployment, "update")
		l.wantBudget(name, tt.want)
		w.wantNoChanges()
		imported := l.inProcess()
		imported.write(config(tt.line))
		imported.do("import", theDeployment, l.namespace+"/"+name)
		if r := imported.plan(); len(r.actions[theDeployment]) > 0 {
			t.Errorf("%s: the plan after an import is not empty:\n%s", tt.line, imported.explain())
		}
		w = imported
	}
	l.wantSamePods(name, pods)

	_, err := l.cluster.Client().PolicyV1().PodDisruptionBudgets(l.namespace).Patch(t.Context(), name, types.MergePatchType,
		[]byte(`{"spec":{"maxUnavailable":1}}`), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
	w.refresh()
	if found := w.drift(theDeployment); len(found) != 1 || !(driftLine{Object: "PodDisruptionBudget/" + name, Field: "spec.maxUnavailable", Manager: somebody}).in(found[0]) {
		t.Errorf("drift is %+v", found)
	}
	w.apply(config(`disruption_budget = { enabled = true, max_unavailable = 2 }`))
	l.wantBudget(name, "2")
	w.wantNoChanges()
	w.applyFails(config(`disruption_budget = { max_unavailable = 0 }`)).tells("Budget that allows nothing")
	w.apply(config(`disruption_budget = { enabled = false }`))
	w.destroy()
	l.wantNothingLeft()
}

// TestAccTwoDisruptionBudgets: somebody else's that counts the pods is told of at plan, with
// the way out; one that counts others is not.
func TestAccTwoDisruptionBudgets(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	for name, labels := range map[string]map[string]string{"theirs": {"team": "shop"}, "others": {"team": "web"}} {
		_, err := l.cluster.Client().PolicyV1().PodDisruptionBudgets(l.namespace).Create(t.Context(), &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}},
		}, metav1.CreateOptions{})
		l.must(err)
	}
	config := func(lines ...string) string {
		return l.config(l.deployment(append(lines, replicas(2), `labels = { team = "shop" }`)...))
	}
	const told = "Two PodDisruptionBudgets would block every drain"
	w.write(config(`disruption_budget = { enabled = false }`))
	w.plan().silent(told)
	w.write(config())
	w.plan().warns(told, "the PodDisruptionBudget theirs of namespace", "disruption_budget = { enabled = false }")
	w.apply(config(`disruption_budget = { enabled = false }`)).silent(told)
	w.apply(config()).warns(told) // it comes
	w.wantNoChanges().silent(told)
	w.destroy()
	l.wantNothingLeft()
}
