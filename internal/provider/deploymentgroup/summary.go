package deploymentgroup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var summaryTypes = map[string]attr.Type{
	"waves": types.ListType{ElemType: types.ListType{ElemType: types.StringType}}, "stays": types.ListType{ElemType: types.StringType},
	"leaves": types.ListType{ElemType: types.StringType}, "text": types.StringType,
}

func summaryAttribute() schema.SingleNestedAttribute {
	names := func(description string) schema.ListAttribute {
		return schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: description}
	}
	return schema.SingleNestedAttribute{
		Computed: true,
		MarkdownDescription: "What the plan means, of the group as a whole; `members[*].plan_summary` says it of each one. " +
			"It follows from the configuration and the state alone. A plan that changes nothing keeps what the last one said.",
		Attributes: map[string]schema.Attribute{
			"waves":  schema.ListAttribute{Computed: true, ElementType: types.ListType{ElemType: types.StringType}, MarkdownDescription: "The members whose traffic moves, wave by wave."},
			"stays":  names("The members whose traffic stays where it is."),
			"leaves": names("The members that leave the group: their addresses are removed."),
			"text":   attrs.ComputedString("The same in a few sentences."),
		},
	}
}

// summarize plans the group's `plan_summary`, by those of its members.
func (p *planning) summarize(members map[string]memberModel) {
	diags := &p.resp.Diagnostics
	p.plan.PlanSummary = types.ObjectUnknown(summaryTypes)
	order, faults, known := p.plan.order(p.ctx, diags)
	if !known || len(faults) > 0 || members == nil {
		return
	}
	moves, stays := map[string]bool{}, []string{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		summary := members[name].PlanSummary
		if summary.IsUnknown() {
			return
		}
		if p.moves(name, members[name]) {
			moves[name] = true
		} else {
			stays = append(stays, name)
		}
	}
	var waves [][]string
	for _, wave := range order.Waves {
		now := slices.DeleteFunc(slices.Concat(wave.Batches...), func(name string) bool { return !moves[name] })
		if len(now) > 0 {
			waves = append(waves, now)
		}
	}
	p.plan.PlanSummary = summaryOf(waves, p.copies(moves, members), sharesOf(p.ctx, moves, members, diags), stays, p.leaving(members))
}

// sharesOf are the shares that members which move get ahead of all of their traffic.
func sharesOf(ctx context.Context, moves map[string]bool, members map[string]memberModel, diags *diag.Diagnostics) []string {
	percents := map[int]bool{}
	for name := range moves {
		steps, _ := members[name].PlanSummary.Attributes()["steps"].(types.List)
		for _, step := range attrs.Decode[[]string](ctx, diags, steps) {
			percent := 0
			if _, err := fmt.Sscanf(step, string(release.StepShift)+" %d%%", &percent); err == nil && percent < 100 {
				percents[percent] = true
			}
		}
	}
	var shares []string
	for _, percent := range slices.Sorted(maps.Keys(percents)) {
		shares = append(shares, fmt.Sprintf("%d %%", percent))
	}
	return shares
}

// moves says that a member's traffic moves. What a member says that nothing changes of
// is what the last plan said.
func (p *planning) moves(name string, member memberModel) bool {
	if p.state != nil {
		was, there := p.state.members(p.ctx, &p.resp.Diagnostics)[name]
		if there && member.PlanSummary.Equal(was.PlanSummary) && member.DeploymentID.Equal(was.DeploymentID) {
			return false
		}
	}
	action, _ := member.PlanSummary.Attributes()["action"].(types.String)
	return action.ValueString() != string(promotion.ActionChange)
}

// leaving are the members of the state that the plan has no more.
func (p *planning) leaving(members map[string]memberModel) []string {
	if p.state == nil {
		return nil
	}
	was := p.state.members(p.ctx, &p.resp.Diagnostics)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(was)), func(name string) bool { _, stays := members[name]; return stays })
}

func summaryOf(waves [][]string, copies string, shares, stays, leaves []string) types.Object {
	lists := make([]attr.Value, len(waves))
	for i, wave := range waves {
		lists[i] = attrs.Texts(wave)
	}
	return types.ObjectValueMust(summaryTypes, map[string]attr.Value{
		"waves": types.ListValueMust(types.ListType{ElemType: types.StringType}, lists), "stays": attrs.Texts(stays), "leaves": attrs.Texts(leaves),
		"text": types.StringValue(summaryText(waves, copies, shares, stays, leaves)),
	})
}

func summaryText(waves [][]string, copies string, shares, stays, leaves []string) string {
	var text []string
	say := func(what string, names []string) {
		if len(names) > 0 {
			text = append(text, fmt.Sprintf(what, strings.Join(names, ", ")))
		}
	}
	var order []string
	for _, wave := range waves {
		order = append(order, strings.Join(wave, " and "))
	}
	if len(order) > 0 {
		text = append(text, "Moves the traffic of "+strings.Join(order, ", then of ")+".")
	}
	say("Those of a wave that can share their traffic get %s of it first, each share together; the others move when these get all.", shares)
	if copies != "" {
		say("They get %s before that, together.", []string{copies})
	}
	say("The traffic stays where it is of %s.", stays)
	say("Removes the addresses of %s.", leaves)
	return strings.Join(text, " ")
}
