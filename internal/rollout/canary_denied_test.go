package rollout_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// isDeniedInAPause: whoever serves the route says, or says no more, in the middle of a pause
// that it does not. All of the traffic goes back, and the release is not to blame.
func isDeniedInAPause(t *testing.T, c *testcluster.Cluster) {
	l, p, plane := onRouteBehind(t, c)
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}
	shared := func(route map[string]any) bool { // what goes back is accepted again
		rules := route["spec"].(map[string]any)["rules"].([]any)
		return len(rules[0].(map[string]any)["backendRefs"].([]any)) > 1
	}
	for name, tt := range map[string]struct {
		says  func(map[string]any) []map[string]any
		tells string
	}{
		"it says so": {func(route map[string]any) []map[string]any {
			return []map[string]any{testcluster.Condition(route, "Accepted", false, "NotAllowedByListeners", "no listener takes it any more")}
		}, "says Accepted=False, NotAllowedByListeners: no listener takes it any more"},
		"its backends are refused": {func(route map[string]any) []map[string]any {
			return []map[string]any{testcluster.Condition(route, "Accepted", true, "Accepted", ""), testcluster.Condition(route, "ResolvedRefs", false, "RefNotPermitted", "not from here")}
		}, "says ResolvedRefs=False, RefNotPermitted: not from here"},
		"it says no more": {func(map[string]any) []map[string]any { return nil }, "says nothing about it any more: there is no such parent, or its controller has let go of the route"},
	} {
		plane.Say(t, testcluster.Accepting)
		done, err := p.sharing(t.Context(), "v2", canary, func(line string) {
			if strings.HasPrefix(line, "watching") {
				plane.Say(t, func(route map[string]any) []map[string]any {
					if shared(route) {
						return tt.says(route)
					}
					return testcluster.Accepting(route)
				})
			}
		})
		var breach *rollout.BakeError
		if err == nil || errors.As(err, &breach) || done.Status != release.MainRolledBack || done.Moved {
			t.Fatalf("%s: it ends as %s: %v", name, done.Status, err)
		}
		if text := err.Error(); !strings.Contains(text, tt.tells) || !strings.Contains(text, "had 10 % of the traffic") || !strings.Contains(text, "HTTPRoute "+l.namespace+"/api is not served any more") {
			t.Errorf("%s: it says %s", name, text)
		}
		l.wantSplit(p, release.Split{l.name("v1"): 100})
		l.wantMain("v1")
	}
	plane.Say(t, testcluster.Accepting)
	_, err := p.sharing(t.Context(), "v2", steps(10), nil) // it is tried again, unasked
	must(t, err)
	l.wantMain("v2", "v1")
}

// routeGoesInAShift: somebody removes the route before anybody has accepted a share. It is
// made again, with the share that is wanted, and the promotion goes on.
func routeGoesInAShift(t *testing.T, c *testcluster.Cluster) {
	l, p, plane := onRouteBehind(t, c)
	plane.Say(t, func(map[string]any) []map[string]any { return nil })
	ended := make(chan error, 1)
	go func() {
		_, err := p.sharing(t.Context(), "v2", steps(10), nil)
		ended <- err
	}()
	l.wantSplit(l.process(t), release.Split{l.name("v1"): 90, l.name("v2"): 10})
	must(t, l.cluster.Client().Discovery().RESTClient().Delete().AbsPath("/apis/gateway.networking.k8s.io/v1/namespaces", l.namespace, "httproutes/api").Do(t.Context()).Error())
	plane.Say(t, testcluster.Accepting)
	must(t, <-ended)
	l.wantSplit(p, release.Split{l.name("v2"): 100})
	l.wantMain("v2", "v1")
}
