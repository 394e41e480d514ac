package cluster

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A cluster's time is what its server says, whatever this machine thinks, and
// goes on between replies.
func TestNowIsTheServersTime(t *testing.T) {
	date := time.Now().Add(-time.Hour)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil // none of Go's own
		if !date.IsZero() {
			w.Header().Set("Date", date.UTC().Format(http.TimeFormat))
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	c := connect(t, Config{Host: server.URL})
	near := func(want time.Time) {
		t.Helper()
		_ = c.Get(t.Context(), "shop", "api", &corev1.ConfigMap{})
		if off := c.Now().Sub(want).Abs(); off > time.Minute {
			t.Errorf("it is %s, want about %s", c.Now(), want)
		}
	}
	if off := time.Since(c.Now()).Abs(); off > time.Minute {
		t.Errorf("before the first reply it is off by %s", off)
	}
	near(date)
	date = time.Now().Add(time.Hour)
	near(date)
	before := date
	date = time.Time{} // a proxy that removes the header
	near(before)
	if a, b := c.Now(), c.Now(); b.Before(a) {
		t.Errorf("%s comes after %s", b, a)
	}
}
