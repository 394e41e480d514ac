package diagnosis

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

var _ datasource.DataSourceWithConfigure = (*diagnosisDataSource)(nil)

type diagnosisDataSource struct{ session.DataSource }

// NewDataSource is the data source switchback_diagnosis.
func NewDataSource() datasource.DataSource { return &diagnosisDataSource{} }

func (d *diagnosisDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_diagnosis"
}

func (d *diagnosisDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = diagnosisSchema()
}

type diagnosisModel struct {
	Deployment types.String `tfsdk:"deployment"`
	Namespace  types.String `tfsdk:"namespace"`
	Workload   types.String `tfsdk:"workload"`
	Selector   types.String `tfsdk:"selector"`
	Clusters   types.Set    `tfsdk:"clusters"`

	Verdict   types.String              `tfsdk:"verdict"`
	Ready     types.Int32               `tfsdk:"ready"`
	Want      types.Int32               `tfsdk:"want"`
	Text      types.String              `tfsdk:"text"`
	Findings  []findingModel            `tfsdk:"findings"`
	Unread    []string                  `tfsdk:"unread"`
	ByCluster map[string]diagnosedModel `tfsdk:"by_cluster"`
}

type findingModel struct {
	Clusters  []string     `tfsdk:"clusters"`
	Cause     types.String `tfsdk:"cause"`
	Class     types.String `tfsdk:"class"`
	Object    types.String `tfsdk:"object"`
	Container types.String `tfsdk:"container"`
	Sentence  types.String `tfsdk:"sentence"`
	Evidence  types.String `tfsdk:"evidence"`
	Hint      types.String `tfsdk:"hint"`
	Affected  types.Int32  `tfsdk:"affected"`
	Of        types.Int32  `tfsdk:"of"`
	Log       types.String `tfsdk:"log"`
}

type diagnosedModel struct {
	Verdict types.String `tfsdk:"verdict"`
	Ready   types.Int32  `tfsdk:"ready"`
	Want    types.Int32  `tfsdk:"want"`
	Causes  []string     `tfsdk:"causes"`
	Unread  []string     `tfsdk:"unread"`
}

// Read judges what is asked for anew.
func (d *diagnosisDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m diagnosisModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	subject := m.subject(&resp.Diagnostics)
	targets := d.LooksAt(ctx, m.Clusters, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	all, err := diagnose.On(ctx, targets, subject, d.Engine.PatienceFor(diagnose.TailPatience))
	if err != nil {
		explain.Error(&resp.Diagnostics, err)
		return
	}
	m.fill(subject, all)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

func (m *diagnosisModel) subject(diags *diag.Diagnostics) diagnose.Subject {
	if m.Deployment.IsNull() {
		return diagnose.Subject{Namespace: m.Namespace.ValueString(), Workload: m.Workload.ValueString(), Selector: m.Selector.ValueString()}
	}
	id := session.DeploymentAsked(m.Deployment, diags)
	return diagnose.Subject{Namespace: id.Namespace, Workload: id.Name}
}

func (m *diagnosisModel) fill(subject diagnose.Subject, all []diagnose.Diagnosed) {
	var clusters []string
	var states []health.State
	var found [][]health.Finding
	var ready, want int32
	m.ByCluster, m.Unread, m.Findings = map[string]diagnosedModel{}, []string{}, []findingModel{}
	for _, d := range all {
		one := diagnosedModel{
			Verdict: types.StringValue(string(d.Verdict.State)), Ready: types.Int32Value(d.Verdict.Ready), Want: types.Int32Value(d.Verdict.Want),
			Causes: []string{}, Unread: []string{},
		}
		for _, f := range d.Verdict.Findings {
			if !slices.Contains(one.Causes, string(f.Cause)) {
				one.Causes = append(one.Causes, string(f.Cause))
			}
		}
		for _, u := range d.Unread {
			one.Unread = append(one.Unread, u.Resource)
			m.Unread = append(m.Unread, fmt.Sprintf("Cluster %q: %s: %v", d.Cluster, u.Resource, u.Err))
		}
		m.ByCluster[d.Cluster] = one
		clusters, states, found = append(clusters, d.Cluster), append(states, d.Verdict.State), append(found, d.Verdict.Findings)
		ready, want = ready+d.Verdict.Ready, want+d.Verdict.Want
	}
	m.Verdict, m.Ready, m.Want = types.StringValue(string(health.Worst(states))), types.Int32Value(ready), types.Int32Value(want)
	merged := health.MergeClusters(clusters, found)
	plain := make([]health.Finding, len(merged))
	for i, f := range merged {
		plain[i] = f.Finding
		m.Findings = append(m.Findings, findingData(f))
	}
	name := subject.Workload
	if name == "" {
		name = "What " + subject.Selector + " selects"
	}
	m.Text = types.StringValue(fmt.Sprintf("%s in namespace %s: %s, %d of %d pods are ready.%s",
		name, subject.Namespace, health.Worst(states), ready, want, strings.TrimRight(health.Text(plain), "\n")))
}

func findingData(f health.Across) findingModel {
	m := findingModel{
		Clusters: f.Clusters, Cause: types.StringValue(string(f.Cause)), Class: types.StringValue(string(f.Class)),
		Object: types.StringValue(f.Object), Container: attrs.TextOrNull(f.Container), Sentence: types.StringValue(f.Sentence),
		Evidence: attrs.TextOrNull(f.Evidence), Hint: attrs.TextOrNull(f.Hint), Log: attrs.TextOrNull(f.Log),
	}
	if f.Of > 0 {
		m.Affected, m.Of = types.Int32Value(int32(f.Affected)), types.Int32Value(int32(f.Of))
	}
	return m
}
