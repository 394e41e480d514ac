package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// planned is what a plan of a deployment over no state says.
func (p *protocol) planned(config data) []*tfprotov6.Diagnostic {
	p.t.Helper()
	typ := p.resourceType(deploymentType)
	resp, err := p.server.PlanResourceChange(p.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: deploymentType, Config: p.pack(typ, config), PriorState: p.pack(typ, nil), ProposedNewState: p.pack(typ, config),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.Diagnostics
}

// TestSelectedBeforeMain: a Service of somebody else's that would send traffic to
// a new deployment is named at plan, and refused at apply, at its attribute.
func TestSelectedBeforeMain(t *testing.T) {
	l := newLab(t)
	for name, selector := range map[string]map[string]string{"web": {"app.kubernetes.io/name": l.deploymentData("v1")["application"].(string)}, "tier": {"tier": "web"}} {
		_, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(t.Context(), &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Port: 80}}},
		}, metav1.CreateOptions{})
		l.must(err)
	}
	p := l.speak()
	const warning, failure = tfprotov6.DiagnosticSeverityWarning, tfprotov6.DiagnosticSeverityError

	plain := l.deploymentData("v1")
	plan := p.planned(plain)
	p.fine(plan)
	wantSays(t, plan, warning, "Pods go without the label app.kubernetes.io/name", "the Service web of namespace "+l.namespace)

	tiered := l.deploymentData("v1")
	tiered["labels"] = data{"tier": "web"}
	plan = p.planned(tiered)
	p.fine(plan)
	wantSays(t, plan, warning, "Deployment would get traffic before it is main", "allow_selected_by", "the Service tier of namespace "+l.namespace)
	refused := p.change(t.Context(), deploymentType, tiered, nil)
	wantSays(t, refused.diagnostics, failure, "Deployment would get traffic before it is main", "allow_selected_by", l.namespace+"/tier (tier=web)")
	if refused.state != nil {
		t.Errorf("there is a state: %v", refused.state)
	}
	l.wantNothingLeft()

	tiered["allow_selected_by"] = []any{"tier"}
	made := p.change(t.Context(), deploymentType, tiered, nil)
	p.fine(made.diagnostics)
	wantSays(t, made.diagnostics, warning, "Pods go without the label app.kubernetes.io/name")
	read := p.read(deploymentType, p.pack(p.resourceType(deploymentType), made.state), nil, nil)
	wantSame(t, "the drift", read.state["drift"], made.state["drift"])
	wantSame(t, "what may select it", read.state["allow_selected_by"], []any{"tier"})
	imported := p.importBy(deploymentType, made.state["id"].(string), nil)
	wantSame(t, "what may select it, imported", imported.state["allow_selected_by"], []any{"tier"})
}
