package rollout_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// previewed is a version with an address of its own below a domain.
func (l *life) previewed(version, domain string) release.Spec {
	spec := l.spec(version, "demo/api")
	spec.Preview = &release.Preview{Hostname: "{name}." + domain, Parents: []gatewayv1.ParentReference{{Name: "public"}}}
	return spec
}

// withPreviews is a life on a cluster that knows the Gateway API, with a data plane.
func withPreviews(t *testing.T) (*life, *testcluster.DataPlane) {
	t.Helper()
	c := testcluster.Shared(t)
	c.Routes(t, "httproutes")
	l := newLife(t, c)
	return l, c.DataPlane(t, l.namespace, "httproutes")
}

// wantPreview fails the test unless the version's own address is as the spec says, and
// the record knows it; nil: nothing is left of the version.
func (l *life) wantPreview(spec func(*life) release.Spec) {
	l.t.Helper()
	id := release.ID{Namespace: l.namespace, Name: l.name("v1")}
	route := &gatewayv1.HTTPRoute{}
	p := l.process(l.t)
	unread := p.on[0].Get(l.t.Context(), id.Namespace, id.Name, route)
	if spec == nil {
		if left := l.objects(); len(left) > 0 || unread == nil {
			l.t.Errorf("there are %v; the route: %v", left, unread)
		}
		return
	}
	want, o := spec(l), observe.Releases(l.t.Context(), p.on, id)[0]
	if o.Err != nil || o.Record.Status != release.StatusStarted || o.Record.Busy() || !slices.Equal(o.Record.Companions, want.Companions()) {
		l.t.Fatalf("it is %+v %+v", o, o.Record)
	}
	if want.Preview == nil {
		if unread == nil || o.Preview != nil || o.Record.Preview != nil {
			l.t.Errorf("there is a route: %+v", route.Spec)
		}
		return
	}
	must(l.t, unread)
	if drift := workload.Drift(o.Preview, workload.Preview(want), o.Record.Baseline[string(release.CompanionPreview)], nil); len(drift) > 0 || len(o.Record.Baseline[string(release.CompanionPreview)]) == 0 || o.Preview.Spec.Hostnames[0] != workload.Preview(want).Spec.Hostnames[0] {
		l.t.Errorf("it is at %v: %v", o.Preview.Spec.Hostnames, drift)
	}
}

// TestPreviewKilledAfterEveryWrite ends the process after each of its writes: the same
// apply finds its way from there, and no route is left that nobody asks for.
func TestPreviewKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	steps := []killedStep{
		{"create", func(ctx context.Context, p *process) error { return p.create(ctx, p.previewed("v1", "a.example.com")) }, func(l *life) release.Spec { return l.previewed("v1", "a.example.com") }, 5},
		{"elsewhere", func(ctx context.Context, p *process) error { return p.change(ctx, p.previewed("v1", "b.example.com")) }, func(l *life) release.Spec { return l.previewed("v1", "b.example.com") }, 6},
		{"without", func(ctx context.Context, p *process) error { return p.change(ctx, p.fixed("v1", 1)) }, func(l *life) release.Spec { return l.fixed("v1", 1) }, 6},
		{"again", func(ctx context.Context, p *process) error { return p.change(ctx, p.previewed("v1", "a.example.com")) }, func(l *life) release.Spec { return l.previewed("v1", "a.example.com") }, 6},
		{"terminate", func(ctx context.Context, p *process) error { return p.terminate(ctx, "v1") }, nil, 11},
	}
	round{
		steps: steps,
		kills: []killedIn{
			{steps[0].name, 0, []int{0}, 0}, {steps[1].name, 1, []int{1}, 0}, {steps[2].name, 2, []int{2}, 0},
			{"not after all", 3, []int{2, 3}, 0}, {steps[4].name, 4, []int{4}, 0},
		},
		begin:  func(t *testing.T) *life { l, _ := withPreviews(t); return l },
		stands: func(l *life, done killedStep) { l.t.Helper(); l.wantPreview(done.spec) },
	}.killed(t, 3)
}

// TestPreviewIsNoTraffic: its own address keeps a release from nothing, with pods that are
// ready. Another route to its Service does.
func TestPreviewIsNoTraffic(t *testing.T) {
	t.Parallel()
	l, _ := withPreviews(t)
	ctx, p := t.Context(), l.process(t)
	must(t, p.create(ctx, l.previewed("v1", "example.com")), p.create(ctx, l.previewed("v2", "example.com")), p.promote(ctx, "v2", 1))
	r := routes()[1]
	l.leads(r, l.name("v1"), 1)
	var carries *release.CarriesError
	if _, err := p.engine.Stop(ctx, p.action("v1")); !errors.As(err, &carries) || carries.Route != "HTTPRoute "+l.namespace+"/www" {
		t.Errorf("stopped: %v", err)
	}
	l.leadsNoMore(r)
	if _, err := p.engine.Stop(ctx, p.action("v1")); err != nil {
		t.Errorf("not stopped: %v", err)
	}
	if _, err := p.engine.Start(ctx, p.action("v1")); err != nil {
		t.Errorf("not started: %v", err)
	}
	l.wantPreview(func(l *life) release.Spec { return l.previewed("v1", "example.com") })
	must(t, p.terminate(ctx, "v1"))
	if left := l.objects(); slices.ContainsFunc(left, func(o string) bool { return strings.HasSuffix(o, l.name("v1")) }) {
		t.Errorf("left are %v", left)
	}
	route := &gatewayv1.HTTPRoute{}
	if err := p.on[0].Get(ctx, l.namespace, l.name("v1"), route); err == nil {
		t.Error("its address is left")
	}
	must(t, p.on[0].Get(ctx, l.namespace, l.name("v2"), route))
}

// TestPreviewGoesBeforeItsService: a route that leads nowhere would answer with errors.
func TestPreviewGoesBeforeItsService(t *testing.T) {
	t.Parallel()
	l, _ := withPreviews(t)
	p := l.process(t)
	must(t, p.create(t.Context(), l.previewed("v1", "example.com")))
	l.proxy.Reset()
	must(t, p.terminate(t.Context(), "v1"))
	var gone []string
	for _, r := range l.proxy.Writes() {
		if r.Method == http.MethodDelete && strings.HasSuffix(r.Path, "/"+l.name("v1")) {
			gone = append(gone, strings.Split(r.Path, "/")[len(strings.Split(r.Path, "/"))-2])
		}
	}
	if want := []string{"deployments", "httproutes", "services", "configmaps"}; !slices.Equal(gone, want) {
		t.Errorf("removed are %v, want %v", gone, want)
	}
}

// TestPreviewIsDeletedByHand, too, where it is said how to remove what nobody removes.
func TestPreviewIsDeletedByHand(t *testing.T) {
	t.Parallel()
	l, _ := withPreviews(t)
	spec := l.previewed("v1", "example.com")
	spec.Content.Image = "demo/missing:1"
	id := release.ID{Namespace: l.namespace, Name: spec.Content.Name()}
	byHand := " delete deployment,service,configmap,hpa,pdb,httproute --selector " + release.LabelDeployment + "="
	if _, err := l.process(t).engine.Deploy(t.Context(), l.process(t).on, spec); err == nil || !strings.Contains(err.Error(), byHand+id.Name) {
		t.Errorf("of a failed create it says %v", err)
	}
	must(t, l.process(t).create(t.Context(), l.previewed("v2", "example.com")))
	other := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{release.LabelDeployment: l.name("v2")}, Ports: []corev1.ServicePort{{Port: 80}},
	}}
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(t.Context(), other, metav1.CreateOptions{})
	must(t, err)
	notices, err := terminating("v2")(t.Context(), l.process(t))
	must(t, err)
	wantNotice(t, notices, "Deployment still carries traffic and was left running", byHand+l.name("v2"))
}

// TestPreviewThatNobodyServes is told of, and is no failure.
func TestPreviewThatNobodyServes(t *testing.T) {
	t.Parallel()
	l, plane := withPreviews(t)
	plane.Say(t, nil)
	p := l.process(t)
	timing := faultyTiming()
	timing.Patience = 0 // as users have it
	p.engine = rollout.New(timing)
	const told = "Preview is not served yet"
	done, err := p.engine.Deploy(t.Context(), p.on, l.previewed("v1", "example.com"))
	must(t, err)
	if len(done.Notices) != 1 || done.Notices[0].Summary != told || !strings.Contains(done.Notices[0].Detail, "http://"+l.name("v1")+".example.com") || !strings.Contains(done.Notices[0].Detail, "Gateway "+l.namespace+"/public says nothing about it") {
		t.Errorf("told is %+v", done.Notices)
	}
	plane.Say(t, testcluster.Accepting)
	updated, err := l.process(t).engine.Update(t.Context(), rollout.UpdateRequest{Spec: l.previewed("v1", "example.com"), Owner: done.Owner, Keep: p.on})
	must(t, err)
	if len(updated.Notices) > 0 {
		t.Errorf("told is %+v", updated.Notices)
	}
}
