package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var _ datasource.DataSourceWithConfigure = (*historyDataSource)(nil)

type historyDataSource struct{ session.DataSource }

// NewDataSource is the data source switchback_history.
func NewDataSource() datasource.DataSource { return &historyDataSource{} }

func (d *historyDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_history"
}

type historyModel struct {
	Namespace   types.String `tfsdk:"namespace"`
	Application types.String `tfsdk:"application"`
	Operation   types.String `tfsdk:"operation"`
	Limit       types.Int32  `tfsdk:"limit"`
	Clusters    types.Set    `tfsdk:"clusters"`
	Entries     []entryModel `tfsdk:"entries"`
}

type entryModel struct {
	ID           types.String `tfsdk:"id"`
	Time         types.String `tfsdk:"time"`
	Cluster      types.String `tfsdk:"cluster"`
	Operation    types.String `tfsdk:"operation"`
	Outcome      types.String `tfsdk:"outcome"`
	Reason       types.String `tfsdk:"reason"`
	DeploymentID types.String `tfsdk:"deployment_id"`
	Version      types.String `tfsdk:"version"`
	From         types.String `tfsdk:"from"`
	To           types.String `tfsdk:"to"`
	Group        types.String `tfsdk:"group"`
	By           types.String `tfsdk:"by"`
	Duration     types.String `tfsdk:"duration"`
	Run          *runModel    `tfsdk:"run"`

	Durations *attrs.Durations `tfsdk:"durations"`
}

type runModel struct {
	Tool      types.String `tfsdk:"tool"`
	ID        types.String `tfsdk:"id"`
	URL       types.String `tfsdk:"url"`
	Commit    types.String `tfsdk:"commit"`
	Ref       types.String `tfsdk:"ref"`
	Project   types.String `tfsdk:"project"`
	Workspace types.String `tfsdk:"workspace"`
	Actor     types.String `tfsdk:"actor"`
}

var operationMeaning = map[release.Operation]string{
	release.OperationDeploy: "created, or adopted", release.OperationUpdate: "changed in place",
	release.OperationPromote: "made main", release.OperationRollback: "a former main made main again",
	release.OperationStop: "scaled to zero", release.OperationStart: "and back", release.OperationRestart: "pods replaced",
	release.OperationCancel: "ended while it was under way", release.OperationTerminate: "removed, as asked for",
	release.OperationRetain: "no longer in a state, kept for going back", release.OperationCondemn: "no longer in a state, but it carries traffic",
	release.OperationCollect: "removed by a promotion, because nobody needed it", release.OperationRemoveMain: "the application's address removed",
	release.OperationResume: "a promotion, or a change in place, that was paused let go on",
	release.OperationHold:   "a promotion held where it is",
	release.OperationSkip:   "the shares and pauses that were left of a promotion skipped",
	release.OperationRetry:  "a deployment that was refused let be tried once more",
}

func (d *historyDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: fmt.Sprintf("What was done to an application, when, by whom and with what result: the last %d entries of each cluster. "+
			"Deployments that are gone are still in it; it is removed together with the last one of the application.", release.HistoryEntries),
		Attributes: map[string]schema.Attribute{
			"namespace":   attrs.DataNamespaceAttribute(),
			"application": schema.StringAttribute{Required: true, MarkdownDescription: "Name of the application.", Validators: attrs.ApplicationName()},
			"operation": schema.StringAttribute{
				Optional: true, MarkdownDescription: "Only this operation, one of " + attrs.EnumText(release.Operations(), operationMeaning) + ".",
				Validators: []validator.String{attrs.OneOf(release.Operations())},
			},
			"limit":    schema.Int32Attribute{CustomType: attrs.WholeNumber32{}, Optional: true, MarkdownDescription: "At most so many, the newest. Default: all.", Validators: []validator.Int32{int32validator.AtLeast(1)}},
			"clusters": attrs.DataClustersAttribute(),
			"entries": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The newest first.",
				NestedObject:        schema.NestedAttributeObject{Attributes: entryAttributes()},
			},
		},
	}
}

func entryAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id":            attrs.DataString("Of the operation, on this cluster."),
		"time":          attrs.DataString("When it ended, in RFC 3339, by the clock of where Terraform ran."),
		"cluster":       attrs.DataString("Name of the cluster that this is about."),
		"operation":     attrs.DataString("What was done."),
		"outcome":       attrs.DataString("How it ended: " + attrs.EnumText(release.Outcomes(), nil) + "."),
		"reason":        attrs.DataString("Why, in one line, where there is something to say. What looks like a credential is masked."),
		"deployment_id": attrs.DataString("The deployment that it was done to. It may be gone by now."),
		"version":       attrs.DataString("That deployment's version; null where it is not known."),
		"from":          attrs.DataString("Of a move of the traffic: id of the deployment that had it; null for none."),
		"to":            attrs.DataString("Of a move of the traffic: id of the deployment that was meant to get it."),
		"group":         attrs.DataString("Of a move of the traffic: name of the `switchback_deployment_group` that it was part of; null for none."),
		"by":            attrs.DataString("Who did it, as the cluster names the user; null where it does not say."),
		"duration":      attrs.DataString("How long it took, as a text like `12.3s`; null where it was not measured."),
		"durations":     attrs.DataDurationsAttribute("Of what started pods, and well: how long that took, part by part, as `durations` of a `switchback_deployment`; else null."),
		"run": schema.SingleNestedAttribute{
			Computed: true,
			MarkdownDescription: "The automation that Terraform ran in, as the environment variables of HCP Terraform (`TFC_…`), GitHub Actions (`GITHUB_…`) " +
				"or GitLab CI (`CI_…`) told; null outside of any.",
			Attributes: map[string]schema.Attribute{
				"tool":      attrs.DataString("`hcp-terraform`, `github-actions`, `gitlab-ci`, or `ci` for another one."),
				"id":        attrs.DataString("Id of the run, or of the pipeline."),
				"url":       attrs.DataString("Where to look at it."),
				"commit":    attrs.DataString("The commit that it ran for."),
				"ref":       attrs.DataString("The branch or tag."),
				"project":   attrs.DataString("The project or repository."),
				"workspace": attrs.DataString("The workspace of HCP Terraform, else the value of `TF_WORKSPACE`."),
				"actor":     attrs.DataString("Who started it, by the tool's word."),
			},
		},
	}
}

// Read shows what the clusters remember.
func (d *historyDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m historyModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	targets := d.LooksAt(ctx, m.Clusters, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	m.Entries = []entryModel{}
	for _, h := range observe.Histories(ctx, targets, m.Namespace.ValueString(), m.Application.ValueString()) {
		if h.Err != nil {
			explain.Error(&resp.Diagnostics, h.Err)
		}
		for _, e := range slices.Backward(h.Entries) {
			if m.Operation.IsNull() || m.Operation.ValueString() == string(e.Operation) {
				m.Entries = append(m.Entries, entryData(h.Cluster, m.Namespace.ValueString(), e))
			}
		}
	}
	slices.SortStableFunc(m.Entries, func(a, b entryModel) int { // all are UTC, of one width
		return cmp.Compare(b.Time.ValueString(), a.Time.ValueString())
	})
	if limit := int(m.Limit.ValueInt32()); limit > 0 && len(m.Entries) > limit {
		m.Entries = m.Entries[:limit]
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

func entryData(cluster, namespace string, e release.Entry) entryModel {
	m := entryModel{
		ID: types.StringValue(e.ID), Time: attrs.TimeOrNull(e.Time), Cluster: types.StringValue(cluster),
		Operation: types.StringValue(string(e.Operation)), Outcome: types.StringValue(string(e.Outcome)), Reason: attrs.TextOrNull(e.Reason),
		DeploymentID: attrs.IDOrNull(namespace, e.Deployment), Version: attrs.TextOrNull(e.Version),
		Durations: attrs.DurationsOrNil(e.Durations), From: attrs.IDOrNull(namespace, e.From), To: attrs.IDOrNull(namespace, e.To), Group: attrs.TextOrNull(e.Group), By: attrs.TextOrNull(e.By),
	}
	if e.Duration > 0 {
		m.Duration = types.StringValue(e.Duration.String())
	}
	if e.Run != (release.Run{}) {
		m.Run = &runModel{
			Tool: attrs.TextOrNull(e.Run.Tool), ID: attrs.TextOrNull(e.Run.ID), URL: attrs.TextOrNull(e.Run.URL), Commit: attrs.TextOrNull(e.Run.Commit),
			Ref: attrs.TextOrNull(e.Run.Ref), Project: attrs.TextOrNull(e.Run.Project), Workspace: attrs.TextOrNull(e.Run.Workspace), Actor: attrs.TextOrNull(e.Run.Actor),
		}
	}
	return m
}
