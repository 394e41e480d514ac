package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// what names the resource in a sentence.
func (m *mainDeploymentModel) what() string { return "main deployment " + m.ID.ValueString() }

// checkMainLeft is CheckMissing for a plan to destroy.
func checkMainLeft(ctx context.Context, configured session.ConfiguredClusters, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state mainDeploymentModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(session.CheckMissing(configured, state.what(), state.Clusters, types.SetNull(types.StringType), state.AbandonUnreachable.ValueBool())...)
}

// unreadMain adds the clusters that the provider does not have any more, and
// tells of those that could not be read.
func unreadMain(s *session.Session, observed []rollout.ObservedMain, missing []string, imported bool, diags *diag.Diagnostics) []rollout.ObservedMain {
	for _, name := range missing {
		observed = append(observed, rollout.ObservedMain{Cluster: name, Err: s.Missing(name)})
	}
	for _, o := range observed {
		if o.Err != nil && !imported {
			s.TellUnread(diags, o.Cluster, o.Err)
		}
	}
	return observed
}

// leaveMain is leave for an application's address: where it cannot be left and
// may not be forgotten on one cluster, it is left on none.
func leaveMain(ctx context.Context, s *session.Session, names []string, plan, state *mainDeploymentModel, service traffic.ServiceSpec, diags *diag.Diagnostics) session.Leaving {
	abandon := plan.AbandonUnreachable.ValueBool() || state.AbandonUnreachable.ValueBool()
	l := s.Leave(ctx, names, session.ToWithdraw(service, plan.asksExternalDNS() || state.asksExternalDNS()), abandon, diags)
	l.TellFailed(diags)
	return l
}

// tellForgottenMain is tellForgotten for an application's address. A Service that
// was there before is not ours to remove.
func tellForgottenMain(l session.Leaving, diags *diag.Diagnostics, state *mainDeploymentModel, service traffic.ServiceSpec) {
	memory := release.MainName(state.Application.ValueString())
	remove := "configmap/" + memory + " lease/" + memory
	if !service.Adopt {
		remove = "service/" + service.Name + " " + remove
	}
	if state.asksExternalDNS() {
		remove += " dnsendpoint/" + state.Application.ValueString()
	}
	l.TellForgotten(diags, state.what(), state.Namespace.ValueString(), remove)
}

// onlyGoverns says that nothing differs but how changes are made: that is
// written down and needs no cluster.
func onlyGoverns(planned, prior tftypes.Value) bool {
	names, err := attrs.Differing(planned, prior)
	return err == nil && len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool {
		return name == "clusters" || !slices.Contains(mainGoverning, name)
	})
}
