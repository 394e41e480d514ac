package deployment

import (
	"reflect"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// The nested models are plain Go values: they are decoded only when wholly
// known. Pointers are what can be null; a null in a map leaves its key out.

type containerModel struct {
	Ports           map[string]*int32          `tfsdk:"ports"`
	Command         []string                   `tfsdk:"command"`
	Args            []string                   `tfsdk:"args"`
	Env             map[string]*string         `tfsdk:"env"`
	SecretEnv       map[string]*secretKeyModel `tfsdk:"secret_env"`
	EnvFrom         []envFromModel             `tfsdk:"env_from"`
	Resources       *resourcesModel            `tfsdk:"resources"`
	ReadinessProbe  *probeModel                `tfsdk:"readiness_probe"`
	LivenessProbe   *probeModel                `tfsdk:"liveness_probe"`
	StartupProbe    *probeModel                `tfsdk:"startup_probe"`
	VolumeMounts    map[string]*mountModel     `tfsdk:"volume_mounts"`
	SecurityContext *securityContextModel      `tfsdk:"security_context"`
	EnvFromField    map[string]*string         `tfsdk:"env_from_field"`
	PostStart       *handlerModel              `tfsdk:"post_start"`
	PreStop         *handlerModel              `tfsdk:"pre_stop"`
	Files           map[string]*string         `tfsdk:"files"`
	PortProtocols   map[string]*string         `tfsdk:"port_protocols"`
}

type handlerModel struct {
	Exec         *execProbeModel `tfsdk:"exec"`
	HTTPGet      *httpGetModel   `tfsdk:"http_get"`
	SleepSeconds *int64          `tfsdk:"sleep_seconds"`
}

type helperModel struct {
	Name  string `tfsdk:"name"`
	Image string `tfsdk:"image"`
	containerModel
}

type secretKeyModel struct {
	Name     string `tfsdk:"name"`
	Key      string `tfsdk:"key"`
	Optional *bool  `tfsdk:"optional"`
}

type envFromModel struct {
	ConfigMap *string `tfsdk:"config_map"`
	Secret    *string `tfsdk:"secret"`
	Prefix    *string `tfsdk:"prefix"`
	Optional  *bool   `tfsdk:"optional"`
}

type resourcesModel struct {
	Requests map[string]*string `tfsdk:"requests"`
	Limits   map[string]*string `tfsdk:"limits"`
}

type probeModel struct {
	HTTPGet             *httpGetModel   `tfsdk:"http_get"`
	TCPSocket           *tcpSocketModel `tfsdk:"tcp_socket"`
	GRPC                *grpcModel      `tfsdk:"grpc"`
	Exec                *execProbeModel `tfsdk:"exec"`
	InitialDelaySeconds *int32          `tfsdk:"initial_delay_seconds"`
	PeriodSeconds       *int32          `tfsdk:"period_seconds"`
	TimeoutSeconds      *int32          `tfsdk:"timeout_seconds"`
	SuccessThreshold    *int32          `tfsdk:"success_threshold"`
	FailureThreshold    *int32          `tfsdk:"failure_threshold"`
}

type httpGetModel struct {
	Path    *string            `tfsdk:"path"`
	Port    string             `tfsdk:"port"`
	Scheme  *string            `tfsdk:"scheme"`
	Headers map[string]*string `tfsdk:"headers"`
}

type tcpSocketModel struct {
	Port string `tfsdk:"port"`
}

type grpcModel struct {
	Port    string  `tfsdk:"port"`
	Service *string `tfsdk:"service"`
}

type execProbeModel struct {
	Command []string `tfsdk:"command"`
}

type mountModel struct {
	Volume   string  `tfsdk:"volume"`
	SubPath  *string `tfsdk:"sub_path"`
	ReadOnly *bool   `tfsdk:"read_only"`
}

type securityContextModel struct {
	RunAsUser                *int64             `tfsdk:"run_as_user"`
	RunAsGroup               *int64             `tfsdk:"run_as_group"`
	RunAsNonRoot             *bool              `tfsdk:"run_as_non_root"`
	ReadOnlyRootFilesystem   *bool              `tfsdk:"read_only_root_filesystem"`
	AllowPrivilegeEscalation *bool              `tfsdk:"allow_privilege_escalation"`
	Privileged               *bool              `tfsdk:"privileged"`
	Capabilities             *capabilitiesModel `tfsdk:"capabilities"`
}

type capabilitiesModel struct {
	Add  []string `tfsdk:"add"`
	Drop []string `tfsdk:"drop"`
}

type volumeModel struct {
	EmptyDir  *emptyDirModel `tfsdk:"empty_dir"`
	ConfigMap *filesModel    `tfsdk:"config_map"`
	Secret    *filesModel    `tfsdk:"secret"`
	Claim     *claimModel    `tfsdk:"persistent_volume_claim"`

	Projected *projectedModel  `tfsdk:"projected"`
	CSI       *csiModel        `tfsdk:"csi"`
	Ephemeral *claimOfPodModel `tfsdk:"ephemeral"`
}

type emptyDirModel struct {
	Medium    *string `tfsdk:"medium"`
	SizeLimit *string `tfsdk:"size_limit"`
}

type filesModel struct {
	Name     string             `tfsdk:"name"`
	Items    map[string]*string `tfsdk:"items"`
	Optional *bool              `tfsdk:"optional"`
}

type claimModel struct {
	Name     string `tfsdk:"claim_name"`
	ReadOnly *bool  `tfsdk:"read_only"`
}

type tolerationModel struct {
	Key      *string `tfsdk:"key"`
	Operator *string `tfsdk:"operator"`
	Value    *string `tfsdk:"value"`
	Effect   *string `tfsdk:"effect"`
	Seconds  *int64  `tfsdk:"toleration_seconds"`
}

func (m containerModel) content() release.Container {
	c := release.Container{
		Ports:          attrs.Present(m.Ports),
		Command:        m.Command,
		Args:           m.Args,
		Env:            attrs.Present(m.Env),
		ReadinessProbe: m.ReadinessProbe.content(),
		LivenessProbe:  m.LivenessProbe.content(),
		StartupProbe:   m.StartupProbe.content(),
		EnvFromField:   attrs.Present(m.EnvFromField),
		PostStart:      m.PostStart.content(),
		PreStop:        m.PreStop.content(),
		Files:          attrs.Present(m.Files),
		PortProtocols:  attrs.Present(m.PortProtocols),
		SecretEnv: attrs.ConvertMap(m.SecretEnv, func(s secretKeyModel) release.SecretKey {
			return release.SecretKey{Name: s.Name, Key: s.Key, Optional: value(s.Optional)}
		}),
		EnvFrom: attrs.ConvertList(m.EnvFrom, func(f envFromModel) release.EnvFrom {
			return release.EnvFrom{ConfigMap: value(f.ConfigMap), Secret: value(f.Secret), Prefix: value(f.Prefix), Optional: value(f.Optional)}
		}),
		VolumeMounts: attrs.ConvertMap(m.VolumeMounts, func(v mountModel) release.Mount {
			return release.Mount{Volume: v.Volume, SubPath: value(v.SubPath), ReadOnly: value(v.ReadOnly)}
		}),
	}
	if r := m.Resources; r != nil {
		c.Resources = release.Resources{Requests: attrs.Present(r.Requests), Limits: attrs.Present(r.Limits)}
	}
	if s := m.SecurityContext; s != nil {
		c.SecurityContext = &release.SecurityContext{
			RunAsUser:                s.RunAsUser,
			RunAsGroup:               s.RunAsGroup,
			RunAsNonRoot:             s.RunAsNonRoot,
			ReadOnlyRootFilesystem:   s.ReadOnlyRootFilesystem,
			AllowPrivilegeEscalation: s.AllowPrivilegeEscalation,
			Privileged:               s.Privileged,
		}
		if caps := s.Capabilities; caps != nil {
			c.SecurityContext.AddCapabilities, c.SecurityContext.DropCapabilities = caps.Add, caps.Drop
		}
	}
	return c
}

func newContainerModel(c release.Container) containerModel {
	m := containerModel{
		Ports:          pointers(c.Ports),
		Command:        c.Command,
		Args:           c.Args,
		Env:            pointers(c.Env),
		ReadinessProbe: newProbeModel(c.ReadinessProbe),
		LivenessProbe:  newProbeModel(c.LivenessProbe),
		StartupProbe:   newProbeModel(c.StartupProbe),
		EnvFromField:   pointers(c.EnvFromField),
		PostStart:      newHandlerModel(c.PostStart),
		PreStop:        newHandlerModel(c.PreStop),
		Files:          pointers(c.Files),
		PortProtocols:  pointers(c.PortProtocols),
		SecretEnv: modelMap(c.SecretEnv, func(s release.SecretKey) secretKeyModel {
			return secretKeyModel{Name: s.Name, Key: s.Key, Optional: pointer(s.Optional)}
		}),
		EnvFrom: attrs.ConvertList(c.EnvFrom, func(f release.EnvFrom) envFromModel {
			return envFromModel{ConfigMap: pointer(f.ConfigMap), Secret: pointer(f.Secret), Prefix: pointer(f.Prefix), Optional: pointer(f.Optional)}
		}),
		VolumeMounts: modelMap(c.VolumeMounts, func(v release.Mount) mountModel {
			return mountModel{Volume: v.Volume, SubPath: pointer(v.SubPath), ReadOnly: pointer(v.ReadOnly)}
		}),
	}
	if r := c.Resources; len(r.Requests)+len(r.Limits) > 0 {
		m.Resources = &resourcesModel{Requests: pointers(r.Requests), Limits: pointers(r.Limits)}
	}
	if s := c.SecurityContext; s != nil {
		m.SecurityContext = &securityContextModel{
			RunAsUser:                s.RunAsUser,
			RunAsGroup:               s.RunAsGroup,
			RunAsNonRoot:             s.RunAsNonRoot,
			ReadOnlyRootFilesystem:   s.ReadOnlyRootFilesystem,
			AllowPrivilegeEscalation: s.AllowPrivilegeEscalation,
			Privileged:               s.Privileged,
		}
		if len(s.AddCapabilities)+len(s.DropCapabilities) > 0 {
			m.SecurityContext.Capabilities = &capabilitiesModel{Add: s.AddCapabilities, Drop: s.DropCapabilities}
		}
	}
	return m
}

// emptyContainer says that nothing was said of a container.
func emptyContainer(c release.Container) bool {
	normalized := release.Content{Container: c}.Normalize().Container
	return reflect.DeepEqual(normalized, release.Container{})
}

func helpers(models []helperModel) []release.Helper {
	return attrs.ConvertList(models, func(m helperModel) release.Helper {
		return release.Helper{Name: m.Name, Image: m.Image, Container: m.content()}
	})
}

func helperModels(helpers []release.Helper) []helperModel {
	return attrs.ConvertList(helpers, func(h release.Helper) helperModel {
		return helperModel{Name: h.Name, Image: h.Image, containerModel: newContainerModel(h.Container)}
	})
}

func (m *probeModel) content() *release.Probe {
	if m == nil {
		return nil
	}
	p := &release.Probe{
		InitialDelaySeconds: m.InitialDelaySeconds,
		PeriodSeconds:       m.PeriodSeconds,
		TimeoutSeconds:      m.TimeoutSeconds,
		SuccessThreshold:    m.SuccessThreshold,
		FailureThreshold:    m.FailureThreshold,
	}
	p.HTTPGet = m.HTTPGet.content()
	if t := m.TCPSocket; t != nil {
		p.TCPSocket = &release.TCPSocket{Port: t.Port}
	}
	if g := m.GRPC; g != nil {
		p.GRPC = &release.GRPC{Port: g.Port, Service: value(g.Service)}
	}
	if e := m.Exec; e != nil {
		p.Exec = e.Command
	}
	return p
}

func (m *httpGetModel) content() *release.HTTPGet {
	if m == nil {
		return nil
	}
	return &release.HTTPGet{Path: value(m.Path), Port: m.Port, Scheme: value(m.Scheme), Headers: attrs.Present(m.Headers)}
}

func newHTTPGetModel(h *release.HTTPGet) *httpGetModel {
	if h == nil {
		return nil
	}
	return &httpGetModel{Path: pointer(h.Path), Port: h.Port, Scheme: pointer(h.Scheme), Headers: pointers(h.Headers)}
}

func (m *handlerModel) content() *release.Handler {
	if m == nil {
		return nil
	}
	h := &release.Handler{HTTPGet: m.HTTPGet.content(), SleepSeconds: m.SleepSeconds}
	if m.Exec != nil {
		h.Exec = m.Exec.Command
	}
	return h
}

func newHandlerModel(h *release.Handler) *handlerModel {
	if h == nil {
		return nil
	}
	m := &handlerModel{HTTPGet: newHTTPGetModel(h.HTTPGet), SleepSeconds: h.SleepSeconds}
	if len(h.Exec) > 0 {
		m.Exec = &execProbeModel{Command: h.Exec}
	}
	return m
}

func newProbeModel(p *release.Probe) *probeModel {
	if p == nil {
		return nil
	}
	m := &probeModel{
		InitialDelaySeconds: p.InitialDelaySeconds,
		PeriodSeconds:       p.PeriodSeconds,
		TimeoutSeconds:      p.TimeoutSeconds,
		SuccessThreshold:    p.SuccessThreshold,
		FailureThreshold:    p.FailureThreshold,
	}
	m.HTTPGet = newHTTPGetModel(p.HTTPGet)
	if t := p.TCPSocket; t != nil {
		m.TCPSocket = &tcpSocketModel{Port: t.Port}
	}
	if g := p.GRPC; g != nil {
		m.GRPC = &grpcModel{Port: g.Port, Service: pointer(g.Service)}
	}
	if len(p.Exec) > 0 {
		m.Exec = &execProbeModel{Command: p.Exec}
	}
	return m
}

func volumes(models map[string]*volumeModel) release.VolumesByName {
	return attrs.ConvertMap(models, func(m volumeModel) release.Volume {
		var v release.Volume
		if e := m.EmptyDir; e != nil {
			v.EmptyDir = &release.EmptyDir{Medium: value(e.Medium), SizeLimit: value(e.SizeLimit)}
		}
		v.ConfigMap, v.Secret = m.ConfigMap.content(), m.Secret.content()
		v.Projected, v.CSI, v.Ephemeral = m.Projected.content(), m.CSI.content(), m.Ephemeral.content()
		if c := m.Claim; c != nil {
			v.Claim = &release.VolumeClaim{Name: c.Name, ReadOnly: value(c.ReadOnly)}
		}
		return v
	})
}

func volumeModels(volumes release.VolumesByName) map[string]*volumeModel {
	return modelMap(volumes, func(v release.Volume) volumeModel {
		var m volumeModel
		if e := v.EmptyDir; e != nil {
			m.EmptyDir = &emptyDirModel{Medium: pointer(e.Medium), SizeLimit: pointer(e.SizeLimit)}
		}
		m.ConfigMap, m.Secret = newFilesModel(v.ConfigMap), newFilesModel(v.Secret)
		m.Projected, m.CSI, m.Ephemeral = newProjectedModel(v.Projected), newCSIModel(v.CSI), newClaimOfPodModel(v.Ephemeral)
		if c := v.Claim; c != nil {
			m.Claim = &claimModel{Name: c.Name, ReadOnly: pointer(c.ReadOnly)}
		}
		return m
	})
}

func tolerations(models []tolerationModel) []release.Toleration {
	return attrs.ConvertList(models, func(m tolerationModel) release.Toleration {
		return release.Toleration{Key: value(m.Key), Operator: value(m.Operator), Value: value(m.Value), Effect: value(m.Effect), Seconds: m.Seconds}
	})
}

func tolerationModels(tolerations []release.Toleration) []tolerationModel {
	return attrs.ConvertList(tolerations, func(t release.Toleration) tolerationModel {
		return tolerationModel{Key: pointer(t.Key), Operator: pointer(t.Operator), Value: pointer(t.Value), Effect: pointer(t.Effect), Seconds: t.Seconds}
	})
}

// value is what p points at, or zero for null.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// pointer is null for zero: in the content, zero is what was not said.
func pointer[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// pointers keeps zero values: an empty environment variable is one that is set.
func pointers[V any](m map[string]V) map[string]*V {
	return modelMap(m, func(v V) V { return v })
}

func modelMap[V, M any](values map[string]V, convert func(V) M) map[string]*M {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]*M, len(values))
	for k, v := range values {
		m := convert(v)
		out[k] = &m
	}
	return out
}
