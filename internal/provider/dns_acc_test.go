package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const bothGiven = `targets = { east = ["203.0.113.10"], west = ["203.0.113.20"] }`

// dnsOf is a `dns` of api.example.com.
func dnsOf(lines ...string) string {
	return "dns = {\n    " + strings.Join(append([]string{`name = "api.example.com"`}, lines...), "\n    ") + "\n  }"
}

// asked are the records that a cluster's external-dns is asked for, each as
// type, targets, and what is particular about it; nil where there is no object.
func (l *lab) asked() []string {
	l.t.Helper()
	object := l.cluster.DNSEndpoint(l.t, l.namespace, "api")
	if object == nil {
		return nil
	}
	text, err := json.Marshal(object)
	var endpoint struct {
		Spec struct {
			Endpoints []struct {
				DNSName, RecordType, SetIdentifier string
				RecordTTL                          int
				Targets                            []string
				ProviderSpecific                   []struct{ Name, Value string }
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &endpoint)
	}
	l.must(err)
	asked := []string{}
	for _, e := range endpoint.Spec.Endpoints {
		line := fmt.Sprintf("%s %s %v", e.DNSName, e.RecordType, e.Targets)
		if e.SetIdentifier != "" {
			line += " " + strings.TrimPrefix(e.SetIdentifier, l.namespace)
		}
		for _, p := range e.ProviderSpecific {
			line += " " + p.Name + "=" + p.Value
		}
		asked = append(asked, line)
	}
	return asked
}

func (l *lab) wantAsked(want ...string) {
	l.t.Helper()
	if got := l.asked(); !slices.Equal(got, want) {
		l.t.Errorf("external-dns is asked for %q, want %q", got, want)
	}
}

// told are `dns_records` in the state, as cluster, type, values and weight.
func (w *workspace) told() []string {
	w.t.Helper()
	var told []string
	for _, r := range read[struct {
		Records []struct {
			Cluster, Type string
			Values        []string
			Weight        *int
		} `json:"dns_records"`
	}](w, theMain).Records {
		line := fmt.Sprintf("%s %s %v", r.Cluster, r.Type, r.Values)
		if r.Weight != nil {
			line += fmt.Sprint(" ", *r.Weight)
		}
		told = append(told, line)
	}
	return told
}

func (w *workspace) wantTold(want ...string) {
	w.t.Helper()
	if got := w.told(); !slices.Equal(got, want) {
		w.t.Errorf("dns_records are %q, want %q", got, want)
	}
}

// The name follows the configuration, over a promotion, somebody's changes, an
// import, a cluster that goes, and until it goes itself.
func oneName(t *testing.T, p *pair) {
	p.both(func(l *lab) { l.cluster.ExternalDNS(t) })
	l, w := p.east, p.east.inProcess()
	east := p.east.watchMain()
	main := func(lines ...string) string { return l.main(append(lines, on("east", "west"))...) }
	// Whoever makes the records elsewhere: they are known before the first apply.
	elsewhere := block(`resource "terraform_data" "record"`, []string{
		`for_each = { for r in switchback_main_deployment.api.dns_records : "${r.cluster}/${r.type}" => r }`, `input = each.value`,
	})
	config := func(tag string, dns string) string {
		return l.config(l.deployment(image(tag), on("east", "west"), createFirst), main(dns))
	}
	weights := func(east, west int) string {
		return dnsOf(`policy = "weighted"`, `backend = "aws"`, fmt.Sprintf("weights = { east = %d, west = %d }", east, west), `health_checks = { east = "hc-1" }`, bothGiven)
	}
	w.throughCLI().apply(config("v1", weights(90, 10)) + elsewhere)
	p.east.wantAsked("api.example.com A [203.0.113.10] /api/east aws/weight=90 aws/health-check-id=hc-1")
	p.west.wantAsked("api.example.com A [203.0.113.20] /api/west aws/weight=10")
	w.wantTold("east A [203.0.113.10] 90", "west A [203.0.113.20] 10")
	if attributes, _ := w.attributes(`terraform_data.record["west/A"]`); attributes == nil {
		t.Error("nobody made the record of west")
	}
	w.throughCLI().wantNoChanges()
	w.throughCLI().apply(config("v1", weights(90, 10)))

	w.apply(config("v2", weights(50, 50)))
	p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
	p.west.wantAsked("api.example.com A [203.0.113.20] /api/west aws/weight=50")
	w.wantTold("east A [203.0.113.10] 50", "west A [203.0.113.20] 50")
	w.wantNoChanges()

	l.must(p.east.cluster.PatchDNSEndpoint(t, l.namespace, "api", somebody, `{"endpoints":[{"dnsName":"api.example.com","recordType":"A","targets":["198.51.100.1"]}]}`))
	p.west.cluster.DeleteDNSEndpoint(t, l.namespace, "api")
	w.refresh()
	drift := w.drift(theMain)
	if len(drift) != 2 || drift[0].Cluster != "east" || drift[0].Object != "DNSEndpoint/api" || drift[0].Field != "spec.endpoints" || drift[0].Manager != somebody ||
		!strings.Contains(drift[0].Actual, "198.51.100.1") || drift[1].Cluster != "west" || drift[1].Object != "DNSEndpoint/api" {
		t.Errorf("%+v", drift)
	}
	w.wantTold("east A [203.0.113.10] 50", "west A [203.0.113.20] 50")
	w.apply(config("v2", weights(50, 50))).wantActions(theMain, "update")
	p.east.wantAsked("api.example.com A [203.0.113.10] /api/east aws/weight=50 aws/health-check-id=hc-1")
	p.west.wantAsked("api.example.com A [203.0.113.20] /api/west aws/weight=50")
	w.wantNoChanges()

	w.do("state", "rm", theMain)
	w.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	w.wantNoChanges()

	w.apply(l.config(l.deployment(image("v2"), on("east"), createFirst), l.main(on("east"),
		dnsOf(`policy = "weighted"`, `backend = "aws"`, `weights = { east = 1 }`, `targets = { east = ["203.0.113.10"] }`))))
	p.west.wantNothingLeft()
	p.east.wantAsked("api.example.com A [203.0.113.10] /api/east aws/weight=1")
	w.wantNoChanges()
	w.apply(l.config(l.deployment(image("v2"), on("east"), createFirst), l.main(on("east"))))
	p.east.wantAsked()
	w.wantTold()
	w.wantNoChanges()
	east.Check(t, drain)
	w.destroy()
	p.both((*lab).wantNothingLeft)
}

// The records follow the load balancers' addresses; what is not known keeps what
// it had.
func oneNameOfLoadBalancers(t *testing.T, p *pair) {
	p.both(func(l *lab) { l.cluster.ExternalDNS(t) })
	l, w := p.east, p.east.inProcess()
	config := func(weights string) string {
		return l.config(l.deployment(on("east", "west")), l.main(on("east", "west"),
			`traffic = { service = { ports = { http = 80 }, type = "LoadBalancer" } }`,
			dnsOf(`policy = "weighted"`, `backend = "aws"`, `weights = `+weights)))
	}
	p.east.balances("203.0.113.10")
	p.west.balances("203.0.113.20", "2001:db8::20")
	w.apply(config(`{ east = 90, west = 10 }`))
	p.east.wantAsked("api.example.com A [203.0.113.10] /api/east aws/weight=90")
	p.west.wantAsked("api.example.com A [203.0.113.20] /api/west aws/weight=10", "api.example.com AAAA [2001:db8::20] /api/west aws/weight=10")
	told := []string{"east A [203.0.113.10] 90", "west A [203.0.113.20] 10", "west AAAA [2001:db8::20] 10"}
	w.wantTold(told...)
	w.wantNoChanges()

	p.east.balanced("203.0.113.99")
	w.refresh()
	told[0] = "east A [203.0.113.99] 90"
	w.wantTold(told...)
	w.apply(config(`{ east = 90, west = 10 }`)).wantActions(theMain, "update")
	p.east.wantAsked("api.example.com A [203.0.113.99] /api/east aws/weight=90")
	w.wantNoChanges()

	p.east.balanced()
	w.refresh()
	w.wantTold(told...)
	w.wantNoChanges()
	p.east.balanced("203.0.113.99")

	p.proxy.Down(t)
	w.wantNoChanges().warns("Cluster is unreachable", "west")
	w.refresh()
	w.wantTold(told...)
	p.proxy.Up(t)

	// What will be told is planned, from the addresses as they are.
	w.write(config(`{ east = 1, west = 2 }`))
	if plan := w.explain(); !regexp.MustCompile(`~ weight +=`).MatchString(plan) {
		t.Errorf("records are not known at plan:\n%s", plan)
	}
	w.apply(config(`{ east = 1, west = 2 }`))
	w.wantTold("east A [203.0.113.99] 1", "west A [203.0.113.20] 2", "west AAAA [2001:db8::20] 2")
	w.wantNoChanges()
	w.destroy()
	p.both((*lab).wantNothingLeft)
}

// A cluster that a rollout goes on without keeps its record until it is back.
func oneNameWithoutOneCluster(t *testing.T, p *pair) {
	p.both(func(l *lab) { l.cluster.ExternalDNS(t) })
	l, w := p.east, p.east.inProcess()
	config := func(tag string, weight int) string {
		return l.config(
			l.deployment(`for_each = toset(["v1", "v2"])`, `image = "demo/api:${each.key}"`, on("east", "west")),
			l.main(`deployment_id = switchback_deployment.api["`+tag+`"].id`, on("east", "west"), continues,
				dnsOf(`policy = "weighted"`, `backend = "aws"`, fmt.Sprintf("weights = { east = %[1]d, west = %[1]d }", weight), bothGiven)))
	}
	w.apply(config("v1", 1))
	p.proxy.Down(t)
	w.apply(config("v2", 2)).warns(`cluster "west"; the others went on`)
	p.east.wantMain(nameOf("v2"))
	p.proxy.Up(t)
	p.east.wantAsked("api.example.com A [203.0.113.10] /api/east aws/weight=2")
	p.west.wantAsked("api.example.com A [203.0.113.20] /api/west aws/weight=1")
	w.apply(config("v2", 2))
	p.west.wantMain(nameOf("v2"))
	p.west.wantAsked("api.example.com A [203.0.113.20] /api/west aws/weight=2")
	w.wantNoChanges()
	w.destroy()
	p.both((*lab).wantNothingLeft)
}

// One record has all addresses, in one cluster; without external-dns, in none.
func oneSimpleName(t *testing.T, p *pair) {
	p.both(func(l *lab) { l.cluster.ExternalDNS(t) })
	l, w := p.east, p.east.inProcess()
	config := func(lines ...string) string {
		return l.config(l.deployment(on("east", "west")), l.main(on("east", "west"), dnsOf(append(lines, bothGiven)...)))
	}
	w.applyFails(config(`backend = "cloudflare"`)).tells("Primary is missing")
	w.apply(config(`backend = "cloudflare"`, `primary = "west"`, `annotations = { filter = "public" }`))
	p.east.wantAsked()
	p.west.wantAsked("api.example.com A [203.0.113.10 203.0.113.20]")
	w.wantTold(" A [203.0.113.10 203.0.113.20]")
	w.wantNoChanges()
	w.apply(config(`backend = "cloudflare"`, `primary = "east"`))
	p.east.wantAsked("api.example.com A [203.0.113.10 203.0.113.20]")
	p.west.wantAsked()
	w.wantNoChanges()
	w.apply(config(`endpoints = false`))
	p.both(func(l *lab) { l.wantAsked() })
	w.wantTold(" A [203.0.113.10 203.0.113.20]")
	w.wantNoChanges()
	w.do("state", "rm", theMain)
	w.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	w.wantNoChanges()
	w.destroy()
	p.both((*lab).wantNothingLeft)
}

// A load balancer that never gets an address: the traffic has moved, the state
// says what is unfinished, and the next apply finishes it.
func TestAccNameWithoutAnAddress(t *testing.T) {
	l := newLab(t)
	l.cluster.ExternalDNS(t)
	w := l.inProcess()
	config := l.config(l.deployment(), l.main(`traffic = { service = { ports = { http = 80 }, type = "LoadBalancer" } }`,
		dnsOf(`backend = "google"`), `timeouts = { create = "`+enough+`", update = "`+enough+`" }`))
	w.apply(config).warns("Traffic has moved, but the promotion is unfinished", "has not been given one")
	l.wantMain(nameOf("v1"))
	w.wantState(theMain, "status", "finalizing")
	l.wantAsked()
	w.applyFails(config).tells("No address for DNS", "the next apply goes on")
	w.wantState(theMain, "status", "finalizing", "deployment_id", l.namespace+"/"+nameOf("v1"))
	l.balanced("203.0.113.10")
	w.apply(config)
	w.wantState(theMain, "status", "finalized")
	l.wantAsked("api.example.com A [203.0.113.10]")
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// balanced says which addresses the load balancer of the main Service has, as a
// cloud's controller would.
func (l *lab) balanced(addresses ...string) {
	l.t.Helper()
	l.must(l.setBalanced(l.t.Context(), addresses))
}

func (l *lab) setBalanced(ctx context.Context, addresses []string) error {
	services := l.cluster.Client().CoreV1().Services(l.namespace)
	svc, err := services.Get(ctx, "api", metav1.GetOptions{})
	if err != nil {
		return err
	}
	svc.Status.LoadBalancer.Ingress = nil
	for _, address := range addresses {
		svc.Status.LoadBalancer.Ingress = append(svc.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: address})
	}
	_, err = services.UpdateStatus(ctx, svc, metav1.UpdateOptions{})
	return err
}

// balances does that as soon as there is a load balancer.
func (l *lab) balances(addresses ...string) {
	l.t.Helper()
	w, err := l.cluster.Client().CoreV1().Services(l.namespace).Watch(l.t.Context(), metav1.ListOptions{})
	l.must(err)
	l.t.Cleanup(w.Stop)
	go func() {
		for event := range w.ResultChan() {
			svc, ok := event.Object.(*corev1.Service)
			if ok && svc.Name == "api" && svc.Spec.Type == corev1.ServiceTypeLoadBalancer && l.setBalanced(context.Background(), addresses) == nil {
				return
			}
		}
	}()
}

// What a run has asked for that was killed before its state was written, and that
// nobody wants any more, is seen and goes.
func TestAccNameOfAKilledRun(t *testing.T) {
	l := newLab(t)
	l.cluster.ExternalDNS(t)
	w := l.inProcess()
	without := l.config(l.deployment(), l.main())
	w.apply(without)
	before := w.stateText()
	w.apply(l.config(l.deployment(), l.main(dnsOf(`backend = "google"`, `targets = { default = ["203.0.113.10"] }`))))
	l.wantAsked("api.example.com A [203.0.113.10]")
	l.must(os.WriteFile(filepath.Join(w.Dir, "terraform.tfstate"), []byte(before), 0o600))

	w.refresh()
	if drift := w.drift(theMain); len(drift) != 1 || drift[0].Object != "DNSEndpoint/api" || drift[0].Actual != "still there" {
		t.Errorf("%+v", drift)
	}
	w.apply(without).wantActions(theMain, "update")
	l.wantAsked()
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}
