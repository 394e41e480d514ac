package session

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Query is one list block at work.
type Query struct {
	Ctx     context.Context
	Session *Session
	req     list.ListRequest
	Config  listModel
	Targets []rollout.Cluster

	results []list.ListResult
	Diags   diag.Diagnostics // come last: Terraform stops listening at an error
}

// List looks at the clusters, lets each make a result of every thing it is
// given, and hands over the results.
func (s *Session) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream, found func(observe.Listed) []string, each func(*Query, string)) {
	q := &Query{Ctx: ctx, Session: s, req: req}
	q.run(found, each)
	if len(q.Diags) > 0 {
		q.results = append(q.results, list.ListResult{Diagnostics: q.Diags})
	}
	stream.Results = slices.Values(q.results)
}

func (q *Query) run(found func(observe.Listed) []string, each func(*Query, string)) {
	q.Diags.Append(q.req.Config.Get(q.Ctx, &q.Config)...)
	names := attrs.Decode[[]string](q.Ctx, &q.Diags, q.Config.Clusters)
	if len(names) == 0 {
		names = q.Session.Clusters.Names() // it may be on any of them
	}
	if q.Diags.HasError() {
		return
	}
	targets, more := q.Session.Clusters.Get(names)
	q.Diags.Append(more...)
	if q.Diags.HasError() {
		return
	}
	things := map[string]bool{}
	for i, l := range observe.List(q.Ctx, targets, q.Config.Namespace.ValueString(), q.Config.Application.ValueString()) {
		if l.Err != nil {
			q.unread(l.Err)
			continue
		}
		q.Targets = append(q.Targets, targets[i]) // both are in the order of the names
		for _, name := range found(l) {
			things[name] = true
		}
	}
	if q.Diags.HasError() {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(things)) {
		if q.full() {
			return
		}
		each(q, name)
	}
}

// full says that Terraform wants no more results.
func (q *Query) full() bool { return q.req.Limit > 0 && int64(len(q.results)) >= q.req.Limit }

// unread tells that a cluster could not be read.
func (q *Query) unread(err error) {
	if !explain.Unreachable(err) || q.req.IncludeResource {
		explain.Error(&q.Diags, err)
		return
	}
	q.Diags.AddWarning("Cluster is unreachable", fmt.Sprintf("%s What is there is missing from this list.", explain.Sentence(err.Error())))
}

// Add hands over one result.
func (q *Query) Add(display string, identity any, resource func(*diag.Diagnostics) any) {
	result := q.req.NewListResult(q.Ctx)
	result.DisplayName = display
	result.Diagnostics.Append(result.Identity.Set(q.Ctx, identity)...)
	if q.req.IncludeResource {
		model := resource(&result.Diagnostics)
		if !result.Diagnostics.HasError() {
			result.Diagnostics.Append(result.Resource.Set(q.Ctx, model)...)
		}
	}
	q.results = append(q.results, result)
}

// ListSchema is what a list block says: where to look, and for what. what is in
// the plural.
func ListSchema(what, how string) schema.Schema {
	return schema.Schema{
		MarkdownDescription: fmt.Sprintf("The %s of a namespace, for `terraform query` (Terraform 1.14 or later): %s "+
			"A cluster that cannot be reached is told; with `include_resource`, or when configuration is generated, it is an error, "+
			"because what was found on the others alone would look complete.", what, how),
		Attributes: map[string]schema.Attribute{
			"namespace": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Kubernetes namespace. Use `for_each` on the `list` block for several.",
				Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"application": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of the application. Default: every one.",
				Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"clusters": schema.ListAttribute{
				ElementType:         types.StringType,
				Optional:            true,
				MarkdownDescription: "Names of the clusters to look at, of those in the provider's configuration. Default: all of them.",
				Validators:          []validator.List{listvalidator.SizeAtLeast(1), listvalidator.NoNullValues(), listvalidator.UniqueValues()},
			},
		},
	}
}

// listModel is a list block's configuration.
type listModel struct {
	Namespace   types.String `tfsdk:"namespace"`
	Application types.String `tfsdk:"application"`
	Clusters    types.List   `tfsdk:"clusters"`
}
