package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// newAdoptingLife is a life whose address is a Service that was there before,
// with pods behind it.
func newAdoptingLife(t *testing.T) (*life, *corev1.Service) {
	t.Helper()
	l := newLife(t, testcluster.Shared(t))
	l.adopt = true
	return l, l.cluster.Legacy(t, l.namespace, "api", "demo/legacy:v0")
}

// anAdoptingLife takes a Service over, bumps, and hands it back.
func anAdoptingLife() []change {
	all := aLife()
	return []change{all[0], all[1], all[2], {"destroy", func(ctx context.Context, p *process) error {
		return errors.Join(p.unmain(ctx), p.terminate(ctx, "v2"))
	}, nil, "", nil}}
}

func (l *life) address() *corev1.Service {
	l.t.Helper()
	svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(l.t.Context(), "api", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return svc
}

// ours are the fields of the Service that we manage.
func ours(t *testing.T, svc *corev1.Service) []string {
	t.Helper()
	var found []string
	for _, entry := range svc.ManagedFields {
		if entry.Manager != release.FieldManager {
			continue
		}
		var fields map[string]map[string]any
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			t.Fatal(err)
		}
		for outer, inner := range fields {
			for field := range inner {
				found = append(found, outer+" "+field)
			}
		}
	}
	return found
}

// apart from the selector, who manages what, and the version, a Service.
func apart(svc *corev1.Service) *corev1.Service {
	svc = svc.DeepCopy()
	svc.ManagedFields, svc.ResourceVersion, svc.Spec.Selector = nil, "", nil
	return svc
}

// handedOver fails the test unless the Service is as it was, less its selector.
func (l *life) handedOver(before *corev1.Service, selector map[string]string, managed ...string) {
	l.t.Helper()
	svc := l.address()
	if diff := cmp.Diff(apart(before), apart(svc)); diff != "" {
		l.t.Errorf("more than the selector of the adopted Service changed:\n%s", diff)
	}
	if !maps.Equal(svc.Spec.Selector, selector) {
		l.t.Errorf("the adopted Service selects %v, want %v", svc.Spec.Selector, selector)
	}
	if got := ours(l.t, svc); !slices.Equal(got, managed) {
		l.t.Errorf("we manage %v of the adopted Service, want %v", got, managed)
	}
}

// adopting is live for a life that begins with somebody's Service.
func (l *life) adopting(svc *corev1.Service, before, after func(change)) {
	l.t.Helper()
	main := l.cluster.WatchMain(l.t, l.namespace, "api")
	for _, c := range anAdoptingLife() {
		p := l.process(l.t)
		before(c)
		err := c.do(l.t.Context(), p)
		l.proxy.SetFault(nil)
		if err != nil {
			l.t.Fatalf("%s: %v\n%s", c.name, err, l.log())
		}
		after(c)
		p.end()
		l.settled(c)
		l.remembers(c)
		if c.main == "" {
			l.handedOver(svc, testcluster.LegacySelector("api"))
		} else {
			l.handedOver(svc, release.Selector(l.name(c.main)), "f:spec f:selector")
		}
		if c.name == "create" {
			l.handedOver(svc, testcluster.LegacySelector("api"))
		}
	}
	main.Check(l.t, faultyDrain)
}

func TestAdoptedServiceIsHandedOverAndBack(t *testing.T) {
	t.Parallel()
	l, svc := newAdoptingLife(t)
	l.adopting(svc, func(change) {}, func(change) {})
}

// TestOneFaultAtEveryRequestOfAnAdoption lets a fault happen to the k-th of the
// requests that only an adoption makes, for every k: nobody may notice. What only a
// write can meet happens to writes.
func TestOneFaultAtEveryRequestOfAnAdoption(t *testing.T) {
	t.Parallel()
	about := func(r *testcluster.Request) bool {
		return !r.Watch() && (strings.HasSuffix(r.Path, "/services/api") || strings.HasSuffix(r.Path, "/pods") || strings.HasSuffix(r.Path, "/endpointslices"))
	}
	written := func(r *testcluster.Request) bool { return about(r) && r.Write() }
	for _, kind := range []struct {
		name   string
		faults []testcluster.Fault
		counts func(*testcluster.Request) bool
		most   int // of these that a verb has
	}{
		{"asked again", askedAgain, about, 6},
		{"lost reply", []testcluster.Fault{testcluster.LostReply()}, written, 2},
		{"409", []testcluster.Fault{testcluster.Conflict()}, written, 2},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var each []int     // of each life, the most of these that a verb had
			t.Cleanup(func() { // a busy machine may look once more, but not in every life
				if len(each) > 0 && slices.Min(each) > kind.most {
					t.Errorf("a verb has %d of the requests, of which only %d are tried", slices.Min(each), kind.most)
				}
			})
			for k := 1; k <= kind.most; k++ {
				t.Run(fmt.Sprintf("at %d", k), func(t *testing.T) {
					t.Parallel()
					l, svc := newAdoptingLife(t)
					var hitting *faulty
					hits, most := 0, 0
					l.adopting(svc, func(change) {
						l.proxy.Reset()
						hitting = &faulty{k: k, apart: 1000, faults: kind.faults, repeats: map[string]int{}, counts: kind.counts}
						l.proxy.SetFault(hitting.on)
					}, func(c change) {
						hits += len(hitting.hit) - hitting.told
						most = max(most, hitting.n)
						t.Logf("%s: %v", c.name, hitting.hit)
					})
					if k == 1 && hits == 0 {
						t.Error("no fault was met")
					}
					mu.Lock()
					defer mu.Unlock()
					each = append(each, most)
				})
			}
		})
	}
}

func TestAdoptionIsRefused(t *testing.T) {
	t.Parallel()
	patch := func(patch string) func(*life) {
		return func(l *life) {
			_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(l.t.Context(), "api", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			if err != nil {
				l.t.Fatal(err)
			}
		}
	}
	tests := map[string]struct {
		before func(*life)
		want   string
	}{
		"missing": {func(l *life) {
			if err := l.cluster.Client().CoreV1().Services(l.namespace).Delete(l.t.Context(), "api", metav1.DeleteOptions{}); err != nil {
				l.t.Fatal(err)
			}
		}, "there is no such Service"},
		"of another application":         {patch(`{"spec":{"selector":{"` + release.LabelDeployment + `":"shop-0123abcd"}}}`), `the application "shop" has adopted it already`},
		"Switchback's own":               {patch(`{"metadata":{"labels":{"app.kubernetes.io/managed-by":"switchback","switchback.dev/application":"shop"}}}`), `it belongs to the application "shop"`},
		"without a selector":             {patch(`{"spec":{"selector":null}}`), "it selects no pods"},
		"an alias":                       {patch(`{"spec":{"type":"ExternalName","externalName":"example.com","clusterIP":null,"clusterIPs":null}}`), "ExternalName"},
		"a port that the pods lack":      {patch(`{"spec":{"ports":[{"port":80,"targetPort":"web"}]}}`), `sends its port 80 to the port named web (TCP) of the pods, but its containers declare only http/TCP (8080/TCP)`},
		"a number that the pods lack":    {patch(`{"spec":{"ports":[{"port":80,"targetPort":3000}]}}`), "to the port 3000 (TCP)"},
		"a protocol that the pods lack":  {patch(`{"spec":{"ports":[{"port":80,"targetPort":"http","protocol":"UDP"}]}}`), `named http (UDP)`},
		"a pointer of another that was ": {func(l *life) { l.pointerOf("shop") }, `the application "shop" has adopted it already`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _ := newAdoptingLife(t)
			test.before(l)
			p := l.process(t)
			if err := p.deploy(t.Context(), "v1"); err != nil {
				t.Fatal(err)
			}
			l.proxy.Reset()
			err := p.promote(t.Context(), "v1", 1)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
			for _, w := range l.proxy.Writes() {
				tells := strings.HasSuffix(w.Path, "/events") || strings.HasSuffix(w.Path, historyPath) && !strings.Contains(string(w.Body), release.MainKey)
				if !tells && !strings.Contains(w.Path, "/leases") {
					t.Errorf("%s was written", w.String())
				}
			}
		})
	}
}

// pointerOf makes the memory of another application whose address is the same
// Service, although it selects something else just now.
func (l *life) pointerOf(application string) {
	l.t.Helper()
	data, err := (&release.Main{Schema: release.MainSchema, Service: "api", Deployment: application + "-0123abcd"}).Marshal()
	if err != nil {
		l.t.Fatal(err)
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: release.MainName(application), Labels: map[string]string{
		release.LabelManagedBy: release.ManagedBy, release.LabelApplication: application, release.LabelRole: release.RolePointer,
	}}, Data: data}
	if _, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Create(l.t.Context(), cm, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

// A number that a container listens on will do, where the Service has one.
func TestAdoptedServiceMayHaveNumberedPorts(t *testing.T) {
	t.Parallel()
	l, svc := newAdoptingLife(t)
	svc.Spec.Ports[0].TargetPort = intstr.FromInt32(8080)
	svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Update(t.Context(), svc, metav1.UpdateOptions{FieldManager: testcluster.LegacyManager})
	if err != nil {
		t.Fatal(err)
	}
	l.adopting(svc, func(change) {}, func(change) {})
}

// TestFailedAdoptionGivesTheServiceBack cannot commit the first promotion: the
// Service selects what it did, and nothing is remembered.
func TestFailedAdoptionGivesTheServiceBack(t *testing.T) {
	t.Parallel()
	l, svc := newAdoptingLife(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	if err := l.once(t).deploy(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/configmaps/api-switchback") {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	})
	if err := l.once(t).promote(t.Context(), "v1", 1); err == nil {
		t.Fatal("it was promoted")
	}
	l.proxy.SetFault(nil)
	l.main = ""
	l.handedOver(svc, testcluster.LegacySelector("api"))
	p := l.process(t)
	if err := p.promote(t.Context(), "v1", 1); err != nil {
		t.Fatal(err)
	}
	l.settled(aLife()[1])
	if err := p.unmain(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.handedOver(svc, testcluster.LegacySelector("api"))
	main.NeverEmpty(t)
}

// TestHandBackDrains: nothing of the release ends sooner than the drain after
// the Service has left it.
func TestHandBackDrains(t *testing.T) {
	t.Parallel()
	const drain = 3 * time.Second
	l, _ := newAdoptingLife(t)
	ctx, p := t.Context(), l.process(t)
	if err := p.deploy(ctx, "v1"); err != nil {
		t.Fatal(err)
	}
	done, err := p.engine.Promote(ctx, rollout.PromoteRequest{Service: l.service(), To: l.name("v1"), Drain: drain, Clusters: p.on})
	if err != nil {
		t.Fatal(err)
	}
	p.main = done.Owner
	main := l.cluster.WatchMain(t, l.namespace, "api")
	p = l.process(t)
	if err := errors.Join(p.unmain(ctx), p.terminate(ctx, "v1")); err != nil {
		t.Fatal(err)
	}
	main.Check(t, drain)
}

// TestHandBackThatDoesNotArrive cannot see the endpoints follow: the Service goes
// back to the release, and the next destroy begins again.
func TestHandBackThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	l, svc := newAdoptingLife(t)
	ctx := t.Context()
	p := l.process(t)
	if err := errors.Join(p.deploy(ctx, "v1"), p.promote(ctx, "v1", 1)); err != nil {
		t.Fatal(err)
	}
	main := l.cluster.WatchMain(t, l.namespace, "api")
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if strings.HasSuffix(r.Path, "/endpointslices") {
			return testcluster.Blackhole()
		}
		return testcluster.Fault{}
	})
	timing := faultyTiming()
	timing.Settle = 10 * time.Second // half of it is waited for
	p = l.process(t)
	p.engine = rollout.New(timing)
	if err := p.unmain(ctx); err == nil || !strings.Contains(err.Error(), "could not be handed back and still selects "+l.name("v1")) {
		t.Errorf("the error is %v", err)
	}
	l.proxy.SetFault(nil)
	l.handedOver(svc, release.Selector(l.name("v1")), "f:spec f:selector")
	p = l.process(t)
	if err := errors.Join(p.unmain(ctx), p.terminate(ctx, "v1")); err != nil {
		t.Fatal(err)
	}
	l.handedOver(svc, testcluster.LegacySelector("api"))
	main.Check(t, faultyDrain)
}

// TestAdoptedServiceStaysWhereItsPortsLeadNowhere renames the port of the old
// pods: they are ready, but the Service would not reach them.
func TestAdoptedServiceStaysWhereItsPortsLeadNowhere(t *testing.T) {
	t.Parallel()
	l, svc := newAdoptingLife(t)
	ctx := t.Context()
	p := l.process(t)
	if err := errors.Join(p.deploy(ctx, "v1"), p.promote(ctx, "v1", 1)); err != nil {
		t.Fatal(err)
	}
	l.scaleLegacy(0)
	_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Patch(ctx, "api-legacy", types.JSONPatchType,
		[]byte(`[{"op":"replace","path":"/spec/template/spec/containers/0/ports/0/name","value":"old"}]`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.scaleLegacy(1)
	if err := l.once(t).unmain(ctx); err == nil || !strings.Contains(err.Error(), "has no ready pod that it would reach") {
		t.Errorf("the notice is %v", err)
	}
	l.handedOver(svc, release.Selector(l.name("v1")))
}

// TestAdoptedServiceStaysWhereNothingIsReady scales the old pods away first: the
// Service and its release stay, and a later life hands the Service back.
func TestAdoptedServiceStaysWhereNothingIsReady(t *testing.T) {
	t.Parallel()
	l, svc := newAdoptingLife(t)
	ctx := t.Context()
	p := l.process(t)
	if err := errors.Join(p.deploy(ctx, "v1"), p.promote(ctx, "v1", 1)); err != nil {
		t.Fatal(err)
	}
	main := l.cluster.WatchMain(t, l.namespace, "api")
	l.scaleLegacy(0)
	err := l.once(t).unmain(ctx)
	if err == nil || !strings.Contains(err.Error(), "what it selected before (app=api) has no ready pod that it would reach") {
		t.Errorf("the notice is %v", err)
	}
	l.handedOver(svc, release.Selector(l.name("v1")))
	// There is no main deployment any more that would remove it.
	if err := l.once(t).terminate(ctx, "v1"); err == nil || !strings.Contains(err.Error(), "still carries traffic") || strings.Contains(err.Error(), "is the main deployment") ||
		!strings.Contains(err.Error(), "still leads to it") || !strings.Contains(err.Error(), "kubectl --namespace "+l.namespace+" delete "+rollout.ByHand(l.name("v1"), false)) {
		t.Errorf("the release's notice is %v", err)
	}
	main.NeverEmpty(t)

	l.scaleLegacy(1)
	l.main = ""
	again := l.process(t)
	if err := errors.Join(again.deploy(ctx, "v1"), again.promote(ctx, "v1", 1)); err != nil {
		t.Fatal(err)
	}
	l.handedOver(svc, release.Selector(l.name("v1")), "f:spec f:selector")
	again = l.process(t)
	if err := errors.Join(again.unmain(ctx), again.terminate(ctx, "v1")); err != nil {
		t.Fatal(err)
	}
	l.handedOver(svc, testcluster.LegacySelector("api"))
	l.settled(change{name: "the end"})
	main.Check(t, faultyDrain)
}

// scaleLegacy sets the old workload's size, and waits for its pods.
func (l *life) scaleLegacy(replicas int) {
	l.t.Helper()
	client := l.cluster.Client()
	_, err := client.AppsV1().Deployments(l.namespace).Patch(l.t.Context(), "api-legacy", types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	testcluster.Eventually(l.t, testcluster.Hang, "the old pods", func() error {
		pods, err := client.CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: "app=api"})
		ready := 0
		for _, pod := range pods.Items {
			if slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			}) {
				ready++
			}
		}
		if err == nil && (ready != replicas || len(pods.Items) != replicas) {
			err = fmt.Errorf("%d of %d are ready", ready, len(pods.Items))
		}
		return err
	})
}

// TestWhoAppliesAnAdoptedService: what the guide says about those who go on to
// apply the Service. On the server side, the selector is refused and the rest is
// taken; who merges on the client side is warned of.
func TestWhoAppliesAnAdoptedService(t *testing.T) {
	t.Parallel()
	l, svc := newAdoptingLife(t)
	ctx, services := t.Context(), l.cluster.Client().CoreV1().Services(l.namespace)
	svc.Annotations[release.LastApplied] = "{}"
	if _, err := services.Update(ctx, svc, metav1.UpdateOptions{FieldManager: testcluster.LegacyManager}); err != nil {
		t.Fatal(err)
	}
	p := l.process(t)
	if err := p.deploy(ctx, "v1"); err != nil {
		t.Fatal(err)
	}
	promote := func() []rollout.Notice {
		t.Helper()
		done, err := p.engine.Promote(ctx, rollout.PromoteRequest{Service: l.service(), To: l.name("v1"), Owner: p.main, Clusters: p.on})
		if err != nil {
			t.Fatal(err)
		}
		p.main = done.Owner
		return done.Notices
	}
	if told := promote(); len(told) != 1 || !strings.Contains(told[0].Detail, "comes from kubectl apply") {
		t.Errorf("the first promotion says %v", told)
	}
	if told := promote(); len(told) > 0 {
		t.Errorf("the second one says %v", told)
	}
	apply := func(spec string) error {
		_, err := services.Patch(ctx, "api", types.ApplyPatchType,
			fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Service","metadata":{"name":"api"},"spec":{%s"ports":[{"name":"web","port":80,"targetPort":"http"}]}}`, spec),
			metav1.PatchOptions{FieldManager: "kubectl"})
		return err
	}
	if err := apply(`"selector":{"app":"api"},`); err == nil || !strings.Contains(err.Error(), `conflict with "switchback": .spec.selector`) {
		t.Errorf("applying the selector says %v", err)
	}
	if err := apply(""); err != nil {
		t.Errorf("applying the rest: %v", err)
	}
	if got := l.address().Spec.Selector; !maps.Equal(got, release.Selector(l.name("v1"))) {
		t.Errorf("the Service selects %v", got)
	}
	if err := p.unmain(ctx); err != nil {
		t.Fatal(err)
	}
	if err := apply(`"selector":{"app":"api"},`); err != nil {
		t.Errorf("applying all of it, once it was handed back: %v", err)
	}
}
