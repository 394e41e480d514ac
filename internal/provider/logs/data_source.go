package logs

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

var (
	_ datasource.DataSourceWithConfigure      = (*logsDataSource)(nil)
	_ datasource.DataSourceWithValidateConfig = (*logsDataSource)(nil)
)

// defaultTail is how many lines of each container there are where nobody says.
const defaultTail = 100

type logsDataSource struct{ session.DataSource }

// NewDataSource is the data source switchback_logs.
func NewDataSource() datasource.DataSource { return &logsDataSource{} }

func (d *logsDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_logs"
}

func (d *logsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = logsSchema()
}

type logsModel struct {
	Deployment   types.String `tfsdk:"deployment"`
	Clusters     types.Set    `tfsdk:"clusters"`
	Type         types.String `tfsdk:"type"`
	Container    types.String `tfsdk:"container"`
	Previous     types.Bool   `tfsdk:"previous"`
	Since        types.String `tfsdk:"since"`
	Tail         types.Int32  `tfsdk:"tail"`
	Level        types.String `tfsdk:"level"`
	Contains     types.String `tfsdk:"contains"`
	Regex        types.String `tfsdk:"regex"`
	DownloadPath types.String `tfsdk:"download_path"`
	Redact       types.Bool   `tfsdk:"redact"`

	Entries         []logEntryModel `tfsdk:"entries"`
	Text            types.String    `tfsdk:"text"`
	Notes           []string        `tfsdk:"notes"`
	DownloadedPath  types.String    `tfsdk:"downloaded_path"`
	DownloadedBytes types.Int64     `tfsdk:"downloaded_bytes"`
	DownloadedLines types.Int64     `tfsdk:"downloaded_lines"`
}

type logEntryModel struct {
	Time      types.String `tfsdk:"time"`
	Cluster   types.String `tfsdk:"cluster"`
	Pod       types.String `tfsdk:"pod"`
	Container types.String `tfsdk:"container"`
	Level     types.String `tfsdk:"level"`
	Message   types.String `tfsdk:"message"`
}

// ValidateConfig refuses what means nothing for events.
func (d *logsDataSource) ValidateConfig(ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	var m logsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if m.Type.ValueString() != string(logs.SourceEvents) {
		return
	}
	for name, given := range map[string]bool{"container": !m.Container.IsNull(), "previous": !m.Previous.IsNull(), "download_path": !m.DownloadPath.IsNull()} {
		if given {
			resp.Diagnostics.AddAttributeError(path.Root(name), "Attribute is about containers",
				"With type = \"events\" no container's log is read. Leave this attribute out, or set type = \"container\".")
		}
	}
}

// Read reads the logs anew.
func (d *logsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m logsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	id := session.DeploymentAsked(m.Deployment, &resp.Diagnostics)
	targets := d.LooksAt(ctx, m.Clusters, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	q := m.query()
	q.ID = id
	switch m.Type.ValueString() {
	case string(logs.SourceEvents):
		d.events(ctx, targets, q, &m, &resp.Diagnostics)
	default:
		d.containers(ctx, targets, q, &m, &resp.Diagnostics)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// query is what the configuration asks for; its values have been checked.
func (m *logsModel) query() diagnose.LogQuery {
	q := diagnose.LogQuery{Container: m.Container.ValueString(), Previous: m.Previous.ValueBool(), Tail: defaultTail, Filter: logs.Filter{
		Level: logs.Level(m.Level.ValueString()), Contains: m.Contains.ValueString(),
	}}
	q.Since, _ = time.ParseDuration(m.Since.ValueString())
	if !m.Tail.IsNull() {
		q.Tail = int(m.Tail.ValueInt32())
	}
	if text := m.Regex.ValueString(); text != "" {
		q.Filter.Regex, _ = regexp.Compile(text)
	}
	return q
}

func (d *logsDataSource) containers(ctx context.Context, targets []rollout.Cluster, q diagnose.LogQuery, m *logsModel, diags *diag.Diagnostics) {
	log, err := diagnose.Logs(ctx, targets, q)
	if err != nil {
		explain.Error(diags, err)
		return
	}
	m.fill(log)
	if m.DownloadPath.IsNull() {
		return
	}
	file, err := diagnose.ToFile(ctx, targets, q, m.DownloadPath.ValueString(), m.Redact.IsNull() || m.Redact.ValueBool())
	if err != nil {
		explain.Error(diags, err)
		return
	}
	m.DownloadedPath, m.DownloadedBytes, m.DownloadedLines = types.StringValue(file.Path), types.Int64Value(file.Bytes), types.Int64Value(file.Lines)
}

// events shows the events as lines of a log.
func (d *logsDataSource) events(ctx context.Context, targets []rollout.Cluster, q diagnose.LogQuery, m *logsModel, diags *diag.Diagnostics) {
	found, err := diagnose.EventsOf(ctx, targets, diagnose.EventQuery{ID: q.ID, Since: q.Since})
	if err != nil {
		explain.Error(diags, err)
		return
	}
	log := diagnose.Log{Notes: found.Notes}
	for _, e := range found.Events {
		if entry := e.Entry(); q.Filter.Passes(entry) {
			log.Entries = append(log.Entries, entry)
		}
	}
	log.Entries, _ = logs.Last(log.Entries, q.Tail, diagnose.LogBytes)
	m.fill(log)
}

func (m *logsModel) fill(log diagnose.Log) {
	m.Entries = []logEntryModel{}
	var text strings.Builder
	for _, e := range log.Entries {
		entry := logEntryModel{
			Time: types.StringNull(), Cluster: types.StringValue(e.Cluster), Pod: attrs.TextOrNull(e.Pod), Container: attrs.TextOrNull(e.Container),
			Level: attrs.TextOrNull(string(e.Level)), Message: types.StringValue(e.Message),
		}
		if !e.Time.IsZero() {
			entry.Time = types.StringValue(logs.Stamp(e.Time))
		}
		m.Entries = append(m.Entries, entry)
		text.WriteString(e.String() + "\n")
	}
	m.Text, m.Notes = types.StringValue(text.String()), append([]string{}, log.Notes...)
}
