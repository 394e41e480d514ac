package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// changeRoute patches the route of the application as its owner or a controller would.
func (l *life) changeRoute(patch string) {
	l.t.Helper()
	must(l.t, l.cluster.Client().Discovery().RESTClient().Patch(types.JSONPatchType).
		AbsPath("/apis/gateway.networking.k8s.io/v1/namespaces", l.namespace, "httproutes", l.route().Name).
		Param("fieldManager", "kubectl-edit").Body([]byte(patch)).Do(l.t.Context()).Error())
}

// othersWriteToo between the steps: what they have put on our own route survives the shares
// after that.
func othersWriteToo(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	_, err := p.sharing(t.Context(), "v2", steps(10, 50), func(line string) {
		switch {
		case strings.Contains(line, "moving 50 %"):
			l.changeRoute(`[{"op": "add", "path": "/metadata/annotations/example.com~1owner", "value": "somebody"}]`)
		case strings.Contains(line, "moving traffic"):
			l.changeRoute(`[{"op": "add", "path": "/metadata/labels/team", "value": "shop"}]`)
		}
	})
	must(t, err)
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{0, 10, 50, 100}) {
		t.Errorf("v2 had the shares %v", got)
	}
	if now := l.routes(t)[0]; now.Annotations["example.com/owner"] != "somebody" || now.Labels["team"] != "shop" {
		t.Errorf("left of it are %v and %v", now.Annotations, now.Labels)
	}
	l.wantMain("v2", "v1")
}

// ownersWriteToo between the steps: of a route that is theirs, everything but the backends
// of our rule is as they have made it, wherever they have put that rule.
func ownersWriteToo(t *testing.T, c *testcluster.Cluster) {
	l, p := onAdoptedRule(t, c)
	_, err := p.sharing(t.Context(), "v2", steps(10, 50), func(line string) {
		switch {
		case strings.Contains(line, "moving 50 %"):
			l.changeRoute(`[{"op": "add", "path": "/metadata/annotations/example.com~1team", "value": "shop"},
				{"op": "add", "path": "/spec/rules/1/filters", "value": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-debug"]}}]},
				{"op": "replace", "path": "/spec/rules/1/timeouts", "value": {"request": "9s"}}]`)
		case strings.Contains(line, "moving traffic"):
			l.changeRoute(`[{"op": "add", "path": "/spec/rules/0", "value": {"name": "more", "matches": [{"path": {"type": "PathPrefix", "value": "/more"}}], "backendRefs": [{"name": "web", "port": 80}]}}]`)
		}
	})
	must(t, err)
	l.wantServed("web 1, RequestHeaderModifier, web 1, RequestHeaderModifier, v2 100")
	now := l.theirs()
	if rules := now.Spec.Rules; now.Annotations["example.com/team"] != "shop" || now.Annotations["owner"] != "somebody" || *rules[2].Timeouts.Request != "9s" || len(rules[2].Matches) != 2 || *rules[0].Matches[0].Path.Value != "/more" {
		t.Errorf("left of it are %v and %+v", now.Annotations, rules)
	}
	l.wantMain("v2", "v1")
}

// pausesOutlastDeadline: how long its pods may take to start says nothing about how long
// a share is watched.
func pausesOutlastDeadline(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	hasty := l.spec("v2", "demo/api")
	hasty.Health.ProgressDeadline = 5 * time.Second
	must(t, p.change(t.Context(), hasty))
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: hasty.Health.ProgressDeadline + time.Second}}}
	done, err := p.sharing(t.Context(), "v2", canary, nil)
	if must(t, err); done.Status != release.MainFinalized {
		t.Errorf("it ends as %s, %s", done.Status, done.Reason)
	}
	if limit := l.workload("v2").Spec.ProgressDeadlineSeconds; limit == nil || *limit != 5 {
		t.Errorf("its deadline is %v", limit)
	}
	l.wantMain("v2", "v1")
}
