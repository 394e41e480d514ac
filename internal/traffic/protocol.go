package traffic

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// A main Service's ports have the protocols of the pods' ports that they lead to: a
// Service finds a named port only under its own protocol.

// ProtocolsIn are those of a Service's ports that are not TCP, by name; nil of one that
// is somebody else's.
func (s ServiceSpec) ProtocolsIn(svc *corev1.Service) map[string]string {
	if s.Adopt {
		return nil
	}
	var found map[string]string
	for _, port := range svc.Spec.Ports {
		if port.Protocol != "" && port.Protocol != corev1.ProtocolTCP {
			if found == nil {
				found = map[string]string{}
			}
			found[port.Name] = string(port.Protocol)
		}
	}
	return found
}

// leadingTo is the Service that sends everything to one release, over the protocols of
// its ports.
func (s *Service) leadingTo(ctx context.Context, name string) (*corev1.Service, error) {
	spec := s.spec
	if !spec.Adopt && name != "" {
		d, err := s.workload(ctx, name)
		if err != nil {
			return nil, err
		}
		spec.Protocols = ProtocolsOf(&d.Spec.Template.Spec)
	}
	return spec.Object(name), nil
}

// workload is a release's, as a watch has it or, where that has none yet, live. What is
// gone has no ports.
func (s *Service) workload(ctx context.Context, name string) (*appsv1.Deployment, error) {
	found, err := s.view.List(ctx, &appsv1.Deployment{}, map[string]string{release.LabelDeployment: name})
	if err != nil {
		return nil, err
	}
	for _, obj := range found {
		if obj.GetName() == name {
			return obj.(*appsv1.Deployment), nil
		}
	}
	d := &appsv1.Deployment{}
	if err := s.cluster.Get(ctx, s.spec.Namespace, name, d); err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	return d, nil
}

// ProtocolsOf are the protocols of a pod's named ports that are not TCP. Of two ports of
// one name, the first counts, as for a Service.
func ProtocolsOf(pod *corev1.PodSpec) map[string]string {
	found, seen := map[string]string{}, map[string]bool{}
	for _, port := range containerPorts(pod) {
		if port.Protocol != "" && port.Protocol != corev1.ProtocolTCP && !seen[port.Name] {
			found[port.Name] = string(port.Protocol)
		}
		seen[port.Name] = true
	}
	return found
}
