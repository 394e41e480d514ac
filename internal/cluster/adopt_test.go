package cluster

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestViewSelectsStrangers(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	w := wire(t, c.Namespace(t))
	v := w.View(w.namespace)
	const selector = discoveryv1.LabelServiceName + "=api"
	like := &discoveryv1.EndpointSlice{}
	if found, err := v.Select(t.Context(), like, selector, ""); err != nil || len(found) > 0 {
		t.Fatalf("%v %v", found, err)
	}
	c.Legacy(t, w.namespace, "api", "demo/legacy:v0")
	deadline := time.After(testcluster.Hang)
	for {
		changed := v.Changes("").Changed()
		found, err := v.Select(t.Context(), like, selector, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 1 && len(found[0].(*discoveryv1.EndpointSlice).Endpoints) == 1 {
			break
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the view has %v", found)
		}
	}
	// Neither what is ours, nor another selector, is mixed with it.
	if found, err := v.List(t.Context(), like, nil); err != nil || len(found) > 0 {
		t.Errorf("%v %v", found, err)
	}
	if found, err := v.Select(t.Context(), like, discoveryv1.LabelServiceName+"=other", ""); err != nil || len(found) > 0 {
		t.Errorf("%v %v", found, err)
	}
	if n := len(w.proxy.Requests()); n != 3 {
		t.Errorf("%d requests for 3 selections:\n%s", n, strings.Join(lines(w.proxy.Requests()), "\n"))
	}
}

// An update of a Service gives fields up, and does nothing else.
func TestUpdateOfAServiceWritesItsManagersOnly(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	w := wire(t, c.Namespace(t))
	theirs := c.Legacy(t, w.namespace, "api", "demo/legacy:v0")
	adopted := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "api"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"new": "labels"}}}
	if err := w.Apply(t.Context(), adopted, false); err == nil {
		t.Fatal("the selector was taken without force")
	}
	if err := w.Apply(t.Context(), adopted, true); err != nil {
		t.Fatal(err)
	}
	if got := adopted.Spec.Selector; len(got) != 1 || got["new"] != "labels" {
		t.Fatalf("the selector was merged: %v", got)
	}
	stale := adopted.DeepCopy()
	stale.ResourceVersion = theirs.ResourceVersion
	for i, entry := range adopted.ManagedFields {
		if entry.Manager == fieldManager {
			adopted.ManagedFields = append(adopted.ManagedFields[:i:i], adopted.ManagedFields[i+1:]...)
		}
	}
	adopted.Spec.Ports, adopted.Labels = nil, nil // not written
	w.proxy.SetFault(testcluster.OnWrite(1, testcluster.LostReply()))
	if err := w.Update(t.Context(), adopted); err != nil {
		t.Fatal(err)
	}
	if err := w.Update(t.Context(), stale); err == nil {
		t.Error("a stale update was taken")
	}
	live, err := w.direct.CoreV1().Services(w.namespace).Get(t.Context(), "api", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(live.Spec.Ports) != 1 || live.Labels["app"] != "api" || live.Spec.Selector["new"] != "labels" {
		t.Errorf("the Service is %+v %+v", live.Labels, live.Spec)
	}
	for _, entry := range live.ManagedFields {
		if entry.Manager == fieldManager || strings.Contains(entry.FieldsV1.GetRawString(), "f:selector") {
			t.Errorf("%s manages %s", entry.Manager, entry.FieldsV1.GetRawString())
		}
	}
}
