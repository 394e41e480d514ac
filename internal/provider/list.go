package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// query is one list block at work.
type query struct {
	ctx     context.Context
	session *session
	req     list.ListRequest
	config  listModel
	targets []rollout.Cluster

	results []list.ListResult
	diags   diag.Diagnostics // come last: Terraform stops listening at an error
}

// list looks at the clusters, lets each make a result of every thing it is
// given, and hands over the results.
func (s *session) list(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream, found func(rollout.Listed) []string, each func(*query, string)) {
	q := &query{ctx: ctx, session: s, req: req}
	q.run(found, each)
	if len(q.diags) > 0 {
		q.results = append(q.results, list.ListResult{Diagnostics: q.diags})
	}
	stream.Results = slices.Values(q.results)
}

func (q *query) run(found func(rollout.Listed) []string, each func(*query, string)) {
	q.diags.Append(q.req.Config.Get(q.ctx, &q.config)...)
	names := decode[[]string](q.ctx, &q.diags, q.config.Clusters)
	if len(names) == 0 {
		names = q.session.clusters.Names() // it may be on any of them
	}
	if q.diags.HasError() {
		return
	}
	targets, more := q.session.clusters.Get(names)
	q.diags.Append(more...)
	if q.diags.HasError() {
		return
	}
	things := map[string]bool{}
	for i, l := range q.session.engine.List(q.ctx, targets, q.config.Namespace.ValueString(), q.config.Application.ValueString()) {
		if l.Err != nil {
			q.unread(l.Err)
			continue
		}
		q.targets = append(q.targets, targets[i]) // both are in the order of the names
		for _, name := range found(l) {
			things[name] = true
		}
	}
	if q.diags.HasError() {
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
func (q *query) full() bool { return q.req.Limit > 0 && int64(len(q.results)) >= q.req.Limit }

// unread tells that a cluster could not be read.
func (q *query) unread(err error) {
	if !isUnreachable(err) || q.req.IncludeResource {
		addError(&q.diags, err)
		return
	}
	q.diags.AddWarning("Cluster is unreachable", fmt.Sprintf("%s What is there is missing from this list.", sentence(err.Error())))
}

// add hands over one result.
func (q *query) add(display string, identity any, resource func(*diag.Diagnostics) any) {
	result := q.req.NewListResult(q.ctx)
	result.DisplayName = display
	result.Diagnostics.Append(result.Identity.Set(q.ctx, identity)...)
	if q.req.IncludeResource {
		model := resource(&result.Diagnostics)
		if !result.Diagnostics.HasError() {
			result.Diagnostics.Append(result.Resource.Set(q.ctx, model)...)
		}
	}
	q.results = append(q.results, result)
}
