package terminal_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// newCanary is an application of which v2 has 25 %, and waits until somebody lets it go on.
// here are the command's flags.
func newCanary(t *testing.T) (s *shop, here []string) {
	t.Helper()
	s = canary(t)
	return s, []string{"--kubeconfig", testcluster.Shared(t).KubeconfigPath, "-n", s.namespace}
}

// newRouted is an application whose address has a route that somebody serves.
func newRouted(t *testing.T) *shop {
	t.Helper()
	s, c := newShop(t), testcluster.Shared(t)
	c.HTTPRoutes(t)
	c.DataPlane(t, s.namespace, "httproutes")
	s.routed = true
	return s
}

// goOn lets the promotion go on from its pause, and does what an apply does then.
func (s *shop) goOn() {
	s.t.Helper()
	if _, err := s.engine.Resume(s.t.Context(), rollout.ResumeRequest{Namespace: s.namespace, Application: "api", Clusters: s.on}); err != nil {
		s.t.Fatal(err)
	}
	s.promote("v2")
}
