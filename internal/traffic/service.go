package traffic

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ServiceSpec is an application's own address, as the user describes it.
type ServiceSpec struct {
	Namespace, Application string

	Name string // default: the application

	// Adopt says that the Service is somebody else's. Only its selector is ours:
	// the rest of this is unset.
	Adopt bool

	Ports                 map[string]int32  // named port of the pods -> port of the Service
	Protocols             map[string]string // named port of the pods -> what is not TCP: not typed, it is that of the pods
	Type                  corev1.ServiceType
	Annotations           map[string]string
	SessionAffinity       corev1.ServiceAffinity
	LoadBalancerClass     string
	ExternalTrafficPolicy corev1.ServiceExternalTrafficPolicy

	AppProtocols        map[string]string // named port -> what is spoken there
	NodePorts           map[string]int32  // named port -> port of the nodes
	SourceRanges        []string          // CIDRs from which a load balancer is reached
	IPFamilies          []corev1.IPFamily
	IPFamilyPolicy      corev1.IPFamilyPolicy
	TrafficDistribution string
}

// Object is the Service that sends everything to one release. Its targets are
// named ports, so that versions may listen on different numbers.
func (s ServiceSpec) Object(deployment string) *corev1.Service {
	if s.Adopt {
		return s.selecting(release.Selector(deployment))
	}
	svc := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: s.Name,
			Labels: map[string]string{
				release.LabelName:        s.Application,
				release.LabelManagedBy:   release.ManagedBy,
				release.LabelApplication: s.Application,
				release.LabelRole:        release.RoleMain,
			},
			Annotations: maps.Clone(s.Annotations),
		},
		Spec: corev1.ServiceSpec{
			Type:                  s.Type,
			Selector:              release.Selector(deployment),
			SessionAffinity:       s.SessionAffinity,
			ExternalTrafficPolicy: s.ExternalTrafficPolicy,

			LoadBalancerSourceRanges: slices.Clone(s.SourceRanges),
			IPFamilies:               slices.Clone(s.IPFamilies),
			IPFamilyPolicy:           unlessEmpty(s.IPFamilyPolicy),
			TrafficDistribution:      unlessEmpty(s.TrafficDistribution),
		},
	}
	if s.LoadBalancerClass != "" {
		svc.Spec.LoadBalancerClass = &s.LoadBalancerClass
	}
	for _, name := range slices.Sorted(maps.Keys(s.Ports)) {
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{
			Name: name, Port: s.Ports[name], TargetPort: intstr.FromString(name), Protocol: corev1.Protocol(cmp.Or(s.Protocols[name], string(corev1.ProtocolTCP))),
			AppProtocol: unlessEmpty(s.AppProtocols[name]), NodePort: s.NodePorts[name],
		})
	}
	return svc
}

// Same says that both are one address, wherever it leads.
func (s ServiceSpec) Same(other ServiceSpec) bool { return reflect.DeepEqual(s, other) }

// unlessEmpty is unset for what nobody typed: we own no field that nobody asked for.
func unlessEmpty[T ~string](text T) *T {
	if text == "" {
		return nil
	}
	return &text
}

// Service routes by the selector of the application's main Service: the whole
// traffic goes to one release, in one write.
type Service struct {
	cluster Cluster
	view    View
	spec    ServiceSpec
	force   bool

	empty    bool            // nothing is behind it: the switch has arrived when it is written
	anyPorts bool            // pods alone decide whether the switch has arrived
	applied  string          // the release our last write sent everything to
	reply    *corev1.Service // the API server's reply to it

	found    *corev1.Service   // as it was when we last looked; nil: there was none
	adoption *release.Adoption // of an adopted one: see Adopt
}

// NewService routes through the main Service. force takes fields over that the
// plan has shown to be somebody else's.
func NewService(cluster Cluster, view View, spec ServiceSpec, force bool) *Service {
	return &Service{cluster: cluster, view: view, spec: spec, force: force}
}

// Shift implements Router. A Service can send everything to one release only.
func (s *Service) Shift(ctx context.Context, want release.Split) (bool, time.Duration, error) {
	name, ok := want.Stable()
	if !ok {
		return false, 0, fmt.Errorf("a Service sends all traffic to one release, it cannot split it as %s", want)
	}
	if s.applied != name {
		if err := s.apply(ctx, name); err != nil {
			return false, 0, err
		}
		s.applied = name
	}
	if s.empty {
		return true, 0, nil
	}
	settled, err := s.settled(ctx, name)
	return settled, 0, err
}

// apply looks before it writes, and writes with what it saw as precondition.
func (s *Service) apply(ctx context.Context, name string) error {
	for {
		live, err := s.live(ctx)
		if err != nil {
			return err
		}
		want, err := s.leadingTo(ctx, name)
		if err != nil {
			return err
		}
		if live != nil {
			want.UID, want.ResourceVersion = live.UID, live.ResourceVersion
		} else {
			release.Anew(want)
		}
		err = s.cluster.Apply(ctx, want, s.force)
		if err == nil {
			s.reply = want
		}
		if !release.ReadAgain(err) {
			return err
		}
		if ctx.Err() != nil {
			return err
		}
	}
}

// Returns says that what follows is a way back, which nothing may keep from its
// end: neither that the release lacks ports that are new, nor that somebody has
// taken fields of the Service since.
func (s *Service) Returns() { s.anyPorts, s.force = true, true }

// Empty says that no pods are waited for behind the address: its release is stopped.
func (s *Service) Empty() { s.empty = true }

// Applied is the API server's reply to the last write; nil before the first.
func (s *Service) Applied() *corev1.Service { return s.reply }

// live is the main Service, nil where there is none, and an error where it is
// not ours.
func (s *Service) live(ctx context.Context) (*corev1.Service, error) {
	svc := &corev1.Service{}
	err := s.cluster.Get(ctx, s.spec.Namespace, s.spec.Name, svc)
	switch {
	case apierrors.IsNotFound(err) && s.spec.Adopt:
		return nil, &release.AdoptionError{
			Cluster: s.cluster.Name(), Namespace: s.spec.Namespace, Service: s.spec.Name,
			Reason: "there is no such Service. Create it first, or leave `adopt` out: then Switchback makes it",
		}
	case apierrors.IsNotFound(err):
		s.found = nil
		return nil, nil
	case err != nil:
		return nil, err
	}
	s.found = svc
	if s.spec.Adopt {
		return svc, release.Adoptable(s.cluster.Name(), svc, s.spec.Application)
	}
	return svc, release.Foreign(s.cluster.Name(), "Service", svc, s.spec.Application)
}

// settled compares the main Service's EndpointSlices with those of the
// release's own Service, which selects the same pods: when both have the same
// ready pods, and one at least, and all of the main Service's ports are offered,
// the switch has arrived where kube-proxy reads it.
func (s *Service) settled(ctx context.Context, name string) (bool, error) {
	main, err := s.slices(ctx)
	if err != nil {
		return false, err
	}
	own, err := slicesOf(ctx, s.view, name)
	if err != nil {
		return false, err
	}
	wanted := podsOf(own, nil)
	var ports []Port
	if !s.anyPorts {
		ports = portsOf(s.reply, offeredIn(own))
	}
	now := podsOf(main, ports)
	ready := false
	for pod := range now {
		if _, ok := wanted[pod]; !ok {
			return false, nil
		}
	}
	for pod, up := range wanted {
		if up && !now[pod] {
			return false, nil
		}
		ready = ready || up
	}
	return ready, nil
}

// Behind are the pods that the address leads to as it stands, and whether each is
// ready on all of its ports. pod says which numbers named ports have.
func (s *Service) Behind(ctx context.Context, pod *corev1.PodSpec) (map[string]bool, error) {
	svc, err := s.watched(ctx)
	if err != nil || svc == nil {
		return nil, err
	}
	found, err := s.slices(ctx)
	if err != nil {
		return nil, err
	}
	return podsOf(found, PortsOf(svc, pod)), nil
}

// watched is the main Service as a watch has it; nil where there is none. An
// adopted one does not carry our label.
func (s *Service) watched(ctx context.Context) (*corev1.Service, error) {
	var found []Object
	var err error
	if s.spec.Adopt {
		found, err = s.view.Select(ctx, &corev1.Service{}, "", "metadata.name="+s.spec.Name)
	} else {
		found, err = s.view.List(ctx, &corev1.Service{}, map[string]string{release.LabelApplication: s.spec.Application})
	}
	if err != nil {
		return nil, err
	}
	for _, obj := range found {
		if svc := obj.(*corev1.Service); svc.Name == s.spec.Name {
			return svc, nil
		}
	}
	return nil, nil
}

// Look implements Router.
func (s *Service) Look(ctx context.Context) (Observed, error) {
	svc, err := s.live(ctx)
	if err != nil {
		return Observed{}, err
	}
	return Observed{Split: SplitOf(svc), Service: svc}, nil
}

// SplitOf reads a main Service's selector; nil and selectors that are not
// exactly ours give an empty split.
func SplitOf(svc *corev1.Service) release.Split {
	if svc == nil {
		return release.Split{}
	}
	name := svc.Spec.Selector[release.LabelDeployment]
	if name == "" || !maps.Equal(svc.Spec.Selector, release.Selector(name)) {
		return release.Split{}
	}
	return release.Split{name: 100}
}

// Remove implements Router. An adopted Service is handed back.
func (s *Service) Remove(ctx context.Context) error {
	if s.spec.Adopt {
		return s.handBack(ctx)
	}
	for {
		svc, err := s.live(ctx)
		if err != nil || svc == nil {
			return err
		}
		err = s.cluster.Delete(ctx, svc, metav1.DeletePropagationBackground)
		if !release.ReadAgain(err) {
			return err
		}
	}
}
