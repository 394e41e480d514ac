package deploymentgroup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var _ list.ListResourceWithConfigure = (*deploymentGroupList)(nil)

// deploymentGroupList finds groups for `terraform query`. Name and connection are the
// resource's.
type deploymentGroupList struct{ deploymentGroupResource }

// NewList lists switchback_deployment_group.
func NewList() list.ListResource { return &deploymentGroupList{} }

func (l *deploymentGroupList) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = session.ListSchema("deployment groups", "one for each group that has a member there.")
}

// List tells what could be imported.
func (l *deploymentGroupList) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	l.Session.List(ctx, req, stream, func(on observe.Listed) []string { return on.Groups }, listGroup)
}

// listGroup tells a group by the id that imports it, which may be in another namespace.
func listGroup(q *session.Query, name string) {
	found := observe.GroupIn(q.Ctx, q.Targets, q.Config.Namespace.ValueString(), name)
	for _, err := range found.Errs {
		explain.Error(&q.Diags, err)
	}
	if len(found.Errs) > 0 || len(found.Members) == 0 {
		return
	}
	id := release.ID{Namespace: found.First(), Name: name}
	state := importedGroup(id)
	display := fmt.Sprintf("%s (%s)", name, strings.Join(slices.Sorted(maps.Keys(found.Members)), ", "))
	q.Add(display, state.identity(q.Ctx, &q.Diags), func(diags *diag.Diagnostics) any {
		state.rebuild(q.Ctx, id, found, diags)
		return &state
	})
}
