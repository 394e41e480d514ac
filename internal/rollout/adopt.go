package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// adopt decides, before anything is written, whether the address may be what
// the request says: a Service of our own, or one of somebody else's that was
// handed to us.
func (p *Promotion) adopt(ctx context.Context, pl *placement) error {
	want := p.req.Service
	refuse := func(service, format string, args ...any) error {
		return &release.AdoptionError{Cluster: pl.cluster.Name(), Namespace: want.Namespace, Service: service, Reason: fmt.Sprintf(format, args...)}
	}
	known := pl.main.Adopted
	switch {
	case known != nil && pl.main.Service != want.Name:
		return refuse(want.Name, "the application %q has adopted the Service %q. Keep that one, or destroy the switchback_main_deployment first, which hands it back", want.Application, pl.main.Service)
	case known != nil && !want.Adopt:
		return refuse(want.Name, "the application %q has adopted it already. Keep `adopt = true`, or destroy the switchback_main_deployment first, which hands it back", want.Application)
	case !want.Adopt:
		return nil
	case known == nil && pl.main.Service != "":
		return refuse(want.Name, "the application %q has an address that Switchback made, the Service %q. Destroy its switchback_main_deployment first, or leave `adopt` out", want.Application, pl.main.Service)
	}
	svc := pl.found.Service
	seen := known.Seen(svc)
	if seen != known {
		if len(svc.Spec.Selector) == 0 {
			return refuse(want.Name, "it selects no pods: somebody else writes its endpoints. Choose another Service")
		}
		if err := p.unclaimed(ctx, pl.cluster, svc); err != nil {
			return err
		}
		if writer := release.SelectorWriter(svc); writer != "" {
			p.notice(mayBeRewritten(pl.cluster, svc, writer))
		}
	}
	pl.main.Adopted = seen
	// A first promotion that was cut off knows the Service, and may not have
	// taken its selector yet.
	pl.router.Adopt(seen, seen != known || pl.main.Deployment == "")
	return nil
}

// unclaimed makes sure that no other application calls the Service its address,
// whatever it selects just now.
func (p *Promotion) unclaimed(ctx context.Context, c Cluster, svc *corev1.Service) error {
	list := &corev1.ConfigMapList{}
	if err := c.List(ctx, svc.Namespace, release.ManagedSelector+","+release.LabelRole+"="+release.RolePointer, list); err != nil {
		return err
	}
	for i := range list.Items {
		application := list.Items[i].Labels[release.LabelApplication]
		main, err := release.ParseMain(list.Items[i].Data)
		if err == nil && main.Service == svc.Name && application != p.req.Service.Application {
			return release.AdoptedElsewhere(c.Name(), svc, application)
		}
	}
	return nil
}

// ports are what a pod's containers declare, each with its protocol.
type ports struct{ names, numbers []string }

func portsOf(pod *corev1.PodSpec) ports {
	var p ports
	for _, containers := range [][]corev1.Container{pod.Containers, pod.InitContainers} {
		for _, container := range containers {
			for _, port := range container.Ports {
				p.names = append(p.names, port.Name+"/"+orTCP(port.Protocol))
				p.numbers = append(p.numbers, fmt.Sprintf("%d/%s", port.ContainerPort, orTCP(port.Protocol)))
			}
		}
	}
	return p
}

func (p ports) String() string {
	if len(p.names) == 0 {
		return "no ports"
	}
	var all []string
	for i := range p.names {
		all = append(all, fmt.Sprintf("%s (%s)", p.names[i], p.numbers[i]))
	}
	return "only " + strings.Join(all, ", ")
}

// unresolved is the first port of an adopted Service that leads nowhere in the
// release's pods, as the end of a sentence; empty where there is none. The
// Service's ports are not ours to change.
func unresolved(svc *corev1.Service, pod *corev1.PodSpec) string {
	declared := portsOf(pod)
	for _, port := range svc.Spec.Ports {
		target, have, is := port.TargetPort, declared.numbers, "port "
		if target == intstr.FromInt32(0) {
			target = intstr.FromInt32(port.Port)
		}
		if target.Type == intstr.String {
			have, is = declared.names, "port named "
		}
		if slices.Contains(have, target.String()+"/"+orTCP(port.Protocol)) {
			continue
		}
		return fmt.Sprintf("the adopted Service %s/%s sends its port %d to the %s%s (%s) of the pods, but its containers declare %s. Declare that port in `container.ports`%s, or change the Service's targetPort",
			svc.Namespace, svc.Name, port.Port, is, target.String(), orTCP(port.Protocol), declared, asProtocol(port.Protocol))
	}
	return ""
}

// asProtocol is what else declares a port that is not TCP, for people.
func asProtocol(p corev1.Protocol) string {
	if orTCP(p) == string(corev1.ProtocolTCP) {
		return ""
	}
	return fmt.Sprintf(" and, as %q, in `container.port_protocols`", p)
}

func orTCP(p corev1.Protocol) string {
	if p == "" {
		return string(corev1.ProtocolTCP)
	}
	return string(p)
}
