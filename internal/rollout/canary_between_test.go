package rollout_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
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

// stepsAndBake together: each share is watched for its pause, and all of it for the bake,
// before anything of the former version is let go. In the bake, it goes back at once.
func stepsAndBake(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	promote := func(bake time.Duration, seen func(string)) (rollout.Promoted, error) {
		return p.engine.Promote(t.Context(), rollout.PromoteRequest{
			Service: p.service(), Route: p.route(), Canary: steps(10, 50), Bake: bake, To: p.name("v2"), Owner: p.main, Drain: faultyDrain, Clusters: p.on, Progress: seen,
		})
	}
	var watched []int // the shares that v2 had
	watch := func(line string) {
		if !strings.HasPrefix(line, "watching") {
			return
		}
		watched = append(watched, p.look().Split[l.name("v2")])
		if now := l.address().Spec.Selector[release.LabelDeployment]; now != l.name("v1") {
			t.Errorf("%s, and the Service leads to %s", line, now)
		}
		if len(l.pods("v1")) == 0 {
			t.Errorf("%s, and v1 has no pods", line)
		}
	}
	done, err := promote(longBake, func(line string) {
		if watch(line); strings.HasPrefix(line, "watching") && len(watched) == 3 {
			l.failReady()
		}
	})
	var breach *rollout.BakeError
	if !errors.As(err, &breach) || breach.Share != 100 || breach.Bake != longBake || done.Status != release.MainRolledBack || done.Moved {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	if want := []int{10, 50, 100}; !slices.Equal(watched, want) {
		t.Errorf("it was watched with %v, want %v", watched, want)
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantMain("v1")
}
