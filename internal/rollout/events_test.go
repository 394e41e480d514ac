package rollout_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// happen writes an event as a component of Kubernetes does.
func (l *life) happen(about corev1.ObjectReference, reason, message string, edit ...func(*corev1.Event)) {
	l.t.Helper()
	about.Namespace = l.namespace
	now := metav1.Now()
	e := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}, InvolvedObject: about, Reason: reason, Message: message,
		Type: corev1.EventTypeNormal, Count: 1, FirstTimestamp: now, LastTimestamp: now, Source: corev1.EventSource{Component: "test"},
	}
	for _, f := range edit {
		f(e)
	}
	if _, err := l.cluster.Client().CoreV1().Events(l.namespace).Create(l.t.Context(), e, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

func warning(e *corev1.Event) { e.Type = corev1.EventTypeWarning }

func ago(d time.Duration, count int32) func(*corev1.Event) {
	return func(e *corev1.Event) {
		e.FirstTimestamp, e.LastTimestamp, e.Count = metav1.NewTime(time.Now().Add(-d-time.Minute)), metav1.NewTime(time.Now().Add(-d)), count
	}
}

func TestEventsOfADeployment(t *testing.T) {
	t.Parallel()
	a := talk(t)
	if err := a.makeMain(t); err != nil {
		t.Fatal(err)
	}
	uid := func(kind, name string) types.UID {
		t.Helper()
		var object metav1.Object
		var err error
		switch kind {
		case "Pod":
			object, err = a.cluster.Client().CoreV1().Pods(a.namespace).Get(t.Context(), name, metav1.GetOptions{})
		case "Service":
			object, err = a.cluster.Client().CoreV1().Services(a.namespace).Get(t.Context(), name, metav1.GetOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		return object.GetUID()
	}
	pod := corev1.ObjectReference{Kind: "Pod", Name: a.pods[0], UID: uid("Pod", a.pods[0]), FieldPath: "spec.containers{api}"}
	a.happen(pod, "BackOff", "Back-off restarting, password=hunter2", warning, ago(time.Hour, 3))
	a.happen(pod, "BackOff", "Back-off restarting, password=hunter2", warning, ago(30*time.Minute, 4))
	a.happen(corev1.ObjectReference{Kind: "Service", Name: "api", UID: uid("Service", "api")}, "Test", "about the address")
	a.happen(corev1.ObjectReference{Kind: "Pod", Name: "somebody-else", UID: "1"}, "Test", "about somebody else", warning)
	a.happen(corev1.ObjectReference{Kind: "Pod", Name: pod.Name + "-not", UID: "2"}, "Test", "about one that is gone")

	query := func(edit func(*diagnose.EventQuery)) []string {
		t.Helper()
		q := diagnose.EventQuery{ID: a.id}
		edit(&q)
		found, err := diagnose.EventsOf(t.Context(), a.on, q)
		if err != nil || len(found.Notes) > 0 {
			t.Fatalf("%v, %q", err, found.Notes)
		}
		var texts []string
		for i, e := range found.Events {
			if i > 0 && e.Last.Before(found.Events[i-1].Last) {
				t.Errorf("%v is not in its place", e)
			}
			texts = append(texts, fmt.Sprintf("%s %s %s %s/%s %s %s %d %s", e.Cluster, e.Type, e.Reason, e.Kind, e.Name, e.Container, e.Message, e.Count, e.Last.Sub(e.First).Round(time.Minute)))
		}
		return texts
	}
	backOff := "prod Warning BackOff Pod/" + pod.Name + " api Back-off restarting, password=*** 7 31m0s"
	all := query(func(*diagnose.EventQuery) {})
	for _, want := range []string{backOff, "prod Normal Test Service/api  about the address 1 0s", "prod Normal Test Pod/" + pod.Name + "-not  about one that is gone 1 0s"} {
		if !slices.Contains(all, want) {
			t.Errorf("%q is not among\n%s", want, strings.Join(all, "\n"))
		}
	}
	if all[0] != backOff {
		t.Errorf("the oldest is %q", all[0])
	}
	for _, own := range []string{"Normal Started Deployment/" + a.id.Name, "Normal Promoted Service/api", "Normal ScalingReplicaSet Deployment/" + a.id.Name, "Normal SuccessfulCreate ReplicaSet/"} {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, own) }) {
			t.Errorf("no %q is among\n%s", own, strings.Join(all, "\n"))
		}
	}
	if strings.Contains(strings.Join(all, "\n"), "somebody") {
		t.Errorf("events of others are among\n%s", strings.Join(all, "\n"))
	}
	for name, edit := range map[string]func(*diagnose.EventQuery){
		"by type":   func(q *diagnose.EventQuery) { q.Type = diagnose.EventWarning },
		"by reason": func(q *diagnose.EventQuery) { q.Reason = "BackOff" },
	} {
		if got := query(edit); !slices.Equal(got, []string{backOff}) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := query(func(q *diagnose.EventQuery) { q.Since = 20 * time.Minute }); slices.Contains(got, backOff) || len(got) < 3 {
		t.Errorf("of the last 20 minutes: %q", got)
	}
}

// makeMain makes the application's only release main.
func (a *talkative) makeMain(t *testing.T) error {
	t.Helper()
	_, err := a.engine.Promote(t.Context(), rollout.PromoteRequest{Service: a.service(), To: a.id.Name, Drain: faultyDrain, Clusters: a.on})
	return err
}

// TestEventsNeedPermissions: without events there is nothing; without what they
// are about, less.
func TestEventsNeedPermissions(t *testing.T) {
	t.Parallel()
	a := talk(t)
	may := func(resources ...string) []rollout.Cluster {
		return a.named(t, a.cluster.RestrictedKubeconfig(t, a.namespace, []rbacv1.PolicyRule{
			{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: resources},
			{Verbs: []string{"get"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}},
		}), "prod")
	}
	_, err := diagnose.EventsOf(t.Context(), may("pods"), diagnose.EventQuery{ID: a.id})
	if want := fmt.Sprintf(`cluster "prod": this takes verb "list" on events in namespace %q`, a.namespace); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("without events: %v", err)
	}
	found, err := diagnose.EventsOf(t.Context(), may("events", "pods"), diagnose.EventQuery{ID: a.id})
	if err != nil || len(found.Events) == 0 || !slices.ContainsFunc(found.Notes, func(n string) bool { return strings.Contains(n, "about replicasets are not among them") }) ||
		slices.ContainsFunc(found.Notes, func(n string) bool { return strings.Contains(n, "about limitranges") }) {
		t.Errorf("without ReplicaSets: %d events, %q, %v", len(found.Events), found.Notes, err)
	}
	var absent *diagnose.AbsentError
	if _, err := diagnose.EventsOf(t.Context(), a.on, diagnose.EventQuery{ID: release.ID{Namespace: a.namespace, Name: "api-00000000"}}); !errors.As(err, &absent) {
		t.Errorf("of a deployment that is not there: %v", err)
	}
}

// TestManyEvents: an answer has its limits.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	p := l.process(t)
	if err := p.deploy(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	id := release.ID{Namespace: l.namespace, Name: p.name("v1")}
	for i := range diagnose.EventsMost + 1 {
		l.happen(corev1.ObjectReference{Kind: "Pod", Name: id.Name + "-gone"}, "Test", fmt.Sprint("the ", i))
	}
	found, err := diagnose.EventsOf(t.Context(), p.on, diagnose.EventQuery{ID: id, Reason: "Test"})
	if err != nil || len(found.Events) != diagnose.EventsMost || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "Only the last 500 events are here: 1 before them were left out.") {
		t.Errorf("%d events, %q, %v", len(found.Events), found.Notes, err)
	}
}
