package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// addressed has `traffic` of a Service that has other attributes, too.
func addressed(d, service data) data {
	ours := data{"ports": data{"http": 80}, "type": "ClusterIP", "session_affinity": "None"}
	return changed(d, data{"traffic": data{"service": changed(ours, service)}})
}

// serviceOf makes a Service of somebody else's.
func (l *lab) serviceOf(name string, selector map[string]string) {
	l.t.Helper()
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(l.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	l.must(err)
}

// service makes one of somebody else's under the name of the address.
func (l *lab) service(labels map[string]string) {
	l.t.Helper()
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(l.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "api", Labels: labels}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "old"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	l.must(err)
}

// TestPlanOfAnAddress: what an apply would meet is said at plan, on its attribute.
func TestPlanOfAnAddress(t *testing.T) {
	t.Parallel()
	const failure, warning = tfprotov6.DiagnosticSeverityError, tfprotov6.DiagnosticSeverityWarning
	adopting := data{"adopt": true, "ports": nil, "type": nil, "session_affinity": nil}
	sending := func(port string) func(*lab, *protocol, data) {
		return func(l *lab, _ *protocol, _ data) {
			l.service(nil)
			l.patchService("api", `{"spec":{"ports":[{"$patch":"replace"},`+port+`]}}`)
		}
	}
	for name, tt := range map[string]struct {
		begin   func(*lab, *protocol, data)
		service data
		at      tfprotov6.DiagnosticSeverity
		says    []string // none: nothing
	}{
		"well":                    {},
		"a port that nobody has":  {service: data{"ports": data{"https": 443}}, at: failure, says: []string{`AttributeName("ports")`, `ElementKeyString("https")`, "declare only admin, http", "container.ports"}},
		"two ports that are one":  {service: data{"ports": data{"http": 80, "admin": 80}}, at: failure, says: []string{`ElementKeyString("http")`, `80/TCP for "admin" and for "http"`}},
		"what the server refuses": {service: data{"annotations": data{"not a key": "x"}}, at: failure, says: []string{`AttributeName("annotations")`, "server_dry_run = false"}},
		"somebody else's":         {begin: func(l *lab, _ *protocol, _ data) { l.service(nil) }, at: warning, says: []string{"will be refused", "traffic.service.adopt = true"}},
		"another application's": {begin: func(l *lab, _ *protocol, _ data) {
			l.service(map[string]string{"app.kubernetes.io/managed-by": "switchback", "switchback.dev/application": "web"})
		}, at: warning, says: []string{"belongs to the application", "traffic.service.name"}},
		"an adoption":            {begin: func(l *lab, _ *protocol, _ data) { l.service(nil) }, service: adopting, at: warning, says: []string{"Service will be adopted", "selects app=old", "gives the selector back"}},
		"an adoption of nothing": {service: adopting, at: warning, says: []string{"Service to adopt is not there"}},
		"an adoption of a name that nobody has": {begin: sending(`{"port":80,"targetPort":"web"}`), service: adopting, at: warning, says: []string{
			"Adopted Service leads nowhere", `AttributeName("adopt")`, "sends its port 80 to the port named web (TCP) of the pods", "declare only", "http/TCP (8080/TCP)", "will be refused", "targetPort",
		}},
		"an adoption of a number that nobody has":   {begin: sending(`{"port":80,"targetPort":3000}`), service: adopting, at: warning, says: []string{"Adopted Service leads nowhere", "to the port 3000 (TCP)"}},
		"an adoption of a protocol that nobody has": {begin: sending(`{"port":80,"targetPort":"http","protocol":"UDP"}`), service: adopting, at: warning, says: []string{"Adopted Service leads nowhere", "named http (UDP)", "as \"UDP\", in `container.port_protocols`"}},
		"a main deployment's there":                 {begin: func(l *lab, p *protocol, main data) { p.change(l.t.Context(), mainType, main, nil) }, at: warning, says: []string{"Main deployment is there already", "takes it over", "terraform import"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			p := l.speak()
			made := p.change(t.Context(), deploymentType, changed(l.deploymentData("v1"), data{"container": data{"ports": data{"http": 8080, "admin": 9090}}}), nil)
			p.fine(made.diagnostics)
			main := changed(l.mainData(), data{"deployment_id": made.state["id"]})
			if tt.begin != nil {
				tt.begin(l, p, main)
			}
			config := addressed(main, tt.service)
			// What this run has planned itself, and what is there of another run. What is
			// begun meanwhile comes to the one that runs by its watch, a moment later.
			for _, run := range []*protocol{p, l.speak()} {
				if len(tt.says) == 0 {
					if plan := run.planOf(mainType, config); len(plan) > 0 {
						t.Errorf("it says %v", plan)
					}
					continue
				}
				eventuallySays(t, func() []*tfprotov6.Diagnostic { return run.planOf(mainType, config) }, tt.at, tt.says...)
			}
			_, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{})
			if (err == nil) != (tt.begin != nil) {
				t.Errorf("the plan has made or removed the Service: %v", err)
			}
		})
	}
}
