package traffic

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// An adopted Service belongs to somebody else, who has handed us one field of
// it: spec.selector. The API server treats that map as one value, so that
// applying ours leaves no label of theirs in it. Nothing else of the Service is
// ever written, and it gets no label of ours.

// Adopt tells a router what is remembered of the Service that it adopts. first
// says that its selector is not ours yet: then it is taken over.
func (s *Service) Adopt(known *release.Adoption, first bool) {
	s.adoption = known
	s.force = s.force || first
}

// selecting is an adopted Service with the one field of it that is ours.
func (s ServiceSpec) selecting(selector map[string]string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name},
		Spec:       corev1.ServiceSpec{Selector: selector},
	}
}

// slices are the main Service's EndpointSlices. Those of an adopted one do not
// carry our label.
func (s *Service) slices(ctx context.Context) ([]Object, error) {
	if !s.spec.Adopt {
		return slicesOf(ctx, s.view, s.spec.Name)
	}
	return s.view.Select(ctx, &discoveryv1.EndpointSlice{}, discoveryv1.LabelServiceName+"="+s.spec.Name, "")
}

// SelectsOurs says whether an adopted Service's selector is one that we wrote
// for the application, even where somebody has added to it since.
func SelectsOurs(svc *corev1.Service, application string) bool {
	of, ok := release.ApplicationOf(svc.Spec.Selector[release.LabelDeployment])
	return ok && of == application
}

// handBack gives an adopted Service the selector that it had, and lets it go.
func (s *Service) handBack(ctx context.Context) error {
	if err := s.Restore(ctx); err != nil {
		return err
	}
	return s.LetGo(ctx)
}

// Restore gives an adopted Service the selector that it had before. What does
// not select a release of ours, or is gone, is left alone.
func (s *Service) Restore(ctx context.Context) error {
	for {
		svc, err := s.theirs(ctx)
		if err != nil || svc == nil || s.adoption == nil || len(s.adoption.Selector) == 0 {
			return err
		}
		want := s.spec.selecting(s.adoption.Selector)
		want.UID, want.ResourceVersion = svc.UID, svc.ResourceVersion
		err = s.cluster.Apply(ctx, want, true)
		if err == nil {
			s.applied = ""
		}
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return err
		}
	}
}

// Restored says whether the data plane has left the release that an adopted
// Service selected: a ready pod of somebody else's is behind the Service, and
// no pod of the release, unless the former selector selects those too.
func (s *Service) Restored(ctx context.Context, left string, both bool) (bool, error) {
	found, err := s.slices(ctx)
	if err != nil {
		return false, err
	}
	var ports []Port
	if s.found != nil {
		ports = PortsOf(s.found, nil) // other pods than ours: whichever numbers they have
	}
	now := podsOf(found, ports)
	own, err := Endpoints(ctx, s.view, left, nil)
	if err != nil {
		return false, err
	}
	ready := false
	for pod, up := range now {
		if _, ours := own[pod]; !ours {
			ready = ready || up
		} else if !both {
			return false, nil
		}
	}
	return ready, nil
}

// LetGo takes our name off an adopted Service's fields, which stay as they are.
// Whoever applies the Service next meets no conflict.
func (s *Service) LetGo(ctx context.Context) error {
	for {
		svc := &corev1.Service{}
		err := s.cluster.Get(ctx, s.spec.Namespace, s.spec.Name, svc)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if of, ok := release.ApplicationOf(svc.Spec.Selector[release.LabelDeployment]); ok && of != s.spec.Application {
			return nil // another application's by now: what it manages has our name, too
		}
		theirs := slices.DeleteFunc(slices.Clone(svc.ManagedFields), func(f metav1.ManagedFieldsEntry) bool {
			return f.Manager == release.FieldManager
		})
		if len(theirs) == len(svc.ManagedFields) {
			return nil
		}
		svc.ManagedFields = theirs
		err = s.cluster.Update(ctx, svc)
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return err
		}
	}
}

// theirs is the adopted Service as long as it selects a release of ours; nil
// where it does not, or is gone.
func (s *Service) theirs(ctx context.Context) (*corev1.Service, error) {
	svc := &corev1.Service{}
	err := s.cluster.Get(ctx, s.spec.Namespace, s.spec.Name, svc)
	if apierrors.IsNotFound(err) || err == nil && !SelectsOurs(svc, s.spec.Application) {
		return nil, nil
	}
	return svc, err
}
