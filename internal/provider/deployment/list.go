package deployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var _ list.ListResourceWithConfigure = (*deploymentList)(nil)

// deploymentList finds deployments for `terraform query`. Name and connection
// are the resource's.
type deploymentList struct{ deploymentResource }

// NewList lists switchback_deployment.
func NewList() list.ListResource { return &deploymentList{} }

func (l *deploymentList) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = session.ListSchema("deployments", "those that a state holds, and those that are kept for going back or were left behind.")
}

// List tells what could be imported: it leaves out what is being removed.
func (l *deploymentList) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	l.Session.List(ctx, req, stream, func(on observe.Listed) []string {
		var ids []string
		for _, id := range on.Releases {
			ids = append(ids, id.String())
		}
		return ids
	}, listDeployment)
}

func listDeployment(q *session.Query, text string) {
	id, err := release.ParseID(text)
	state, ok := importedDeployment(id)
	if err != nil || !ok {
		return
	}
	observed := observe.Releases(q.Ctx, q.Targets, id)
	var record *release.Record
	for _, o := range observed {
		if o.Err != nil {
			explain.Error(&q.Diags, o.Err)
			return
		}
		if o.Record != nil && o.Workload != nil && o.Record.Custody != release.CustodyTerminating && record == nil {
			record = o.Record
		}
	}
	if record == nil {
		return
	}
	q.Add(fmt.Sprintf("%s (%s, %s)", id.Name, record.Version, record.Status), state.identity(), func(diags *diag.Diagnostics) any {
		state.rebuild(q.Ctx, id, observed, diags)
		return &state
	})
}

// importedDeployment is a model of which only the id is known, for Read to
// rebuild; false where the name is none of a deployment.
func importedDeployment(id release.ID) (model, bool) {
	application, ok := release.ApplicationOf(id.Name)
	m := newModel()
	m.ID = types.StringValue(id.String())
	m.Namespace, m.Application = types.StringValue(id.Namespace), types.StringValue(application)
	return m, ok
}
