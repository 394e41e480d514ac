package attrs

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var rolloutTypes = RolloutAttribute(nil, "").GetType().(types.ObjectType).AttrTypes

// rolloutWith is a `rollout` with some attributes set.
func rolloutWith(set map[string]attr.Value) types.Object {
	values := map[string]attr.Value{
		"max_parallel": types.Int32Null(), "order": types.ListNull(types.StringType), "bake": types.StringNull(),
		"on_failure": types.StringNull(), "quorum": types.Int32Null(),
	}
	for name, v := range set {
		values[name] = v
	}
	return types.ObjectValueMust(rolloutTypes, values)
}

func texts(values ...string) []attr.Value {
	var all []attr.Value
	for _, v := range values {
		all = append(all, types.StringValue(v))
	}
	return all
}

func TestRolloutOf(t *testing.T) {
	t.Parallel()
	var diags diag.Diagnostics
	ctx := context.Background()
	if got := RolloutOf(ctx, &diags, types.ObjectNull(rolloutTypes)); got.MaxParallel != 0 || got.OnFailure != "" || !got.Tolerates(0, 1) || got.Tolerates(1, 3) {
		t.Errorf("no rollout is %+v, want all at once, and all or none", got)
	}
	got := RolloutOf(ctx, &diags, rolloutWith(map[string]attr.Value{
		"max_parallel": types.Int32Value(2), "order": types.ListValueMust(types.StringType, texts("c", "a")),
		"bake": types.StringValue("90s"), "on_failure": types.StringValue("continue"), "quorum": types.Int32Value(2),
	}))
	want := release.Rollout{MaxParallel: 2, Order: []string{"c", "a"}, Bake: 90 * time.Second, OnFailure: release.FailureContinue, Quorum: 2}
	if diags.HasError() || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v; %v", got, want, diags)
	}
}

func TestCheckRollout(t *testing.T) {
	t.Parallel()
	three := types.SetValueMust(types.StringType, texts("a", "b", "c"))
	one := types.SetValueMust(types.StringType, texts("a"))
	unknown := types.SetUnknown(types.StringType)
	half := types.SetValueMust(types.StringType, append(texts("a"), types.StringUnknown()))
	order := func(values ...attr.Value) attr.Value { return types.ListValueMust(types.StringType, values) }
	for name, test := range map[string]struct {
		set      map[string]attr.Value
		clusters types.Set
		want     string // the path, and words of the detail; empty where it is fine
	}{
		"nothing set":                  {nil, three, ""},
		"all of it":                    {map[string]attr.Value{"max_parallel": types.Int32Value(1), "order": order(texts("c", "a")...), "bake": types.StringValue("1m"), "on_failure": types.StringValue("continue"), "quorum": types.Int32Value(3)}, three, ""},
		"a stranger in the order":      {map[string]attr.Value{"order": order(texts("a", "x")...)}, three, `rollout.order[1]: "x", but the clusters are "a", "b", "c"`},
		"twice in the order":           {map[string]attr.Value{"order": order(texts("a", "b", "a")...)}, three, `rollout.order[2]: "a" comes once`},
		"twice, clusters unknown":      {map[string]attr.Value{"order": order(texts("a", "a")...)}, unknown, `rollout.order[1]: "a" comes once`},
		"a stranger, clusters unknown": {map[string]attr.Value{"order": order(texts("x")...)}, unknown, ""},
		"a stranger, one is unknown":   {map[string]attr.Value{"order": order(texts("x")...)}, half, ""},
		"an unknown in the order":      {map[string]attr.Value{"order": order(types.StringUnknown(), types.StringValue("a"))}, three, ""},
		"order unknown":                {map[string]attr.Value{"order": types.ListUnknown(types.StringType)}, three, ""},
		"quorum, abort by default":     {map[string]attr.Value{"quorum": types.Int32Value(2)}, three, `rollout.quorum: on_failure = "continue"`},
		"quorum, abort":                {map[string]attr.Value{"quorum": types.Int32Value(2), "on_failure": types.StringValue("abort")}, three, `rollout.quorum: on_failure = "continue"`},
		"quorum, policy unknown":       {map[string]attr.Value{"quorum": types.Int32Value(2), "on_failure": types.StringUnknown()}, three, ""},
		"quorum too large":             {map[string]attr.Value{"quorum": types.Int32Value(4), "on_failure": types.StringValue("continue")}, three, "rollout.quorum: 4 clusters must succeed, but there are 3"},
		"quorum too large, for all":    {map[string]attr.Value{"quorum": types.Int32Value(4), "on_failure": types.StringValue("continue")}, unknown, ""},
		"quorum unknown":               {map[string]attr.Value{"quorum": types.Int32Unknown()}, three, ""},
		"bake, all at once":            {map[string]attr.Value{"bake": types.StringValue("1m")}, three, "rollout.bake: Set `max_parallel` below 3"},
		"bake, as many as there are":   {map[string]attr.Value{"bake": types.StringValue("1m"), "max_parallel": types.Int32Value(3)}, three, "rollout.bake: Set `max_parallel` below 3"},
		"bake, max_parallel unknown":   {map[string]attr.Value{"bake": types.StringValue("1m"), "max_parallel": types.Int32Unknown()}, three, ""},
		"bake, clusters unknown":       {map[string]attr.Value{"bake": types.StringValue("1m")}, unknown, ""},
		"bake, one cluster":            {map[string]attr.Value{"bake": types.StringValue("1m"), "max_parallel": types.Int32Value(1)}, one, ""},
		"bake unknown":                 {map[string]attr.Value{"bake": types.StringUnknown()}, three, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diags := CheckRollout(context.Background(), rolloutWith(test.set), test.clusters)
			at, words, _ := strings.Cut(test.want, ": ")
			if test.want == "" {
				if len(diags) > 0 {
					t.Errorf("refused: %v", diags)
				}
				return
			}
			if len(diags) != 1 {
				t.Fatalf("%d diagnostics, want one at %s: %v", len(diags), at, diags)
			}
			d, ok := diags[0].(diag.DiagnosticWithPath)
			if !ok || d.Path().String() != at || !strings.Contains(d.Detail(), words) {
				t.Errorf("got %v, want %q at %s", diags[0], words, at)
			}
		})
	}
	for name, value := range map[string]types.Object{"null": types.ObjectNull(rolloutTypes), "unknown": types.ObjectUnknown(rolloutTypes)} {
		if diags := CheckRollout(context.Background(), value, three); len(diags) > 0 {
			t.Errorf("%s: %v", name, diags)
		}
	}
}

func TestMayContinue(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value types.Object
		want  bool
	}{
		"none":      {types.ObjectNull(rolloutTypes), false},
		"unknown":   {types.ObjectUnknown(rolloutTypes), true},
		"by itself": {rolloutWith(nil), false},
		"abort":     {rolloutWith(map[string]attr.Value{"on_failure": types.StringValue("abort")}), false},
		"continue":  {rolloutWith(map[string]attr.Value{"on_failure": types.StringValue("continue")}), true},
		"policy":    {rolloutWith(map[string]attr.Value{"on_failure": types.StringUnknown()}), true},
	} {
		if got := MayContinue(context.Background(), test.value); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}

func TestClusterStatuses(t *testing.T) {
	t.Parallel()
	var diags diag.Diagnostics
	ctx := context.Background()
	before := ClusterStatuses{"a": {Status: "started"}, "b": {"start_error", "ImagePullBackOff"}, "c": {StatusPending, ""}}
	after := ClusterStatusesOf(ctx, before.Value(), &diags)
	if diags.HasError() || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("got %v back, want %v; %v", after, before, diags)
	}
	if !after.Done("a", "started") || after.Done("b", "start_error") || after.Done("d", "started") {
		t.Errorf("done: %v", after)
	}
	if got, want := after.summary("started"), "b: ImagePullBackOff; c: pending"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	for name, value := range map[string]types.Map{"null": NoClusterStatus(), "unknown": UnknownClusterStatus()} {
		if got := ClusterStatusesOf(ctx, value, &diags); len(got) != 0 || diags.HasError() {
			t.Errorf("%s: %v %v", name, got, diags)
		}
	}
	if v := (ClusterStatuses{}).Value(); v.IsNull() || !v.Type(ctx).Equal(ClusterStatusAttribute("").GetType()) {
		t.Errorf("the value's type is %v, the attribute's %v", v.Type(ctx), ClusterStatusAttribute("").GetType())
	}
}
