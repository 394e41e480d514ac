package release_test

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestForeign(t *testing.T) {
	ours := map[string]string{release.LabelManagedBy: release.ManagedBy, release.LabelApplication: "api"}
	for _, tc := range []struct {
		name    string
		labels  map[string]string
		writers []metav1.ManagedFieldsEntry
		want    string // in the error; empty: ours
	}{
		{"ours", ours, nil, ""},
		{"of another application", map[string]string{release.LabelManagedBy: release.ManagedBy, release.LabelApplication: "web"}, nil, "it belongs to the application shop/web"},
		{"of Helm", map[string]string{release.LabelManagedBy: "Helm"}, nil, "managed by Helm"},
		{"without labels", nil, []metav1.ManagedFieldsEntry{{Manager: "kubectl"}, {Manager: "kcm", Subresource: "status"}}, "managed by kubectl"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obj := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "api", Labels: tc.labels, ManagedFields: tc.writers}}
			err := release.Foreign("prod", "Service", obj, "api")
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			var foreign *release.ForeignError
			if err != nil && (!errors.As(err, &foreign) || foreign.Name != "api" || foreign.Cluster != "prod") {
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestConflicts(t *testing.T) {
	moved := apierrors.NewConflict(schema.GroupResource{Resource: "services"}, "api", errors.New("the object has been modified"))
	held := apierrors.NewApplyConflict([]metav1.StatusCause{
		{Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.replicas", Message: `conflict with "kubectl"`},
	}, "conflict")
	if !release.ReadAgain(moved) || release.FieldConflicts(moved) != nil {
		t.Error("an object that moved on is worth reading again")
	}
	if release.ReadAgain(held) {
		t.Error("a field's manager does not change by reading again")
	}
	if got := release.FieldConflicts(held); len(got) != 1 || got[0].Field != ".spec.replicas" {
		t.Errorf("got %v", got)
	}
	if release.FieldConflicts(errors.New("other")) != nil || release.ReadAgain(nil) {
		t.Error("other errors are no conflicts")
	}
}

// Every error says what and where.
func TestErrors(t *testing.T) {
	id := release.ID{Namespace: "shop", Name: "api-7f3c9a1e"}
	cause := errors.New("the deadline")
	for _, err := range []error{
		&release.StaleOwnerError{Cluster: "prod", Kind: "deployment", ID: id.String()},
		&release.StaleOwnerError{Cluster: "prod", Kind: "deployment", ID: id.String(), Holder: "process 1"},
		&release.MainOwnedError{Cluster: "prod", ID: "shop/api", Deployment: "api-7f3c9a1e"},
		&release.NotReadyError{Cluster: "prod", ID: id, Reason: "why"},
		&release.StuckError{Cluster: "prod", Kind: "Deployment", Namespace: "shop", Name: "api-7f3c9a1e", Finalizers: []string{"a/b"}, Pods: []string{"p"}, Err: cause},
	} {
		if text := err.Error(); !strings.Contains(text, `"prod"`) || !strings.Contains(text, "shop/api") {
			t.Errorf("%T does not say where: %s", err, text)
		}
	}
	if err := (&release.StuckError{Err: cause}); !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	for _, step := range release.ClaimSteps() {
		if text := (&release.ClaimError{Step: step, Cluster: "prod", ID: id, Holder: "h"}).Error(); !strings.Contains(text, id.String()) {
			t.Errorf("%s: %s", step, text)
		}
	}
}
