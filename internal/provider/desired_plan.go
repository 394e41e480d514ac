package provider

import (
	"context"
	"fmt"
	"sync"

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
}

func newIntents() *intents {
	return &intents{stopped: map[string]bool{}, mains: map[string]string{}}
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
		return
	}
	resp.Diagnostics.Append(resp.Plan.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() || !known(model.ID) {
		return
	}
	if r.planned.point(model.ID.ValueString(), model.DeploymentID.ValueString()) {
		resp.Diagnostics.AddAttributeError(path.Root("deployment_id"), stoppedMainSummary, stoppedMain(model.DeploymentID.ValueString(), model.ID.ValueString()))
	}
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
