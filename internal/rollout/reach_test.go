package rollout_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// route is one kind of what leads to Services.
type route struct{ kind, group, plural, spec string } // spec: with %s for the Service, and %d for its weight

func routes() []route {
	const gateway = "gateway.networking.k8s.io/v1"
	refs := `{"rules":[{"backendRefs":[{"name":"%s","port":8080,"weight":%d}]}]}`
	return []route{
		{"Ingress", "networking.k8s.io/v1", "ingresses", `{"rules":[{"host":"www.example","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"%s","port":{"number":8080}}}}]}}]}`},
		{"HTTPRoute", gateway, "httproutes", refs},
		{"GRPCRoute", gateway, "grpcroutes", refs},
		{"TCPRoute", gateway, "tcproutes", refs},
	}
}

// leads makes an object of the kind that leads to a Service.
func (l *life) leads(r route, service string, weight int) {
	l.t.Helper()
	spec := strings.NewReplacer("%s", service, "%d", fmt.Sprint(weight)).Replace(r.spec)
	body, err := json.Marshal(map[string]any{
		"apiVersion": r.group, "kind": r.kind, "metadata": map[string]any{"name": "www"}, "spec": json.RawMessage(spec),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	err = l.cluster.Client().Discovery().RESTClient().Post().AbsPath("/apis/"+r.group+"/namespaces/"+l.namespace+"/"+r.plural).
		SetHeader("Content-Type", "application/json").Body(body).Do(l.t.Context()).Error()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) leadsNoMore(r route) {
	l.t.Helper()
	err := l.cluster.Client().Discovery().RESTClient().Delete().AbsPath("/apis/" + r.group + "/namespaces/" + l.namespace + "/" + r.plural + "/www").Do(l.t.Context()).Error()
	if err != nil {
		l.t.Fatal(err)
	}
}

// serves makes a Service of somebody else's.
func (l *life) serves(name string, selector map[string]string, change ...func(*corev1.Service)) {
	l.t.Helper()
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
	for _, f := range change {
		f(svc)
	}
	if _, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(l.t.Context(), svc, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

func headless(svc *corev1.Service) {
	svc.Spec.ClusterIP, svc.Spec.PublishNotReadyAddresses = corev1.ClusterIPNone, true
}

func (l *life) servesNoMore(name string) {
	l.t.Helper()
	if err := l.cluster.Client().CoreV1().Services(l.namespace).Delete(l.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

// TestARouteIsTraffic: a release that an Ingress or a route leads to, by its own
// Service, is neither stopped nor removed.
func TestARouteIsTraffic(t *testing.T) {
	t.Parallel()
	testcluster.Shared(t).Routes(t, "httproutes", "grpcroutes", "tcproutes")
	for _, r := range routes() {
		t.Run(r.kind, func(t *testing.T) {
			t.Parallel()
			l := application(t)
			ctx, all := t.Context(), l.objects()
			l.leads(r, l.name("v2"), 1)
			why := fmt.Sprintf("the %s %s/www leads to its Service %s", r.kind, l.namespace, l.name("v2"))

			p := l.process(t)
			var carries *release.CarriesError
			if _, err := p.engine.Stop(ctx, p.action("v2")); !errors.As(err, &carries) || !strings.Contains(err.Error(), why) || carries.Main || carries.Route != r.kind+" "+l.namespace+"/www" {
				t.Errorf("stopped: %v", err)
			}
			if err := l.once(t).update(ctx, l.desired("v2", stopped), false); !errors.As(err, &carries) {
				t.Errorf("stopped by an update: %v", err)
			}
			l.stands("v2", release.StatusStarted, 2)
			if err := l.once(t).terminate(ctx, "v2"); err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "until the main deployment has moved") ||
				strings.Contains(err.Error(), "ignore_services") || !strings.Contains(err.Error(), "Let the "+r.kind+" "+l.namespace+"/www lead to the main Service api instead") {
				t.Errorf("removed: %v", err)
			}
			if got := l.objects(); !slices.Equal(got, all) {
				t.Errorf("left are %v, want %v", got, all)
			}
			if r := l.record("v2"); r.Custody != release.CustodyCondemned {
				t.Errorf("it is %s", r.Custody)
			}
			// A promotion that would collect it looks, and leaves it, too.
			done, err := l.once(t).promoteKeeping(ctx, "v1", release.Keep{})
			if err != nil || !slices.ContainsFunc(done.Notices, func(n rollout.Notice) bool { return strings.Contains(n.Detail, why) }) {
				t.Errorf("collected: %+v, %v", done.Notices, err)
			}

			l.leadsNoMore(r)
			if err := l.once(t).promote(ctx, "v1", 0); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(l.objects(), "Deployment/"+l.name("v2")) {
				t.Errorf("it was not collected when nothing led to it any more: %v", l.objects())
			}
		})
	}
}

// TestARouteWithoutWeight sends nothing: the pods may go, but not the Service that
// it names.
func TestARouteWithoutWeight(t *testing.T) {
	t.Parallel()
	testcluster.Shared(t).Routes(t, "httproutes", "grpcroutes", "tcproutes")
	l := application(t)
	l.leads(routes()[1], l.name("v2"), 0)
	p := l.process(t)
	if _, err := p.engine.Stop(t.Context(), p.action("v2")); err != nil {
		t.Errorf("it is not stopped: %v", err)
	}
	l.stands("v2", release.StatusStopped, 0)
	if err := l.once(t).terminate(t.Context(), "v2"); err == nil || !strings.Contains(err.Error(), "leads to its Service") {
		t.Errorf("removed: %v", err)
	}
}

// TestRoutesThatMayNotBeRead are told of once, by their kind, and block nobody.
// Kinds that the cluster does not have are not told of.
func TestRoutesThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	const gateway = "/apis/gateway.networking.k8s.io/"
	for name, tc := range map[string]struct {
		fault func(*testcluster.Request) testcluster.Fault
		told  []string // kinds
	}{
		"forbidden": {func(r *testcluster.Request) testcluster.Fault {
			if strings.HasSuffix(r.Path, "/ingresses") || strings.HasSuffix(r.Path, "/httproutes") {
				return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not for you")
			}
			return testcluster.Fault{}
		}, []string{"Ingress", "HTTPRoute"}},
		"not there": {func(r *testcluster.Request) testcluster.Fault {
			if strings.HasPrefix(r.Path, gateway) {
				return testcluster.Reject(http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
			}
			return testcluster.Fault{}
		}, nil},
		"not there, and forbidden": {func(r *testcluster.Request) testcluster.Fault {
			switch {
			case strings.HasPrefix(r.Path, gateway) && strings.Contains(r.Path, "/namespaces/"):
				return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not for you")
			case strings.HasPrefix(r.Path, gateway):
				return testcluster.Reject(http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
			}
			return testcluster.Fault{}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testcluster.Shared(t).Routes(t, "httproutes", "grpcroutes", "tcproutes")
			l := application(t)
			l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault { return tc.fault(r) })
			p := l.process(t)
			done, err := p.engine.Stop(t.Context(), p.action("v2"))
			if err != nil {
				t.Fatalf("%v\n%s", err, l.log())
			}
			var told []string
			for _, n := range done.Notices {
				told = append(told, strings.TrimSuffix(n.Summary, " objects may not be read"))
				if !strings.Contains(n.Detail, `verb "list" on`) || !strings.Contains(n.Detail, l.namespace) {
					t.Errorf("it says %s", n.Detail)
				}
			}
			if !slices.Equal(told, tc.told) {
				t.Errorf("told of %v, want %v", told, tc.told)
			}
			notices, err := p.engine.Terminate(t.Context(), rollout.TerminateRequest{
				ID: release.ID{Namespace: l.namespace, Name: l.name("v2")}, Application: "api", Owner: l.owners["v2"], Clusters: p.on,
			})
			if err != nil || len(notices) > 0 {
				t.Errorf("once more: %v, %v", notices, err)
			}
		})
	}
	// What cannot be told for another reason is traffic.
	l := application(t)
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if strings.HasSuffix(r.Path, "/ingresses") {
			return testcluster.Reject(http.StatusBadRequest, metav1.StatusReasonBadRequest, "strange")
		}
		return testcluster.Fault{}
	})
	p := l.process(t)
	var carries *release.CarriesError
	if _, err := p.engine.Stop(t.Context(), p.action("v2")); !errors.As(err, &carries) || !strings.Contains(err.Error(), "cannot be told") {
		t.Errorf("a list that fails: %v", err)
	}
	l.proxy.SetFault(nil)
}

// TestADiscoveryServiceIsNoTraffic: what has no address of its own, and what the
// user names, keeps nothing from being stopped or removed.
func TestADiscoveryServiceIsNoTraffic(t *testing.T) {
	t.Parallel()
	testcluster.Shared(t).Routes(t, "httproutes", "grpcroutes", "tcproutes")
	l := application(t)
	ctx := t.Context()
	all := map[string]string{release.LabelApplication: "api"}
	stop := func() error { p := l.process(t); _, err := p.engine.Stop(ctx, p.action("v2")); return err }
	start := func() {
		t.Helper()
		p := l.process(t)
		if _, err := p.engine.Start(ctx, p.action("v2")); err != nil {
			t.Fatal(err)
		}
	}
	l.serves("discovery", all, headless)
	if err := stop(); err != nil {
		t.Errorf("a headless Service counts: %v", err)
	}
	start()

	// A route that leads to it makes it an address.
	l.leads(routes()[1], "discovery", 1)
	var carries *release.CarriesError
	if err := stop(); !errors.As(err, &carries) || !strings.Contains(err.Error(), "leads to the Service discovery, which selects its pods") {
		t.Errorf("a headless Service behind a route: %v", err)
	}
	l.leadsNoMore(routes()[1])

	// Any other counts, unless it is named, at any deployment of the application
	// that is in a state.
	l.serves("theirs", all)
	if err := stop(); !errors.As(err, &carries) || !strings.Contains(err.Error(), "the Service "+l.namespace+"/theirs selects its pods") {
		t.Errorf("a Service: %v", err)
	}
	ignoring := func(spec *release.Spec) { spec.IgnoreServices = []string{"theirs"} }
	if err := l.once(t).update(ctx, l.desired("v1", ignoring), false); err != nil {
		t.Fatal(err)
	}
	if got := l.record("v1").IgnoreServices; !slices.Equal(got, []string{"theirs"}) {
		t.Errorf("the record ignores %v", got)
	}
	if err := stop(); err != nil {
		t.Errorf("a Service that is ignored: %v", err)
	}
	start()
	if err := l.once(t).update(ctx, l.desired("v1", nil), false); err != nil {
		t.Fatal(err)
	}
	if err := stop(); !errors.As(err, &carries) {
		t.Errorf("a Service that is ignored no longer: %v", err)
	}
	// The address itself is never ignored.
	if err := l.once(t).update(ctx, l.desired("v1", func(spec *release.Spec) { spec.IgnoreServices = []string{"api"} }), false); err != nil {
		t.Fatal(err)
	}
	p := l.process(t)
	if _, err := p.engine.Stop(ctx, p.action("v1")); !errors.As(err, &carries) || !carries.Main {
		t.Errorf("main was stopped: %v", err)
	}
}

// TestPodsThatAreNotReadyCarryNothing: a release that fails to start is scaled
// down although somebody's Service selects its pods; what is left because that
// cannot be told keeps its record, and is named.
func TestPodsThatAreNotReadyCarryNothing(t *testing.T) {
	t.Parallel()
	for name, forbidden := range map[string]bool{"pods are read": false, "pods may not be read": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			l.serves("theirs", map[string]string{release.LabelApplication: "api"})
			spec := l.spec("v1", "demo/crash")
			spec.AllowSelectedBy = []string{"theirs"}
			l.names = map[string]string{"v1": spec.Name()}
			if forbidden {
				var failed atomic.Bool // what explains why is read; then it is to be stopped, under the application's Lease
				l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
					if r.Write() && strings.Contains(r.Path, "/leases") {
						failed.Store(true)
					}
					if failed.Load() && strings.HasSuffix(r.Path, "/pods") && !r.Watch() {
						return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not for you")
					}
					return testcluster.Fault{}
				})
			}
			p := l.process(t)
			done, err := p.engine.Deploy(t.Context(), p.on, spec)
			if err == nil {
				t.Fatal("what crashes was deployed")
			}
			l.proxy.SetFault(nil)
			if r := l.record("v1"); r.Custody != release.CustodyAbandoned || r.Status != release.StatusStartError || r.Busy() {
				t.Errorf("the record is %+v", r)
			}
			replicas, told := *l.workload("v1").Spec.Replicas, fmt.Sprint(done.Notices)
			if !forbidden && (replicas != 0 || len(done.Notices) > 0) {
				t.Errorf("it has %d replicas, and says %s", replicas, told)
			}
			if forbidden && (replicas != 1 || !strings.Contains(told, l.name("v1")) || !strings.Contains(told, "theirs selects its pods")) {
				t.Errorf("it has %d replicas, and says %s", replicas, told)
			}
		})
	}
}

// TestALostPointerRemovesNoFormerMain: whatever is retained was main once. It is told,
// and kept until the next promotion.
func TestALostPointerRemovesNoFormerMain(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]string{"applied again": "v3", "and a bump": "v4"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := application(t)
			p := l.process(t)
			two := release.Keep{Count: 2}
			for _, v := range []string{"v2", "v3"} {
				if v == "v3" {
					must(t, p.create(t.Context(), l.desired("v3", nil)))
				}
				_, err := p.promoteKeeping(t.Context(), v, two)
				must(t, err)
			}
			must(t, p.terminate(t.Context(), "v1"), p.terminate(t.Context(), "v2"))
			configMaps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
			_, err := configMaps.Patch(t.Context(), "api-switchback", types.MergePatchType, []byte(`{"data":{"main.json":"{{"}}`), metav1.PatchOptions{})
			must(t, err)
			_, err = l.once(t).promoteKeeping(t.Context(), "v3", two)
			for _, text := range []string{"cannot be read", "taken for what was main before, and the history begins anew", "kubectl --namespace " + l.namespace + " delete configmap api-switchback"} {
				if err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("unreadable, it does not say %q: %v", text, err)
				}
			}
			must(t, configMaps.Delete(t.Context(), "api-switchback", metav1.DeleteOptions{})) // as it says

			p = l.process(t)
			want := []string{"v1", "v2", "v3"}
			if to == "v4" {
				must(t, p.create(t.Context(), l.desired("v4", nil)))
				want = append(want, "v4")
			}
			done, err := p.promoteKeeping(t.Context(), to, release.Keep{Count: 1})
			must(t, err)
			wantNotice(t, done.Notices, "What was remembered of a main deployment is gone", "api-switchback", l.name("v2"), l.name("v1"))
			if to == "v4" {
				must(t, p.terminate(t.Context(), "v3"))
			}
			if left := l.deployments(); !slices.Equal(left, want) {
				t.Errorf("there are %v", left)
			}
			done, err = p.promoteKeeping(t.Context(), to, release.Keep{Count: 1})
			must(t, err)
			if len(done.Notices) > 0 {
				t.Errorf("once more, it tells %+v", done.Notices)
			}
		})
	}
}

// TestARecordThatCannotBeReadIsTold: nobody can tell whether its release is needed.
// It stays, whoever collects says so, and what is said heals it.
func TestARecordThatCannotBeReadIsTold(t *testing.T) {
	t.Parallel()
	l := application(t)
	p := l.process(t)
	_, err := p.promoteKeeping(t.Context(), "v2", release.Keep{Count: 1})
	must(t, err)
	must(t, p.terminate(t.Context(), "v1"))
	configMaps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := configMaps.Get(t.Context(), l.name("v1"), metav1.GetOptions{})
	must(t, err)
	cm.Data[release.RecordKey] = "{{"
	_, err = configMaps.Update(t.Context(), cm, metav1.UpdateOptions{})
	must(t, err)

	must(t, p.create(t.Context(), l.desired("v3", nil)))
	done, err := p.promoteKeeping(t.Context(), "v3", release.Keep{})
	must(t, err)
	byHand := "kubectl --namespace " + l.namespace + " delete " + rollout.ByHand(l.name("v1"), false)
	if len(done.Notices) != 1 || !strings.Contains(done.Notices[0].Detail, "record.json cannot be read") || !strings.Contains(done.Notices[0].Detail, byHand) {
		t.Errorf("the promotion tells %+v", done.Notices)
	}
	notices, err := p.engine.Unmain(t.Context(), rollout.UnmainRequest{Service: p.service(), Owner: p.main, Clusters: p.on})
	must(t, err)
	if len(notices) != 1 || !strings.Contains(notices[0].Detail, byHand) {
		t.Errorf("the end of main tells %+v", notices)
	}
	if left := l.deployments(); !slices.Contains(left, "v1") {
		t.Errorf("there are %v", left)
	}

	heals := "kubectl --namespace " + l.namespace + " delete configmap " + l.name("v1")
	if err := p.terminate(t.Context(), "v1"); err == nil || !strings.Contains(err.Error(), heals) {
		t.Errorf("its own destroy says %v", err)
	}
	must(t, configMaps.Delete(t.Context(), l.name("v1"), metav1.DeleteOptions{}))
	must(t, p.terminate(t.Context(), "v1"))
	if left := l.deployments(); slices.Contains(left, "v1") {
		t.Errorf("there are %v", left)
	}
}

// TestWhatStaysWithoutAMainIsToldHowToEnd: nobody comes to remove it later.
func TestWhatStaysWithoutAMainIsToldHowToEnd(t *testing.T) {
	t.Parallel()
	l := application(t)
	l.leads(routes()[0], l.name("v1"), 1)
	p := l.process(t)
	done, err := p.promoteKeeping(t.Context(), "v2", release.Keep{})
	must(t, err)
	if err := p.terminate(t.Context(), "v1"); err == nil || !strings.Contains(err.Error(), "next promotion") {
		t.Errorf("beside a main deployment it says %v, and before that %v", err, done.Notices)
	}
	notices, err := p.engine.Unmain(t.Context(), rollout.UnmainRequest{Service: p.service(), Owner: p.main, Clusters: p.on})
	must(t, err)
	if len(notices) != 1 || strings.Contains(notices[0].Detail, "next promotion") || !strings.Contains(notices[0].Detail, "kubectl --namespace "+l.namespace+" delete "+rollout.ByHand(l.name("v1"), false)) {
		t.Errorf("without one it says %+v", notices)
	}
}

// TestAnotherNameIsTraffic: a Service that is another name of a release's own one
// keeps its pods, and is not said to select them.
func TestAnotherNameIsTraffic(t *testing.T) {
	t.Parallel()
	l := application(t)
	l.serves("alias", nil, func(svc *corev1.Service) {
		svc.Spec.Type, svc.Spec.ExternalName = corev1.ServiceTypeExternalName, l.name("v2")+"."+l.namespace+".svc.cluster.local"
	})
	p := l.process(t)
	_, err := p.engine.Stop(t.Context(), p.action("v2"))
	var carries *release.CarriesError
	if !errors.As(err, &carries) || carries.Why != "the Service "+l.namespace+"/alias is another name of its own Service "+l.name("v2") {
		t.Errorf("stopped: %v", err)
	}
}
