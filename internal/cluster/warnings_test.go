package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestViewSelectsByFields: Events carry no labels.
func TestViewSelectsByFields(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	v := w.View(w.namespace)
	write := func(kind, reason string) {
		t.Helper()
		_, err := w.direct.CoreV1().Events(w.namespace).Create(t.Context(), &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "e-"}, Type: kind, Reason: reason,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: w.namespace, Name: "p"},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	write(corev1.EventTypeNormal, "Pulled")
	write(corev1.EventTypeWarning, "First")
	reasons := func() string {
		t.Helper()
		found, err := v.Select(t.Context(), &corev1.Event{}, "", "type=Warning")
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, o := range found {
			all = append(all, o.(*corev1.Event).Reason)
		}
		return fmt.Sprint(all)
	}
	if got := reasons(); got != "[First]" {
		t.Fatalf("it selects %s", got)
	}
	changed := v.Changes("").Changed()
	write(corev1.EventTypeNormal, "Started")
	write(corev1.EventTypeWarning, "Second")
	select {
	case <-changed:
	case <-time.After(testcluster.Hang):
		t.Fatal("a warning is no change")
	}
	if got := reasons(); got != "[First Second]" && got != "[Second First]" {
		t.Errorf("it selects %s", got)
	}
	// What is selected by labels is another selection.
	if found, err := v.Select(t.Context(), &corev1.Event{}, "a=b", ""); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	if n := len(w.proxy.Requests()); n != 2 && n != 3 {
		t.Errorf("%d requests for 2 selections:\n%s", n, strings.Join(lines(w.proxy.Requests()), "\n"))
	}
}
