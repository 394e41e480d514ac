package fastpath_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// TestFastUpgradeIsTheFrameworks: a state of today is read as it is, and one that has
// something else in it as the framework reads it.
func TestFastUpgradeIsTheFrameworks(t *testing.T) {
	t.Parallel()
	p := map[string]pair{}
	states := map[string]string{}
	fast, slow := fastServer(t, runs["one cluster"]()), slowServer(t, runs["one cluster"]())
	for _, k := range kinds() {
		p[k.typeName] = newPair(t, k.typeName, runs["one cluster"])
		states[k.typeName] = asJSON(t, plantest.ValuesOf(t, stateOf(t, k, p[k.typeName].slow.Plan(k.base, nil).OK(), nil)))
	}
	answered := map[bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(states))).Draw(rt, "type")
		var state any
		if err := json.Unmarshal([]byte(states[name]), &state); err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(0, 2).Draw(rt, "changes") {
			alter(rt, state)
		}
		req := &tfprotov6.UpgradeResourceStateRequest{TypeName: name, Version: int64(rapid.IntRange(0, 1).Draw(rt, "version")), RawState: &tfprotov6.RawState{JSON: []byte(asJSON(t, state))}}
		a, err := fast.UpgradeResourceState(t.Context(), req)
		if err != nil {
			rt.Fatal(err)
		}
		b, err := slow.UpgradeResourceState(t.Context(), req)
		if err != nil {
			rt.Fatal(err)
		}
		if len(a.Diagnostics) != len(b.Diagnostics) || (a.UpgradedState == nil) != (b.UpgradedState == nil) {
			rt.Fatalf("the fast way says %v, and the framework %v", a.Diagnostics, b.Diagnostics)
		}
		if a.UpgradedState == nil {
			return
		}
		answered[len(a.UpgradedState.JSON) > 0]++
		got, err := a.UpgradedState.Unmarshal(p[name].fast.Type())
		if err != nil {
			rt.Fatal(err)
		}
		want, err := b.UpgradedState.Unmarshal(p[name].fast.Type())
		if err != nil || !got.Equal(want) {
			rt.Fatalf("the fast way reads\n%s\nand the framework\n%s\n%v", got, want, err)
		}
	})
	if answered[true] == 0 || answered[false] == 0 {
		t.Errorf("states of today were read as they are, or not: %v", answered)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alter makes a state another version's, or wrong.
func alter(t *rapid.T, state any) {
	all, ok := state.(obj)
	if !ok || len(all) == 0 {
		return
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "attribute")
	switch rapid.IntRange(0, 5).Draw(t, "change") {
	case 0:
		delete(all, name)
	case 1:
		all["of_another_version"] = "something"
	case 2:
		all[name] = nil
	case 3:
		all[name] = rapid.SampledFrom([]any{"7", 7, true, []any{}, obj{}}).Draw(t, "value")
	default:
		alter(t, all[name])
	}
}
