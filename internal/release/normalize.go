package release

import (
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Normalize is c in the one spelling that is hashed, so that contents which mean
// the same have the same name: quantities in their shortest form (0.5 is 500m,
// 1024Mi is 1Gi), nothing instead of an empty map, list or object, and nothing
// instead of a written-out default (PodSecurityBaseline, scheme HTTP, operator
// Equal). What does not parse stays as it is: validation reports it. c itself is
// not modified.
//
// Changing what this does renames releases of users. Add a rule only for a field
// that is new in the same provider version.
func (c Content) Normalize() Content {
	c.Triggers = cloneMap(c.Triggers)
	c.Container = c.Container.normalize()
	c.InitContainers = normalizeContainers(c.InitContainers)
	c.Sidecars = normalizeContainers(c.Sidecars)
	c.Volumes = normalizeVolumes(c.Volumes)
	c.PullSecrets = cloneSlice(c.PullSecrets)
	c.NodeSelector = cloneMap(c.NodeSelector)
	c.Tolerations = cloneSlice(c.Tolerations)
	for i := range c.Tolerations {
		if c.Tolerations[i].Operator == "Equal" {
			c.Tolerations[i].Operator = ""
		}
		c.Tolerations[i].Seconds = clonePointer(c.Tolerations[i].Seconds)
	}
	c.GracePeriod = clonePointer(c.GracePeriod)
	c.Labels = cloneMap(c.Labels)
	c.Annotations = cloneMap(c.Annotations)
	if c.PodSecurity == PodSecurityBaseline {
		c.PodSecurity = ""
	}
	c.HostAliases = cloneMap(c.HostAliases)
	for address, names := range c.HostAliases {
		c.HostAliases[address] = cloneSlice(names)
	}
	c.DNS = c.DNS.normalize()
	if c.TopologySpread != nil {
		spread := slices.Clone(*c.TopologySpread)
		for i := range spread {
			spread[i].normalize()
		}
		c.TopologySpread = &spread
	}
	c.Affinity = c.Affinity.normalize()
	return c
}

// normalize drops what says nothing.
func (d *PodDNS) normalize() *PodDNS {
	if d == nil {
		return nil
	}
	n := PodDNS{d.Policy, cloneSlice(d.Nameservers), cloneSlice(d.Searches), cloneMap(d.Options)}
	if n.Policy == "ClusterFirst" {
		n.Policy = ""
	}
	if n.Policy == "" && n.Nameservers == nil && n.Searches == nil && n.Options == nil {
		return nil
	}
	return &n
}

func (t *TopologySpread) normalize() {
	if t.MaxSkew == 1 {
		t.MaxSkew = 0
	}
	if t.WhenUnsatisfiable == "ScheduleAnyway" {
		t.WhenUnsatisfiable = ""
	}
	t.MinDomains = clonePointer(t.MinDomains)
}

func (h *Handler) normalize() *Handler {
	if h == nil {
		return nil
	}
	return &Handler{cloneSlice(h.Exec), h.HTTPGet.normalize(), clonePointer(h.SleepSeconds)}
}

func (h *HTTPGet) normalize() *HTTPGet {
	n := clonePointer(h)
	if n == nil {
		return nil
	}
	n.Headers = cloneMap(n.Headers)
	if n.Scheme == "HTTP" {
		n.Scheme = ""
	}
	return n
}

func (c Container) normalize() Container {
	c.Ports = cloneMap(c.Ports)
	c.Command = cloneSlice(c.Command)
	c.Args = cloneSlice(c.Args)
	c.Env = cloneMap(c.Env)
	c.SecretEnv = cloneMap(c.SecretEnv)
	c.EnvFrom = cloneSlice(c.EnvFrom)
	c.Resources.Requests = normalizeQuantities(c.Resources.Requests)
	c.Resources.Limits = normalizeQuantities(c.Resources.Limits)
	c.ReadinessProbe = c.ReadinessProbe.normalize()
	c.LivenessProbe = c.LivenessProbe.normalize()
	c.StartupProbe = c.StartupProbe.normalize()
	c.VolumeMounts = cloneMap(c.VolumeMounts)
	c.SecurityContext = c.SecurityContext.normalize()
	c.EnvFromField = cloneMap(c.EnvFromField)
	c.PostStart = c.PostStart.normalize()
	c.PreStop = c.PreStop.normalize()
	c.Files = cloneMap(c.Files)
	c.PortProtocols = normalizeProtocols(c.PortProtocols)
	return c
}

func normalizeProtocols(protocols map[string]string) map[string]string {
	protocols = maps.Clone(protocols)
	maps.DeleteFunc(protocols, func(_, protocol string) bool { return protocol == "TCP" })
	return cloneMap(protocols)
}

func normalizeContainers(list []Helper) []Helper {
	list = cloneSlice(list)
	for i := range list {
		list[i].Container = list[i].Container.normalize()
	}
	return list
}

func (p *Probe) normalize() *Probe {
	if p == nil {
		return nil
	}
	n := *p
	n.HTTPGet = p.HTTPGet.normalize()
	n.TCPSocket = clonePointer(p.TCPSocket)
	n.GRPC = clonePointer(p.GRPC)
	n.Exec = cloneSlice(p.Exec)
	n.InitialDelaySeconds = clonePointer(p.InitialDelaySeconds)
	n.PeriodSeconds = clonePointer(p.PeriodSeconds)
	n.TimeoutSeconds = clonePointer(p.TimeoutSeconds)
	n.SuccessThreshold = clonePointer(p.SuccessThreshold)
	n.FailureThreshold = clonePointer(p.FailureThreshold)
	return &n
}

// normalize drops a security context that says nothing: it would be hashed as {}.
func (s *SecurityContext) normalize() *SecurityContext {
	if s == nil {
		return nil
	}
	n := SecurityContext{
		RunAsUser:                clonePointer(s.RunAsUser),
		RunAsGroup:               clonePointer(s.RunAsGroup),
		RunAsNonRoot:             clonePointer(s.RunAsNonRoot),
		ReadOnlyRootFilesystem:   clonePointer(s.ReadOnlyRootFilesystem),
		AllowPrivilegeEscalation: clonePointer(s.AllowPrivilegeEscalation),
		Privileged:               clonePointer(s.Privileged),
		AddCapabilities:          cloneSlice(s.AddCapabilities),
		DropCapabilities:         cloneSlice(s.DropCapabilities),
	}
	if n.RunAsUser == nil && n.RunAsGroup == nil && n.RunAsNonRoot == nil && n.ReadOnlyRootFilesystem == nil &&
		n.AllowPrivilegeEscalation == nil && n.Privileged == nil && n.AddCapabilities == nil && n.DropCapabilities == nil {
		return nil
	}
	return &n
}

func normalizeVolumes(volumes VolumesByName) VolumesByName {
	volumes = cloneMap(volumes)
	for name, v := range volumes {
		if v.EmptyDir = clonePointer(v.EmptyDir); v.EmptyDir != nil && v.EmptyDir.SizeLimit != "" {
			v.EmptyDir.SizeLimit = normalizeQuantity(v.EmptyDir.SizeLimit)
		}
		if v.ConfigMap = clonePointer(v.ConfigMap); v.ConfigMap != nil {
			v.ConfigMap.Items = cloneMap(v.ConfigMap.Items)
		}
		if v.Secret = clonePointer(v.Secret); v.Secret != nil {
			v.Secret.Items = cloneMap(v.Secret.Items)
		}
		v.Claim = clonePointer(v.Claim)
		v.Projected = normalizeProjections(v.Projected)
		v.CSI = v.CSI.normalize()
		v.Ephemeral = v.Ephemeral.normalize()
		volumes[name] = v
	}
	return volumes
}

func normalizeQuantities(quantities map[string]string) map[string]string {
	quantities = cloneMap(quantities)
	for name, text := range quantities {
		quantities[name] = normalizeQuantity(text)
	}
	return quantities
}

// normalizeQuantity depends on the value alone, not on how it was typed: of the
// decimal and the binary form it takes the shorter one, decimal at a tie. Values
// beyond the suffixes print wrongly (1e30 as 1), so what does not read back as
// the same value stays as typed.
func normalizeQuantity(text string) string {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return text
	}
	shortest := ""
	for _, format := range []resource.Format{resource.DecimalSI, resource.BinarySI} {
		form := q.DeepCopy()
		form.Add(resource.Quantity{}) // forgets the typed text, which String would return
		form.Format = format
		s := form.String()
		back, err := resource.ParseQuantity(s)
		if err == nil && back.Cmp(q) == 0 && (shortest == "" || len(s) < len(shortest)) {
			shortest = s
		}
	}
	if shortest == "" {
		return text
	}
	return shortest
}

// DefaultVersion is the version of a release whose user gave none: the image's
// tag; else the first twelve characters of its digest; else "latest".
func DefaultVersion(image string) string {
	const fallback = "latest"
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return fallback
	}
	if tagged, ok := ref.(reference.Tagged); ok {
		return tagged.Tag()
	}
	if digested, ok := ref.(reference.Digested); ok {
		_, hex, _ := strings.Cut(digested.Digest().String(), ":")
		return hex[:min(12, len(hex))]
	}
	return fallback
}

func cloneMap[M ~map[K]V, K comparable, V any](m M) M {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

func cloneSlice[S ~[]E, E any](s S) S {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
