package provider_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
)

// bothWays are a fast provider and the framework's, with a run each.
type bothWays struct{ fast, slow *protocol }

func speakBothWays(t *testing.T, kubeconfig string) bothWays {
	t.Helper()
	both := bothWays{speak(t, map[string]string{"default": kubeconfig}), speak(t, map[string]string{"default": kubeconfig})}
	both.slow.server = fastpath.Framework(both.slow.server)
	return both
}

// refresh reads both ways, fails where they tell something else, and says whether
// what came in was the answer.
func (b bothWays) refresh(what, typeName string, state, identity data, private []byte) (asItWas bool) {
	b.fast.t.Helper()
	typ := b.fast.resourceType(typeName)
	current := b.fast.pack(typ, state)
	ask := func(p *protocol) *tfprotov6.ReadResourceResponse {
		req := &tfprotov6.ReadResourceRequest{TypeName: typeName, CurrentState: current, Private: private}
		if identity != nil {
			req.CurrentIdentity = &tfprotov6.ResourceIdentityData{IdentityData: p.pack(p.identities.IdentitySchemas[typeName].ValueType(), identity)}
		}
		resp, err := p.server.ReadResource(p.t.Context(), req)
		if err != nil {
			p.t.Fatal(err)
		}
		return resp
	}
	tells := func(r *tfprotov6.ReadResourceResponse) string {
		return fmt.Sprint(b.fast.unpack(typ, r.NewState), "\n", b.fast.identity(typeName, r.NewIdentity), "\n", string(r.Private), "\n",
			said(r.Diagnostics, tfprotov6.DiagnosticSeverityError), said(r.Diagnostics, tfprotov6.DiagnosticSeverityWarning))
	}
	a, s := ask(b.fast), ask(b.slow)
	if got, want := tells(a), tells(s); got != want {
		b.fast.t.Errorf("%s of %s: the fast way reads\n%s\nand the framework\n%s", what, typeName, got, want)
	}
	return a.NewState == current
}

// TestFastRefreshIsTheFrameworks: whatever has become of a release and its address.
func TestFastRefreshIsTheFrameworks(t *testing.T) {
	l := newLab(t)
	p := l.speak()
	deployed := p.change(t.Context(), deploymentType, l.deploymentData("v1"), nil)
	p.fine(deployed.diagnostics)
	pointed := p.change(t.Context(), mainType, l.mainData(), nil)
	p.fine(pointed.diagnostics)
	proxy := l.cluster.Proxy(t)
	both := speakBothWays(t, proxy.KubeconfigPath)
	settled := map[string]object{}
	for typeName, made := range map[string]object{deploymentType: deployed, mainType: pointed} {
		o := both.slow.read(typeName, p.packed(p.resourceType(typeName), made.state), nil, made.private)
		settled[typeName] = o
		for what, identity := range map[string]data{"with its identity": o.identity, "without one": nil} {
			if !both.refresh(what, typeName, o.state, identity, o.private) {
				t.Errorf("the framework was asked about a %s that is settled, %s", typeName, what)
			}
		}
		both.refresh("with another identity", typeName, o.state, data{"namespace": "other"}, o.private)
		both.refresh("without private state", typeName, o.state, o.identity, nil)
		both.refresh("after an import", typeName, o.state, o.identity, []byte(`{".import_before_read":"dHJ1ZQ=="}`))
		for attribute, value := range map[string]any{
			"status_reason": "it crashed", "status": "failed", "drift": nil, "owner": "another", "cluster_status": nil, "abandon_unreachable": nil,
			"content_hash": nil, "deployment_id": nil, "url": nil, "replicas": 3, "id": "nothing", "clusters": []any{"gone"},
		} {
			if _, ok := o.state[attribute]; ok {
				other := maps.Clone(o.state)
				other[attribute] = value
				both.refresh("with another "+attribute, typeName, other, o.identity, o.private)
			}
		}
	}
	all := func(what string, b bothWays) {
		for typeName, o := range settled {
			if b.refresh(what, typeName, o.state, o.identity, o.private) && what != "in the dark" {
				t.Errorf("the framework was not asked about a %s %s", typeName, what)
			}
		}
	}
	l.patchWorkload(nameOf("v1"), `{"spec":{"replicas":2,"template":{"spec":{"terminationGracePeriodSeconds":77}}}}`)
	l.patchService("api", `{"spec":{"sessionAffinity":"ClientIP"}}`)
	all("that has drifted", speakBothWays(t, proxy.KubeconfigPath))
	ctx, ours, client := t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=switchback"}, l.cluster.Client()
	l.must(client.AppsV1().Deployments(l.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, ours))
	for _, name := range []string{"api", nameOf("v1")} {
		l.must(client.CoreV1().Services(l.namespace).Delete(ctx, name, metav1.DeleteOptions{}))
	}
	l.must(client.CoreV1().ConfigMaps(l.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, ours))
	all("that is gone", speakBothWays(t, proxy.KubeconfigPath))
	proxy.Down(t)
	all("in the dark", speakBothWays(t, proxy.KubeconfigPath))
}
