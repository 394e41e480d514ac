package deploymentgroup

import (
	"fmt"
	"maps"
	"slices"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// refusedOf is the member, the first by name, that asks for what somebody has taken back.
// Members move together: as long as there is one, none moves. It is empty where there is
// none, and where each is for itself.
func (p *planning) refusedOf(plan, state map[string]memberModel) string {
	diags := &p.resp.Diagnostics
	if p.plan.scope(p.ctx, diags) == release.ScopeMember {
		return ""
	}
	unknown, moves := "", false
	for _, name := range slices.Sorted(maps.Keys(plan)) {
		was, ok := state[name]
		if !ok {
			continue
		}
		prior := p.state.held(p.ctx, was, diags)
		a := address.Plan{Planned: p.plan.address(plan[name]), Prior: &prior, Diags: diags}
		switch id := a.Planned.DeploymentID; {
		case a.IsRefused(p.ctx):
			return name
		case a.MayBeRefused():
			unknown = name
		case attrs.Known(id) && !id.Equal(prior.DeploymentID):
			moves = true
		}
	}
	if unknown != "" && moves { // Terraform would find, when it applies, that the others stay
		diags.AddAttributeError(explain.Member(unknown).Named("deployment_id"), "Deployment is not known",
			fmt.Sprintf("Somebody has taken back what the member %q was to move to, and which deployment it asks for now is not known before the apply. The members of a group move together: whether the others do depends on it. Apply first what `deployment_id` comes from.", unknown))
	}
	return ""
}
