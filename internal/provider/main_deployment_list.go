package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

var _ list.ListResourceWithConfigure = (*mainDeploymentList)(nil)

// mainDeploymentList finds main deployments for `terraform query`. Name and
// connection are the resource's.
type mainDeploymentList struct{ mainDeploymentResource }

// NewMainDeploymentList lists switchback_main_deployment.
func NewMainDeploymentList() list.ListResource { return &mainDeploymentList{} }

func (l *mainDeploymentList) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = listSchema("main deployments", "one for each application whose address leads to a deployment.")
}

// List tells what could be imported.
func (l *mainDeploymentList) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	l.list(ctx, req, stream, func(on rollout.Listed) []string { return on.Mains }, listMainDeployment)
}

func listMainDeployment(q *query, application string) {
	state := importedMainDeployment(q.config.Namespace.ValueString(), application)
	observed := q.session.engine.ObserveMain(q.ctx, q.targets, state.Namespace.ValueString(), application, "")
	to := ""
	for _, o := range observed {
		if o.Err != nil {
			addError(&q.diags, o.Err)
			return
		}
		if name, ok := o.Split.Stable(); ok && o.Main != nil && to == "" {
			to = name
		}
	}
	if to == "" {
		return
	}
	q.add(fmt.Sprintf("%s (main is %s)", application, to), state.identity(), func(diags *diag.Diagnostics) any {
		state.rebuild(q.ctx, observed, diags)
		return &state
	})
}

// importedMainDeployment is a model of which only the id is known, for Read to
// rebuild.
func importedMainDeployment(namespace, application string) mainDeploymentModel {
	m := newMainDeploymentModel()
	m.ID = types.StringValue(mainID(namespace, application))
	m.Namespace, m.Application = types.StringValue(namespace), types.StringValue(application)
	return m
}
