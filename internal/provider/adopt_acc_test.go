package provider_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const adopting = `traffic = { service = { adopt = true } }`

func (l *lab) legacy() *corev1.Service {
	l.t.Helper()
	return l.cluster.Legacy(l.t, l.namespace, "api", "demo/legacy:v0")
}

// wantLegacy fails the test unless the old Service selects the old pods, and
// nothing of it is managed by us.
func (l *lab) wantLegacy() {
	l.t.Helper()
	svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(l.t.Context(), "api", metav1.GetOptions{})
	l.must(err)
	if !maps.Equal(svc.Spec.Selector, testcluster.LegacySelector("api")) {
		l.t.Errorf("the Service selects %v", svc.Spec.Selector)
	}
	for _, entry := range svc.ManagedFields {
		if entry.Manager == release.FieldManager {
			l.t.Errorf("we still manage %s", entry.FieldsV1)
		}
	}
	if d := l.workload("api-legacy"); d.Status.ReadyReplicas != 1 || d.Generation != 1 {
		l.t.Errorf("the old workload was touched: generation %d, status %+v", d.Generation, d.Status)
	}
}

func TestAccAdoptService(t *testing.T) {
	l := newLab(t)
	l.legacy()
	w, watch := l.inProcess(), l.watchMain()
	v1 := l.config(l.deployment(image("v1"), createFirst), l.main(adopting))
	w.apply(v1).wantActions(theDeployment, "create", theMain, "create")
	l.wantMain(nameOf("v1"))
	w.wantState(theMain, "url", "http://api."+l.namespace+".svc:80", "status", release.MainFinalized)
	w.wantNoChanges()

	v2 := l.config(l.deployment(image("v2"), createFirst), l.main(adopting))
	w.apply(v2)
	l.wantMain(nameOf("v2"))
	w.wantState(theMain, "previous_deployment_id", l.namespace+"/"+nameOf("v1"))
	w.wantNoChanges()

	// An import finds the same, from what lives and what is remembered.
	imported := l.inProcess()
	imported.write(v2)
	imported.do("import", "-input=false", "-no-color", theDeployment, l.namespace+"/"+nameOf("v2"))
	imported.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	imported.wantNoChanges()

	// What is lost of the memory shows, and is made again.
	l.must(l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(t.Context(), release.MainName("api"), metav1.DeleteOptions{}))
	w.refresh()
	if found := w.drift(theMain); !slices.ContainsFunc(found, (driftLine{Object: "ConfigMap/" + release.MainName("api")}).in) {
		t.Errorf("drift is %+v", found)
	}
	watch.Check(t, drain)
}

// The emergency lever moves an adopted Service as well, and nothing else of it.
func TestActionRollbackOfAnAdoptedService(t *testing.T) {
	l := newLab(t)
	old := l.legacy()
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(adopting, keepPrevious(1)))
	}
	w.apply(config("v1"))
	w.apply(config("v2"))
	l.speak().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).fine("is back on " + nameOf("v1"))
	l.wantMain(nameOf("v1"))
	now, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{})
	l.must(err)
	if !reflect.DeepEqual(now.Spec.Ports, old.Spec.Ports) || !reflect.DeepEqual(now.Labels, old.Labels) {
		t.Errorf("more than the selector was written: %+v", now)
	}
	w.apply(config("v1"))
	w.wantNoChanges()
	watch.Check(t, drain)
}

// The Role that the documentation names is enough for it.
func TestAccAdoptedServiceIsHandedBack(t *testing.T) {
	l := newLab(t)
	l.legacy()
	rules, clusterRules := policyRules(slices.DeleteFunc(cluster.Features(), func(f cluster.Feature) bool {
		_, optional := f.Rules()
		return optional
	})...)
	l.provider = connection(l.cluster.RestrictedKubeconfig(t, l.namespace, rules, clusterRules...))
	w, watch := l.inProcess(), l.watchMain()
	w.apply(l.config(l.deployment(), l.main(adopting)))
	w.destroy()
	l.wantLegacy()
	l.wantNothingLeft()
	watch.Check(t, drain)
}

// Whoever manages the Service writes its selector again: that is drift, told
// with the manager's name, and repaired in place. Their ports are theirs.
func TestAccDriftOfAnAdoptedService(t *testing.T) {
	l := newLab(t)
	l.legacy()
	w, watch := l.inProcess(), l.watchMain()
	config := l.config(l.deployment(), l.main(adopting))
	w.apply(config)
	l.patchService("api", `{"metadata":{"labels":{"more":"labels"}},"spec":{"ports":[{"name":"admin","port":81,"targetPort":"http"}]}}`)
	w.refresh()
	if found := w.drift(theMain); len(found) > 0 {
		t.Errorf("what is theirs counts as drift: %+v", found)
	}
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(t.Context(), "api", types.JSONPatchType,
		[]byte(`[{"op":"replace","path":"/spec/selector","value":{"app":"api"}}]`), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
	w.refresh()
	want := driftLine{Object: "Service/api", Field: "spec.selector", Actual: `{"app":"api"}`, Manager: somebody}
	if found := w.drift(theMain); len(found) != 1 || !want.in(found[0]) {
		t.Errorf("drift is %+v, want %+v", found, want)
	}
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	w.apply(config).wantActions(theMain, "update")
	l.wantMain(nameOf("v1"))
	w.wantNoChanges()

	watch.NeverEmpty(t)

	// Gone: only its owner can make it again.
	l.must(l.cluster.Client().CoreV1().Services(l.namespace).Delete(t.Context(), "api", metav1.DeleteOptions{}))
	w.write(config)
	w.tryApply(config).tells("Service cannot be adopted", "there is no such Service")
}

func TestAccAdoptedServiceThatWasMadeAgain(t *testing.T) {
	l := newLab(t)
	old := l.legacy()
	w := l.inProcess()
	config := l.config(l.deployment(), l.main(adopting))
	w.apply(config)
	services := l.cluster.Client().CoreV1().Services(l.namespace)
	l.must(services.Delete(t.Context(), "api", metav1.DeleteOptions{}))
	_, err := services.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "api"},
		Spec:       corev1.ServiceSpec{Selector: testcluster.LegacySelector("api"), Ports: old.Spec.Ports},
	}, metav1.CreateOptions{FieldManager: somebody})
	l.must(err)
	w.refresh()
	if found := w.drift(theMain); !slices.ContainsFunc(found, (driftLine{Field: "spec.selector", Manager: somebody}).in) {
		t.Errorf("drift is %+v", found)
	}
	w.apply(config).wantActions(theMain, "update")
	l.wantMain(nameOf("v1"))
	w.wantNoChanges()
	w.destroy()
	l.wantLegacy()
	l.wantNothingLeft()
}

func TestAccAdoptedServiceStaysWhereNothingIsReady(t *testing.T) {
	l := newLab(t)
	l.legacy()
	w, watch := l.inProcess(), l.watchMain()
	config := l.config(l.deployment(), l.main(adopting))
	w.apply(config)
	deployments := l.cluster.Client().AppsV1().Deployments(l.namespace)
	l.must(deployments.Delete(t.Context(), "api-legacy", metav1.DeleteOptions{}))
	testcluster.Eventually(t, hang, "the old pods to go", func() error {
		pods, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=api"})
		if err == nil && len(pods.Items) > 0 {
			err = fmt.Errorf("%d are left", len(pods.Items))
		}
		return err
	})
	w.destroy().warns("Adopted Service was not handed back", "(app=api) has no ready pod", "kubectl --namespace "+l.namespace+" delete deployment,service,configmap,hpa,pdb,lease --selector switchback.dev/application=api\nAdd httproute to these kinds where there is a `preview`", "Deployment still carries traffic")
	l.wantMain(nameOf("v1"))
	l.wantCustody(nameOf("v1"), release.CustodyCondemned)
	watch.NeverEmpty(t)

	// The same configuration goes on from there.
	w.apply(config)
	w.wantNoChanges()
	l.wantMain(nameOf("v1"))
	watch.NeverEmpty(t)
}

func TestAccAdoptionNeedsToSeePods(t *testing.T) {
	l := newLab(t)
	l.legacy()
	rules, clusterRules := policyRules(cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeaturePromote, cluster.FeatureTerminate, cluster.FeatureLock)
	l.provider = connection(l.cluster.RestrictedKubeconfig(t, l.namespace, rules, clusterRules...))
	w := l.inProcess()
	w.applyFails(l.config(l.deployment(), l.main(adopting))).tells("Permissions are missing", `to adopt: verb "list" on pods`)
	w.destroy()
	l.wantLegacy()
}

func TestAccAdoptionIsRefused(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	both := l.config(l.deployment(), l.main(`traffic = { service = { adopt = true, ports = { http = 80 }, type = "NodePort" } }`))
	w.applyFails(both).tells("Adopted Service keeps its own ports", "Adopted Service keeps its own type")
	w.applyFails(l.config(l.deployment(), l.main(`traffic = { service = {} }`))).tells("Ports are missing")
	w.applyFails(l.config(l.deployment(), l.main(adopting))).tells("Service cannot be adopted", "there is no such Service", "Nothing was changed")
	w.wantAbsent(theMain)
	headless, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "api"},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Selector: testcluster.LegacySelector("api"), Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	l.must(err)
	w.planFails(l.config(l.deployment(), l.main(adopting))).tells("Service cannot be adopted", "it is headless")
	l.must(l.cluster.Client().CoreV1().Services(l.namespace).Delete(t.Context(), headless.Name, metav1.DeleteOptions{}))

	// Neither an adopted address nor one of our own becomes the other in place.
	own := l.config(l.deployment(), l.main())
	w.apply(own)
	w.applyFails(l.config(l.deployment(), l.main(adopting))).tells("Adoption cannot change in place", "which Switchback made")
	w.apply(own)
	w.destroy()
	l.wantNothingLeft()
	l.legacy()
	adopted := l.config(l.deployment(), l.main(adopting))
	w.apply(adopted)
	w.applyFails(own).tells("Adoption cannot change in place", "Keep `adopt = true`")
	w.applyFails(l.config(l.deployment(), l.main(`traffic = { service = { adopt = true, name = "other" } }`))).tells("Adopted Service cannot be another one")
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))

	// Another application wants the same Service.
	other := l.inProcess()
	application := `application = "shop"`
	taken := l.config(l.deployment(application), l.main(application, `traffic = { service = { adopt = true, name = "api" } }`))
	other.write(taken)
	other.plan().warns("Service cannot be adopted", "Unless that application lets go of it in this same apply", `the application "api" has adopted it already`)
	other.applyFails(taken).tells("Service cannot be adopted", `the application "api" has adopted it already`)
	other.destroy()
	w.write(adopted)
	w.wantNoChanges()
	w.destroy()
	l.wantLegacy()
	l.wantNothingLeft()
}

// A port of the Service that no container of the version has is told at plan: of the
// first version, and of a later one that lacks it. Where Services may not be read, the
// apply tells.
func TestAccAdoptedServiceLeadsNowhere(t *testing.T) {
	l := newLab(t)
	l.legacy()
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag, port string) string {
		return l.config(l.deployment(image(tag), `container = { ports = { `+port+` = 8080 } }`, createFirst), l.main(adopting))
	}
	const nowhere = "Adopted Service leads nowhere"
	w.write(config("v1", "web"))
	w.plan().warns(nowhere, "will be refused for the deployment "+l.namespace+"/api-", `On cluster "default", the adopted Service `+l.namespace+"/api sends its port 80 to the port named http (TCP) of the pods, "+
		"but its containers declare only web/TCP (8080/TCP)", "Declare that port in `container.ports`, or change the Service's targetPort")
	w.apply(config("v1", "http")).silent(nowhere)
	w.write(config("v2", "web"))
	w.plan().warns(nowhere)
	w.applyFails(config("v2", "web")).tells("sends its port 80 to the port named http (TCP)")
	w.apply(config("v1", "http")).silent(nowhere)
	l.wantMain(nameOf("v1"))
	watch.Check(t, drain)
}

// An adoption that is known only at apply, as from another resource.
func TestAccAdoptionKnownAtApply(t *testing.T) {
	l := newLab(t)
	l.legacy()
	w := l.workspace()
	config := l.config(`resource "terraform_data" "adopt" { input = true }`, l.deployment(), l.main(`traffic = { service = { adopt = terraform_data.adopt.output } }`))
	w.apply(config)
	l.wantMain(nameOf("v1"))
	w.wantNoChanges()
	w.destroy()
	l.wantLegacy()
}
