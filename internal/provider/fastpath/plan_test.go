package fastpath_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// pair are the two ways, each with a run of its own.
type pair struct {
	fast, slow       plantest.Planner
	fastRun, slowRun *session.Session
}

func newPair(t *testing.T, typeName string, run func() *session.Session) pair {
	p := pair{fastRun: run(), slowRun: run()}
	p.fast, p.slow = plantest.On(t, typeName, fastServer(t, p.fastRun)), plantest.On(t, typeName, slowServer(t, p.slowRun))
	return p
}

// note notes in both runs what is planned of other resources.
func (p pair) note(do func(*session.Intents)) {
	do(p.fastRun.Planned)
	do(p.slowRun.Planned)
}

// ask asks both ways, and says whether the fast way answered by itself.
func (p pair) ask(t rapid.TB, req *tfprotov6.PlanResourceChangeRequest) (fast bool) {
	t.Helper()
	a, b := p.fast.Answer(req), p.slow.Answer(req)
	if got, want := told(a.Response), told(b.Response); got != want {
		t.Fatalf("the fast way says\n%s\nand the framework\n%s", got, want)
	}
	if !a.Value().Equal(b.Value()) {
		t.Fatalf("the fast way plans\n%s\nand the framework\n%s", a.Value(), b.Value())
	}
	if !reflect.DeepEqual(p.fastRun.Planned, p.slowRun.Planned) {
		t.Fatalf("the fast way remembers\n%+v\nand the framework\n%+v", p.fastRun.Planned, p.slowRun.Planned)
	}
	return a.Response.PlannedState == req.ProposedNewState
}

// told is what an answer says beside the value.
func told(resp *tfprotov6.PlanResourceChangeResponse) string {
	var b strings.Builder
	for _, d := range resp.Diagnostics {
		fmt.Fprintln(&b, d.Severity, d.Attribute, d.Summary, d.Detail)
	}
	for _, at := range resp.RequiresReplace {
		fmt.Fprintln(&b, "replace for", at)
	}
	private := map[string][]byte{}
	if len(resp.PlannedPrivate) > 0 {
		if err := json.Unmarshal(resp.PlannedPrivate, &private); err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(private)) {
		fmt.Fprintf(&b, "private %s = %s\n", key, private[key])
	}
	if resp.PlannedIdentity != nil {
		fmt.Fprintf(&b, "identity %q\n", resp.PlannedIdentity.IdentityData.MsgPack)
	}
	return b.String()
}

var runs = map[string]func() *session.Session{
	"one cluster":      func() *session.Session { return plantest.ClustersNamed("prod") },
	"two clusters":     func() *session.Session { return plantest.ClustersNamed("lab", "prod") },
	"unknown clusters": plantest.ClustersUnknown,
}

// TestFastPlanIsTheFrameworks: whatever is planned, both ways tell the same, and
// remember the same for other resources.
func TestFastPlanIsTheFrameworks(t *testing.T) {
	t.Parallel()
	fast := 0
	rapid.Check(t, func(rt *rapid.T) {
		k := rapid.SampledFrom(kinds()).Draw(rt, "kind")
		where := rapid.SampledFrom(slices.Sorted(maps.Keys(runs))).Draw(rt, "run")
		run := runs[where]
		p, maker := newPair(t, k.typeName, run), plantest.On(t, k.typeName, slowServer(t, run()))
		config := k.usual.draw(rt, "configuration", k.base, 4)
		if _, ok := config["clusters"]; !ok && where == "two clusters" {
			config["clusters"] = []any{"prod"}
		}
		made := maker.Plan(config, nil)
		if failed(made) {
			return
		}
		state := stateOf(t, k, made, k.states.draw(rt, "state", obj{}, 2))
		now := config
		if rapid.IntRange(0, 2).Draw(rt, "changed") == 2 {
			now = k.odd.draw(rt, "odd change", k.usual.draw(rt, "change", config, 2), 2)
		}
		private := privateOf(rt, made)
		req := p.fast.Request(now, &state, private)
		switch rapid.IntRange(0, 9).Draw(rt, "what") {
		case 8:
			req = p.fast.Request(now, nil, private)
		case 9:
			null := plantest.Dynamic(t, p.fast.Type(), tftypes.NewValue(p.fast.Type(), nil))
			req.Config, req.ProposedNewState = null, null
		}
		if k.typeName == "switchback_deployment" && rapid.Bool().Draw(rt, "identity") {
			of := tftypes.Object{AttributeTypes: map[string]tftypes.Type{"namespace": tftypes.String, "name": tftypes.String}}
			req.PriorIdentity = &tfprotov6.ResourceIdentityData{IdentityData: plantest.Dynamic(t, of, plantest.TFValue(t, of, obj{"namespace": "shop", "name": "api"}))}
		}
		id := fmt.Sprint(plantest.ValueAt(t, state, "id"))
		switch rapid.IntRange(0, 7).Draw(rt, "others") {
		case 4:
			p.note(func(i *session.Intents) { i.Point("shop/api", id) })
		case 5:
			p.note(func(i *session.Intents) { i.Stop("shop/api-7f3c9a1e", true); i.Stop(id, true) })
		case 6:
			p.note(func(i *session.Intents) { i.Stand([]string{"prod/shop/api"}, true) })
		case 7:
			p.note(func(i *session.Intents) { i.Join([]string{"prod/shop/api"}, "others", true) })
		}
		if p.ask(rt, req) {
			fast++
		}
	})
	if fast == 0 {
		t.Error("no plan was answered the fast way")
	}
}

func failed(p plantest.Planned) bool {
	return slices.ContainsFunc(p.Diagnostics, func(d *tfprotov6.Diagnostic) bool { return d.Severity == tfprotov6.DiagnosticSeverityError })
}

// stateOf is a state that such a create may have left, with changes.
func stateOf(t *testing.T, k kind, made plantest.Planned, changes obj) tftypes.Value {
	t.Helper()
	fill := maps.Clone(k.filled)
	if desired, ok := plantest.ValuesOf(t, made.Value())["desired_state"]; ok && desired == "stopped" {
		fill["status"] = "stopped"
	}
	if urls, ok := plantest.ValuesOf(t, made.Value())["urls"].(obj); ok {
		for name, url := range urls {
			if url == (any)(plantest.AfterApply{}) {
				urls[name] = nil
			}
		}
		fill["urls"] = urls
	}
	maps.Copy(fill, changes)
	left := fill["refused"]
	if left != nil { // then another one is main
		fill["deployment_id"] = "shop/api-0b8e4d27"
	}
	if members, ok := made.Value(), k.typeName == "switchback_deployment_group"; ok {
		fill["members"] = membersOf(t, members, left)
		delete(fill, "refused")
		delete(fill, "deployment_id")
	}
	if _, ok := fill["clusters"]; !ok && k.typeName != "switchback_deployment_group" && isUnknown(t, made, "clusters") {
		fill["clusters"] = []any{"prod"}
	}
	return *made.State(fill)
}

// membersOf are a group's members, promoted; or, of api, left for another one.
func membersOf(t *testing.T, planned tftypes.Value, left any) any {
	t.Helper()
	members, ok := plantest.ValueAt(t, planned, "members").(obj)
	if !ok {
		return obj{}
	}
	for _, m := range members {
		for name, v := range m.(obj) {
			if v == (any)(plantest.AfterApply{}) {
				m.(obj)[name] = nil
			}
		}
		m.(obj)["status"], m.(obj)["split"] = "finalized", obj{"prod": obj{"one": 100}}
	}
	if m, ok := members["api"].(obj); ok && left != nil {
		m["deployment_id"], m["refused"] = "shop/api-0b8e4d27", left
	}
	return members
}

func isUnknown(t *testing.T, p plantest.Planned, name string) bool {
	_, unknown := plantest.ValueAt(t, p.Value(), name).(plantest.AfterApply)
	return unknown
}

// privateOf is private state as a create leaves it, or as something else does.
func privateOf(t *rapid.T, made plantest.Planned) []byte {
	private := maps.Clone(made.Private)
	if rapid.Bool().Draw(t, "created") {
		private = map[string][]byte{} // the framework keeps nothing of a create's plan
	}
	switch rapid.IntRange(0, 9).Draw(t, "private") {
	case 9:
		return nil
	case 8:
		private["destroy"] = []byte("true")
	case 7:
		private["application"] = []byte(`"shop/other"`)
	case 6:
		delete(private, "companions")
		delete(private, "members")
	case 5:
		private["companions"], private["members"] = []byte("[]"), []byte("{}")
	case 4:
		private["seen"] = []byte(`{"prod/shop/api":{"namespace":"1"}}`)
	}
	text, err := json.Marshal(private)
	if err != nil {
		panic(err)
	}
	return text
}

// TestFrameworkIsNotAsked: what most users have is why there are fast ways.
func TestFrameworkIsNotAsked(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		fastRun, slowRun := runs["one cluster"](), runs["one cluster"]()
		server, asked, err := fastpath.NewCounting(t.Context(), plantest.Provider(fastRun, resources...))
		if err != nil {
			t.Fatal(err)
		}
		p := pair{plantest.On(t, k.typeName, server), plantest.On(t, k.typeName, slowServer(t, slowRun)), fastRun, slowRun}
		made := plantest.On(t, k.typeName, slowServer(t, runs["one cluster"]())).Plan(k.base, nil).OK()
		state := stateOf(t, k, made, nil)
		private := []byte(`{"seen":"e30="}`) // which is all that the framework keeps of a create
		if !p.ask(t, p.fast.Request(k.base, &state, private)) {
			t.Errorf("a %s that does not change is planned anew", k.typeName)
		}
		for _, drifted := range []any{drifts[2], nil} {
			state := stateOf(t, k, made, obj{"drift": drifted})
			if p.ask(t, p.fast.Request(k.base, &state, private)) {
				t.Errorf("a %s with the drift %v is taken for one that does not change", k.typeName, drifted)
			}
		}
		p.ask(t, p.fast.Request(k.base, nil, nil))
		valid := &tfprotov6.ValidateResourceConfigRequest{TypeName: k.typeName, Config: plantest.Dynamic(t, p.fast.Type(), plantest.TFValue(t, p.fast.Type(), k.base))}
		for range 2 {
			if _, err := server.ValidateResourceConfig(t.Context(), valid); err != nil {
				t.Fatal(err)
			}
		}
		p.fast.Destroy(&state)
		if asked.Plans > 0 || asked.Validations > 1 {
			t.Errorf("the framework was asked for %d plans of a %s, and %d times whether it is valid", asked.Plans, k.typeName, asked.Validations)
		}
	}
}
