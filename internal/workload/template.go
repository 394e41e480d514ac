package workload

import (
	"errors"
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// fromTemplate reads a workload backwards. What the schema has no attribute for
// (other volume types) is left out; the hash tells the caller that something was.
// texts are what its files hold, by their keys.
func fromTemplate(d *appsv1.Deployment, texts map[string]string) (release.Content, error) {
	pod := d.Spec.Template.Spec
	application := d.Labels[release.LabelApplication]
	if application == "" {
		application, _ = release.ApplicationOf(d.Name)
	}
	if application == "" {
		application = d.Name
	}
	if len(pod.Containers) == 0 {
		return release.Content{}, errors.New("it has no containers")
	}
	app := pod.Containers[0]
	for _, c := range pod.Containers {
		if c.Name == application {
			app = c
		}
	}
	level := levelOf(pod)
	c := release.Content{
		Application:    application,
		Version:        versionOf(d, app.Image),
		Image:          app.Image,
		Container:      fromContainer(app, level),
		Volumes:        fromVolumes(pod.Volumes),
		ServiceAccount: pod.ServiceAccountName,
		NodeSelector:   pod.NodeSelector,
		Labels:         foreign(d.Spec.Template.Labels),
		Annotations:    foreign(d.Spec.Template.Annotations),
		PodSecurity:    level,
		PriorityClass:  pod.PriorityClassName,
		RuntimeClass:   deref(pod.RuntimeClassName),
		HostAliases:    fromHostAliases(pod.HostAliases),
		DNS:            fromDNS(pod.DNSPolicy, pod.DNSConfig),
		TopologySpread: fromSpread(pod.TopologySpreadConstraints),
		Affinity:       fromAffinity(pod.Affinity, d.Name),
	}
	_, c.Container.PreStop = fromLifecycle(app.Lifecycle, true)
	takeFiles(&c.Container, d, texts)
	if c.ServiceAccount == "default" {
		c.ServiceAccount = ""
	}
	if pod.TerminationGracePeriodSeconds != nil && *pod.TerminationGracePeriodSeconds != DefaultGracePeriod {
		c.GracePeriod = pod.TerminationGracePeriodSeconds
	}
	for _, ref := range pod.ImagePullSecrets {
		c.PullSecrets = append(c.PullSecrets, ref.Name)
	}
	if FilesOf(d) != "" {
		delete(c.Volumes, filesVolumeName)
	}
	for _, t := range pod.Tolerations {
		c.Tolerations = append(c.Tolerations, release.Toleration{
			Key: t.Key, Operator: string(t.Operator), Value: t.Value, Effect: string(t.Effect), Seconds: t.TolerationSeconds,
		})
	}
	for _, init := range pod.InitContainers {
		h := release.Helper{Name: init.Name, Image: init.Image, Container: fromContainer(init, level)}
		takeFiles(&h.Container, d, texts)
		if init.RestartPolicy != nil && *init.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			_, h.PreStop = fromLifecycle(init.Lifecycle, true)
			c.Sidecars = append(c.Sidecars, h)
		} else {
			c.InitContainers = append(c.InitContainers, h)
		}
	}
	return c.Normalize(), nil
}

func versionOf(d *appsv1.Deployment, image string) string {
	for _, v := range []string{d.Annotations[release.AnnotationVersion], d.Labels[release.LabelVersion]} {
		if v != "" {
			return v
		}
	}
	return release.DefaultVersion(image)
}

// levelOf is which pod_security renders what the pod has.
func levelOf(pod corev1.PodSpec) release.PodSecurity {
	s := pod.SecurityContext
	if s == nil || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		return release.PodSecurityNone
	}
	if s.RunAsNonRoot != nil && *s.RunAsNonRoot {
		return release.PodSecurityRestricted
	}
	return release.PodSecurityBaseline
}

// foreign is what is neither ours nor written by kubectl rollout restart.
func foreign(entries map[string]string) map[string]string {
	kept := maps.Clone(entries)
	maps.DeleteFunc(kept, func(key, _ string) bool { return reserved(key) || strings.HasPrefix(key, "kubectl.kubernetes.io/") })
	return kept
}

func fromContainer(c corev1.Container, level release.PodSecurity) release.Container {
	r := release.Container{
		Ports:           map[string]int32{},
		PortProtocols:   map[string]string{},
		Command:         c.Command,
		Args:            c.Args,
		Env:             map[string]string{},
		SecretEnv:       map[string]release.SecretKey{},
		EnvFromField:    map[string]string{},
		Resources:       release.Resources{Requests: fromQuantities(c.Resources.Requests), Limits: fromQuantities(c.Resources.Limits)},
		ReadinessProbe:  notSoon(fromProbe(c.ReadinessProbe), c.ReadinessProbe),
		LivenessProbe:   fromProbe(c.LivenessProbe),
		StartupProbe:    notSoon(fromProbe(c.StartupProbe), c.StartupProbe),
		VolumeMounts:    map[string]release.Mount{},
		SecurityContext: fromSecurity(c.SecurityContext, level),
	}
	r.PostStart, r.PreStop = fromLifecycle(c.Lifecycle, false)
	for _, p := range c.Ports {
		if p.Name != "" {
			r.Ports[p.Name] = p.ContainerPort
		}
		if p.Name != "" && p.Protocol != "" {
			r.PortProtocols[p.Name] = string(p.Protocol)
		}
	}
	for _, v := range c.Env {
		switch {
		case v.ValueFrom == nil:
			r.Env[v.Name] = v.Value
		case v.ValueFrom.SecretKeyRef != nil:
			ref := v.ValueFrom.SecretKeyRef
			r.SecretEnv[v.Name] = release.SecretKey{Name: ref.Name, Key: ref.Key, Optional: isTrue(ref.Optional)}
		case v.ValueFrom.FieldRef != nil:
			r.EnvFromField[v.Name] = v.ValueFrom.FieldRef.FieldPath
		case v.ValueFrom.ResourceFieldRef != nil && v.ValueFrom.ResourceFieldRef.ContainerName == "":
			r.EnvFromField[v.Name] = v.ValueFrom.ResourceFieldRef.Resource
		}
	}
	for _, s := range c.EnvFrom {
		e := release.EnvFrom{Prefix: s.Prefix}
		if s.ConfigMapRef != nil {
			e.ConfigMap, e.Optional = s.ConfigMapRef.Name, isTrue(s.ConfigMapRef.Optional)
		} else if s.SecretRef != nil {
			e.Secret, e.Optional = s.SecretRef.Name, isTrue(s.SecretRef.Optional)
		}
		r.EnvFrom = append(r.EnvFrom, e)
	}
	for _, m := range c.VolumeMounts {
		r.VolumeMounts[m.MountPath] = release.Mount{Volume: m.Name, SubPath: m.SubPath, ReadOnly: m.ReadOnly}
	}
	return r
}

func fromQuantities(list corev1.ResourceList) map[string]string {
	texts := make(map[string]string, len(list))
	for name, q := range list {
		texts[string(name)] = q.String()
	}
	return texts
}

// notSoon is the way back from soon: our own numbers were typed by nobody, and
// who has both of the server's has typed one of them.
func notSoon(typed *release.Probe, p *corev1.Probe) *release.Probe {
	switch {
	case typed == nil:
	case p.PeriodSeconds == probePeriodSeconds && p.FailureThreshold == probeFailureThreshold:
		typed.PeriodSeconds, typed.FailureThreshold = nil, nil
	case typed.PeriodSeconds == nil && typed.FailureThreshold == nil:
		typed.PeriodSeconds = &p.PeriodSeconds
	}
	return typed
}

// fromProbe takes a number that equals the server's default for one that nobody
// typed: the more likely case.
func fromProbe(p *corev1.Probe) *release.Probe {
	if p == nil {
		return nil
	}
	r := &release.Probe{
		InitialDelaySeconds: unless(p.InitialDelaySeconds, 0),
		PeriodSeconds:       unless(p.PeriodSeconds, 10),
		TimeoutSeconds:      unless(p.TimeoutSeconds, 1),
		SuccessThreshold:    unless(p.SuccessThreshold, 1),
		FailureThreshold:    unless(p.FailureThreshold, 3),
	}
	switch {
	case p.HTTPGet != nil:
		r.HTTPGet = fromHTTPGet(p.HTTPGet)
	case p.TCPSocket != nil:
		r.TCPSocket = &release.TCPSocket{Port: p.TCPSocket.Port.String()}
	case p.GRPC != nil:
		r.GRPC = &release.GRPC{Port: strconv.Itoa(int(p.GRPC.Port))}
		if p.GRPC.Service != nil {
			r.GRPC.Service = *p.GRPC.Service
		}
	case p.Exec != nil:
		r.Exec = p.Exec.Command
	}
	return r
}

func fromHTTPGet(get *corev1.HTTPGetAction) *release.HTTPGet {
	r := &release.HTTPGet{Path: get.Path, Port: get.Port.String(), Scheme: string(get.Scheme)}
	for _, h := range get.HTTPHeaders {
		if r.Headers == nil {
			r.Headers = map[string]string{}
		}
		r.Headers[h.Name] = h.Value
	}
	return r
}

// fromSecurity subtracts what the level sets by itself.
func fromSecurity(s *corev1.SecurityContext, level release.PodSecurity) *release.SecurityContext {
	if s == nil {
		return nil
	}
	r := &release.SecurityContext{
		RunAsUser: s.RunAsUser, RunAsGroup: s.RunAsGroup, RunAsNonRoot: s.RunAsNonRoot,
		ReadOnlyRootFilesystem: s.ReadOnlyRootFilesystem, AllowPrivilegeEscalation: s.AllowPrivilegeEscalation,
		Privileged: s.Privileged,
	}
	if s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation && level != release.PodSecurityNone {
		r.AllowPrivilegeEscalation = nil
	}
	if s.Capabilities == nil {
		return r
	}
	for _, c := range s.Capabilities.Add {
		r.AddCapabilities = append(r.AddCapabilities, string(c))
	}
	for _, c := range s.Capabilities.Drop {
		r.DropCapabilities = append(r.DropCapabilities, string(c))
	}
	if level == release.PodSecurityRestricted && len(r.DropCapabilities) == 1 && r.DropCapabilities[0] == "ALL" {
		r.DropCapabilities = nil
	}
	return r
}

func fromVolumes(list []corev1.Volume) release.VolumesByName {
	named := release.VolumesByName{}
	for _, v := range list {
		switch {
		case v.EmptyDir != nil:
			e := &release.EmptyDir{Medium: string(v.EmptyDir.Medium)}
			if v.EmptyDir.SizeLimit != nil {
				e.SizeLimit = v.EmptyDir.SizeLimit.String()
			}
			named[v.Name] = release.Volume{EmptyDir: e}
		case v.ConfigMap != nil:
			f := filesFrom(v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.Optional)
			named[v.Name] = release.Volume{ConfigMap: f}
		case v.Secret != nil:
			f := filesFrom(v.Secret.SecretName, v.Secret.Items, v.Secret.Optional)
			named[v.Name] = release.Volume{Secret: f}
		case v.PersistentVolumeClaim != nil:
			named[v.Name] = release.Volume{Claim: &release.VolumeClaim{
				Name: v.PersistentVolumeClaim.ClaimName, ReadOnly: v.PersistentVolumeClaim.ReadOnly,
			}}
		case v.Projected != nil:
			named[v.Name] = release.Volume{Projected: fromProjected(v.Projected)}
		case v.CSI != nil:
			named[v.Name] = release.Volume{CSI: fromCSI(v.CSI)}
		case v.Ephemeral != nil:
			named[v.Name] = release.Volume{Ephemeral: fromClaimOfPod(v.Ephemeral)}
		}
	}
	return named
}

func filesFrom(name string, items []corev1.KeyToPath, optional *bool) *release.FilesFrom {
	f := &release.FilesFrom{Name: name, Items: map[string]string{}, Optional: isTrue(optional)}
	for _, item := range items {
		f.Items[item.Key] = item.Path
	}
	return f
}

func isTrue(b *bool) bool { return b != nil && *b }

func unless(n, byDefault int32) *int32 {
	if n == byDefault {
		return nil
	}
	return &n
}
