package cluster

import (
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestEventsOf: those about one object, and no others; that they are forbidden is
// asked once.
func TestEventsOf(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	w := wire(t, c.Namespace(t))
	ctx := t.Context()
	for _, uid := range []types.UID{"mine", "mine", "another"} {
		_, err := c.Client().CoreV1().Events(w.namespace).Create(ctx, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{GenerateName: "event-"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: w.namespace, Name: "pod", UID: uid}, Reason: "Pulled",
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	events, err := w.EventsOf(ctx, w.namespace, "mine")
	if err != nil || len(events) != 2 || events[0].InvolvedObject.UID != "mine" {
		t.Errorf("%v, %v", events, err)
	}
	w.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault {
		return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "no")
	})
	w.proxy.Reset()
	for range 3 {
		if _, err := w.EventsOf(ctx, w.namespace, "mine"); !apierrors.IsForbidden(err) {
			t.Errorf("got %v", err)
		}
	}
	if n := len(w.proxy.Requests()); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}
