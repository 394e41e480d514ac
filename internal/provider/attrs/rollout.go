package attrs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// rolloutModel is the `rollout` attribute.
type rolloutModel struct {
	MaxParallel types.Int32  `tfsdk:"max_parallel"`
	Order       types.List   `tfsdk:"order"`
	Bake        types.String `tfsdk:"bake"`
	OnFailure   types.String `tfsdk:"on_failure"`
	Quorum      types.Int32  `tfsdk:"quorum"`
}

// RolloutOf is what a known `rollout` asks for; the zero Rollout where there is
// none.
func RolloutOf(ctx context.Context, diags *diag.Diagnostics, value types.Object) release.Rollout {
	m := Decode[rolloutModel](ctx, diags, value)
	bake, _ := time.ParseDuration(m.Bake.ValueString()) // the schema has seen to it
	return release.Rollout{
		MaxParallel: int(m.MaxParallel.ValueInt32()),
		Order:       Decode[[]string](ctx, diags, m.Order),
		Bake:        bake,
		OnFailure:   release.FailurePolicy(m.OnFailure.ValueString()),
		Quorum:      int(m.Quorum.ValueInt32()),
	}
}

// AskedRollout is `rollout` for an import to find again; nil where there is none.
func AskedRollout(ctx context.Context, diags *diag.Diagnostics, value types.Object) *release.Rollout {
	if value.IsNull() || !WhollyKnown(ctx, value) {
		return nil
	}
	r := RolloutOf(ctx, diags, value)
	return &r
}

// RolloutValue is the way back, for an import.
func RolloutValue(ctx context.Context, diags *diag.Diagnostics, r *release.Rollout) types.Object {
	t := RolloutAttribute(nil, "").GetType().(types.ObjectType).AttrTypes
	if r == nil {
		return types.ObjectNull(t)
	}
	m := rolloutModel{Order: types.ListNull(types.StringType), OnFailure: TextOrNull(string(r.OnFailure))}
	if r.MaxParallel > 0 {
		m.MaxParallel = types.Int32Value(int32(r.MaxParallel))
	}
	if r.Quorum > 0 {
		m.Quorum = types.Int32Value(int32(r.Quorum))
	}
	if r.Bake > 0 {
		m.Bake = types.StringValue(DurationText(r.Bake))
	}
	if len(r.Order) > 0 {
		order, more := types.ListValueFrom(ctx, types.StringType, r.Order)
		diags.Append(more...)
		m.Order = order
	}
	value, more := types.ObjectValueFrom(ctx, t, m)
	diags.Append(more...)
	return value
}

// MayContinue says that one cluster's failure may not end the whole, as far as
// is known: how a change ends is then not known at plan.
func MayContinue(ctx context.Context, value types.Object) bool {
	if value.IsNull() {
		return false
	}
	var diags diag.Diagnostics
	m := Decode[rolloutModel](ctx, &diags, value)
	return value.IsUnknown() || m.OnFailure.IsUnknown() || m.OnFailure.ValueString() == string(release.FailureContinue)
}

// CheckRollout says what of `rollout` cannot be meant, given the clusters that
// are planned. What is not known yet passes: Terraform plans again.
func CheckRollout(ctx context.Context, value types.Object, clusters types.Set) diag.Diagnostics {
	var diags diag.Diagnostics
	if value.IsNull() || value.IsUnknown() {
		return diags
	}
	m := Decode[rolloutModel](ctx, &diags, value)
	at := path.Root("rollout")
	var names []string // nil: not known
	if WhollyKnown(ctx, clusters) {
		names = Decode[[]string](ctx, &diags, clusters)
	}
	diags.Append(checkOrder(at.AtName("order"), m.Order, names)...)
	if !m.Quorum.IsNull() && !m.Quorum.IsUnknown() {
		quorum, continues := int(m.Quorum.ValueInt32()), m.OnFailure.ValueString() == string(release.FailureContinue)
		switch {
		case !continues && !m.OnFailure.IsUnknown():
			diags.AddAttributeError(at.AtName("quorum"), "Quorum without a rollout that continues",
				fmt.Sprintf("A failure on any cluster ends this rollout, so that all must succeed. Set on_failure = %q beside it, or remove `quorum`.", release.FailureContinue))
		case names != nil && quorum > len(names):
			diags.AddAttributeError(at.AtName("quorum"), "Quorum cannot be reached",
				fmt.Sprintf("%d clusters must succeed, but there are %d (%s).", quorum, len(names), Quoted(names)))
		}
	}
	// With one cluster there is nothing between batches to watch, which is no
	// mistake: the same module is used with several elsewhere.
	if !m.Bake.IsNull() && !m.Bake.IsUnknown() && !m.MaxParallel.IsUnknown() && len(names) > 1 {
		if size := int(m.MaxParallel.ValueInt32()); size == 0 || size >= len(names) {
			diags.AddAttributeError(at.AtName("bake"), "Nothing follows the bake",
				fmt.Sprintf("All %d clusters (%s) are changed at the same time, and `rollout.bake` is the time until the next ones are. Set `max_parallel` below %d, or remove `bake`.",
					len(names), Quoted(names), len(names)))
		}
	}
	return diags
}

// CheckBakes refuses a rollout that bakes longer than the whole may take: it
// would always fail, and late.
func CheckBakes(ctx context.Context, value types.Object, clusters types.Set, limit time.Duration, setting string) diag.Diagnostics {
	var diags diag.Diagnostics
	if value.IsNull() || !WhollyKnown(ctx, value) || !WhollyKnown(ctx, clusters) {
		return diags
	}
	rollout := RolloutOf(ctx, &diags, value)
	bakes := len(rollout.Batches(Decode[[]string](ctx, &diags, clusters))) - 1
	if all := rollout.Bake * time.Duration(max(bakes, 0)); all >= limit && all > 0 {
		diags.AddAttributeError(path.Root("rollout").AtName("bake"), "Bake takes longer than the whole may",
			fmt.Sprintf("%d times %s is %s, and all of it must be done within %s, which is `%s`. Raise that entry, or bake for a shorter time.",
				bakes, DurationText(rollout.Bake), DurationText(all), DurationText(limit), setting))
	}
	return diags
}

// checkOrder refuses names that are not among the clusters, or there twice.
func checkOrder(at path.Path, order types.List, clusters []string) diag.Diagnostics {
	var diags diag.Diagnostics
	var seen []string
	for i, element := range order.Elements() {
		name, ok := element.(types.String)
		if !ok || !Known(name) {
			continue
		}
		switch text := name.ValueString(); {
		case slices.Contains(seen, text):
			diags.AddAttributeError(at.AtListIndex(i), "Cluster is twice in the order", fmt.Sprintf("%q comes once, in one place.", text))
		case clusters != nil && !slices.Contains(clusters, text):
			diags.AddAttributeError(at.AtListIndex(i), "Cluster is not one of the resource's",
				fmt.Sprintf("`rollout.order` has %q, but the clusters are %s.", text, Quoted(slices.Sorted(slices.Values(clusters)))))
		}
		seen = append(seen, name.ValueString())
	}
	return diags
}
