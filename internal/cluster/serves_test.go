package cluster

import (
	"net/http"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestServes: what discovery says is remembered; what it cannot say is not.
func TestServes(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	w.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if strings.HasPrefix(r.Path, "/apis/gateway.networking.k8s.io/") {
			return testcluster.Reject(http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
		}
		return testcluster.Fault{}
	})
	for range 2 {
		if has, err := w.Serves(t.Context(), &networkingv1.IngressList{}); err != nil || !has {
			t.Errorf("Ingresses: %t, %v", has, err)
		}
		if has, err := w.Serves(t.Context(), &gatewayv1.HTTPRouteList{}); err != nil || has {
			t.Errorf("HTTPRoutes: %t, %v", has, err)
		}
	}
	asked := 0
	for _, r := range w.proxy.Requests() {
		if strings.HasPrefix(r.Path, "/apis/") {
			asked++
		}
	}
	if asked != 2 {
		t.Errorf("it was asked %d times: %v", asked, lines(w.proxy.Requests()))
	}

	w = wire(t, testcluster.Shared(t).Namespace(t))
	w.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if strings.HasPrefix(r.Path, "/apis/") {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not for you")
		}
		return testcluster.Fault{}
	})
	if has, err := w.Serves(t.Context(), &networkingv1.IngressList{}); err == nil || has {
		t.Errorf("where it may not be read: %t, %v", has, err)
	}
	w.proxy.SetFault(nil)
	if has, err := w.Serves(t.Context(), &networkingv1.IngressList{}); err != nil || !has {
		t.Errorf("and later: %t, %v", has, err)
	}
}
