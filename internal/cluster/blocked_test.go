package cluster

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// renumbered is a Service that we have applied and whose port has another number now.
func renumbered(t *testing.T, w wired) *corev1.Service {
	t.Helper()
	s := service(w.namespace, "api")
	if err := w.Apply(t.Context(), s, false); err != nil {
		t.Fatal(err)
	}
	live, err := w.direct.CoreV1().Services(w.namespace).Patch(t.Context(), "api", types.JSONPatchType,
		[]byte(`[{"op": "replace", "path": "/spec/ports/0/port", "value": 81}]`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		t.Fatal(err)
	}
	next := service(w.namespace, "api")
	next.UID, next.ResourceVersion = live.UID, live.ResourceVersion
	return next
}

// TestApplyPastWhatIsInItsWay: an item that the API server does not take beside ours is a
// conflict with who has it, and is replaced with force, whichever reply is lost.
func TestApplyPastWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	for lost := range 5 {
		w := wire(t, testcluster.Shared(t).Namespace(t))
		next := renumbered(t, w)
		var conflict *ApplyConflictError
		err := w.Apply(t.Context(), next.DeepCopy(), false)
		want := release.FieldConflict{Field: `.spec.ports[port=80,protocol="TCP"]`, Manager: "kubectl-edit"}
		if !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0] != want {
			t.Fatalf("without force: %v", err)
		}
		if all := release.FieldConflicts(err); len(all) != 1 || all[0] != want || release.ReadAgain(err) {
			t.Errorf("without force, the conflicts are %v", all)
		}
		if _, err := w.DryApply(t.Context(), next.DeepCopy(), writeTimeout); err != nil {
			t.Errorf("a dry run says: %v", err)
		}
		stale := next.DeepCopy()
		stale.ResourceVersion = "1"
		if err := w.Apply(t.Context(), stale, true); !apierrors.IsConflict(err) {
			t.Errorf("with an old version: %v", err)
		}
		w.proxy.Reset()
		if lost > 0 {
			w.proxy.SetFault(testcluster.OnRequest(lost, testcluster.LostReply()))
		}
		if err := w.Apply(t.Context(), next, true); err != nil {
			t.Fatalf("with force, and reply %d lost: %v", lost, err)
		}
		live, err := w.direct.CoreV1().Services(w.namespace).Get(t.Context(), "api", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if ports := live.Spec.Ports; len(ports) != 1 || ports[0].Port != 80 || live.ResourceVersion != next.ResourceVersion {
			t.Errorf("with reply %d lost, the Service has %+v", lost, ports)
		}
	}
}

// TestAnInvalidApplyStaysOne: what is wrong by itself is nobody else's.
func TestAnInvalidApplyStaysOne(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	next := renumbered(t, w)
	next.Spec.Ports[0].Port = 81
	next.Spec.Type = "None"
	for _, force := range []bool{false, true} {
		if err := w.Apply(t.Context(), next.DeepCopy(), force); !apierrors.IsInvalid(err) {
			t.Errorf("with force %t: %v", force, err)
		}
	}
}
