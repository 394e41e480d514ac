package provider_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An address goes from a main deployment to a group and back while it serves,
// without a write that would change what it selects.
func TestAccGroupHandOver(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	watch := l.watchMain()
	w.apply(l.config(l.application("api", "v1"), l.application("web", "v1"), l.main()))
	service := func() *corev1.Service {
		t.Helper()
		svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{})
		l.must(err)
		return svc
	}
	before := service()
	removed := func(address string) string {
		return fmt.Sprintf("removed {\n  from = %s\n  lifecycle { destroy = false }\n}\n", address)
	}
	w.throughCLI().apply(l.both("v1", "v1") + removed(theMain)).warns("Existing main deployment taken over")
	w.wantMember("api", "deployment_id", l.id("api", "v1"))
	w.wantAbsent(theMain)
	w.apply(l.both("v1", "v1"))
	w.wantNoChanges()

	// Another configuration cannot have it, nor can the same one have it twice.
	other := l.inProcess()
	other.applyFails(l.config(l.application("api", "v2"), l.main())).tells("Application belongs to a deployment group", `"shop"`)
	w.write(l.both("v1", "v1") + l.main())
	if r := w.run("plan", "-json", "-input=false"); !r.failed {
		t.Error("a group and a main deployment share an address")
	} else {
		r.tells("Application has two holders", `"shop"`)
	}
	if code, text := other.exec("import", "-input=false", "-no-color", theMain, l.namespace+"/api"); code == 0 || !strings.Contains(text, `belongs to the group "shop"`) {
		t.Errorf("the import of a group's address: %d\n%s", code, text)
	}

	back := l.config(l.application("api", "v1"), l.application("web", "v1"), l.main(),
		l.mainNamed("web", `application = "web"`, `deployment_id = switchback_deployment.web.id`))
	w.throughCLI().apply(back+removed(theGroup)).warns("Existing main deployment taken over", `belonged to the group "shop"`)
	w.wantAbsent(theGroup)
	w.apply(back)
	w.wantNoChanges()
	after := service()
	if !maps.Equal(before.Spec.Selector, after.Spec.Selector) || before.ResourceVersion != after.ResourceVersion {
		t.Errorf("the address was written: %+v, and was %+v", after, before)
	}
	watch.Check(t, drain)
	w.destroy()
	other.destroy()
	l.wantNothingLeft()
}

// One member leaves its group for a main deployment of its own in one apply.
func TestAccGroupMemberLeaves(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	watch := l.watchMain()
	w.apply(l.both("v1", "v1"))
	config := l.config(l.application("api", "v1"), l.application("web", "v1"), l.main(),
		group([]string{member("web")}, `depends_on = [switchback_main_deployment.api]`))
	w.apply(config).warns("Existing main deployment taken over", "Nothing was deleted")
	l.wantAddress("api", "v1")
	w.wantNoChanges()
	watch.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}
