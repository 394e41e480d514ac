package cluster

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[*T]() }

func service(namespace, name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{deploymentLabel: name},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80}},
		},
	}
}

func aWorkload(namespace string) *appsv1.Deployment {
	const name = "api"
	labels := func() map[string]string { return map[string]string{deploymentLabel: name} }
	replicas := int32(1)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels()},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels()},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels()},
				Spec: corev1.PodSpec{
					Containers: []corev1.Container{{Name: "app", Image: "app"}},
					Volumes:    []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
				},
			},
		},
	}
}

func TestApplyBodySaysOnlyWhatIsSet(t *testing.T) {
	t.Parallel()
	d := aWorkload("shop")
	d.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}}
	d.Generation, d.UID, d.ResourceVersion = 3, "u", "7"
	d.Status.Replicas = 1
	body, err := applyBody(resources[typeOf[appsv1.Deployment]()], d)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": {"namespace": "shop", "name": "api", "labels": {"switchback.dev/deployment": "api"}, "uid": "u", "resourceVersion": "7"},
		"spec": {"replicas": 1, "selector": {"matchLabels": {"switchback.dev/deployment": "api"}}, "template": {
			"metadata": {"labels": {"switchback.dev/deployment": "api"}},
			"spec": {"containers": [{"name": "app", "image": "app"}], "volumes": [{"name": "tmp", "emptyDir": {}}]}}}}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	ctx := t.Context()
	d := aWorkload(w.namespace)
	d.Annotations = map[string]string{"a": "1"}
	if err := w.Apply(ctx, d, false); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Spec.RevisionHistoryLimit == nil || d.ManagedFields[0].Manager != "switchback" || d.ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
		t.Errorf("not filled from the reply: %v", d)
	}
	uid := d.UID
	again := aWorkload(w.namespace)
	if err := w.Apply(ctx, again, false); err != nil {
		t.Fatal(err)
	}
	if again.UID != uid || len(again.Annotations) != 0 && again.Annotations["a"] != "" {
		t.Errorf("an annotation that was left out is still there: %v", again.Annotations)
	}
	// A precondition that does not hold any more.
	other := aWorkload(w.namespace)
	other.UID = "00000000-0000-0000-0000-000000000000"
	var replaced interface{ Replaced() bool }
	if err := w.Apply(ctx, other, false); !errors.As(err, &replaced) || !apierrors.IsConflict(err) {
		t.Errorf("want ReplacedError, got %v", err)
	}
	stale := aWorkload(w.namespace)
	stale.ResourceVersion = d.ResourceVersion
	stale.Labels["x"] = "y"
	bump := aWorkload(w.namespace)
	bump.Labels["x"] = "z"
	if err := w.Apply(ctx, bump, false); err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(ctx, stale, false); !apierrors.IsConflict(err) {
		t.Errorf("want a conflict, got %v", err)
	}
}

// Without a precondition a race with a controller is not the caller's matter.
// TestWhatIsSaidOfAWrite: policies quote what they refuse, and some of that is
// secret. An answer looks like one, and not like a line of ours.
func TestWhatIsSaidOfAWrite(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Shared(t)
	proxy := cluster.Proxy(t)
	c := connect(t, Config{ConfigPath: proxy.KubeconfigPath})
	proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault {
		return testcluster.Reject(403, metav1.StatusReasonForbidden, "container web has DSN=\"postgres://u:secret-of-mine\" in mode prod\u2028Apply complete!")
	})
	d := &appsv1.Deployment{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "web", Env: []corev1.EnvVar{{Name: "DSN", Value: "postgres://u:secret-of-mine"}, {Name: "MODE", Value: "prod"}}}}
	const want = "container web has DSN=\"***\" in mode prod\n    Apply complete!"
	for verb, write := range map[string]func(Object) error{
		"create": func(o Object) error { return c.Create(t.Context(), o) },
		"apply":  func(o Object) error { return c.Apply(t.Context(), o, false) },
		"update": func(o Object) error { return c.Update(t.Context(), o) },
	} {
		if err := write(d.DeepCopy()); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s says %v", verb, err)
		}
	}
}

func TestApplyRace(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	w.proxy.SetFault(testcluster.OnRequest(1, testcluster.Conflict()))
	if err := w.Apply(t.Context(), service(w.namespace, "api"), false); err != nil {
		t.Error(err)
	}
}

// A lost reply makes the precondition fail the second time.
func TestApplyWithPreconditionAndLostReply(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	s := service(w.namespace, "api")
	if err := w.Apply(t.Context(), s, false); err != nil {
		t.Fatal(err)
	}
	next := service(w.namespace, "api")
	next.UID, next.ResourceVersion = s.UID, s.ResourceVersion
	next.Spec.Selector[deploymentLabel] = "other"
	w.proxy.Reset()
	w.proxy.SetFault(testcluster.OnRequest(1, testcluster.LostReply()))
	if err := w.Apply(t.Context(), next, false); err != nil {
		t.Fatal(err)
	}
	if next.Spec.Selector[deploymentLabel] != "other" || next.ResourceVersion == s.ResourceVersion {
		t.Errorf("not filled: %v", next)
	}
}

func TestApplyConflictNamesManagerAndField(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	ctx := t.Context()
	if err := w.Apply(ctx, aWorkload(w.namespace), false); err != nil {
		t.Fatal(err)
	}
	_, err := w.direct.AppsV1().Deployments(w.namespace).Patch(ctx, "api", "application/merge-patch+json",
		[]byte(`{"spec":{"replicas":5}}`), metav1.PatchOptions{FieldManager: `kubectl "edit"`})
	if err != nil {
		t.Fatal(err)
	}
	mine := aWorkload(w.namespace)
	w.proxy.Reset()
	err = w.Apply(ctx, mine, false)
	var conflict *ApplyConflictError
	if !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0] != (release.FieldConflict{Field: ".spec.replicas", Manager: `kubectl "edit"`}) {
		t.Fatalf("got %v", err)
	}
	if len(w.proxy.Requests()) != 1 {
		t.Errorf("%v", lines(w.proxy.Requests()))
	}
	for _, want := range []string{"prod", "Deployment " + w.namespace + "/api", ".spec.replicas"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if err := w.Apply(ctx, mine, true); err != nil || *mine.Spec.Replicas != 1 {
		t.Errorf("with force: %v", err)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	ctx := t.Context()
	m := configMap(w.namespace, "record", "k", "1")
	if err := w.Create(ctx, m); err != nil {
		t.Fatal(err)
	}
	stale := m.DeepCopy()
	m.Data["k"] = "2"
	if err := w.Update(ctx, m); err != nil {
		t.Fatal(err)
	}
	var replaced *ReplacedError
	if err := w.Delete(ctx, stale, metav1.DeletePropagationBackground); !apierrors.IsConflict(err) || errors.As(err, &replaced) {
		t.Errorf("resourceVersion: want a plain conflict, got %v", err)
	}
	if err := w.Delete(ctx, m, metav1.DeletePropagationBackground); err != nil {
		t.Error(err)
	}
	if err := w.Delete(ctx, m, metav1.DeletePropagationBackground); err != nil {
		t.Errorf("gone already: %v", err)
	}
	again := configMap(w.namespace, "record", "k", "1")
	if err := w.Create(ctx, again); err != nil {
		t.Fatal(err)
	}
	m.ResourceVersion = ""
	if err := w.Delete(ctx, m, metav1.DeletePropagationBackground); !errors.As(err, &replaced) || replaced.Live != again.UID {
		t.Errorf("another object: want ReplacedError, got %v", err)
	}
	if err := w.Get(ctx, w.namespace, "record", again); err != nil {
		t.Errorf("the other object was deleted: %v", err)
	}
}

// With a finalizer and a resourceVersion, a deletion whose reply is lost
// conflicts with itself.
func TestDeleteLostReplyWithFinalizer(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	ctx := t.Context()
	m := configMap(w.namespace, "record")
	m.Finalizers = []string{"example.com/wait"}
	if err := w.Create(ctx, m); err != nil {
		t.Fatal(err)
	}
	w.proxy.Reset()
	w.proxy.SetFault(testcluster.OnRequest(1, testcluster.LostReply()))
	if err := w.Delete(ctx, m, metav1.DeletePropagationBackground); err != nil {
		t.Error(err)
	}
	w.proxy.SetFault(nil)
	if _, err := w.direct.CoreV1().ConfigMaps(w.namespace).Patch(ctx, "record", "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	ctx := t.Context()
	holder := "run-1"
	l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "api-switchback"}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder}}
	w.proxy.SetFault(testcluster.OnRequest(1, testcluster.LostReply()))
	if err := w.Create(ctx, l); err != nil {
		t.Fatal(err)
	}
	now := metav1.NowMicro()
	l.Spec.RenewTime = &now
	w.proxy.Reset()
	if err := w.Update(ctx, l); err != nil { // again with a lost reply
		t.Fatal(err)
	}
	if l.Spec.RenewTime == nil || *l.Spec.HolderIdentity != holder {
		t.Errorf("%v", l.Spec)
	}
	// Somebody else's claim with other content is not taken for ours.
	other := "run-2"
	w.proxy.Reset()
	err := w.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "api-switchback"}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &other}})
	if !apierrors.IsAlreadyExists(err) {
		t.Errorf("want AlreadyExists, got %v", err)
	}
}

func TestTellAndUser(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	ctx := t.Context()
	s := service(w.namespace, "api")
	if err := w.Apply(ctx, s, false); err != nil {
		t.Fatal(err)
	}
	w.Emit(ctx, w.namespace, s, "Promoted", strings.Repeat("é", 1000), EventNormal)
	events := &eventsv1.EventList{}
	if err := w.List(ctx, w.namespace, "", events); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool {
		return e.Regarding.UID == s.UID && e.Reason == "Promoted" && strings.HasSuffix(e.Note, "é…")
	}) {
		t.Errorf("no event: %v", events.Items)
	}
	w.proxy.Reset()
	w.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault {
		return testcluster.Reject(403, metav1.StatusReasonForbidden, "no")
	})
	w.Emit(ctx, w.namespace, s, "Promoted", "x", EventNormal)
	w.Emit(ctx, w.namespace, s, "Promoted", "x", EventNormal)
	if n := len(w.proxy.Requests()); n != 1 {
		t.Errorf("%d requests after Events were forbidden, want 1", n)
	}
	w.proxy.SetFault(nil)
	w.proxy.Reset()
	for range 3 {
		if user := w.User(ctx); user == "" {
			t.Error("no user")
		}
	}
	if n := len(w.proxy.Requests()); n != 1 {
		t.Errorf("the user was asked for %d times", n)
	}
	if agent := w.proxy.Requests()[0].UserAgent; agent != "terraform-provider-switchback/test" {
		t.Errorf("user agent %q", agent)
	}
}
