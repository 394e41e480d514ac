package deployment

import (
	"context"
	"maps"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// model is switchback_deployment in configuration, plan and state.
// Its fields are framework values, because any of them can be unknown at plan;
// what is nested is decoded only once it is wholly known (see spec).
type model struct {
	Application types.String `tfsdk:"application"`
	Namespace   types.String `tfsdk:"namespace"`
	Image       types.String `tfsdk:"image"`
	Version     types.String `tfsdk:"version"`
	Triggers    types.Map    `tfsdk:"triggers"`
	Replicas    types.Int32  `tfsdk:"replicas"`
	Autoscaling types.Object `tfsdk:"autoscaling"`
	Clusters    types.Set    `tfsdk:"clusters"`
	Environment types.String `tfsdk:"environment"`
	OnFailure   types.String `tfsdk:"on_failure"`
	IgnoreDrift types.List   `tfsdk:"ignore_drift"`

	IgnoreServices  types.Set `tfsdk:"ignore_services"`
	AllowSelectedBy types.Set `tfsdk:"allow_selected_by"`

	Timeouts timeouts.Value `tfsdk:"timeouts"`

	DesiredState    types.String `tfsdk:"desired_state"`
	RestartTriggers types.Map    `tfsdk:"restart_triggers"`
	Strategy        types.String `tfsdk:"strategy"`

	Rollout            types.Object `tfsdk:"rollout"`
	AbandonUnreachable types.Bool   `tfsdk:"abandon_unreachable"`

	RollingUpdate types.Object `tfsdk:"rolling_update"`
	Health        types.Object `tfsdk:"health"`

	DurationBudget   types.Object `tfsdk:"duration_budget"`
	DisruptionBudget types.Object `tfsdk:"disruption_budget"`
	Preview          types.Object `tfsdk:"preview"`

	Container                     types.Object `tfsdk:"container"`
	InitContainers                types.List   `tfsdk:"init_containers"`
	Sidecars                      types.List   `tfsdk:"sidecars"`
	Volumes                       types.Map    `tfsdk:"volumes"`
	ServiceAccountName            types.String `tfsdk:"service_account_name"`
	ImagePullSecrets              types.List   `tfsdk:"image_pull_secrets"`
	NodeSelector                  types.Map    `tfsdk:"node_selector"`
	Tolerations                   types.List   `tfsdk:"tolerations"`
	TerminationGracePeriodSeconds types.Int64  `tfsdk:"termination_grace_period_seconds"`
	Labels                        types.Map    `tfsdk:"labels"`
	Annotations                   types.Map    `tfsdk:"annotations"`
	PodTemplatePatch              types.String `tfsdk:"pod_template_patch"`
	PodSecurity                   types.String `tfsdk:"pod_security"`
	PriorityClassName             types.String `tfsdk:"priority_class_name"`
	RuntimeClassName              types.String `tfsdk:"runtime_class_name"`
	HostAliases                   types.Map    `tfsdk:"host_aliases"`
	DNS                           types.Object `tfsdk:"dns"`
	TopologySpread                types.List   `tfsdk:"topology_spread"`
	Affinity                      types.Object `tfsdk:"affinity"`

	ID           types.String `tfsdk:"id"`
	Name         types.String `tfsdk:"name"`
	Owner        types.String `tfsdk:"owner"`
	ContentHash  types.String `tfsdk:"content_hash"`
	ServiceName  types.String `tfsdk:"service_name"`
	InternalURL  types.String `tfsdk:"internal_url"`
	PreviewURL   types.String `tfsdk:"preview_url"`
	URLs         types.Object `tfsdk:"urls"`
	CreatedAt    types.String `tfsdk:"created_at"`
	CreatedBy    types.String `tfsdk:"created_by"`
	Status       types.String `tfsdk:"status"`
	StatusReason types.String `tfsdk:"status_reason"`
	Durations    types.Object `tfsdk:"durations"`
	Drift        types.List   `tfsdk:"drift"`

	ClusterStatus types.Map `tfsdk:"cluster_status"`
}

// deploymentTypes are the types of the schema's attributes, by name: the one
// place that the typed nulls and nested values of the model come from.
var deploymentTypes = sync.OnceValue(func() map[string]attr.Type {
	return attrs.AttributeTypes(deploymentSchema(context.Background()))
})

// input is one attribute that takes part in the content, with its place in the
// model: planning compares them, and replaces when one of them changes meaning.
type input struct {
	name  string
	value func(*model) attr.Value
	// keep puts the prior value in place of one that means the same.
	keep func(m, prior *model)
}

// field makes an input of one field of the model.
func field[T attr.Value](name string, at func(*model) *T) input {
	return input{
		name:  name,
		value: func(m *model) attr.Value { return *at(m) },
		keep:  func(m, prior *model) { *at(m) = *at(prior) },
	}
}

// contentInputs are the attributes that release.Content is made of. A test
// compares them with the schema, so that none is forgotten.
var contentInputs = []input{
	field("application", func(m *model) *types.String { return &m.Application }),
	field("image", func(m *model) *types.String { return &m.Image }),
	field("version", func(m *model) *types.String { return &m.Version }),
	field("triggers", func(m *model) *types.Map { return &m.Triggers }),
	field("container", func(m *model) *types.Object { return &m.Container }),
	field("init_containers", func(m *model) *types.List { return &m.InitContainers }),
	field("sidecars", func(m *model) *types.List { return &m.Sidecars }),
	field("volumes", func(m *model) *types.Map { return &m.Volumes }),
	field("service_account_name", func(m *model) *types.String { return &m.ServiceAccountName }),
	field("image_pull_secrets", func(m *model) *types.List { return &m.ImagePullSecrets }),
	field("node_selector", func(m *model) *types.Map { return &m.NodeSelector }),
	field("tolerations", func(m *model) *types.List { return &m.Tolerations }),
	field("termination_grace_period_seconds", func(m *model) *types.Int64 { return &m.TerminationGracePeriodSeconds }),
	field("labels", func(m *model) *types.Map { return &m.Labels }),
	field("annotations", func(m *model) *types.Map { return &m.Annotations }),
	field("pod_template_patch", func(m *model) *types.String { return &m.PodTemplatePatch }),
	field("pod_security", func(m *model) *types.String { return &m.PodSecurity }),
	field("priority_class_name", func(m *model) *types.String { return &m.PriorityClassName }),
	field("runtime_class_name", func(m *model) *types.String { return &m.RuntimeClassName }),
	field("host_aliases", func(m *model) *types.Map { return &m.HostAliases }),
	field("dns", func(m *model) *types.Object { return &m.DNS }),
	field("topology_spread", func(m *model) *types.List { return &m.TopologySpread }),
	field("affinity", func(m *model) *types.Object { return &m.Affinity }),
}

// unknownInputs are the content attributes that are not wholly known: while
// there is one, spec must not be called.
func (m *model) unknownInputs(ctx context.Context) []path.Path {
	var unknown []path.Path
	for _, in := range contentInputs {
		if !attrs.WhollyKnown(ctx, in.value(m)) {
			unknown = append(unknown, path.Root(in.name))
		}
	}
	if m.Strategy.IsUnknown() {
		unknown = append(unknown, path.Root("strategy")) // it decides on the name
	}
	return unknown
}

// spec is what the model asks for, with its content normalized. Null optional
// attributes take their defaults, so that it works on a configuration too.
func (m *model) spec(ctx context.Context) (release.Spec, diag.Diagnostics) {
	var diags diag.Diagnostics
	if unknown := m.unknownInputs(ctx); len(unknown) > 0 {
		// A mistake of the caller's, told instead of hashing half a content.
		diags.AddAttributeError(unknown[0], "Value is not known yet", "The content of a deployment cannot be computed before all of it is known.")
		return release.Spec{}, diags
	}
	spec := release.Spec{
		Namespace:   m.Namespace.ValueString(),
		Environment: m.Environment.ValueString(),
		OnFailure:   release.OnFailureStop,
		Content: release.Content{
			Application:    m.Application.ValueString(),
			Version:        m.Version.ValueString(),
			Triggers:       attrs.Present(attrs.Decode[map[string]*string](ctx, &diags, m.Triggers)),
			Image:          m.Image.ValueString(),
			Container:      attrs.Decode[containerModel](ctx, &diags, m.Container).content(),
			InitContainers: helpers(attrs.Decode[[]helperModel](ctx, &diags, m.InitContainers)),
			Sidecars:       helpers(attrs.Decode[[]helperModel](ctx, &diags, m.Sidecars)),
			Volumes:        volumes(attrs.Decode[map[string]*volumeModel](ctx, &diags, m.Volumes)),
			ServiceAccount: m.ServiceAccountName.ValueString(),
			PullSecrets:    attrs.Decode[[]string](ctx, &diags, m.ImagePullSecrets),
			NodeSelector:   attrs.Present(attrs.Decode[map[string]*string](ctx, &diags, m.NodeSelector)),
			Tolerations:    tolerations(attrs.Decode[[]tolerationModel](ctx, &diags, m.Tolerations)),
			GracePeriod:    m.TerminationGracePeriodSeconds.ValueInt64Pointer(),
			Labels:         attrs.Present(attrs.Decode[map[string]*string](ctx, &diags, m.Labels)),
			Annotations:    attrs.Present(attrs.Decode[map[string]*string](ctx, &diags, m.Annotations)),
			TemplatePatch:  m.PodTemplatePatch.ValueString(),
			PodSecurity:    release.PodSecurity(m.PodSecurity.ValueString()),
			PriorityClass:  m.PriorityClassName.ValueString(),
			RuntimeClass:   m.RuntimeClassName.ValueString(),
			HostAliases:    attrs.Decode[map[string][]string](ctx, &diags, m.HostAliases),
			DNS:            attrs.Decode[*dnsModel](ctx, &diags, m.DNS).content(),
			TopologySpread: topologySpread(attrs.Decode[[]spreadModel](ctx, &diags, m.TopologySpread), m.TopologySpread.IsNull()),
			Affinity:       attrs.Decode[*affinityModel](ctx, &diags, m.Affinity).content(),
		},
	}
	// These are not content, and may still be unknown.
	if attrs.WhollyKnown(ctx, m.IgnoreDrift) {
		spec.IgnoreDrift = attrs.Decode[[]string](ctx, &diags, m.IgnoreDrift)
	}
	if attrs.WhollyKnown(ctx, m.IgnoreServices) {
		spec.IgnoreServices = attrs.Decode[[]string](ctx, &diags, m.IgnoreServices)
	}
	if attrs.WhollyKnown(ctx, m.AllowSelectedBy) {
		spec.AllowSelectedBy = attrs.Decode[[]string](ctx, &diags, m.AllowSelectedBy)
	}
	scaled := m.scale(ctx, &diags)
	spec.Replicas, spec.Autoscaling = scaled.Replicas, scaled.Autoscaling
	spec.Preview = m.preview(ctx, &diags)
	if attrs.WhollyKnown(ctx, m.RestartTriggers) {
		spec.RestartTriggers = attrs.Present(attrs.Decode[map[string]*string](ctx, &diags, m.RestartTriggers))
	}
	if attrs.WhollyKnown(ctx, m.DurationBudget) {
		spec.DurationBudget = budgetOf(ctx, m.DurationBudget, &diags)
	}
	if attrs.WhollyKnown(ctx, m.DisruptionBudget) {
		spec.Disruption = attrs.Decode[*disruptionModel](ctx, &diags, m.DisruptionBudget).disruption()
	}
	m.setStrategy(ctx, &diags, &spec)
	spec.Rollout = attrs.AskedRollout(ctx, &diags, m.Rollout)
	if attrs.WhollyKnown(ctx, m.Health) {
		spec.Health = attrs.HealthOf(ctx, &diags, m.Health)
	}
	spec.DesiredState = release.DesiredState(attrs.OrDefault(m.DesiredState.ValueString(), string(release.DesiredStarted)))
	if v := m.OnFailure.ValueString(); v != "" {
		spec.OnFailure = release.OnFailure(v)
	}
	if spec.Content.Version == "" {
		spec.Content.Version = release.DefaultVersion(spec.Content.Image)
	}
	spec.Content = spec.Content.Normalize()
	return spec, diags
}

// scale is how many pods the model asks for, in a spec that has nothing else. It may
// be unknown, as what is no content.
func (m *model) scale(ctx context.Context, diags *diag.Diagnostics) release.Spec {
	spec := release.Spec{Replicas: 1}
	if !m.Replicas.IsNull() && !m.Replicas.IsUnknown() {
		spec.Replicas = m.Replicas.ValueInt32()
	}
	if attrs.WhollyKnown(ctx, m.Autoscaling) {
		spec.Autoscaling = attrs.AutoscalingOf(ctx, diags, m.Autoscaling)
	}
	return spec
}

// newModel has a null of the right type in every field, as
// tfsdk.State.Set demands.
func newModel() model {
	t := deploymentTypes()
	list := func(name string) types.List { return types.ListNull(t[name].(types.ListType).ElemType) }
	mapping := func(name string) types.Map { return types.MapNull(t[name].(types.MapType).ElemType) }
	object := func(name string) types.Object { return types.ObjectNull(t[name].(types.ObjectType).AttrTypes) }
	return model{
		Triggers:         mapping("triggers"),
		RestartTriggers:  mapping("restart_triggers"),
		Autoscaling:      object("autoscaling"),
		Clusters:         types.SetNull(types.StringType),
		IgnoreDrift:      list("ignore_drift"),
		IgnoreServices:   types.SetNull(types.StringType),
		AllowSelectedBy:  types.SetNull(types.StringType),
		Timeouts:         timeouts.Value{Object: types.ObjectNull(t["timeouts"].(timeouts.Type).AttrTypes)},
		Container:        object("container"),
		RollingUpdate:    object("rolling_update"),
		Health:           object("health"),
		Rollout:          object("rollout"),
		DurationBudget:   object("duration_budget"),
		DisruptionBudget: object("disruption_budget"),
		Preview:          object("preview"),
		ClusterStatus:    attrs.NoClusterStatus(),
		InitContainers:   list("init_containers"),
		Sidecars:         list("sidecars"),
		Volumes:          mapping("volumes"),
		ImagePullSecrets: list("image_pull_secrets"),
		NodeSelector:     mapping("node_selector"),
		Tolerations:      list("tolerations"),
		Labels:           mapping("labels"),
		Annotations:      mapping("annotations"),
		HostAliases:      mapping("host_aliases"),
		DNS:              object("dns"),
		TopologySpread:   list("topology_spread"),
		Affinity:         object("affinity"),
		Durations:        object("durations"),
		URLs:             object("urls"),
		Drift:            list("drift"),
	}
}

// fromSpec sets every configurable attribute except clusters and timeouts, as
// a user would have written it who leaves out defaults: the plan after an
// import is then empty. Computed attributes are left alone, see setIdentity.
func (m *model) fromSpec(ctx context.Context, spec release.Spec) diag.Diagnostics {
	var diags diag.Diagnostics
	e := encoder{ctx: ctx, diags: &diags}
	c := spec.Content // not normalized: an import has the user's own spelling

	m.Namespace = types.StringValue(spec.Namespace)
	m.Environment = attrs.TextOrNull(spec.Environment)
	m.Replicas = types.Int32Value(spec.Replicas)
	m.Autoscaling = attrs.AutoscalingValue(ctx, &diags, spec.Autoscaling)
	m.OnFailure = types.StringValue(string(attrs.OrDefault(spec.OnFailure, release.OnFailureStop)))
	m.AbandonUnreachable = types.BoolValue(false)
	m.IgnoreDrift = e.list("ignore_drift", spec.IgnoreDrift, len(spec.IgnoreDrift))
	m.IgnoreServices, m.AllowSelectedBy = e.set(spec.IgnoreServices), e.set(spec.AllowSelectedBy)
	m.DesiredState = types.StringValue(string(attrs.OrDefault(spec.DesiredState, release.DesiredStarted)))
	m.RestartTriggers = e.mapping("restart_triggers", spec.RestartTriggers, len(spec.RestartTriggers))

	m.Strategy = types.StringValue(string(attrs.OrDefault(spec.Strategy, release.StrategyBlueGreen)))
	m.RollingUpdate = attrs.RollingValue(ctx, &diags, spec.Rolling)
	m.Health = attrs.HealthValue(ctx, &diags, spec.Health)
	m.Rollout = attrs.RolloutValue(ctx, &diags, spec.Rollout)
	m.DisruptionBudget = e.disruption(spec.Disruption)
	m.Preview = e.preview(spec.Preview)

	m.Application = types.StringValue(c.Application)
	m.Version = types.StringValue(c.Version)
	m.Triggers = e.mapping("triggers", c.Triggers, len(c.Triggers))
	m.Image = types.StringValue(c.Image)
	m.Container = e.container(c.Container)
	m.InitContainers = e.list("init_containers", helperModels(c.InitContainers), len(c.InitContainers))
	m.Sidecars = e.list("sidecars", helperModels(c.Sidecars), len(c.Sidecars))
	m.Volumes = e.mapping("volumes", volumeModels(c.Volumes), len(c.Volumes))
	m.ServiceAccountName = attrs.TextOrNull(c.ServiceAccount)
	m.ImagePullSecrets = e.list("image_pull_secrets", c.PullSecrets, len(c.PullSecrets))
	m.NodeSelector = e.mapping("node_selector", c.NodeSelector, len(c.NodeSelector))
	m.Tolerations = e.list("tolerations", tolerationModels(c.Tolerations), len(c.Tolerations))
	m.TerminationGracePeriodSeconds = types.Int64PointerValue(c.GracePeriod)
	m.Labels = e.mapping("labels", c.Labels, len(c.Labels))
	m.Annotations = e.mapping("annotations", c.Annotations, len(c.Annotations))
	m.PodTemplatePatch = attrs.TextOrNull(c.TemplatePatch)
	m.PodSecurity = types.StringValue(string(attrs.OrDefault(c.PodSecurity, release.PodSecurityBaseline)))
	m.PriorityClassName, m.RuntimeClassName = attrs.TextOrNull(c.PriorityClass), attrs.TextOrNull(c.RuntimeClass)
	m.HostAliases = e.mapping("host_aliases", c.HostAliases, len(c.HostAliases))
	m.DNS = e.dns(c.DNS)
	m.TopologySpread = e.topologySpread(c.TopologySpread)
	m.Affinity = e.affinity(c.Affinity)
	return diags
}

// encoder builds typed values for the schema's attributes; what is empty is null.
type encoder struct {
	ctx   context.Context
	diags *diag.Diagnostics
}

func (e encoder) list(name string, v any, length int) types.List {
	element := deploymentTypes()[name].(types.ListType).ElemType
	if length == 0 {
		return types.ListNull(element)
	}
	out, diags := types.ListValueFrom(e.ctx, element, v)
	e.diags.Append(diags...)
	return out
}

func (e encoder) set(names []string) types.Set {
	if len(names) == 0 {
		return types.SetNull(types.StringType)
	}
	out, diags := types.SetValueFrom(e.ctx, types.StringType, names)
	e.diags.Append(diags...)
	return out
}

func (e encoder) mapping(name string, v any, length int) types.Map {
	element := deploymentTypes()[name].(types.MapType).ElemType
	if length == 0 {
		return types.MapNull(element)
	}
	out, diags := types.MapValueFrom(e.ctx, element, v)
	e.diags.Append(diags...)
	return out
}

func (e encoder) container(c release.Container) types.Object {
	attributes := deploymentTypes()["container"].(types.ObjectType).AttrTypes
	if emptyContainer(c) {
		return types.ObjectNull(attributes)
	}
	out, diags := types.ObjectValueFrom(e.ctx, attributes, newContainerModel(c))
	e.diags.Append(diags...)
	return out
}

// identity is everything about a release that follows from its namespace, its
// content hash and its ports: known at plan when they are.
type identity struct {
	id, name, serviceName, internalURL types.String
}

func identityOf(namespace, name string, c release.Container) identity {
	i := identity{
		id:   types.StringValue(release.ID{Namespace: namespace, Name: name}.String()),
		name: types.StringValue(name),
	}
	if len(c.Ports) > 0 {
		i.serviceName = types.StringValue(name)
	}
	web := maps.Clone(c.Ports)
	maps.DeleteFunc(web, func(port string, _ int32) bool { return c.Protocol(port) != string(corev1.ProtocolTCP) })
	if len(web) > 0 {
		i.internalURL = types.StringValue(attrs.ServiceURL(name, namespace, web))
	}
	return i
}

// setIdentity sets id, name, content_hash, service_name and internal_url of a
// release whose full content hash is known: an import takes the record's.
func (m *model) setIdentity(spec release.Spec, hash string) {
	i := identityOf(spec.Namespace, spec.NameFor(hash), spec.Content.Container)
	m.ContentHash = types.StringValue(hash)
	m.ID, m.Name, m.ServiceName, m.InternalURL = i.id, i.name, i.serviceName, i.internalURL
}
