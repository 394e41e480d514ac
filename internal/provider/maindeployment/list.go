package maindeployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

var _ list.ListResourceWithConfigure = (*mainDeploymentList)(nil)

// mainDeploymentList finds main deployments for `terraform query`. Name and
// connection are the resource's.
type mainDeploymentList struct{ mainDeploymentResource }

// NewList lists switchback_main_deployment.
func NewList() list.ListResource { return &mainDeploymentList{} }

func (l *mainDeploymentList) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = session.ListSchema("main deployments", "one for each application whose address leads to a deployment.")
}

// List tells what could be imported.
func (l *mainDeploymentList) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	l.Session.List(ctx, req, stream, func(on observe.Listed) []string { return on.Mains }, listMainDeployment)
}

func listMainDeployment(q *session.Query, application string) {
	state := importedMainDeployment(q.Config.Namespace.ValueString(), application)
	observed := observe.Mains(q.Ctx, q.Targets, state.Namespace.ValueString(), application, "")
	to := ""
	for _, o := range observed {
		if o.Err != nil {
			explain.Error(&q.Diags, o.Err)
			return
		}
		if name, ok := o.Split.Stable(); ok && o.Main != nil && to == "" {
			to = name
		}
	}
	if to == "" {
		return
	}
	q.Add(fmt.Sprintf("%s (main is %s)", application, to), state.identity(), func(diags *diag.Diagnostics) any {
		state.rebuild(q.Ctx, observed, diags)
		return &state
	})
}

// importedMainDeployment is a model of which only the id is known, for Read to
// rebuild.
func importedMainDeployment(namespace, application string) model {
	m := newModel()
	m.ID = types.StringValue(attrs.MainID(namespace, application))
	m.Namespace, m.Application = types.StringValue(namespace), types.StringValue(application)
	return m
}
