package address

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// AdoptsRule says that it takes over a rule of somebody else's route: of a first deployment
// behind one, something may be remembered although nothing is main.
func (m *Model) AdoptsRule(ctx context.Context) bool {
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	route := m.Route(ctx, &quiet)
	return route != nil && route.Adopt
}

// WarnOfRefusal tells at plan that the apply will be refused, because the deployment
// was main already and did not pass its bake. It is no error: the rest of the plan may
// be meant.
func (m *Model) WarnOfRefusal(ctx context.Context, s *session.Session, place explain.Place, diags *diag.Diagnostics) {
	id, err := release.ParseID(m.DeploymentID.ValueString())
	if err != nil || m.RetryToken.IsUnknown() || !attrs.WhollyKnown(ctx, m.Clusters) {
		return
	}
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	targets, _, readable := s.Readable(m.ClusterNames(ctx, &quiet), &quiet)
	if quiet.HasError() || !readable {
		return
	}
	ctx, cancel := s.Looking(ctx)
	defer cancel()
	for _, o := range observe.Mains(ctx, targets, m.Namespace.ValueString(), m.Application.ValueString(), "") {
		now, _ := o.Split.Stable()
		if o.Err != nil || now == id.Name || !o.Breach.Refuses(id.Name, m.RetryToken.ValueString()) {
			continue
		}
		summary, detail, _ := explain.Of(&release.TakenBackError{Cluster: o.Cluster, ID: id, Breach: *o.Breach})
		diags.AddAttributeWarning(place.Named("deployment_id"), summary, "The apply of this plan will be refused. "+detail)
		return
	}
}
