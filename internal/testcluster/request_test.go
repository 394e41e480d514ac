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

func TestRepeats(t *testing.T) {
	t.Parallel()
	put := func(status int, body string) Request {
		return Request{Method: http.MethodPut, Path: "/api/v1/namespaces/shop/configmaps/api", Status: status, Body: []byte(body)}
	}
	made := func(status int, name string) Request {
		text := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"` + name + `"}}`
		return Request{Method: http.MethodPost, Path: "/api/v1/namespaces/shop/configmaps", Status: status, Body: []byte(text)}
	}
	beats := func(r *Request) bool { return string(r.Body) == "beat" }
	for name, tt := range map[string]struct {
		before []Request
		r      Request
		want   bool
	}{
		"the first":                      {nil, put(0, "a"), false},
		"the next one":                   {[]Request{put(200, "a")}, put(0, "b"), false},
		"the same once more":             {[]Request{put(200, "a")}, put(0, "a"), false},
		"after a conflict":               {[]Request{put(409, "a")}, put(0, "b"), true},
		"after a busy server":            {[]Request{put(429, "a")}, put(0, "a"), true},
		"after a broken one":             {[]Request{put(500, "a")}, put(0, "a"), true},
		"after no reply":                 {[]Request{put(0, "a")}, put(0, "a"), true},
		"another one after no reply":     {[]Request{put(0, "a")}, put(0, "b"), false},
		"after a beat's conflict":        {[]Request{put(200, "a"), put(409, "beat")}, put(0, "b"), false},
		"after a conflict and a beat":    {[]Request{put(409, "a"), put(200, "beat")}, put(0, "b"), true},
		"a beat again":                   {[]Request{put(503, "beat")}, put(0, "beat"), true},
		"after another's conflict":       {[]Request{made(409, "one")}, made(0, "other"), false},
		"after the conflict of the same": {[]Request{made(409, "one")}, made(0, "one"), true},
	} {
		all := append(tt.before, tt.r)
		for i := range all {
			all[i].Index = i + 1
		}
		if got := Repeats(&all[len(all)-1], all, beats); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
