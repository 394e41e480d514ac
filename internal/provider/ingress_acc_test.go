package provider_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// The Ingress of the guide names the application's address and one of its ports, and
// has no part in a release: the traffic moves behind it.
func TestAccIngressStaysAsItIs(t *testing.T) {
	l := newLab(t)
	w := l.workspace()
	l.must(os.CopyFS(w.Dir, os.DirFS(filepath.Join(examples, "ingress"))))
	w.Env = []string{"TF_VAR_kubeconfig=" + l.cluster.KubeconfigPath, "TF_VAR_namespace=" + l.namespace}
	w.do("apply", "-auto-approve", "-input=false", "-no-color")

	content, err := os.ReadFile(filepath.Join(w.Dir, "ingress.yaml"))
	l.must(err)
	var ingress networkingv1.Ingress
	l.must(yaml.UnmarshalStrict(content, &ingress))
	ingresses := l.cluster.Client().NetworkingV1().Ingresses(l.namespace)
	made, err := ingresses.Create(t.Context(), &ingress, metav1.CreateOptions{})
	l.must(err)
	to := made.Spec.Rules[0].HTTP.Paths[0].Backend.Service
	leads := func() string {
		t.Helper()
		service, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(t.Context(), to.Name, metav1.GetOptions{})
		l.must(err)
		if name := service.Spec.Ports[0].Name; name != to.Port.Name {
			t.Errorf("the Ingress asks for port %q, the address has %q", to.Port.Name, name)
		}
		return service.Spec.Selector["switchback.dev/deployment"]
	}

	before := leads()
	watch := l.cluster.WatchMain(t, l.namespace, "web")
	w.do("apply", "-auto-approve", "-input=false", "-no-color", "-var", "app_version=1.30")
	watch.NeverEmpty(t)
	if after := leads(); after == before {
		t.Errorf("the address still leads to %s", after)
	}
	same, err := ingresses.Get(t.Context(), made.Name, metav1.GetOptions{})
	l.must(err)
	if d := cmp.Diff(made, same); d != "" {
		t.Errorf("the Ingress was changed (-before +after):\n%s", d)
	}
}
