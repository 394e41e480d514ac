package cluster

import (
	"errors"
	"net/http"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestRefusalOf: what an API server, its admission and webhooks say to a dry run.
func TestRefusalOf(t *testing.T) {
	t.Parallel()
	says := func(code int, reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: int32(code), Reason: reason, Message: message}}
	}
	for name, tt := range map[string]struct {
		err  error
		want Refusal
	}{
		"nothing":                {nil, ""},
		"an invalid field":       {says(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, `Deployment.apps "x" is invalid: spec.replicas: Invalid value: -1`), Refused},
		"Pod Security":           {says(http.StatusForbidden, metav1.StatusReasonForbidden, `pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot`), Refused},
		"a LimitRange":           {says(http.StatusForbidden, metav1.StatusReasonForbidden, `pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi`), Refused},
		"a webhook":              {says(http.StatusTeapot, "", `admission webhook "x.example.com" denied the request: no`), Refused},
		"a webhook, not found":   {says(http.StatusForbidden, metav1.StatusReasonForbidden, `admission webhook "x.example.com" denied the request: owner not found`), Refused},
		"a policy":               {says(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed`), Refused},
		"a quota":                {says(http.StatusForbidden, metav1.StatusReasonForbidden, `pods "x" is forbidden: exceeded quota: full, requested: pods=1`), NoRoom},
		"what is there already":  {says(http.StatusConflict, metav1.StatusReasonAlreadyExists, `deployments.apps "x" already exists`), NotAsked},
		"permissions":            {says(http.StatusForbidden, metav1.StatusReasonForbidden, `pods is forbidden: User "ada" cannot create resource "pods" in API group ""`), NotAsked},
		"a namespace":            {says(http.StatusNotFound, metav1.StatusReasonNotFound, `namespaces "shop" not found`), NotAsked},
		"a service account":      {says(http.StatusForbidden, metav1.StatusReasonForbidden, `pods "x" is forbidden: error looking up service account shop/api: serviceaccount "api" not found`), NotAsked},
		"a priority class":       {says(http.StatusForbidden, metav1.StatusReasonForbidden, `pods "x" is forbidden: no PriorityClass with name high was found`), NotAsked},
		"a namespace that ends":  {says(http.StatusForbidden, metav1.StatusReasonForbidden, `unable to create new content in namespace shop because it is being terminated`), NotAsked},
		"no dry runs":            {says(http.StatusBadRequest, metav1.StatusReasonBadRequest, `admission webhook "x" does not support dry run`), NotAsked},
		"a webhook that is away": {says(http.StatusInternalServerError, metav1.StatusReasonInternalError, `failed calling webhook "x"`), NotAsked},
		"nobody answers":         {errors.New("dial tcp: connection refused"), NotAsked},
	} {
		if got := RefusalOf(tt.err); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
