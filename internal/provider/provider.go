package provider

import (
	"context"
	"os"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/deployment"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/deploymentgroup"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/diagnosis"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/environment"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/events"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/history"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/maindeployment"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// typeName begins the names of all resources and data sources.
const typeName = "switchback"

// New makes the provider's server, which all that speaks to the provider speaks to.
// version is part of its user agent.
func New(version string) (tfprotov6.ProviderServer, error) {
	return Timed(context.Background(), version, rollout.DefaultTiming())
}

// Timed is [New] with another timing of the engine, and for a process that goes on
// when the provider has done its work: its connections, and the watches that go over
// them, end with ctx.
func Timed(ctx context.Context, version string, timing rollout.Timing) (tfprotov6.ProviderServer, error) {
	return fastpath.New(ctx, &switchbackProvider{life: ctx, version: version, timing: timing})
}

type switchbackProvider struct {
	life    context.Context // of its connections
	version string
	timing  rollout.Timing
	run     atomic.Pointer[session.Session]

	// validated says that a Configure which comes next is for one walk: core validates
	// before each. What a file of tests declares is configured once for all of the
	// file's walks, and not validated (terraform test, since 1.13).
	validated atomic.Bool
}

var (
	_ provider.Provider                   = (*switchbackProvider)(nil)
	_ provider.ProviderWithValidateConfig = (*switchbackProvider)(nil)
	_ fastpath.Provider                   = (*switchbackProvider)(nil)
)

func (p *switchbackProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = typeName
	resp.Version = p.version
}

func (p *switchbackProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = providerSchema()
}

func (p *switchbackProvider) ValidateConfig(ctx context.Context, req provider.ValidateConfigRequest, resp *provider.ValidateConfigResponse) {
	var model providerModel
	p.validated.Store(true)
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(model.conflicts()...)
	}
}

// Configure checks every connection without using any: the first resource that
// needs a cluster makes the first contact.
func (p *switchbackProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var model providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(model.conflicts()...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings, diags := model.settings(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	clusters, listener := session.NewClusters(settings == nil), requestLog(ctx, os.Getenv)
	for _, s := range settings {
		s.Config.Listener = listener
		resp.Diagnostics.Append(clusters.Add(s, "terraform-provider-"+typeName+"/"+p.version)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	context.AfterFunc(p.life, clusters.Close)
	engine := rollout.New(p.timing).In(release.RunOf(os.Getenv))
	if logsAt("INFO", os.Getenv) {
		engine.Journal(journal{})
	}
	data := session.New(clusters, engine)
	data.Holders.OneWalk = p.validated.Swap(false)
	if !model.ServerDryRun.IsUnknown() {
		data.DryRuns.Asks = model.ServerDryRun.ValueBoolPointer()
	}
	p.run.Store(data)
	resp.ResourceData = data
	resp.DataSourceData = data
	resp.ListResourceData = data
	resp.ActionData = data
}

// Configured is the run that Configure began.
func (p *switchbackProvider) Configured() any {
	if run := p.run.Load(); run != nil {
		return run
	}
	return nil
}

func (p *switchbackProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{deployment.NewResource, maindeployment.NewResource, deploymentgroup.NewResource}
}

func (p *switchbackProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		deployment.NewDataSource, deployment.NewListDataSource, diagnosis.NewDataSource, environment.NewDataSource, events.NewDataSource, history.NewDataSource,
		logs.NewDataSource, maindeployment.NewDataSource, deploymentgroup.NewDataSource,
	}
}
