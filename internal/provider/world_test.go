package provider_test

import (
	"encoding/json"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// planning is what Terraform remembers of a plan, and what was said beside it.
type planning struct {
	Planned  data
	Private  string
	Replaces []string
	said     string
}

// plans plans a change of an object.
func (p *protocol) plans(typeName string, config data, prior object) planning {
	p.t.Helper()
	resp, typ := p.answer(typeName, config, prior), p.resourceType(typeName)
	p.fine(resp.Diagnostics)
	plan := planning{Planned: p.unpack(typ, resp.PlannedState), Private: string(resp.PlannedPrivate), said: said(resp.Diagnostics, tfprotov6.DiagnosticSeverityWarning)}
	for _, at := range resp.RequiresReplace {
		plan.Replaces = append(plan.Replaces, at.String())
	}
	return plan
}

// answer is what is said to a plan.
func (p *protocol) answer(typeName string, config data, prior object) *tfprotov6.PlanResourceChangeResponse {
	p.t.Helper()
	typ := p.resourceType(typeName)
	proposed := config
	if prior.state != nil {
		proposed = changed(prior.state, config)
	}
	resp, err := p.server.PlanResourceChange(p.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: typeName, Config: p.pack(typ, config), PriorState: p.packed(typ, prior.state), ProposedNewState: p.pack(typ, proposed), PriorPrivate: prior.private,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return resp
}

// world is what there is before a plan.
type world struct {
	l         *lab
	p         *protocol
	made, led object // a deployment, and a main deployment
}

// lead makes an address that leads to the first version.
func (w *world) lead() {
	w.l.t.Helper()
	w.led = w.p.change(w.l.t.Context(), mainType, w.l.mainData(), nil)
	w.p.fine(w.led.diagnostics)
}

// named has a name across clusters, whose records are known when the addresses are.
func named(d data, weight int) data {
	return changed(d, data{"dns": data{"name": "api.example.com", "policy": "weighted", "endpoints": false, "weights": data{"default": weight}}})
}

func (l *lab) budget() {
	l.t.Helper()
	_, err := l.cluster.Client().PolicyV1().PodDisruptionBudgets(l.namespace).Create(l.t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "theirs"},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{release.LabelApplication: "api"}}},
	}, metav1.CreateOptions{})
	l.must(err)
}

// breach writes down that a release did not pass its bake.
func (l *lab) breach(name string) {
	l.t.Helper()
	maps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := maps.Get(l.t.Context(), release.MainName("api"), metav1.GetOptions{})
	l.must(err)
	var main map[string]any
	l.must(json.Unmarshal([]byte(cm.Data[release.MainKey]), &main))
	main["breach"] = data{"to": name, "reason": "it crashed"}
	text, err := json.Marshal(main)
	l.must(err)
	cm.Data[release.MainKey] = string(text)
	_, err = maps.Update(l.t.Context(), cm, metav1.UpdateOptions{})
	l.must(err)
}

// TestTheWorldChangesBetweenPlanAndApply: Terraform plans again before it applies, and
// refuses a plan that has become another one. So whatever a plan looks at may only
// change what it says.
func TestTheWorldChangesBetweenPlanAndApply(t *testing.T) {
	t.Parallel()
	balanced := data{"type": "LoadBalancer", "load_balancer_class": "example.com/none"}
	adopting := data{"adopt": true, "ports": nil, "type": nil, "session_affinity": nil}
	deployment := func(tag string, changes data) func(world) (string, data, object) {
		return func(w world) (string, data, object) {
			return deploymentType, changed(w.l.deploymentData(tag), changes), object{}
		}
	}
	address := func(service data) func(world) (string, data, object) {
		return func(w world) (string, data, object) { return mainType, addressed(w.l.mainData(), service), object{} }
	}
	settings := func(changes, service data) func(world) (string, data, object) {
		return func(w world) (string, data, object) {
			return mainType, addressed(changed(w.l.mainData(), changes), service), w.led
		}
	}
	for name, turn := range map[string]turn{
		"nothing":                    {plan: deployment("v2", nil), then: func(world) {}, same: true},
		"a policy warns":             {plan: deployment("v2", data{"pod_security": "none"}), then: func(w world) { w.l.labelled(map[string]string{"pod-security.kubernetes.io/warn": "restricted"}) }},
		"a Service selects the pods": {plan: deployment("v2", nil), then: func(w world) { w.l.serviceOf("web", map[string]string{"app.kubernetes.io/name": "api"}) }},
		"a Gateway comes": {
			begin: func(w *world) { w.l.cluster.Routes(w.l.t, "httproutes", "gateways", "gatewayclasses") },
			plan:  deployment("v2", data{"preview": data{"hostname": "{name}.example.com", "parent_refs": []any{data{"name": "mine"}}}}),
			then:  func(w world) { w.l.makeGateway("mine", `"protocol":"HTTP"`) },
		},
		"a budget counts the pods":               {plan: deployment("v2", data{"replicas": 2}), then: func(w world) { w.l.budget() }},
		"the API server is away":                 {plan: deployment("v2", nil), then: func(world) {}, away: true, same: true},
		"what is planned is made by another run": {plan: deployment("v2", nil), then: func(w world) { w.p.change(w.l.t.Context(), deploymentType, w.l.deploymentData("v2"), nil) }, same: true},
		"what is planned has lost its pods": {plan: deployment("v1", nil), same: true, then: func(w world) {
			w.l.must(w.l.cluster.Client().AppsV1().Deployments(w.l.namespace).Delete(w.l.t.Context(), nameOf("v1"), metav1.DeleteOptions{}))
		}},
		"a Service comes":          {plan: address(nil), then: func(w world) { w.l.service(nil) }},
		"a Service to adopt comes": {plan: address(adopting), then: func(w world) { w.l.service(nil) }},
		"a Service to adopt gets another port": {
			begin: func(w *world) { w.l.service(nil) }, plan: address(adopting),
			then: func(w world) {
				w.l.patchService("api", `{"spec":{"ports":[{"$patch":"replace"},{"port":80,"targetPort":"http"}]}}`)
			},
		},
		"somebody else takes the application": {plan: address(nil), then: func(w world) { w.p.change(w.l.t.Context(), mainType, w.l.mainData(), nil) }},
		"somebody pauses the Deployment": {
			begin: func(w *world) {
				w.led = w.p.change(w.l.t.Context(), deploymentType, changed(w.l.deploymentData("v1"), data{"strategy": "rolling"}), nil)
				w.p.fine(w.led.diagnostics)
			},
			plan: func(w world) (string, data, object) {
				return deploymentType, changed(w.l.deploymentData("v2"), data{"strategy": "rolling"}), w.led
			},
			then: func(w world) { w.l.patchWorkload(inPlaceName, `{"spec":{"paused":true}}`) },
		},
		"the address is moved by hand": {
			begin: (*world).lead, plan: settings(data{"keep_previous": data{"count": 2}}, nil), same: true,
			then: func(w world) {
				w.l.patchService("api", `{"spec":{"selector":{"`+release.LabelDeployment+`":"`+nameOf("v2")+`"}}}`)
			},
		},
		"the version fails elsewhere": {
			begin: (*world).lead, plan: func(w world) (string, data, object) {
				return mainType, changed(w.l.mainData(), data{"deployment_id": w.l.namespace + "/" + nameOf("v2")}), w.led
			},
			then: func(w world) { w.l.breach(nameOf("v2")) },
		},
		"the load balancer gets another address": {
			begin: func(w *world) {
				w.l.balances("203.0.113.10")
				w.led = w.p.change(w.l.t.Context(), mainType, named(addressed(w.l.mainData(), balanced), 1), nil)
				w.p.fine(w.led.diagnostics)
			},
			plan: func(w world) (string, data, object) {
				return mainType, named(addressed(w.l.mainData(), balanced), 2), w.led
			},
			then: func(w world) { w.l.balanced("203.0.113.99") }, same: true,
		},
	} {
		t.Run(name, func(t *testing.T) { turn.holds(newLab(t)) })
	}
}

// turn is what the world does between a plan and the one that is made again before the
// apply.
type turn struct {
	begin func(*world)
	plan  func(world) (typeName string, config data, prior object)
	then  func(world)
	away  bool // the API server is, for the second plan
	same  bool // nothing else is said, either
}

// holds fails the test unless both plans are the same.
func (turn turn) holds(l *lab) {
	w := world{l: l, p: l.speak()}
	w.made = w.p.change(l.t.Context(), deploymentType, l.deploymentData("v1"), nil)
	w.p.fine(w.made.diagnostics)
	if turn.begin != nil {
		turn.begin(&w)
	}
	proxy := l.cluster.Proxy(l.t)
	typ, config, prior := turn.plan(w)
	before := l.speakThrough(proxy).plans(typ, config, prior)
	if turn.away {
		proxy.Down(l.t)
	}
	turn.then(w)
	after := l.speakThrough(proxy).plans(typ, config, prior)
	wantSame(l.t, "what is planned", after.Planned, before.Planned)
	wantSame(l.t, "what is remembered of it", after.Private, before.Private)
	wantSame(l.t, "what forces a replacement", after.Replaces, before.Replaces)
	if (after.said == before.said) != turn.same {
		l.t.Errorf("it says before:\n%s\nand after:\n%s", before.said, after.said)
	}
}
