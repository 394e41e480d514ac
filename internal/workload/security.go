package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// podSecurityContext is what pod_security sets on the pod. Baseline must let
// stock images run (nginx starts as root), so only restricted refuses root.
func podSecurityContext(level release.PodSecurity) *corev1.PodSecurityContext {
	if level == release.PodSecurityNone {
		return nil
	}
	s := &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	if level == release.PodSecurityRestricted {
		s.RunAsNonRoot = new(true)
	}
	return s
}

// securityContext is what pod_security sets on a container, overridden field by
// field by what the user says of that container.
func securityContext(own *release.SecurityContext, level release.PodSecurity) *corev1.SecurityContext {
	var s corev1.SecurityContext
	if level != release.PodSecurityNone && !needsEscalation(own) {
		s.AllowPrivilegeEscalation = new(false)
	}
	var add, drop []corev1.Capability
	if level == release.PodSecurityRestricted {
		drop = []corev1.Capability{"ALL"}
	}
	if own != nil {
		s.RunAsUser, s.RunAsGroup, s.RunAsNonRoot = own.RunAsUser, own.RunAsGroup, own.RunAsNonRoot
		s.ReadOnlyRootFilesystem, s.Privileged = own.ReadOnlyRootFilesystem, own.Privileged
		if own.AllowPrivilegeEscalation != nil {
			s.AllowPrivilegeEscalation = own.AllowPrivilegeEscalation
		}
		add = capabilities(own.AddCapabilities)
		if len(own.DropCapabilities) > 0 {
			drop = capabilities(own.DropCapabilities)
		}
	}
	if len(add)+len(drop) > 0 {
		s.Capabilities = &corev1.Capabilities{Add: add, Drop: drop}
	}
	if s == (corev1.SecurityContext{}) {
		return nil
	}
	return &s
}

// needsEscalation: the API server refuses allowPrivilegeEscalation=false beside
// privileged or CAP_SYS_ADMIN, which imply it.
func needsEscalation(own *release.SecurityContext) bool {
	return own != nil && (own.Privileged != nil && *own.Privileged ||
		slices.Contains(own.AddCapabilities, "SYS_ADMIN") || slices.Contains(own.AddCapabilities, "CAP_SYS_ADMIN"))
}

func capabilities(names []string) []corev1.Capability {
	var list []corev1.Capability
	for _, name := range names {
		list = append(list, corev1.Capability(name))
	}
	return list
}
