package provider_test

import (
	"fmt"
	"testing"
)

// led is traffic that comes by a Gateway, too.
func led(gateway data) data {
	return data{"traffic": data{"service": data{"ports": data{"http": 80}, "type": "ClusterIP", "session_affinity": "None"}, "gateway": changed(data{"settle": "0s"}, gateway)}}
}

// byRoute is traffic that a route of our own brings, from a Gateway.
func byRoute(parent data) data {
	return led(data{"parent_refs": []any{parent}, "hostnames": []any{"api.example.com"}})
}

// byRule is traffic that a rule of somebody else's route brings.
func byRule() data { return led(data{"adopt": true, "name": "api", "rule": "shop"}) }

// behindRoute is a main deployment behind a route, whose canary waits at a tenth.
func behindRoute(main data, changes ...data) data {
	changes = append([]data{byRoute(data{"name": "public", "namespace": "gateway"}), {"canary": data{"steps": []any{data{"weight": 10, "gate": "manual"}}}}}, changes...)
	for _, more := range changes {
		main = changed(main, more)
	}
	return main
}

// TestTheWorldOfARouteChangesBetweenPlanAndApply: the same of what leads to a route, and of
// a promotion that shares its traffic.
func TestTheWorldOfARouteChangesBetweenPlanAndApply(t *testing.T) {
	t.Parallel()
	c := withGateways(t)
	id := func(w world, tag string) data { return data{"deployment_id": w.l.namespace + "/" + nameOf(tag)} }
	apply := func(w *world, main data) {
		w.l.t.Helper()
		w.led = w.p.change(w.l.t.Context(), mainType, main, w.led.state)
		w.p.fine(w.led.diagnostics)
	}
	first := func(w *world) {
		w.p.fine(w.p.change(w.l.t.Context(), deploymentType, w.l.deploymentData("v2"), nil).diagnostics)
		apply(w, behindRoute(w.l.mainData()))
	}
	paused := func(w *world) {
		first(w)
		apply(w, behindRoute(w.l.mainData(), id(*w, "v2")))
	}
	bump := func(w world) (string, data, object) { return mainType, behindRoute(w.l.mainData(), id(w, "v2")), w.led }
	setting := func(w world) (string, data, object) {
		return mainType, behindRoute(w.l.mainData(), id(w, "v2"), data{"keep_previous": data{"count": 2}}), w.led
	}
	create := func(changes data) func(world) (string, data, object) {
		return func(w world) (string, data, object) { return mainType, behindRoute(w.l.mainData(), changes), object{} }
	}
	act := func(action string) func(world) {
		return func(w world) { w.p.invoke(action, data{"namespace": w.l.namespace, "application": "api"}).fine() }
	}
	for name, turn := range map[string]turn{
		"nothing, before a bump": {begin: first, plan: bump, then: func(world) {}, same: true},
		"the weights are moved by hand": {begin: first, plan: bump, same: true, then: func(w world) {
			w.l.patchRoute(fmt.Sprintf(`{"spec":{"rules":[{"name":"switchback","backendRefs":[{"name":%q,"port":8080,"weight":70},{"name":%q,"port":8080,"weight":30}]}]}}`, nameOf("v1"), nameOf("v2")))
		}},
		"another run has paused it":   {same: true, begin: first, plan: bump, then: func(w world) { apply(&w, behindRoute(w.l.mainData(), id(w, "v2"))) }},
		"the version fails elsewhere": {begin: first, plan: bump, then: func(w world) { w.l.breach(nameOf("v2")) }},
		"nothing, in a pause":         {begin: paused, plan: setting, then: func(world) {}, same: true},
		"somebody lets it go on":      {same: true, begin: paused, plan: setting, then: act("switchback_resume")},
		"somebody goes back":          {same: true, begin: paused, plan: setting, then: act("switchback_rollback")},
		"another run finishes it":     {same: true, begin: paused, plan: setting, then: func(w world) { apply(&w, behindRoute(w.l.mainData(), id(w, "v2"), data{"canary": nil})) }},
		"a Gateway comes":             {plan: create(byRoute(data{"name": "mine"})), then: func(w world) { w.l.makeGateway("mine", `"protocol":"HTTP"`) }},
		"a rule to adopt comes":       {plan: create(byRule()), then: func(w world) { w.l.theirRoute("api") }},
		"a rule to adopt is led elsewhere": {begin: func(w *world) { w.l.theirRoute("api") }, plan: create(byRule()), same: true, then: func(w world) {
			w.l.patchRoute(`{"spec":{"rules":[{"name":"shop","matches":[{"path":{"type":"PathPrefix","value":"/shop"}}],"backendRefs":[{"name":"elsewhere","port":80}]}]}}`)
		}},
	} {
		t.Run(name, func(t *testing.T) { turn.holds(onGateway(t, c)) })
	}
}
