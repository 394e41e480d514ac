package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// dataSource is what all data sources have in common.
type dataSource struct{ *session }

// Configure takes over what the provider's Configure made.
func (d *dataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.session = sessionOf(req.ProviderData, &resp.Diagnostics)
}

// looksAt are the clusters that a data source reads: those it names, or all that
// the provider has. Unlike a resource it changes nothing, so that "all" is safe.
func (d *dataSource) looksAt(ctx context.Context, clusters types.Set, diags *diag.Diagnostics) []rollout.Cluster {
	names := decode[[]string](ctx, diags, clusters)
	if len(names) == 0 {
		names = d.clusters.Names()
	}
	if diags.HasError() {
		return nil
	}
	found, more := d.clusters.Get(names)
	diags.Append(more...)
	return found
}

// surveyed are the releases of a namespace on all clusters, the newest first. A
// cluster that cannot be read is an error: a list without it would be taken for
// the whole.
func (d *dataSource) surveyed(ctx context.Context, clusters types.Set, namespace, application string, diags *diag.Diagnostics) []rollout.Surveyed {
	targets := d.looksAt(ctx, clusters, diags)
	if diags.HasError() {
		return nil
	}
	var found []rollout.Surveyed
	for _, s := range d.engine.Survey(ctx, targets, namespace, application) {
		if s.Err != nil {
			addError(diags, s.Err)
		}
		found = append(found, s.Releases...)
	}
	slices.SortStableFunc(found, func(a, b rollout.Surveyed) int { return b.Created.Compare(a.Created) })
	return found
}

func dataClustersAttribute() schema.SetAttribute {
	return schema.SetAttribute{
		ElementType:         types.StringType,
		Optional:            true,
		MarkdownDescription: "Names of the clusters to look at, of those in the provider's configuration. Default: all of them. One that cannot be reached is an error.",
		Validators:          []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues()},
	}
}

func dataNamespaceAttribute() schema.StringAttribute {
	return schema.StringAttribute{Required: true, MarkdownDescription: "Kubernetes namespace to look at.", Validators: namespaceName()}
}

func dataString(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}

func dataBool(description string) schema.BoolAttribute {
	return schema.BoolAttribute{Computed: true, MarkdownDescription: description}
}

func dataInt(description string) schema.Int32Attribute {
	return schema.Int32Attribute{Computed: true, MarkdownDescription: description}
}

// idOrNull is a release's id by its name; null for none.
func idOrNull(namespace, name string) types.String {
	if name == "" {
		return types.StringNull()
	}
	return types.StringValue(release.ID{Namespace: namespace, Name: name}.String())
}
