package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// refreshed is what a refresh has found.
type refreshed struct {
	identity     mainDeploymentIdentity
	state        model
	read, exists bool
	private      fastpath.Private
	diags        diag.Diagnostics
}

// look reads who gets the traffic of a state's address. It keeps what an unreachable
// cluster had.
func (r *mainDeploymentResource) look(ctx context.Context, state model, private session.Keeper) *refreshed {
	f := &refreshed{identity: state.identity(), state: state}
	names := state.ClusterNames(ctx, &f.diags)
	if state.imported() {
		names = r.Clusters.Names() // it may be on any of them
	}
	targets, missing, readable := r.Readable(names, &f.diags)
	if f.diags.HasError() || !readable {
		return f
	}
	observed := observe.Mains(ctx, targets, state.Namespace.ValueString(), state.Application.ValueString(), state.Service(ctx, &f.diags).Name)
	observed = address.Unread(r.Session, observed, missing, state.imported(), &f.diags)
	f.read = true
	if state.imported() {
		f.exists = f.state.rebuild(ctx, observed, &f.diags)
	} else {
		f.exists = f.state.refresh(ctx, observed, &f.diags)
	}
	if !state.imported() || f.exists {
		r.CompareSights(ctx, private, f.state.LookedAt(observed), &f.diags)
	}
	f.state.AbandonUnreachable = types.BoolValue(state.AbandonUnreachable.ValueBool()) // an import, and a state of an earlier version, have none
	return f
}

var _ fastpath.Refresher = (*mainDeploymentResource)(nil)

// Refresh is Read of a state that is no import.
func (r *mainDeploymentResource) Refresh(ctx context.Context, current fastpath.Object, private fastpath.Private) (fastpath.Refreshed, bool) {
	state := newModel()
	if r.Session == nil || !current.Into(ctx, mainDeploymentTypes(), &state) || state.imported() {
		return fastpath.Refreshed{}, false
	}
	found := r.look(ctx, state, private)
	found.private = private
	return fastpath.Refreshed{
		Same:     len(found.diags) == 0 && (!found.read || found.exists && fastpath.Same(&found.state, &state)),
		Identity: map[string]string{"namespace": found.identity.Namespace.ValueString(), "application": found.identity.Application.ValueString()},
		Found:    found,
	}, true
}

// keep takes over what a refresh has noted in private state.
func (f *refreshed) keep(ctx context.Context, resp *resource.ReadResponse) {
	for key, value := range f.private {
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, key, value)...)
	}
}
