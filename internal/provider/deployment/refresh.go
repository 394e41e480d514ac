package deployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// refreshed is what a refresh has found.
type refreshed struct {
	identity     deploymentIdentity
	state        model
	read, exists bool
	private      fastpath.Private
	diags        diag.Diagnostics
}

// look reads what the clusters have of a state. It keeps what an unreachable cluster
// had.
func (r *deploymentResource) look(ctx context.Context, state model, private session.Keeper) *refreshed {
	f := &refreshed{identity: state.identity(), state: state}
	id, err := release.ParseID(state.ID.ValueString())
	if err != nil {
		f.diags.AddAttributeError(path.Root("id"), "Invalid deployment id", explain.Sentence(err.Error()))
	}
	names := state.clusterNames(ctx, &f.diags)
	if state.imported() {
		names = r.Clusters.Names() // it may be on any of them
	}
	targets, missing, readable := r.Readable(names, &f.diags)
	if f.diags.HasError() || !readable {
		return f
	}
	observed := observe.Releases(ctx, targets, id)
	for _, name := range missing {
		observed = append(observed, observe.Release{Cluster: name, Err: r.Missing(name)})
	}
	for _, o := range observed {
		if o.Err != nil && !state.imported() {
			r.TellUnread(&f.diags, o.Cluster, o.Err)
		}
	}
	f.read = true
	if state.imported() {
		f.exists = f.state.rebuild(ctx, id, observed, &f.diags)
	} else {
		f.exists = f.state.refresh(ctx, observed, &f.diags)
	}
	if !state.imported() || f.exists {
		r.CompareSights(ctx, private, f.state.lookedAt(observed), &f.diags)
	}
	return f
}

var _ fastpath.Refresher = (*deploymentResource)(nil)

// Refresh is Read of a state that is no import.
func (r *deploymentResource) Refresh(ctx context.Context, current fastpath.Object, private fastpath.Private) (fastpath.Refreshed, bool) {
	state := newModel()
	if r.Session == nil || !current.Into(ctx, deploymentTypes(), &state) || state.imported() {
		return fastpath.Refreshed{}, false
	}
	found := r.look(ctx, state, private)
	found.private = private
	return fastpath.Refreshed{
		Same:     len(found.diags) == 0 && (!found.read || found.exists && fastpath.Same(&found.state, &state)),
		Identity: map[string]string{"namespace": found.identity.Namespace.ValueString(), "name": found.identity.Name.ValueString()},
		Found:    found,
	}, true
}

// keep takes over what a refresh has noted in private state.
func (f *refreshed) keep(ctx context.Context, resp *resource.ReadResponse) {
	for key, value := range f.private {
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, key, value)...)
	}
}
