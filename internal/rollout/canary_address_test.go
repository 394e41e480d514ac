package rollout_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func serviceGetsRoute(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"), p.promote(t.Context(), "v1", 1))
	if got := p.look(); got.Route != nil {
		t.Fatal("there is a route")
	}
	_, err := p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	testcluster.Eventually(t, testcluster.Hang, "a route", func() error {
		if p.look().Route == nil {
			return errors.New("there is none")
		}
		return nil
	})
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantMain("v1")
}

// routeAndVersion come together: the route leads to the former version first.
func routeAndVersion(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"), p.promote(t.Context(), "v1", 1))
	l.proxy.Reset()
	done, err := p.sharing(t.Context(), "v2", steps(10), nil)
	if must(t, err); done.Status != release.MainFinalized {
		t.Errorf("it ends as %s", done.Status)
	}
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{0, 10, 100}) {
		t.Errorf("v2 had the shares %v", got)
	}
	l.wantMain("v2", "v1")
}

// nothingToProtect: where the former version has no pod that is ready, the next one gets
// everything at once.
func nothingToProtect(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.allReady("v1", "False")
	l.proxy.Reset()
	_, err := p.sharing(t.Context(), "v2", steps(10, 50), nil)
	must(t, err)
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{100}) {
		t.Errorf("v2 had the shares %v", got)
	}
	l.wantMain("v2", "v1")
}

// routeGoes: where it is not asked for any more, it goes when the Service leads to the
// same.
func routeGoes(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	must(t, p.promote(t.Context(), "v1", 1))
	testcluster.Eventually(t, testcluster.Hang, "no route", func() error {
		if p.look().Route != nil {
			return errors.New("it is there")
		}
		return nil
	})
	l.wantMain("v1")
	if now := l.address().Spec.Selector[release.LabelDeployment]; now != l.name("v1") {
		t.Errorf("the Service leads to %s", now)
	}
}

func tooFewPods(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10}, {Weight: 50, Replicas: 2}}}
	done, err := p.sharing(t.Context(), "v2", canary, nil)
	var refused *release.NotReadyError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "1 of its pods is ready, and 50 % of the traffic takes 2") || done.Status != release.MainRolledBack {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantMain("v1")
}

func nobodyAccepts(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	plane := c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"))
	_, err := p.sharing(t.Context(), "v1", release.Canary{}, nil)
	must(t, err)
	plane.Say(t, func(route map[string]any) []map[string]any {
		return []map[string]any{testcluster.Condition(route, "Accepted", false, "NotAllowedByListeners", "no listener takes it")}
	})
	_, err = p.sharing(t.Context(), "v2", steps(10), nil)
	if err == nil || !strings.Contains(err.Error(), "NotAllowedByListeners: no listener takes it") {
		t.Fatalf("it says %v", err)
	}
	if o := p.look(); o.Main == nil || o.Main.Deployment != l.name("v1") {
		t.Errorf("main is %+v", o.Main)
	}
	plane.Say(t, testcluster.Accepting)
	_, err = p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	l.wantSplit(p, release.Split{l.name("v1"): 100})
}

// anAddedPort goes when the Service follows the route: not before, and then it does.
func anAddedPort(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	services := l.cluster.Client().CoreV1().Services(l.namespace)
	_, err := services.Patch(t.Context(), "api", types.StrategicMergePatchType, []byte(`{"spec":{"ports":[{"name":"more","port":81}]}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	must(t, err)
	_, err = p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: p.route(), Canary: steps(10), To: p.name("v2"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, TakeBack: true,
		Progress: func(line string) {
			if strings.Contains(line, "moving") && len(l.address().Spec.Ports) != 2 {
				t.Errorf("%s, and the port is gone already", line)
			}
		},
	})
	must(t, err)
	if ports := l.address().Spec.Ports; len(ports) != 1 {
		t.Errorf("it has the ports %+v", ports)
	}
	l.wantMain("v2", "v1")
}

func addressIsTakenAway(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	held := steps(50)
	held.MaxWeight = 50
	_, err := p.sharing(t.Context(), "v2", held, nil)
	must(t, err)
	_, err = p.engine.Unmain(t.Context(), rollout.UnmainRequest{Service: p.service(), Owner: p.main, Clusters: p.on})
	must(t, err)
	testcluster.Eventually(t, testcluster.Hang, "nothing of the address", func() error {
		if o := p.look(); o.Exists() {
			return errors.New("something is there")
		}
		return nil
	})
	l.wantNo("the route", &gatewayv1.HTTPRoute{})
	l.wantNo("the Service", &corev1.Service{})
}
