package provider_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestAccRemovedFromConfigurationWhileMainPointsAtIt(t *testing.T) {
	l := newLab(t)
	w, watch := l.workspace(), l.watchMain()
	v1, v2 := l.deploymentNamed("one", image("v1")), l.deploymentNamed("two", image("v2"))
	toV1 := l.main(l.pointAt(nameOf("v1")), keepPrevious(0), `depends_on = [switchback_deployment.one]`)
	onlyMain := l.main(l.pointAt(nameOf("v1")), keepPrevious(0))
	w.apply(l.config(v1, toV1))
	pods := l.wantPods(nameOf("v1"), 1)

	r := w.apply(l.config(v2, onlyMain))
	r.warns("Deployment still carries traffic and was left running", nameOf("v1"), "it is the main deployment of "+l.namespace+"/api")
	l.wantCustody(nameOf("v1"), release.CustodyCondemned)
	l.wantMain(nameOf("v1"))
	l.wantSamePods(nameOf("v1"), pods)
	w.wantAbsent("switchback_deployment.one")
	w.wantNoChanges()

	w.apply(l.config(v2, l.main(l.pointAt(nameOf("v2")), keepPrevious(0))))
	l.wantMain(nameOf("v2"))
	l.wantReleases(nameOf("v2"))
	w.wantNoChanges()
	watch.Check(t, drain)
}

// A Service that is nobody's main but selects the release's pods counts as
// traffic too.
func TestAccTrafficOfSomebodyElsesService(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.apply(l.config(l.deployment()))
	pods := l.wantPods(nameOf("v1"), 1)
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "side-door"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{release.LabelApplication: "api"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	l.must(err)
	w.apply(l.config()).warns("still carries traffic", "Service "+l.namespace+"/side-door selects its pods")
	l.wantSamePods(nameOf("v1"), pods)
	l.wantCustody(nameOf("v1"), release.CustodyCondemned)

	w.apply(l.config(l.deployment())).silent("adopted") // it was in nobody's state
	l.wantSamePods(nameOf("v1"), pods)
	l.must(l.cluster.Client().CoreV1().Services(l.namespace).Delete(t.Context(), "side-door", metav1.DeleteOptions{}))
	w.destroy()
	l.wantNothingLeft()
}

func TestAccDeploymentAndMainInTwoWorkspaces(t *testing.T) {
	l := newLab(t)
	releases, traffic, watch := l.inProcess(), l.inProcess(), l.watchMain()
	releases.apply(l.config(l.deployment(image("v1"), createFirst)))
	traffic.apply(l.config(l.main(l.pointAt(nameOf("v1")), keepPrevious(0))))

	releases.apply(l.config(l.deployment(image("v2"), createFirst))).warns("still carries traffic")
	l.wantMain(nameOf("v1"))
	l.wantPods(nameOf("v1"), 1)
	l.wantCustody(nameOf("v1"), release.CustodyCondemned)
	traffic.wantNoChanges()

	traffic.apply(l.config(l.main(l.pointAt(nameOf("v2")), keepPrevious(0))))
	l.wantMain(nameOf("v2"))
	l.wantReleases(nameOf("v2"))
	releases.wantNoChanges()
	traffic.wantNoChanges()
	watch.Check(t, drain)

	releases.destroy().warns("Deployment still carries traffic and was left running", nameOf("v2"))
	l.wantPods(nameOf("v2"), 1)
	traffic.destroy()
	l.wantNothingLeft()
}

func TestAccSecondMainIsRefused(t *testing.T) {
	l := newLab(t)
	first, second := l.inProcess(), l.inProcess()
	first.apply(l.config(l.deployment(), l.main()))
	r := second.applyFails(l.config(l.deployment(image("v2")), l.main()))
	r.tells("Application already has a main deployment", l.namespace+"/api", nameOf("v1"), "import <address> "+l.namespace+"/api")
	l.wantMain(nameOf("v1"))
	second.wantAbsent(theMain)
	first.wantNoChanges()

	// As it says: imported, it may move, and the first may not any more.
	second.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	second.apply(l.config(l.deployment(image("v2")), l.main()))
	l.wantMain(nameOf("v2"))
	second.wantNoChanges()
}

// Whoever takes a main over makes the former state's token stale.
func TestAccStaleMainIsRefused(t *testing.T) {
	l := newLab(t)
	former, now := l.inProcess(), l.inProcess()
	config := func(tag string) string { return l.config(l.deployment(image(tag)), l.main()) }
	former.apply(config("v1"))
	now.apply(config("v1")).warns("Existing deployment adopted", "Existing main deployment taken over")
	former.applyFails(config("v2")).tells("claimed by", "import <address> "+l.namespace+"/api")
	l.wantMain(nameOf("v1"))
	pods := l.wantPods(nameOf("v1"), 1)
	former.destroy()
	l.wantMain(nameOf("v1"))
	l.wantCustody(nameOf("v1"), release.CustodyOwned)
	l.wantSamePods(nameOf("v1"), pods)
	now.wantNoChanges()
	now.destroy()
	l.wantNothingLeft()
}

func TestAccForgottenStateIsAdopted(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := l.config(l.deployment(), l.main())
	w.apply(config)
	pods := l.wantPods(nameOf("v1"), 1)
	w.do("state", "rm", theDeployment, theMain)
	w.apply(config).warns("Existing deployment adopted", "Existing main deployment taken over")
	l.wantSamePods(nameOf("v1"), pods)
	w.wantNoChanges()
	w.do("state", "rm", theDeployment)
	w.apply(config).warns("Existing deployment adopted")
	l.wantSamePods(nameOf("v1"), pods)
	w.wantNoChanges()
	watch.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}

func TestAccForeignObjectsAreRefused(t *testing.T) {
	t.Parallel()
	helm := metav1.ObjectMeta{Labels: map[string]string{release.LabelManagedBy: "Helm"}}
	named := func(meta metav1.ObjectMeta, name string) metav1.ObjectMeta {
		meta.Name = name
		return meta
	}
	service := func(meta metav1.ObjectMeta) *corev1.Service {
		return &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: map[string]string{"theirs": "yes"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	}
	theirData := map[string]string{"theirs": "yes"}
	tests := map[string]struct {
		make  func(l *lab) error
		check func(l *lab) (labels map[string]string, theirs string, err error)
		whose string
	}{
		"main Service": {
			make: func(l *lab) error {
				_, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(l.t.Context(), service(named(helm, "api")), metav1.CreateOptions{})
				return err
			},
			check: func(l *lab) (map[string]string, string, error) {
				svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(l.t.Context(), "api", metav1.GetOptions{})
				return svc.Labels, svc.Spec.Selector["theirs"], err
			},
			whose: "it is managed by Helm",
		},
		"a release's Service": {
			make: func(l *lab) error {
				_, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(l.t.Context(), service(named(metav1.ObjectMeta{}, nameOf("v1"))), metav1.CreateOptions{FieldManager: somebody})
				return err
			},
			check: func(l *lab) (map[string]string, string, error) {
				svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(l.t.Context(), nameOf("v1"), metav1.GetOptions{})
				return svc.Labels, svc.Spec.Selector["theirs"], err
			},
			whose: somebody,
		},
		"a release's record": {
			make: func(l *lab) error {
				_, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Create(l.t.Context(), &corev1.ConfigMap{ObjectMeta: named(helm, nameOf("v1")), Data: theirData}, metav1.CreateOptions{})
				return err
			},
			check: func(l *lab) (map[string]string, string, error) {
				cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), nameOf("v1"), metav1.GetOptions{})
				return cm.Labels, cm.Data["theirs"], err
			},
			whose: "it is managed by Helm",
		},
		"the application's ConfigMap": {
			make: func(l *lab) error {
				_, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Create(l.t.Context(), &corev1.ConfigMap{ObjectMeta: named(helm, release.MainName("api")), Data: theirData}, metav1.CreateOptions{})
				return err
			},
			check: func(l *lab) (map[string]string, string, error) {
				cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), release.MainName("api"), metav1.GetOptions{})
				return cm.Labels, cm.Data["theirs"], err
			},
			whose: "it is managed by Helm",
		},
		"workload": {
			make: func(l *lab) error {
				d := someDeployment(nameOf("v1"))
				d.Labels = helm.Labels
				d.Annotations = theirData
				_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Create(l.t.Context(), d, metav1.CreateOptions{})
				return err
			},
			check: func(l *lab) (map[string]string, string, error) {
				d, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Get(l.t.Context(), nameOf("v1"), metav1.GetOptions{})
				return d.Labels, d.Annotations["theirs"], err
			},
			whose: "it is managed by Helm",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			w := l.inProcess()
			l.must(test.make(l))
			w.applyFails(l.config(l.deployment(), l.main())).tells("Object belongs to somebody else", "is not ours", test.whose)
			if r := w.run("destroy", "-json", "-auto-approve", "-input=false"); r.failed {
				r.tells("Object belongs to somebody else")
			}
			labels, theirs, err := test.check(l)
			if err != nil || theirs != "yes" || labels[release.LabelApplication] != "" {
				t.Errorf("it was touched: labels %v, %v", labels, err)
			}
		})
	}
}

// What is not ours under the name of the main Service stays when ours is
// destroyed, as does a record's ConfigMap that somebody has made their own.
func TestAccServiceThatBecameSomebodyElsesStays(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.apply(l.config(l.deployment(), l.main()))
	l.patchService("api", `{"metadata":{"labels":{"`+release.LabelManagedBy+`":"Helm"}}}`)
	r := w.run("destroy", "-json", "-auto-approve", "-input=false")
	r.tells("Object belongs to somebody else", "Helm")
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		t.Error("somebody else's Service was deleted")
	}
}

// Two mains of one application in one configuration: the one that comes second
// is refused where it wants something else.
func TestAccTwoMainsOfOneApplication(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	releases := l.deployment(`for_each = toset(["v1", "v2"])`, `image = "demo/api:${each.key}"`)
	first := l.mainNamed("first", `deployment_id = switchback_deployment.api["v1"].id`)
	second := l.mainNamed("second", `deployment_id = switchback_deployment.api["v2"].id`, `depends_on = [switchback_main_deployment.first]`)
	w.applyFails(l.config(releases, first, second)).tells("Application already has a main deployment", l.namespace+"/api")
	w.apply(l.config(releases, first))
	l.wantMain(nameOf("v1"))
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}
