package provider_test

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
)

type shownBalancers struct {
	LoadBalancer map[string]struct{ Service, Gateway []string } `json:"load_balancer"`
}

// listens makes the Gateway "public" of the lab's namespace, which has such addresses.
func (l *lab) listens(addresses string) {
	l.t.Helper()
	client, at := l.cluster.Client().Discovery().RESTClient(), l.routesPath("gateways")
	l.must(client.Post().AbsPath(at).SetHeader("Content-Type", "application/json").Body([]byte(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"public"},` +
		`"spec":{"gatewayClassName":"test","listeners":[{"name":"http","port":80,"protocol":"HTTP"}]}}`)).Do(l.t.Context()).Error())
	l.must(client.Patch(types.MergePatchType).AbsPath(at, "public", "status").Body([]byte(fmt.Sprintf(`{"status":{"addresses":%s}}`, addresses))).Do(l.t.Context()).Error())
}

// addressesOfMain: a data source tells where clients reach an application, as its Service and
// its Gateway say; what may not be read is not told.
func (l *lab) addressesOfMain() {
	routed := `traffic = {
    service = { ports = { http = 80 }, type = "LoadBalancer" }
    gateway = { parent_refs = [{ name = "public" }, { name = "missing" }], hostnames = ["api.example.com"], settle = "0s" }
  }`
	config := func(traffic string, more ...string) string {
		return l.config(append([]string{l.deployment(), l.main(traffic)}, more...)...)
	}
	asked := l.data("main_deployment", "live", `application = "api"`)
	want := func(w *workspace, service, gateway []string) {
		l.t.Helper()
		got := read[shownBalancers](w, "switchback_main_deployment.live").LoadBalancer["default"]
		if !slices.Equal(got.Service, service) || !slices.Equal(got.Gateway, gateway) || (got.Gateway == nil) != (gateway == nil) {
			l.t.Errorf("told is %+v, want %v %v", got, service, gateway)
		}
	}
	w := l.inProcess()
	w.apply(config(routed))
	w.apply(config(routed, asked))
	want(w, nil, []string{})
	l.balanced("203.0.113.9")
	l.listens(`[{"value":"203.0.113.8"},{"value":"203.0.113.7"}]`)
	w.apply(config(routed, asked))
	want(w, []string{"203.0.113.9"}, []string{"203.0.113.7", "203.0.113.8"})

	rules, clusterRules := policyRules(cluster.Features()...)
	l.provider = connection(l.cluster.RestrictedKubeconfig(l.t, l.namespace, rules, clusterRules...))
	w.apply(config(routed, asked))
	want(w, []string{"203.0.113.9"}, nil)
	w.apply(config(exposed(""), asked))
	w.apply(config(exposed(""), asked))
	want(w, nil, []string{})
	w.destroy()
	l.wantNothingLeft()
}
