package release

import (
	"cmp"
	"slices"
)

// Spec is what the user asks for: one immutable version of an application
// (Content) and what may change about it in place.
type Spec struct {
	Namespace   string
	Environment string
	Replicas    int32        // while it is started
	Autoscaling *Autoscaling // nil: Replicas says it all
	OnFailure   OnFailure
	IgnoreDrift []string // field paths, e.g. "spec.template.metadata.annotations"

	IgnoreServices  []string // names of Services that select its pods, and are no traffic
	AllowSelectedBy []string // names of Services that may select its pods before it is main
	Nameless        bool     // its pods go without LabelName: see Record

	Content Content
	Health  Health // when its pods count, and when waiting for them ends

	DurationBudget DurationBudget // when to warn of how long it took

	Rollout    *Rollout    // as it was typed, for an import; nil: not set
	Disruption *Disruption // nil: a budget for one pod at a time, where there are several
	Preview    *Preview    // nil: it has no address of its own outside the cluster

	Strategy Strategy // empty means StrategyBlueGreen
	Rolling  Rolling  // of StrategyRolling

	DesiredState    DesiredState      // empty means DesiredStarted
	RestartTriggers map[string]string // kept for an import; a change of them restarts the pods
}

// Content is what shapes the pods. It decides the release's name: equal content
// has an equal name, so going back to a version is finding it again.
//
// Every field is omitted from the canonical form when empty, so that adding a
// field to a later provider version does not rename the releases of users who
// do not use it.
type Content struct {
	Application string            `json:"application"`
	Version     string            `json:"version"`
	Triggers    map[string]string `json:"triggers,omitempty"`

	Image          string            `json:"image"`
	Container      Container         `json:"container,omitzero"`
	InitContainers []Helper          `json:"initContainers,omitempty"`
	Sidecars       []Helper          `json:"sidecars,omitempty"`
	Volumes        VolumesByName     `json:"volumes,omitempty"`
	ServiceAccount string            `json:"serviceAccountName,omitempty"`
	PullSecrets    []string          `json:"imagePullSecrets,omitempty"`
	NodeSelector   map[string]string `json:"nodeSelector,omitempty"`
	Tolerations    []Toleration      `json:"tolerations,omitempty"`
	GracePeriod    *int64            `json:"terminationGracePeriodSeconds,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Annotations    map[string]string `json:"annotations,omitempty"`
	TemplatePatch  string            `json:"podTemplatePatch,omitempty"` // YAML, strategic merge
	PodSecurity    PodSecurity       `json:"podSecurity,omitempty"`      // empty means PodSecurityBaseline

	PriorityClass  string              `json:"priorityClassName,omitempty"`
	RuntimeClass   string              `json:"runtimeClassName,omitempty"`
	HostAliases    map[string][]string `json:"hostAliases,omitempty"` // address -> names
	DNS            *PodDNS             `json:"dns,omitempty"`
	TopologySpread *[]TopologySpread   `json:"topologySpread,omitempty"` // nil: over nodes, where possible; empty: nothing
	Affinity       *Affinity           `json:"affinity,omitempty"`
}

// PodDNS is how the pods resolve names. Policy is one of Kubernetes'; empty: its
// default. Options without a value have an empty one.
type PodDNS struct {
	Policy      string            `json:"policy,omitempty"`
	Nameservers []string          `json:"nameservers,omitempty"`
	Searches    []string          `json:"searches,omitempty"`
	Options     map[string]string `json:"options,omitempty"`
}

// TopologySpread keeps the release's own pods apart, as in the Kubernetes API.
type TopologySpread struct {
	TopologyKey       string `json:"topologyKey"`
	MaxSkew           int32  `json:"maxSkew,omitempty"`           // 0: 1
	WhenUnsatisfiable string `json:"whenUnsatisfiable,omitempty"` // empty: ScheduleAnyway
	MinDomains        *int32 `json:"minDomains,omitempty"`
}

// Helper is a container that runs before (init) or beside (sidecar) the
// application's own. Order matters for init containers.
type Helper struct {
	Name  string `json:"name"`
	Image string `json:"image"`
	Container
}

// Container is what the user says of one container.
type Container struct {
	Ports           map[string]int32     `json:"ports,omitempty"` // name -> number
	Command         []string             `json:"command,omitempty"`
	Args            []string             `json:"args,omitempty"`
	Env             map[string]string    `json:"env,omitempty"`
	SecretEnv       map[string]SecretKey `json:"secretEnv,omitempty"`
	EnvFrom         []EnvFrom            `json:"envFrom,omitempty"`
	Resources       Resources            `json:"resources,omitzero"`
	ReadinessProbe  *Probe               `json:"readinessProbe,omitempty"`
	LivenessProbe   *Probe               `json:"livenessProbe,omitempty"`
	StartupProbe    *Probe               `json:"startupProbe,omitempty"`
	VolumeMounts    map[string]Mount     `json:"volumeMounts,omitempty"` // mount path -> what
	SecurityContext *SecurityContext     `json:"securityContext,omitempty"`

	EnvFromField map[string]string `json:"envFromField,omitempty"` // name -> a field of the pod, or a resource of the container
	PostStart    *Handler          `json:"postStart,omitempty"`
	PreStop      *Handler          `json:"preStop,omitempty"` // nil: a sleep of some seconds
	Files        map[string]string `json:"files,omitempty"`   // path -> text

	PortProtocols map[string]string `json:"portProtocols,omitempty"` // name of a port -> what is not TCP
}

// Protocol is that of one of the container's ports.
func (c Container) Protocol(port string) string { return cmp.Or(c.PortProtocols[port], "TCP") }

// HasFiles says that a container of the release has files of its own.
func (c Content) HasFiles() bool {
	has := func(h Helper) bool { return len(h.Files) > 0 }
	return len(c.Container.Files) > 0 || slices.ContainsFunc(c.InitContainers, has) || slices.ContainsFunc(c.Sidecars, has)
}

// Handler is what a container does at a moment of its life; exactly one is set.
// SleepSeconds 0 is nothing at all.
type Handler struct {
	Exec         []string `json:"exec,omitempty"`
	HTTPGet      *HTTPGet `json:"httpGet,omitempty"`
	SleepSeconds *int64   `json:"sleepSeconds,omitempty"`
}

// SecretKey points at one key of a Secret. The value is never read.
type SecretKey struct {
	Name     string `json:"name"`
	Key      string `json:"key"`
	Optional bool   `json:"optional,omitempty"`
}

// EnvFrom takes every key of one ConfigMap or one Secret; exactly one is set.
type EnvFrom struct {
	ConfigMap string `json:"configMap,omitempty"`
	Secret    string `json:"secret,omitempty"`
	Prefix    string `json:"prefix,omitempty"`
	Optional  bool   `json:"optional,omitempty"`
}

// Resources are Kubernetes quantities by resource name ("cpu", "memory", …).
type Resources struct {
	Requests map[string]string `json:"requests,omitempty"`
	Limits   map[string]string `json:"limits,omitempty"`
}

// Probe asks one container whether it is well; exactly one of the four
// handlers is set. Nil numbers take the API server's defaults.
type Probe struct {
	HTTPGet   *HTTPGet   `json:"httpGet,omitempty"`
	TCPSocket *TCPSocket `json:"tcpSocket,omitempty"`
	GRPC      *GRPC      `json:"grpc,omitempty"`
	Exec      []string   `json:"exec,omitempty"`

	InitialDelaySeconds *int32 `json:"initialDelaySeconds,omitempty"`
	PeriodSeconds       *int32 `json:"periodSeconds,omitempty"`
	TimeoutSeconds      *int32 `json:"timeoutSeconds,omitempty"`
	SuccessThreshold    *int32 `json:"successThreshold,omitempty"`
	FailureThreshold    *int32 `json:"failureThreshold,omitempty"`
}

// HTTPGet is an HTTP probe; Port is a declared port's name or a number.
type HTTPGet struct {
	Path    string            `json:"path,omitempty"`
	Port    string            `json:"port"`
	Scheme  string            `json:"scheme,omitempty"` // HTTP (default) or HTTPS
	Headers map[string]string `json:"headers,omitempty"`
}

// TCPSocket is a probe that connects; Port is a declared port's name or a number.
type TCPSocket struct {
	Port string `json:"port"`
}

// GRPC is a gRPC health probe. Kubernetes wants a number; a declared port's
// name is resolved to it.
type GRPC struct {
	Port    string `json:"port"`
	Service string `json:"service,omitempty"`
}

// Mount puts a volume at a path.
type Mount struct {
	Volume   string `json:"volume"`
	SubPath  string `json:"subPath,omitempty"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// VolumesByName maps a volume's name to its source.
type VolumesByName map[string]Volume

// Volume is one source of files; exactly one field is set.
type Volume struct {
	EmptyDir  *EmptyDir    `json:"emptyDir,omitempty"`
	ConfigMap *FilesFrom   `json:"configMap,omitempty"`
	Secret    *FilesFrom   `json:"secret,omitempty"`
	Claim     *VolumeClaim `json:"persistentVolumeClaim,omitempty"`

	Projected []Projection `json:"projected,omitempty"`
	CSI       *CSIVolume   `json:"csi,omitempty"`
	Ephemeral *ClaimOfPod  `json:"ephemeral,omitempty"`
}

// EmptyDir is scratch space; Medium is "" or "Memory", SizeLimit a quantity.
type EmptyDir struct {
	Medium    string `json:"medium,omitempty"`
	SizeLimit string `json:"sizeLimit,omitempty"`
}

// FilesFrom mounts the keys of a ConfigMap or Secret; Items maps key -> path
// and is empty for all keys.
type FilesFrom struct {
	Name     string            `json:"name"`
	Items    map[string]string `json:"items,omitempty"`
	Optional bool              `json:"optional,omitempty"`
}

// VolumeClaim mounts an existing PersistentVolumeClaim.
type VolumeClaim struct {
	Name     string `json:"name"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// Toleration lets pods onto tainted nodes, as in the Kubernetes API.
type Toleration struct {
	Key      string `json:"key,omitempty"`
	Operator string `json:"operator,omitempty"` // Equal (default) or Exists
	Value    string `json:"value,omitempty"`
	Effect   string `json:"effect,omitempty"`
	Seconds  *int64 `json:"tolerationSeconds,omitempty"`
}

// SecurityContext overrides, for one container, what PodSecurity sets.
type SecurityContext struct {
	RunAsUser                *int64   `json:"runAsUser,omitempty"`
	RunAsGroup               *int64   `json:"runAsGroup,omitempty"`
	RunAsNonRoot             *bool    `json:"runAsNonRoot,omitempty"`
	ReadOnlyRootFilesystem   *bool    `json:"readOnlyRootFilesystem,omitempty"`
	AllowPrivilegeEscalation *bool    `json:"allowPrivilegeEscalation,omitempty"`
	Privileged               *bool    `json:"privileged,omitempty"`
	AddCapabilities          []string `json:"addCapabilities,omitempty"`
	DropCapabilities         []string `json:"dropCapabilities,omitempty"`
}

// PodSecurity is how much the pods are locked down by default.
type PodSecurity string

// The pod security defaults, from strictest to none.
const (
	PodSecurityRestricted PodSecurity = "restricted"
	PodSecurityBaseline   PodSecurity = "baseline"
	PodSecurityNone       PodSecurity = "none"
)

// PodSecurities lists every PodSecurity; validators, docs and tests use it.
func PodSecurities() []PodSecurity {
	return []PodSecurity{PodSecurityRestricted, PodSecurityBaseline, PodSecurityNone}
}

// OnFailure is what becomes of a release that failed to start, or on its way to be main.
type OnFailure string

// What becomes of a release that has failed.
const (
	OnFailureStop      OnFailure = "stop"      // scaled to zero, kept for a look
	OnFailureKeep      OnFailure = "keep"      // left running
	OnFailureTerminate OnFailure = "terminate" // removed
)

// OnFailures lists every OnFailure; validators, docs and tests use it.
func OnFailures() []OnFailure {
	return []OnFailure{OnFailureStop, OnFailureKeep, OnFailureTerminate}
}
