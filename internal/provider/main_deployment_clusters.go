package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// what names the resource in a sentence.
func (m *mainDeploymentModel) what() string { return "main deployment " + m.ID.ValueString() }

// checkMainLeft is checkMissing for a plan to destroy.
func checkMainLeft(ctx context.Context, configured configuredClusters, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state mainDeploymentModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(checkMissing(configured, state.what(), state.Clusters, types.SetNull(types.StringType), state.AbandonUnreachable.ValueBool())...)
}

// unreadMain adds the clusters that the provider does not have any more, and
// tells of those that could not be read.
func unreadMain(s *session, observed []rollout.ObservedMain, missing []string, imported bool, diags *diag.Diagnostics) []rollout.ObservedMain {
	for _, name := range missing {
		observed = append(observed, rollout.ObservedMain{Cluster: name, Err: s.missing(name)})
	}
	for _, o := range observed {
		if o.Err != nil && !imported {
			s.tellUnread(diags, o.Cluster, o.Err)
		}
	}
	return observed
}

// leaveMain is leave for an application's address: where it cannot be left and
// may not be forgotten on one cluster, it is left on none.
func leaveMain(ctx context.Context, s *session, names []string, plan, state *mainDeploymentModel, service traffic.ServiceSpec, diags *diag.Diagnostics) leaving {
	abandon := plan.AbandonUnreachable.ValueBool() || state.AbandonUnreachable.ValueBool()
	l := s.leave(ctx, names, toWithdraw(service, plan.asksExternalDNS() || state.asksExternalDNS()), abandon, diags)
	l.tellFailed(diags)
	return l
}

// tellForgottenMain is tellForgotten for an application's address. A Service that
// was there before is not ours to remove.
func tellForgottenMain(l leaving, diags *diag.Diagnostics, state *mainDeploymentModel, service traffic.ServiceSpec) {
	memory := release.MainName(state.Application.ValueString())
	remove := "configmap/" + memory + " lease/" + memory
	if !service.Adopt {
		remove = "service/" + service.Name + " " + remove
	}
	if state.asksExternalDNS() {
		remove += " dnsendpoint/" + state.Application.ValueString()
	}
	l.tellForgotten(diags, state.what(), state.Namespace.ValueString(), remove)
}

// onlyGoverns says that nothing differs but how changes are made: that is
// written down and needs no cluster.
func onlyGoverns(planned, prior tftypes.Value) bool {
	names, err := differing(planned, prior)
	return err == nil && len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool {
		return name == "clusters" || !slices.Contains(mainGoverning, name)
	})
}
