package session

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// DataSource is what all data sources have in common.
type DataSource struct{ *Session }

// Configure takes over what the provider's Configure made.
func (d *DataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.Session = Of(req.ProviderData, &resp.Diagnostics)
}

// LooksAt are the clusters that a data source reads: those it names, or all that
// the provider has. Unlike a resource it changes nothing, so that "all" is safe.
func (d *DataSource) LooksAt(ctx context.Context, clusters types.Set, diags *diag.Diagnostics) []rollout.Cluster {
	names := attrs.Decode[[]string](ctx, diags, clusters)
	if len(names) == 0 {
		names = d.Clusters.Names()
	}
	if diags.HasError() {
		return nil
	}
	found, more := d.Clusters.Get(names)
	diags.Append(more...)
	return found
}

// Surveyed are the releases of a namespace on all clusters, the newest first. A
// cluster that cannot be read is an error: a list without it would be taken for
// the whole.
func (d *DataSource) Surveyed(ctx context.Context, clusters types.Set, namespace, application string, diags *diag.Diagnostics) []observe.Surveyed {
	targets := d.LooksAt(ctx, clusters, diags)
	if diags.HasError() {
		return nil
	}
	var found []observe.Surveyed
	for _, s := range observe.Surveys(ctx, targets, namespace, application) {
		if s.Err != nil {
			explain.Error(diags, s.Err)
		}
		found = append(found, s.Releases...)
	}
	slices.SortStableFunc(found, func(a, b observe.Surveyed) int { return b.Created.Compare(a.Created) })
	return found
}

// ReadAnew is true of all data sources that look at what runs.
const ReadAnew = "Each plan and each refresh reads anew. Where the same configuration makes or changes what is looked at, `depends_on` lets this wait for it: the `id` of a deployment is known before it is there."

// DeploymentAsked reads the id of what a data source looks at. What is not one is
// refused here, not by a validator: see attrs.CheckDeploymentID.
func DeploymentAsked(id types.String, diags *diag.Diagnostics) release.ID {
	asked, err := release.ParseID(id.ValueString())
	if err != nil || !attrs.DNS1123.MatchString(asked.Namespace) || !attrs.DNS1123.MatchString(asked.Name) {
		diags.AddAttributeError(path.Root("deployment"), "Invalid deployment id",
			fmt.Sprintf("%q is not the id of a deployment: <namespace>/<name>, as the attribute `id` of a switchback_deployment is.", id.ValueString()))
	}
	return asked
}
