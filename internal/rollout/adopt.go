package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
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
			p.tell(mayBeRewritten(pl.cluster, svc, writer))
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
		return fmt.Sprintf("the adopted Service %s/%s sends its port %d to the %s%s (%s) of the pods, but its containers declare %s. Declare that port in `container.ports`, or change the Service's targetPort",
			svc.Namespace, svc.Name, port.Port, is, target.String(), orTCP(port.Protocol), declared)
	}
	return ""
}

// reachable says whether a Service that is handed back would find its named
// ports in a pod. Numbers need not be declared.
func reachable(svc *corev1.Service, pod *corev1.PodSpec) bool {
	names := portsOf(pod).names
	return !slices.ContainsFunc(svc.Spec.Ports, func(port corev1.ServicePort) bool {
		return port.TargetPort.Type == intstr.String && !slices.Contains(names, port.TargetPort.StrVal+"/"+orTCP(port.Protocol))
	})
}

func orTCP(p corev1.Protocol) string {
	if p == "" {
		return string(corev1.ProtocolTCP)
	}
	return string(p)
}

// unadopt lets an adopted Service go. Its selector goes back to what it was
// where that has a ready pod; the release that it selected may be removed once
// the data plane has followed and what is under way has drained. Otherwise the
// selector stays, and so does the release: the notice says so.
func (e *Engine) unadopt(ctx context.Context, c Cluster, req UnmainRequest, main *release.Main) (stays *Notice, err error) {
	service := req.Service
	service.Adopt = true
	known, drain := (*release.Adoption)(nil), release.DefaultDrain
	if main != nil {
		known, drain, service.Name = main.Adopted, main.Drain, main.Service
	}
	router := e.router(c, service, false)
	router.Adopt(known, false)
	svc, err := e.adoptedService(ctx, c, service.Namespace, service.Name, service.Application)
	if err != nil {
		return nil, err
	}
	if svc == nil {
		// Gone, or not selecting a release of ours any more: perhaps since a
		// moment ago, by a run that was killed here.
		if main != nil && main.Deployment != "" {
			if err := wait.For(ctx, drain); err != nil {
				return nil, err
			}
		}
		return nil, router.LetGo(ctx)
	}
	ready, ours, why := e.readyOf(ctx, c, svc, known)
	mixed := false
	if ready && len(ours) > 0 {
		if why, err = e.mixes(ctx, c, svc, ours, known); err != nil {
			return nil, err
		}
		mixed = why != ""
	}
	if !ready || mixed {
		if err := router.LetGo(ctx); err != nil {
			return nil, err
		}
		n := notHandedBack(c, svc, service.Application, why, mixed)
		return &n, nil
	}
	if err := e.restore(ctx, c, router, svc, len(ours) > 0); err != nil {
		return nil, err
	}
	c.Tell(ctx, svc, release.EventHandedBack, e.inRun("traffic moved back to "+labels.FormatLabels(known.Selector)), false)
	if err := wait.For(ctx, drain); err != nil {
		return nil, err
	}
	return nil, router.LetGo(ctx)
}

// restore gives the Service its former selector and waits until the data plane
// has followed. Where it does not, the Service goes back to the release.
func (e *Engine) restore(ctx context.Context, c Cluster, router *traffic.Service, svc *corev1.Service, overlap bool) error {
	left := svc.Spec.Selector[release.LabelDeployment]
	waiting, cancel := context.WithTimeoutCause(ctx, e.timing.Settle, fmt.Errorf("the endpoints of the Service did not follow within %s", e.timing.Settle))
	defer cancel()
	err := router.Restore(waiting)
	if err == nil {
		err = wait.Until(waiting, c.View(svc.Namespace), func() (bool, time.Duration, error) {
			back, err := router.Restored(waiting, left, overlap)
			return back, 0, err
		})
	}
	if err == nil {
		return nil
	}
	clean, stop := e.keeper.Cleanup(ctx)
	defer stop()
	if _, again := router.Shift(clean, release.Split{left: 100}); again != nil {
		err = errors.Join(err, fmt.Errorf("going back to %s failed too: %w", left, again))
	}
	return fmt.Errorf("the adopted Service %s/%s on cluster %q could not be handed back and still selects %s: %w", svc.Namespace, svc.Name, c.Name(), left, err)
}

// mixes says why a Service that is handed back would send traffic to old and new
// pods at once: its former selector selects those of releases, ours, that do not
// allow it to. Empty where all do.
func (e *Engine) mixes(ctx context.Context, c Cluster, svc *corev1.Service, ours []string, known *release.Adoption) (string, error) {
	var mixed []string
	for _, name := range ours {
		application, _ := release.ApplicationOf(name)
		_, record, err := ownership.LiveRecord(ctx, c, release.ID{Namespace: svc.Namespace, Name: name}, application)
		if err != nil && !apierrors.IsNotFound(err) {
			return "", err
		}
		if record == nil || !slices.Contains(record.AllowSelectedBy, svc.Name) {
			mixed = append(mixed, name)
		}
	}
	if len(mixed) == 0 {
		return "", nil
	}
	return fmt.Sprintf("what it selected before (%s) are also the pods of %s: old and new ones would serve together", labels.FormatLabels(known.Selector), strings.Join(mixed, ", ")), nil
}

// readyOf says whether a ready pod of somebody else's has the labels that an
// adopted Service selected before, and if not, why. ours are the releases whose
// pods have them too.
func (e *Engine) readyOf(ctx context.Context, c Cluster, svc *corev1.Service, known *release.Adoption) (ready bool, ours []string, why string) {
	if known == nil || len(known.Selector) == 0 {
		return false, nil, "what it selected before is not known any more: handing it back would have been an outage"
	}
	selector := labels.SelectorFromSet(known.Selector).String()
	pods := &corev1.PodList{}
	if err := c.List(ctx, svc.Namespace, selector, pods); err != nil {
		return false, nil, fmt.Sprintf("it cannot be told whether what it selected before (%s) has a ready pod: %v", selector, err)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if name := pod.Labels[release.LabelDeployment]; name != "" {
			if !slices.Contains(ours, name) {
				ours = append(ours, name)
			}
			continue
		}
		ready = ready || pod.DeletionTimestamp == nil && reachable(svc, &pod.Spec) && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
	}
	slices.Sort(ours)
	return ready, ours, fmt.Sprintf("what it selected before (%s) has no ready pod that it would reach: handing it back would have been an outage", selector)
}

// adoptedService reads, live, a Service of somebody else's that selects a
// release of the application; nil where there is none such.
func (e *Engine) adoptedService(ctx context.Context, c Cluster, namespace, name, application string) (*corev1.Service, error) {
	svc, err := anyService(ctx, c, namespace, name)
	if err != nil || svc == nil || !traffic.SelectsOurs(svc, application) {
		return nil, err
	}
	return svc, nil
}

// anyService reads a Service live, whoever it belongs to; nil where there is none.
func anyService(ctx context.Context, c Cluster, namespace, name string) (*corev1.Service, error) {
	svc := &corev1.Service{}
	err := c.Get(ctx, namespace, name, svc)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return svc, err
}
