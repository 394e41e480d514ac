package provider_test

import (
	"slices"
	"strings"
	"testing"
)

// wantSummary checks parts of what is planned as `plan_summary` of an address.
func (r *result) wantSummary(address string, want map[string]any) {
	r.t.Helper()
	value, known := r.plannedValue(address, "plan_summary")
	summary, ok := value.(map[string]any)
	if !known || !ok {
		r.t.Fatalf("plan_summary of %s is planned %v", address, value)
	}
	for name, part := range want {
		if name != "text" {
			wantSame(r.t, name+" of the plan's summary", summary[name], part)
		} else if !strings.Contains(summary[name].(string), part.(string)) {
			r.t.Errorf("the summary is %q, without %q", summary[name], part)
		}
	}
}

// TestAccPlanSummary: a plan says in a few words what gets the traffic from whom, what
// stays and what goes; the apply does just that, and a refresh after it finds nothing new.
func TestAccPlanSummary(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string, main ...string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(append(main, `drain = "0s"`)...))
	}
	id := func(tag string) string { return l.namespace + "/" + nameOf(tag) }
	kept := func(state string, tags ...string) []any {
		all := []any{}
		for _, tag := range tags {
			all = append(all, map[string]any{"deployment_id": id(tag), "state": state, "owned": false})
		}
		return all
	}
	steps := []any{"ready", "shift 100%", "collect"}
	apply := func(config string, summary map[string]any, retained []any) {
		t.Helper()
		w.apply(config).wantSummary(theMain, summary)
		w.wantState(theMain, "retained", retained)
		w.wantNoChanges()
		w.refresh()
		w.wantState(theMain, "retained", retained)
		state, _ := w.attributes(theMain)
		wantSame(t, "what the state keeps of it", state["plan_summary"].(map[string]any)["action"], summary["action"])
	}
	apply(config("v1"), map[string]any{
		"action": "create", "from": nil, "to": id("v1"), "warm": false, "steps": steps, "keeps": []any{}, "removes": []any{},
		"text": "Makes the address, which leads to " + id("v1") + " once its pods are ready.",
	}, kept("started"))
	apply(config("v2"), map[string]any{
		"action": "promote", "from": id("v1"), "to": id("v2"), "warm": false, "steps": steps, "keeps": []any{id("v1")}, "removes": []any{},
		"text": "Moves the traffic from " + id("v1") + " to " + id("v2") + ", once its pods are ready. Keeps " + id("v1") + " for going back.",
	}, kept("started", "v1"))
	apply(config("v3"), map[string]any{"action": "promote", "keeps": []any{id("v2")}, "removes": []any{id("v1")}}, kept("started", "v2"))
	l.wantReleases(nameOf("v2"), nameOf("v3"))
	apply(config("v2"), map[string]any{
		"action": "return", "from": id("v3"), "to": id("v2"), "warm": true, "keeps": []any{id("v3")}, "removes": []any{},
		"text": "back to " + id("v2") + ", whose pods run already.",
	}, kept("started", "v3"))
	apply(config("v4", `keep_previous = { state = "stopped", count = 2 }`), map[string]any{
		"action": "promote", "keeps": []any{id("v2"), id("v3")}, "removes": []any{},
	}, kept("stopped", "v2", "v3"))
	apply(config("v3", `keep_previous = { state = "stopped", count = 2 }`, `bake = "1s"`), map[string]any{
		"action": "return", "warm": false, "steps": []any{"ready", "shift 100%", "analyse 1s", "commit", "collect"},
		"text": "Watches it with the traffic for 1s, and goes back if it fails.",
	}, kept("stopped", "v4", "v2"))
	apply(config("v3", `keep_previous = { count = 0 }`, `bake = "1s"`), map[string]any{
		"action": "change", "from": id("v3"), "keeps": []any{}, "removes": sorted(id("v2"), id("v4")),
		"text": "The traffic stays with " + id("v3") + ". Removes",
	}, kept("started"))
	w.destroy()
	l.wantNothingLeft()
}

// TestAccPlanSummaryOfTwoColours: of two deployments that both have a resource, none
// goes.
func TestAccPlanSummaryOfTwoColours(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(colour string) string {
		return l.config(l.deployment(), l.deploymentNamed("green", image("v2")), l.main("deployment_id = switchback_deployment."+colour+".id", `drain = "0s"`))
	}
	w.apply(config("api"))
	w.apply(config("green")).wantSummary(theMain, map[string]any{"action": "promote", "removes": []any{}})
	w.refresh()
	w.wantState(theMain, "retained", []any{map[string]any{"deployment_id": l.namespace + "/" + nameOf("v1"), "state": "started", "owned": true}})
	w.apply(config("api")).wantSummary(theMain, map[string]any{"action": "return", "warm": true, "removes": []any{}})
	w.destroy()
	l.wantNothingLeft()
}

func sorted(ids ...string) (values []any) {
	for _, id := range slices.Sorted(slices.Values(ids)) {
		values = append(values, id)
	}
	return values
}

// applies applies a configuration of which the plan has this summary of the main deployment.
func (w *workspace) applies(config string, want map[string]any) {
	w.t.Helper()
	w.write(config)
	w.plan().wantSummary(theMain, want)
	w.apply(config)
}
