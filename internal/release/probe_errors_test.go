package release

import (
	"errors"
	"testing"
	"time"
)

func TestProbeErrorSaysWhatWasAsked(t *testing.T) {
	t.Parallel()
	last := errors.New("it answered with the status 503 Service Unavailable")
	err := &ProbeError{Cluster: "prod", ID: ID{Namespace: "shop", Name: "api-1"}, Percent: 10, URL: "https://api.example.com/healthz", Status: 200, Within: 30 * time.Second, Last: last}
	want := `after shop/api-1 had got 10 % of the traffic on cluster "prod", https://api.example.com/healthz was asked from where Terraform runs, for 30s, and never answered with the status 200: at last, it answered with the status 503 Service Unavailable`
	if err.Error() != want || !errors.Is(err, last) {
		t.Errorf("it says %s", err)
	}
}
