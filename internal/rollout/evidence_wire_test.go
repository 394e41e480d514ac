package rollout_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestEvidenceDoesNotHoldUpADecision: the API server answers a second list of
// one kind that must be up to date, within 100 ms, only after that. So what is
// only shown does not ask for it, and what is decided does.
func TestEvidenceDoesNotHoldUpADecision(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	if err := l.once(t).deployImage(t.Context(), "v1", "demo/missing"); err == nil {
		t.Fatal("it started")
	}
	var versions []string
	for _, r := range l.proxy.Requests() {
		if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/namespaces/"+l.namespace+"/services") && !r.Watch() {
			versions = append(versions, r.Query.Get("resourceVersion"))
		}
	}
	if len(versions) != 2 || versions[0] != "0" || versions[1] != "" {
		t.Errorf("Services were listed as of %q, want 0 for the error and then nothing for what may be stopped", versions)
	}
}
