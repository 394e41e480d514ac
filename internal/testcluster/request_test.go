package testcluster

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRenewal(t *testing.T) {
	t.Parallel()
	taken := metav1.NowMicro()
	later := metav1.NewMicroTime(taken.Add(time.Second))
	tests := map[string]struct {
		method, path, holder string
		renewed              metav1.MicroTime
		want                 bool
	}{
		"taken":    {http.MethodPut, "/apis/coordination.k8s.io/v1/namespaces/shop/leases/api", "me", taken, false},
		"renewed":  {http.MethodPut, "/apis/coordination.k8s.io/v1/namespaces/shop/leases/api", "me", later, true},
		"let go":   {http.MethodPut, "/apis/coordination.k8s.io/v1/namespaces/shop/leases/api", "", later, false},
		"made":     {http.MethodPost, "/apis/coordination.k8s.io/v1/namespaces/shop/leases", "me", taken, false},
		"no Lease": {http.MethodPut, "/api/v1/namespaces/shop/configmaps/api", "me", later, false},
	}
	for name, tt := range tests {
		lease := coordinationv1.Lease{
			TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
			Spec:     coordinationv1.LeaseSpec{HolderIdentity: &tt.holder, AcquireTime: &taken, RenewTime: &tt.renewed},
		}
		body, err := json.Marshal(lease)
		if err != nil {
			t.Fatal(err)
		}
		r := Request{Method: tt.method, Path: tt.path, Body: body}
		if got := r.Renewal(); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
