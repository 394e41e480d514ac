package provider

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// intents are what the resources of this run are planned to do to each other.
// Terraform plans a main deployment after the deployment whose id it takes, so
// that one of the two finds the other's here, whichever comes second. What is
// planned elsewhere is found at apply.
type intents struct {
	mu      sync.Mutex
	stopped map[string]bool   // ids of deployments
	mains   map[string]string // id of a main deployment -> id of the deployment it points at

	alone  map[string]bool            // addresses of main deployments that stay
	groups map[string]map[string]bool // addresses of groups' members -> names of the groups
}

func newIntents() *intents {
	return &intents{stopped: map[string]bool{}, mains: map[string]string{}, alone: map[string]bool{}, groups: map[string]map[string]bool{}}
}

// stop notes whether a deployment is planned to be stopped, and returns the
// main deployment that is planned to point at it.
func (i *intents) stop(id string, stopped bool) (main string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.stopped, id)
	if !stopped {
		return ""
	}
	i.stopped[id] = true
	for main, to := range i.mains {
		if to == id {
			return main
		}
	}
	return ""
}

// point notes where a main deployment is planned to point, and says whether
// that deployment is planned to be stopped. An empty id is not known yet, or
// that it is planned to go.
func (i *intents) point(main, id string) (stopped bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.mains, main)
	if id == "" {
		return false
	}
	i.mains[main] = id
	return i.stopped[id]
}

// stand notes whether a main deployment is planned to be there, and returns a
// group that is planned to have one of its addresses.
func (i *intents) stand(addresses []string, stands bool) (group string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, at := range addresses {
		i.alone[at] = stands
		for other := range i.groups[at] {
			if stands {
				group = other
			}
		}
	}
	return group
}

// join notes whether a group is planned to have addresses, and says whether a
// main deployment, or another group, is planned to have one of them, too.
func (i *intents) join(addresses []string, group string, joins bool) (taken bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, at := range addresses {
		if i.groups[at] == nil {
			i.groups[at] = map[string]bool{}
		}
		if delete(i.groups[at], group); joins {
			i.groups[at][group] = true
			taken = taken || i.alone[at] || len(i.groups[at]) > 1
		}
	}
	return taken
}

// addresses are where a main deployment is, one for each cluster; none while
// that is not known.
func (m *mainDeploymentModel) addresses(ctx context.Context) (at []string) {
	if !known(m.ID) || !whollyKnown(ctx, m.Clusters) {
		return nil
	}
	var diags diag.Diagnostics
	for _, name := range m.clusterNames(ctx, &diags) {
		at = append(at, name+"/"+m.ID.ValueString())
	}
	return at
}

// planDesired refuses to plan a stop of what a main deployment of this run is
// planned to point at.
func (r *deploymentResource) planDesired(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.session == nil || resp.Diagnostics.HasError() || req.Plan.Raw.IsNull() {
		return
	}
	var plan deploymentModel
	resp.Diagnostics.Append(resp.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !known(plan.ID) || plan.DesiredState.IsUnknown() {
		return
	}
	if main := r.planned.stop(plan.ID.ValueString(), desiredOf(&plan) == release.DesiredStopped); main != "" {
		resp.Diagnostics.AddAttributeError(path.Root("desired_state"), stoppedMainSummary, stoppedMain(plan.ID.ValueString(), main))
	}
}

// planPointer refuses to plan a main deployment that points at what is planned
// to be stopped.
func (r *mainDeploymentResource) planPointer(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.session == nil || resp.Diagnostics.HasError() {
		return
	}
	var model mainDeploymentModel
	if req.Plan.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &model)...)
		r.planned.point(model.ID.ValueString(), "")
		r.planned.stand(model.addresses(ctx), false)
		return
	}
	resp.Diagnostics.Append(resp.Plan.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() || !known(model.ID) {
		return
	}
	if r.planned.point(model.ID.ValueString(), model.DeploymentID.ValueString()) {
		resp.Diagnostics.AddAttributeError(path.Root("deployment_id"), stoppedMainSummary, stoppedMain(model.DeploymentID.ValueString(), model.ID.ValueString()))
	}
	if group := r.planned.stand(model.addresses(ctx), true); group != "" {
		resp.Diagnostics.AddAttributeError(path.Root("application"), twoHoldersSummary, twoHolders(model.ID.ValueString(), group))
	}
}

const twoHoldersSummary = "Application has two holders"

func twoHolders(main, group string) string {
	return fmt.Sprintf("The address of %s is a member of the group %q, and a switchback_main_deployment or another group has it in this configuration, too. "+
		"One of them moves it: remove it from the other. The guide \"Groups and waves\" says how an address changes hands while it serves.", main, group)
}

const stoppedMainSummary = "Main deployment would be stopped"

func stoppedMain(id, main string) string {
	return fmt.Sprintf("The deployment %s has desired_state = %q, and the main deployment %s points at it: its address would lead nowhere. "+
		"Set desired_state = %q, or let the main deployment point at another one first, in an apply of its own.", id, release.DesiredStopped, main, release.DesiredStarted)
}

// desiredOf is what the model asks for.
func desiredOf(m *deploymentModel) release.DesiredState {
	return release.DesiredState(orDefault(m.DesiredState.ValueString(), string(release.DesiredStarted)))
}

// restarts says that going from prior to m replaces the pods: other triggers,
// of what runs and goes on running.
func (m *deploymentModel) restarts(prior *deploymentModel) bool {
	return !m.RestartTriggers.Equal(prior.RestartTriggers) && desiredOf(m) == release.DesiredStarted && desiredOf(prior) == release.DesiredStarted &&
		(len(m.RestartTriggers.Elements()) > 0 || len(prior.RestartTriggers.Elements()) > 0)
}
