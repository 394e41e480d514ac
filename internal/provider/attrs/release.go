package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Release is one release on one cluster, as data sources show it.
type Release struct {
	ID               types.String `tfsdk:"id"`
	Name             types.String `tfsdk:"name"`
	Application      types.String `tfsdk:"application"`
	Cluster          types.String `tfsdk:"cluster"`
	Version          types.String `tfsdk:"version"`
	Environment      types.String `tfsdk:"environment"`
	Status           types.String `tfsdk:"status"`
	StatusReason     types.String `tfsdk:"status_reason"`
	Custody          types.String `tfsdk:"custody"`
	Main             types.Bool   `tfsdk:"main"`
	Previous         types.Bool   `tfsdk:"previous"`
	PreviousPosition types.Int32  `tfsdk:"previous_position"`
	Retained         types.Bool   `tfsdk:"retained"`
	Condemned        types.Bool   `tfsdk:"condemned"`
	Replicas         types.Int32  `tfsdk:"replicas"`
	ReadyReplicas    types.Int32  `tfsdk:"ready_replicas"`
	CreatedAt        types.String `tfsdk:"created_at"`
	CreatedBy        types.String `tfsdk:"created_by"`
	Collected        types.Bool   `tfsdk:"collected_at_next_promotion"`
	CollectReason    types.String `tfsdk:"collect_reason"`
	KeptUntil        types.String `tfsdk:"kept_until"`

	Durations *Durations `tfsdk:"durations"`
}

var custodyMeaning = map[release.Custody]string{
	release.CustodyClaimed:     "being created: in no state yet",
	release.CustodyOwned:       "in a Terraform state",
	release.CustodyRetained:    "in no state, kept for going back",
	release.CustodyCondemned:   "in no state, but it carries traffic",
	release.CustodyAbandoned:   "its create failed",
	release.CustodyTerminating: "being removed",
}

// ReleaseAttributes describe a Release.
func ReleaseAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id":            DataString("`<namespace>/<name>`: the id of its `switchback_deployment`."),
		"name":          DataString("Name of its objects in the cluster."),
		"application":   DataString("The application that it is a version of."),
		"cluster":       DataString("Name of the cluster that this is about."),
		"version":       DataString("Its version, as it was written."),
		"environment":   DataString("Its environment, as the label on its objects says; null without one."),
		"status":        DataString("How far it came. `" + string(release.StatusDegraded) + "` is a started one that has fewer ready pods than it should."),
		"status_reason": DataString("Why `status` is what it is, where there is something to say."),
		"custody":       DataString("Who answers for it: " + EnumText(release.Custodies(), custodyMeaning) + "."),
		"main":          DataBool("Whether it gets the traffic of the application's address right now."),
		"previous":      DataBool("Whether it was main just before the one that is: what `previous_deployment_id` names."),
		"previous_position": DataInt("Its place among the former main deployments, from 1, the newest; null for one that has not been main before, or is. " +
			"`keep_previous` counts these."),
		"retained":       DataBool("Whether it is kept for going back, and in no Terraform state."),
		"condemned":      DataBool("Whether it is in no Terraform state and stays only because it carries traffic."),
		"replicas":       DataInt("How many pods it should have."),
		"ready_replicas": DataInt("How many of its pods are ready right now."),
		"created_at":     DataString("When it was first created on this cluster, in RFC 3339."),
		"created_by":     DataString("Who created it, as the cluster names the user; null where it does not say."),
		"collected_at_next_promotion": DataBool("Whether the next promotion, to a deployment that is not there yet, will remove it. " +
			"One in a Terraform state never is: its own destroy decides."),
		"collect_reason": DataString("Why it will be removed then; null where it will not."),
		"kept_until": DataString("When `keep_previous.ttl` ends for it, in RFC 3339, by the cluster's clock: the next change of the main deployment after that removes it. " +
			"Null where it is not retained, or has no end."),
		"durations": DataDurationsAttribute(DurationsMeaning + " Null where nothing was measured."),
	}
}

// ReleaseOf is what was found of a release, as data sources show it.
func ReleaseOf(s observe.Surveyed) Release {
	m := Release{
		ID: types.StringValue(s.ID.String()), Name: types.StringValue(s.ID.Name), Application: types.StringValue(s.Application),
		Cluster: types.StringValue(s.Cluster), Version: types.StringValue(s.Record.Version), Environment: TextOrNull(s.EnvironmentName()),
		Custody: types.StringValue(string(s.Record.Custody)),
		Main:    types.BoolValue(s.Main), Previous: types.BoolValue(s.Position == 1), PreviousPosition: types.Int32Null(),
		Retained:  types.BoolValue(s.Record.Custody == release.CustodyRetained),
		Condemned: types.BoolValue(s.Record.Custody == release.CustodyCondemned),
		CreatedAt: TimeOrNull(s.Created), CreatedBy: TextOrNull(s.Record.CreatedBy),
		Collected: types.BoolValue(s.Collected != ""), CollectReason: TextOrNull(s.Collected), KeptUntil: TimeOrNull(s.KeptUntil),
		Durations: DurationsOrNil(s.Record.Durations),
	}
	if s.Position > 0 {
		m.PreviousPosition = types.Int32Value(int32(s.Position))
	}
	ready, wanted := s.Pods()
	m.Replicas, m.ReadyReplicas = types.Int32Value(wanted), types.Int32Value(ready)
	status, reason := s.Status()
	m.Status, m.StatusReason = types.StringValue(string(status)), TextOrNull(reason)
	return m
}
