package provider_test

import (
	"maps"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	resolving = `container = { ports = { dns = 53, dns-tcp = 53 }, port_protocols = { dns = "UDP" } }`
	resolves  = `traffic = { service = { ports = { dns = 53, dns-tcp = 53 } } }`
)

// wantProtocols are those of the address's ports, by name.
func (l *lab) wantProtocols(service string, want map[string]corev1.Protocol) {
	l.t.Helper()
	svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(l.t.Context(), service, metav1.GetOptions{})
	l.must(err)
	got := map[string]corev1.Protocol{}
	for _, port := range svc.Spec.Ports {
		got[port.Name] = port.Protocol
	}
	if !maps.Equal(got, want) {
		l.t.Errorf("the Service %s has %v, want %v", service, got, want)
	}
}

// TestAccProtocols: the address has the protocols of the ports that it leads to, whichever
// version that is; one that somebody removed is repaired, and an import finds them.
func TestAccProtocols(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	mixed := map[string]corev1.Protocol{"dns": "UDP", "dns-tcp": "TCP"}
	first := l.config(l.deployment(resolving, createFirst), l.main(resolves))
	w.apply(first)
	name := w.nameInState()
	l.wantProtocols(name, mixed)
	l.wantProtocols("api", mixed)
	w.wantState(theDeployment, "internal_url", "http://"+name+"."+l.namespace+".svc:53")
	w.wantNoChanges()

	imported := l.inProcess()
	imported.write(first)
	imported.do("import", theDeployment, l.namespace+"/"+name)
	imported.do("import", theMain, l.namespace+"/api")
	imported.wantNoChanges()

	w = imported
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(t.Context(), "api", types.JSONPatchType,
		[]byte(`[{"op":"remove","path":"/spec/ports/0"}]`), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
	w.refresh()
	if found := w.drift(theMain); !slices.ContainsFunc(found, (driftLine{Object: "Service/api", Field: "spec.ports[53/UDP]"}).in) {
		t.Errorf("drift is %+v", found)
	}
	w.apply(first)
	l.wantProtocols("api", mixed)
	w.wantNoChanges()

	other := func(ports string) string {
		return l.config(l.deployment(`container = { ports = { dns = 5353, dns-tcp = 53 } }`, createFirst), l.main(ports))
	}
	w.applyFails(other(resolves)).tells(`traffic.service.ports has 53/TCP for "dns" and for "dns-tcp"`)
	l.wantProtocols("api", mixed)
	w.apply(other(`traffic = { service = { ports = { dns = 5353, dns-tcp = 53 } } }`))
	l.wantProtocols("api", map[string]corev1.Protocol{"dns-tcp": "TCP", "dns": "TCP"})
	watch.NeverEmpty(t)
	w.destroy()
	l.wantNothingLeft()
}

// TestAccAdoptOverUDP: a Service with a UDP port can be adopted once the containers declare
// it, and the error says how.
func TestAccAdoptOverUDP(t *testing.T) {
	l := newLab(t)
	l.cluster.Legacy(t, l.namespace, "api", "demo/legacy:v0", func(d *appsv1.Deployment) {
		ports := &d.Spec.Template.Spec.Containers[0].Ports
		*ports = append(*ports, corev1.ContainerPort{Name: "dns", ContainerPort: 53, Protocol: "UDP"})
	})
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(t.Context(), "api", types.JSONPatchType,
		[]byte(`[{"op":"add","path":"/spec/ports/-","value":{"name":"dns","port":53,"targetPort":"dns","protocol":"UDP"}}]`), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
	w := l.inProcess()
	r := w.applyFails(l.config(l.deployment(), l.main(adopting)))
	r.tells("Declare that port in `container.ports` and, as \"UDP\", in `container.port_protocols`")
	w.apply(l.config(l.deployment(`container = { ports = { http = 8080, dns = 53 }, port_protocols = { dns = "UDP" } }`), l.main(adopting)))
	w.wantNoChanges()
	w.destroy()
	l.wantLegacy()
	l.wantNothingLeft()
}
