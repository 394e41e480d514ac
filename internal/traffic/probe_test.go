package traffic_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// TestProbe: one status is the right one, whatever leads there is not followed, and what
// went wrong is told without the query of the URL.
func TestProbe(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) { <-hold })
	plain, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	t.Cleanup(func() { close(hold) })
	for name, tt := range map[string]struct {
		url     string
		status  int
		timeout time.Duration
		want    string // of what is said; empty: it is right
	}{
		"the status":             {plain.URL + "/ok", 200, testcluster.Hang, ""},
		"another one":            {plain.URL + "/busy?token=abc", 200, testcluster.Hang, "the status 503 Service Unavailable"},
		"which is asked for":     {plain.URL + "/busy", 503, testcluster.Hang, ""},
		"a redirect":             {plain.URL + "/away", 200, testcluster.Hang, "302 Found"},
		"which is asked for too": {plain.URL + "/away", 302, testcluster.Hang, ""},
		"nobody's certificate":   {secure.URL + "/ok", 200, testcluster.Hang, "certificate"},
		"no answer":              {plain.URL + "/slow", 200, time.Millisecond, "no answer within 1ms"},
		"nobody there":           {"http://127.0.0.1:1/?token=abc", 200, testcluster.Hang, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := traffic.Probe{URL: tt.url, Status: tt.status, Timeout: tt.timeout}.Ask(t.Context())
			if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "token")) {
				t.Errorf("it says %v, want %q", err, tt.want)
			}
		})
	}
}

// TestProbeIsRemembered: a route says which probe it has, and an address is shown without
// what may be secret in it.
func TestProbeIsRemembered(t *testing.T) {
	t.Parallel()
	spec := traffic.RouteSpec{Namespace: "shop", Application: "api", Name: "api", Kind: traffic.HTTPRoute, Port: "http", Settle: time.Second}
	spec.Probe = &traffic.Probe{URL: "https://u:p@api.example.com/healthz?token=abc#x", Status: 204, Timeout: 1500 * time.Millisecond}
	if got := traffic.RouteSpecOf("api", spec.Object(nil, nil)); !reflect.DeepEqual(got.Probe, spec.Probe) {
		t.Errorf("it is read as %+v", got.Probe)
	}
	if got := spec.Probe.Shown(); got != "https://api.example.com/healthz?…" {
		t.Errorf("it is shown as %s", got)
	}
	spec.Probe = nil
	if got := traffic.RouteSpecOf("api", spec.Object(nil, nil)); got.Probe != nil {
		t.Errorf("without one, it is read as %+v", got.Probe)
	}
}
