package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// someDNS is a name with a policy, so that everything is written that can be.
func someDNS(targets ...string) *release.DNS {
	dns := &release.DNS{
		Name: "api.example.com", Policy: release.DNSWeighted, TTL: time.Minute, Backend: release.BackendAWS, Endpoints: true,
		Weights: map[string]int64{"prod": 10}, HealthChecks: map[string]string{"prod": "hc-1"}, Annotations: map[string]string{"filter": "public"},
	}
	if len(targets) > 0 {
		dns.Targets = map[string][]string{"prod": targets}
	}
	return dns
}

// named is an application with v1 and v2, none of which is main yet, on a
// cluster that knows external-dns' kind.
func named(t *testing.T, c *testcluster.Cluster) *life {
	t.Helper()
	l := newLife(t, c)
	p := l.process(t)
	defer p.end()
	p.must(errors.Join(p.create(t.Context(), l.desired("v1", nil)), p.create(t.Context(), l.desired("v2", nil))))
	return l
}

func (l *life) balanced() traffic.ServiceSpec {
	service := l.service()
	service.Type = corev1.ServiceTypeLoadBalancer
	return service
}

func (p *process) promoteNamed(ctx context.Context, version string, dns *release.DNS) (rollout.Promoted, []release.DNSRecord, error) {
	defer p.done()
	done, records, err := p.engine.PromoteNamed(ctx, rollout.PromoteRequest{
		Service: p.balanced(), To: p.name(version), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
	}, dns)
	if done.Owner != "" {
		p.main = done.Owner
	}
	return done, records, err
}

// hasAddresses says what the load balancer of the main Service got, as a cloud's
// controller would.
func (l *life) hasAddresses(addresses ...string) {
	l.t.Helper()
	services := l.cluster.Client().CoreV1().Services(l.namespace)
	svc, err := services.Get(l.t.Context(), "api", metav1.GetOptions{})
	if err == nil {
		svc.Status.LoadBalancer.Ingress = nil
		for _, address := range addresses {
			svc.Status.LoadBalancer.Ingress = append(svc.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: address})
		}
		_, err = services.UpdateStatus(l.t.Context(), svc, metav1.UpdateOptions{})
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// asked is the spec of the live DNSEndpoint, as JSON says it; empty where there
// is none.
func (l *life) asked() string {
	l.t.Helper()
	object := l.cluster.DNSEndpoint(l.t, l.namespace, "api")
	if object == nil {
		return ""
	}
	text, err := json.Marshal(object["spec"])
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

func (l *life) wantEndpoint(addresses ...string) {
	l.t.Helper()
	want := fmt.Sprintf(`{"endpoints":[{"dnsName":"api.example.com","providerSpecific":[{"name":"aws/weight","value":"10"},{"name":"aws/health-check-id","value":"hc-1"}],`+
		`"recordTTL":60,"recordType":"A","setIdentifier":"shop/api/prod","targets":["%s"]}]}`, strings.Join(addresses, `","`))
	if got := strings.Replace(l.asked(), l.namespace+"/api/prod", "shop/api/prod", 1); got != want {
		l.t.Errorf("the DNSEndpoint is\n%s, want\n%s", got, want)
	}
}

func (l *life) memory() *release.Main {
	l.t.Helper()
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), release.MainName("api"), metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	main, err := release.MainOf(cm.Data)
	if err != nil || main == nil {
		l.t.Fatalf("%v, %v", main, err)
	}
	return main
}

// The object is all that external-dns' own schema has room for, and goes with
// what asked for it.
func TestNameIsPublishedAndWithdrawn(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.ExternalDNS(t)
	l := named(t, c)
	ctx, p := t.Context(), l.process(t)

	done, records, err := p.promoteNamed(ctx, "v1", someDNS("203.0.113.10"))
	p.must(err)
	if done.Status != release.MainFinalized || len(records) != 1 || records[0].SetIdentifier != l.namespace+"/api/prod" || *records[0].Weight != 10 {
		t.Errorf("%+v %+v", done, records)
	}
	l.wantEndpoint("203.0.113.10")
	object := c.DNSEndpoint(t, l.namespace, "api")
	meta := object["metadata"].(map[string]any)
	want := map[string]any{
		release.LabelName: "api", release.LabelManagedBy: release.ManagedBy, release.LabelApplication: "api", release.LabelRole: release.RoleDNS,
	}
	if !reflect.DeepEqual(meta["labels"], want) || !reflect.DeepEqual(meta["annotations"], map[string]any{"filter": "public"}) {
		t.Errorf("%v", meta)
	}
	if w := l.memory().DNS; w == nil || !w.Object || w.Asked == "" || len(w.Baseline) == 0 || w.Spec.Name != "api.example.com" {
		t.Errorf("remembered is %+v", w)
	}

	// A promotion does not touch it, nor does one that fails.
	main := c.WatchMain(t, l.namespace, "api")
	version := func() any {
		return c.DNSEndpoint(t, l.namespace, "api")["metadata"].(map[string]any)["resourceVersion"]
	}
	before := version()
	_, _, err = p.promoteNamed(ctx, "v2", someDNS("203.0.113.10"))
	p.must(err)
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Write() && strings.HasSuffix(r.Path, "/services/api") {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	})
	if _, _, err := p.promoteNamed(ctx, "v1", someDNS("198.51.100.7")); err == nil {
		t.Error("a promotion that could not write the address succeeded")
	}
	l.proxy.SetFault(nil)
	if now := version(); now != before {
		t.Errorf("the DNSEndpoint was written by a promotion: %v, then %v", before, now)
	}
	main.Check(t, faultyDrain)

	_, _, err = p.promoteNamed(ctx, "v2", nil)
	p.must(err)
	if got := l.asked(); got != "" || l.memory().DNS != nil {
		t.Errorf("without a name, there are %q and %+v", got, l.memory().DNS)
	}
	_, _, err = p.promoteNamed(ctx, "v2", someDNS("203.0.113.10"))
	p.must(err)
	p.must(p.unmain(ctx))
	if got := l.asked(); got != "" {
		t.Errorf("without an address, there is %q", got)
	}
}

// The kind is external-dns' own: what does not fit it is refused by the API
// server, so that our objects fitting it says something.
func TestTheKindHasASchema(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.ExternalDNS(t)
	namespace := c.Namespace(t)
	for name, spec := range map[string]string{
		"text as TTL":   `{"endpoints":[{"dnsName":"api.example.com","recordTTL":"60s"}]}`,
		"unknown field": `{"endpoints":[{"dnsName":"api.example.com","weight":10}]}`,
		"no list":       `{"endpoints":{"dnsName":"api.example.com"}}`,
	} {
		if err := c.PatchDNSEndpoint(t, namespace, "api", "somebody", spec); err == nil || apierrors.IsNotFound(err) {
			t.Errorf("%s was taken, or not looked at: %v", name, err)
		}
	}
	if err := c.PatchDNSEndpoint(t, namespace, "api", "somebody", `{"endpoints":[{"dnsName":"api.example.com","recordTTL":60}]}`); err != nil {
		t.Error(err)
	}
}

// A name waits for its address, and the traffic does not wait for the name.
func TestNameWaitsForAnAddress(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.ExternalDNS(t)
	l := named(t, c)
	p := l.process(t)

	var done rollout.Promoted
	var records []release.DNSRecord
	var err error
	var none *release.NoAddressError
	late(t, 3*time.Second, func(limit time.Duration) bool {
		done, records, err = p.promoteNamed(until(t, limit, nil), "v1", someDNS())
		return errors.As(err, &none) || err == nil
	})
	if !errors.As(err, &none) || !errors.Is(err, context.DeadlineExceeded) || len(records) != 0 {
		t.Fatalf("%v, %v", records, err)
	}
	if !done.Moved || done.Status != release.MainFinalizing || done.Reason == "" || l.memory().Progress != nil || l.memory().Deployment != l.name("v1") {
		t.Errorf("%+v", done)
	}
	if got := l.asked(); got != "" {
		t.Errorf("a name without an address: %s", got)
	}

	waiting := make(chan error, 1)
	go func() {
		_, _, err := p.promoteNamed(t.Context(), "v1", someDNS())
		waiting <- err
	}()
	testcluster.Eventually(t, testcluster.Hang, "the name to be waited for", func() error {
		if w := l.memory().DNS; w == nil {
			return errors.New("it is not remembered")
		}
		return nil
	})
	l.hasAddresses("203.0.113.10", "203.0.113.11")
	p.must(<-waiting)
	l.wantEndpoint("203.0.113.10", "203.0.113.11")

	// An address that is lost is no reason to take the name away.
	l.hasAddresses()
	none = nil
	late(t, 2*time.Second, func(limit time.Duration) bool {
		_, _, err = p.promoteNamed(until(t, limit, nil), "v2", someDNS())
		return errors.As(err, &none) || err == nil
	})
	if none == nil {
		t.Errorf("%v", err)
	}
	l.wantEndpoint("203.0.113.10", "203.0.113.11")
	l.hasAddresses("203.0.113.12")
	_, _, err = p.promoteNamed(t.Context(), "v2", someDNS())
	p.must(err)
	l.wantEndpoint("203.0.113.12")
}

// A cluster that nothing can be done on just now keeps its part of a name that
// all clusters share, and is not waited for.
func TestNameOfAClusterThatIsAway(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.ExternalDNS(t)
	l := named(t, c)
	ctx, p := t.Context(), l.process(t)
	dns := &release.DNS{
		Name: "api.example.com", Policy: release.DNSSimple, TTL: time.Minute, Backend: release.BackendGoogle, Endpoints: true, Primary: "prod",
		Targets: map[string][]string{"prod": {"203.0.113.10"}, "spare": {"203.0.113.20"}},
	}
	done, _, err := p.promoteNamed(ctx, "v1", dns)
	p.must(err)
	away := rollout.DNSRequest{Service: l.balanced(), DNS: dns, Owner: p.main, Clusters: p.on, Away: map[string]error{"spare": errors.New("away")}}
	records, err := p.engine.PublishDNS(ctx, away, &done)
	p.must(err)
	const both = `"targets":["203.0.113.10","203.0.113.20"]`
	if len(records) != 1 || len(records[0].Values) != 2 || !strings.Contains(l.asked(), both) {
		t.Errorf("%+v %s", records, l.asked())
	}
	unknown := *dns
	unknown.Targets = map[string][]string{"prod": {"203.0.113.10"}} // spare's is its load balancer's to say
	away.DNS = &unknown
	_, err = p.engine.PublishDNS(ctx, away, &done)
	p.must(err)
	if !strings.Contains(l.asked(), both) {
		t.Errorf("the address of who is away is gone: %s", l.asked())
	}
}

// What cannot work is found out before anything is written.
func TestNameIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t) // alone: it knows no such kind at first
	l := named(t, c)
	p := l.process(t)
	l.proxy.Reset()
	_, _, err := p.promoteNamed(t.Context(), "v1", someDNS("203.0.113.10"))
	var missing *release.MissingKindError
	if !errors.As(err, &missing) || missing.Cluster != "prod" || missing.CRD != "dnsendpoints.externaldns.k8s.io" {
		t.Errorf("%v", err)
	}
	if written := l.proxy.Writes(); len(written) > 0 {
		t.Errorf("%v", written)
	}
	// One that is installed a moment before, as in the same apply, is found.
	asks, installed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if strings.Contains(r.Path, "/dnsendpoints") {
			once.Do(func() { close(asks) })
		}
		return testcluster.Fault{}
	})
	go func() {
		defer close(installed)
		<-asks
		c.ExternalDNS(t)
	}()
	_, _, err = p.promoteNamed(t.Context(), "v1", someDNS("203.0.113.10"))
	<-installed
	p.must(err)
	l.wantEndpoint("203.0.113.10")

	// One that goes later holds up no traffic, and is no reason to keep an address.
	main := c.WatchMain(t, l.namespace, "api")
	c.NoExternalDNS(t)
	done, _, err := p.promoteNamed(t.Context(), "v2", someDNS("203.0.113.10"))
	if !errors.As(err, &missing) || !done.Moved || done.Status != release.MainFinalizing || l.memory().Deployment != l.name("v2") || l.memory().Progress != nil {
		t.Errorf("%+v, %v", done, err)
	}
	main.Check(t, faultyDrain)
	p.must(p.unmain(t.Context()))
	l.main = ""
	c.ExternalDNS(t)

	// Somebody else's object.
	if err := c.PatchDNSEndpoint(t, l.namespace, "api", "somebody", `{"endpoints":[{"dnsName":"other.example.com"}]}`); err != nil {
		t.Fatal(err)
	}
	theirs := l.asked()
	l.proxy.Reset()
	_, _, err = p.promoteNamed(t.Context(), "v1", someDNS("203.0.113.10"))
	if !release.IsForeign(err) || !strings.Contains(err.Error(), "somebody") || len(l.proxy.Writes()) > 0 || l.asked() != theirs {
		t.Errorf("%v\n%v", err, l.proxy.Writes())
	}
}

// A run that is killed after any write is gone on with by the next one, and
// leaves nothing behind where the mind has changed.
func TestNameIsKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.ExternalDNS(t)
	ways := []struct {
		name string
		dns  *release.DNS
	}{{"the same again", someDNS("203.0.113.10")}, {"no name any more", nil}, {"the address goes", nil}}
	l := named(t, c)
	for k, more := 1, true; more; {
		hit := false
		for way, next := range ways {
			if way != k%len(ways) && !testcluster.AllPoints() {
				continue
			}
			p := l.process(t) // the one before was on the wire when it told of a death
			_, _, err := p.promoteNamed(t.Context(), "v1", nil)
			p.must(err)
			var what string
			what, hit = l.killedAtWrite(t, k, func(ctx context.Context, p *process) error {
				_, _, err := p.promoteNamed(ctx, "v1", someDNS("203.0.113.10"))
				return err
			})
			if hit {
				t.Logf("killed after write %d, %s; then %s", k, what, next.name)
			}
			p.end()
			after := l.process(t)
			if next.name == "the address goes" {
				after.must(after.unmain(t.Context()))
				l.main = ""
			} else {
				_, _, err = after.promoteNamed(t.Context(), "v1", next.dns)
				after.must(err)
			}
			after.end()
			if got := l.asked(); (got != "") != (next.dns != nil) {
				t.Errorf("killed after write %d, %s: the DNSEndpoint is %q", k, what, got)
			}
		}
		if more = hit; more {
			k++
		} else if k <= 6 {
			t.Errorf("it has only %d writes", k-1)
		}
	}
}

// killedAtWrite kills a process when its k-th write is done, of which it does not
// know, and says which one that was; false where it has no more.
func (l *life) killedAtWrite(t *testing.T, k int, do func(context.Context, *process) error) (what string, hit bool) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	death := l.proxy.DiesAfter(k, ownWrite, kill)
	l.proxy.SetFault(death.Fault)
	err := l.apply(ctx, t, do)
	l.proxy.SetFault(nil)
	if what, hit = death.Last(); !hit && err != nil {
		t.Fatalf("undisturbed: %v", err)
	}
	return what, hit
}

// Faults that pass are not noticed.
func TestOneFaultAtEveryRequestOfAName(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.ExternalDNS(t)
	for name, faults := range map[string][]testcluster.Fault{
		"asked again": askedAgain, "lost reply": {testcluster.LostReply()}, "409": {testcluster.Conflict()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := named(t, c)
			p := l.process(t)
			_, _, err := p.promoteNamed(t.Context(), "v1", nil)
			p.must(err)
			counts, least := (*testcluster.Request).Write, 3
			if name == "asked again" {
				counts, least = anyRequest, 9
			}
			for k, more := 1, true; more; k++ {
				f := &faulty{k: k, apart: 1 << 20, counts: counts, faults: faults, repeats: map[string]int{}}
				l.proxy.SetFault(f.on)
				p := l.process(t)
				_, _, err := p.promoteNamed(t.Context(), "v1", someDNS("203.0.113.10"))
				p.must(err)
				l.wantEndpoint("203.0.113.10")
				_, _, err = p.promoteNamed(t.Context(), "v1", nil)
				p.must(err)
				p.end()
				if got := l.asked(); got != "" {
					t.Errorf("left: %s", got)
				}
				l.proxy.SetFault(nil)
				if more = len(f.hit) > 0; !more && k <= least {
					t.Errorf("it has only %d requests", k-1)
				}
			}
		})
	}
}

// TestNamedAddressStaysOutOfGroups: a group would leave the records behind.
func TestNamedAddressStaysOutOfGroups(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.ExternalDNS(t)
	l := named(t, c)
	ctx, p := t.Context(), l.process(t)
	_, _, err := p.promoteNamed(ctx, "v1", someDNS("203.0.113.10"))
	p.must(err)
	asMember := func() error {
		promotion := p.engine.NewPromotion(rollout.PromoteRequest{
			Service: p.balanced(), To: p.name("v1"), Member: rollout.Member{Group: "store", Name: "api"}, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
		})
		return p.engine.Together(ctx, []*rollout.Promotion{promotion}, promotion.Look)
	}
	var kept *release.NamedError
	if err := asMember(); !errors.As(err, &kept) || kept.Group != "store" || kept.Name != "api.example.com" {
		t.Errorf("with a name: %v", err)
	}
	_, _, err = p.promoteNamed(ctx, "v1", nil)
	p.must(err)
	if err := asMember(); err != nil {
		t.Errorf("without one: %v", err)
	}
}
