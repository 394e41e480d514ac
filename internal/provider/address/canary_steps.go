package address

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// CheckSteps says what of the steps of `canary` cannot be meant by itself.
func CheckSteps(ctx context.Context, canary types.Object) diag.Diagnostics {
	var diags diag.Diagnostics
	c, at := CanaryOf(ctx, canary, &diags), path.Root("canary")
	before := 0
	for i, step := range c.Steps {
		if step.Weight < 1 {
			continue // missing, or too low: that is refused by itself
		}
		if step.Weight <= before {
			diags.AddAttributeError(at.AtName("steps").AtListIndex(i).AtName("weight"), "Shares do not grow",
				fmt.Sprintf("%d %% follows %d %%. Each step must give the new deployment more than the one before.", step.Weight, before))
		}
		if step.Weight == 100 && step.Replicas > 0 {
			diags.AddAttributeError(at.AtName("steps").AtListIndex(i).AtName("replicas"), "Pods of all of the traffic are not chosen",
				fmt.Sprintf("canary.steps[%d] gives the new deployment all of the traffic, which takes all of its pods: `replicas` of its switchback_deployment says how many. Remove `replicas` from the step.", i))
		}
		before = step.Weight
	}
	if first := slices.IndexFunc(c.Steps, func(s release.CanaryStep) bool { return s.Weight > 0 }); first >= 0 && c.MaxWeight > 0 && c.MaxWeight < c.Steps[first].Weight {
		diags.AddAttributeWarning(at.AtName("max_weight"), "A new deployment gets no traffic",
			fmt.Sprintf("`canary.max_weight` is %d, and the first step gives %d %%: each new deployment waits without any traffic, as %q, until it is raised. Where it shall get some, set it to %d or more.",
				c.MaxWeight, c.Steps[first].Weight, release.MainPaused, c.Steps[first].Weight))
	}
	return diags
}

// CheckPods refuses steps, of a promotion that is planned, that ask for more pods than the
// deployment is planned to have; 0: that is not known.
func (m *Model) CheckPods(ctx context.Context, most int32) diag.Diagnostics {
	var diags diag.Diagnostics
	steps, planned := m.PlanSummary.Attributes()["steps"].(types.List)
	if most < 1 || !planned {
		return diags
	}
	if mirror := MirrorOf(ctx, m.Canary); mirror != nil && mirror.Replicas > int(most) && slices.ContainsFunc(steps.Elements(), mirrorStep(mirror).Equal) {
		diags.AddAttributeError(mirrorPath.AtName("replicas"), "Copies take more pods than there are",
			fmt.Sprintf("canary.mirror waits for %d ready pods, and %s has %d at most: it would never get its copies. Raise `replicas`, or `autoscaling.max`, of its switchback_deployment, or lower `replicas` of the mirror.",
				mirror.Replicas, m.DeploymentID.ValueString(), most))
	}
	for i, step := range CanaryOf(ctx, m.Canary, &diags).Steps {
		shift := types.StringValue(release.Step{Kind: release.StepShift, Weight: step.Weight}.String())
		if step.Replicas <= int(most) || !slices.ContainsFunc(steps.Elements(), shift.Equal) {
			continue
		}
		diags.AddAttributeError(path.Root("canary").AtName("steps").AtListIndex(i).AtName("replicas"), "Step takes more pods than there are",
			fmt.Sprintf("canary.steps[%d] waits for %d ready pods, and %s has %d at most: it would never get its %d %%. Raise `replicas`, or `autoscaling.max`, of its switchback_deployment, or lower `replicas` of the step.",
				i, step.Replicas, m.DeploymentID.ValueString(), most, step.Weight))
	}
	return diags
}
