package address

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Unread adds the clusters that the provider does not have any more, and tells of
// those that could not be read. An import tells of them as errors.
func Unread(s *session.Session, observed []observe.Main, missing []string, imported bool, diags *diag.Diagnostics) []observe.Main {
	for _, name := range missing {
		observed = append(observed, observe.Main{Cluster: name, Err: s.Missing(name)})
	}
	for _, o := range observed {
		if o.Err != nil && !imported {
			s.TellUnread(diags, o.Cluster, o.Err)
		}
	}
	return observed
}

// Leave prepares to leave clusters: where the address cannot be left and may not be
// forgotten on one of them, it is left on none. named says that the address has a
// name across clusters.
func Leave(ctx context.Context, s *session.Session, names []string, service traffic.ServiceSpec, route *traffic.RouteSpec, named, abandon bool, diags *diag.Diagnostics) session.Leaving {
	l := s.Leave(ctx, names, session.ToWithdraw(service, named).And(route), abandon, diags)
	l.TellFailed(diags)
	return l
}

// TellForgotten tells what stays of the address on clusters that are forgotten. A
// Service or a route that was there before is not ours to remove.
func (m *Model) TellForgotten(l session.Leaving, service traffic.ServiceSpec, route *traffic.RouteSpec, named bool, diags *diag.Diagnostics) {
	memory := release.MainName(m.Application.ValueString())
	remove := "configmap/" + memory + " lease/" + memory
	if !service.Adopt {
		remove = "service/" + service.Name + " " + remove
	}
	if route != nil && !route.Adopt {
		remove = strings.ToLower(string(route.Kind)) + "/" + route.Name + " " + remove
	}
	if named {
		remove += " dnsendpoint/" + m.Application.ValueString()
	}
	l.TellForgotten(diags, m.What(), m.Namespace.ValueString(), remove)
}

// LookedAt are the clusters on which the address could be read.
func (m *Model) LookedAt(observed []observe.Main) []session.Looked {
	var found []session.Looked
	for _, o := range observed {
		if o.Err == nil {
			found = append(found, session.Looked{
				Cluster: o.Cluster, Namespace: m.Namespace.ValueString(), Application: m.Application.ValueString(),
				Past: o.Past, OutOfDate: o.Main.OutOfDate(m.Owner.ValueString()),
			})
		}
	}
	return found
}
