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

func TestInARow(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	request := func(path string, from, to int) Request { return Request{Path: path, Time: at(from), Ended: at(to)} }
	for name, tt := range map[string]struct {
		requests []Request
		want     string
	}{
		"none":                 {nil, ""},
		"one after the other":  {[]Request{request("a", 1, 2), request("b", 2, 3), request("c", 5, 6)}, "abc"},
		"some at once":         {[]Request{request("a", 1, 3), request("b", 1, 4), request("c", 4, 6), request("d", 5, 7)}, "ac"},
		"one beside all":       {[]Request{request("a", 1, 9), request("b", 2, 3), request("c", 4, 5)}, "bc"},
		"one that goes on yet": {[]Request{{Path: "a", Time: at(1)}, request("b", 2, 3)}, "b"},
	} {
		got := ""
		for _, r := range InARow(tt.requests) {
			got += r.Path
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
