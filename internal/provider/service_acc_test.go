package provider_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func exposed(lines string) string {
	return fmt.Sprintf("traffic = { service = { ports = { http = 80 }\n%s\n} }", lines)
}

// address is the application's Service.
func (l *lab) address() *corev1.Service {
	l.t.Helper()
	svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(l.t.Context(), "api", metav1.GetOptions{})
	l.must(err)
	return svc
}

// TestAccServiceOptions: what is said of the address is there, changes in place, is
// repaired, comes back by an import, and is let go of.
func TestAccServiceOptions(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(lines string) string { return l.config(l.deployment(), l.main(exposed(lines))) }
	first := config(`type = "LoadBalancer"
		load_balancer_source_ranges = ["10.0.0.0/8"]
		app_protocols = { http = "kubernetes.io/h2c" }
		ip_families = ["IPv4"]
		ip_family_policy = "SingleStack"
		traffic_distribution = "PreferClose"`)
	w.apply(first)
	svc := l.address().Spec
	if !slices.Equal(svc.LoadBalancerSourceRanges, []string{"10.0.0.0/8"}) || *svc.Ports[0].AppProtocol != "kubernetes.io/h2c" || *svc.IPFamilyPolicy != "SingleStack" || *svc.TrafficDistribution != "PreferClose" {
		t.Errorf("the address is %+v", svc)
	}
	w.wantNoChanges()

	given := svc.Ports[0].NodePort
	second := config(fmt.Sprintf(`type = "NodePort"
		node_ports = { http = %d }
		app_protocols = { http = "http" }
		ip_families = ["IPv4"]
		ip_family_policy = "PreferDualStack"`, given))
	w.apply(second).wantActions(theMain, "update")
	svc = l.address().Spec
	if len(svc.LoadBalancerSourceRanges) > 0 || *svc.Ports[0].AppProtocol != "http" || svc.Ports[0].NodePort != given || *svc.IPFamilyPolicy != "PreferDualStack" || svc.TrafficDistribution != nil {
		t.Errorf("the address is %+v", svc)
	}
	w.wantNoChanges()

	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(t.Context(), "api", types.JSONPatchType,
		[]byte(`[{"op":"replace","path":"/spec/ports/0/appProtocol","value":"https"}]`), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
	w.refresh()
	if found := w.drift(theMain); len(found) != 1 || !(driftLine{Object: "Service/api", Field: "spec.ports[80/TCP].appProtocol", Manager: somebody}).in(found[0]) {
		t.Errorf("drift is %+v", found)
	}
	w.apply(second)
	w.wantNoChanges()

	imported := l.inProcess()
	imported.write(second)
	imported.do("import", theDeployment, l.namespace+"/"+nameOf("v1"))
	imported.do("import", theMain, l.namespace+"/api")
	imported.wantNoChanges()

	w = imported
	w.apply(config("")).wantActions(theMain, "update")
	if port := l.address().Spec.Ports[0]; port.AppProtocol != nil || port.NodePort != 0 {
		t.Errorf("the address has %+v", port)
	}
	w.wantNoChanges()
	watch.NeverEmpty(t)
	w.destroy()
	l.wantNothingLeft()
}

// TestAccServiceOptionsAreAsked: what the Service cannot be is an error of the plan.
func TestAccServiceOptionsAreAsked(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	for lines, told := range map[string][]string{
		`load_balancer_source_ranges = ["10.0.0.0/8"]`:                           {"Source ranges without a load balancer", `type = "LoadBalancer"`},
		"type = \"LoadBalancer\"\nload_balancer_source_ranges = [\"10.0.0.0\"]":  {"Invalid range of addresses", "10.0.0.0/8"},
		`node_ports = { http = 30080 }`:                                          {"Node ports without nodes"},
		"type = \"NodePort\"\nnode_ports = { web = 30080 }":                      {"No such port", `"web"`},
		`app_protocols = { web = "http" }`:                                       {"No such port"},
		`app_protocols = { http = "a b" }`:                                       {"Invalid application protocol"},
		"ip_family_policy = \"SingleStack\"\nip_families = [\"IPv4\", \"IPv6\"]": {"Two families in a single stack"},
		`ip_families = ["IPv5"]`:                                                 {"IPv5"},
		`traffic_distribution = "Nowhere"`:                                       {"PreferClose"},
	} {
		w.applyFails(l.config(l.deployment(), l.main(exposed(lines)))).tells(told...)
	}
	w.applyFails(l.config(l.deployment(), l.main(`traffic = { service = { adopt = true, ip_families = ["IPv4"], traffic_distribution = "PreferClose" } }`))).
		tells("Adopted Service keeps its own ip_families", "Adopted Service keeps its own traffic_distribution")
	l.wantNothingLeft()
}
