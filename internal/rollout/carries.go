package rollout

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// carries says why a release must be taken to carry traffic: the application's
// pointer names it, or a Service other than its own selects its pods. It reads
// live. Empty means that it carries none; what cannot be told is an error, and
// callers that would hurt must treat that as carrying.
func (e *Engine) carries(ctx context.Context, c Cluster, application string, d *appsv1.Deployment) (string, error) {
	main, _, err := e.liveMain(ctx, c, d.Namespace, application)
	if err != nil {
		return "", err
	}
	if main != nil && main.Names(d.Name) {
		return "it is the main deployment of " + d.Namespace + "/" + application, nil
	}
	services := &corev1.ServiceList{}
	if err := c.List(ctx, d.Namespace, "", services); err != nil {
		return "", err
	}
	pods := labels.Set(d.Spec.Template.Labels)
	for i := range services.Items {
		svc := &services.Items[i]
		if svc.Name == d.Name || len(svc.Spec.Selector) == 0 {
			continue
		}
		if labels.SelectorFromSet(svc.Spec.Selector).Matches(pods) {
			return fmt.Sprintf("the Service %s/%s selects its pods", svc.Namespace, svc.Name), nil
		}
	}
	return "", nil
}

// mayHurt is carries for deciding whether a release may be stopped or removed:
// a reason not to where it carries traffic, and where that cannot be told.
func (e *Engine) mayHurt(ctx context.Context, c Cluster, application string, d *appsv1.Deployment) string {
	why, err := e.carries(ctx, c, application, d)
	if err != nil {
		return "it cannot be told whether it carries traffic: " + err.Error()
	}
	return why
}

// liveWorkload reads a release's workload; nil where there is none.
func (e *Engine) liveWorkload(ctx context.Context, c Cluster, id release.ID, application string) (*appsv1.Deployment, error) {
	return look(ctx, c, id.Namespace, id.Name, application, &appsv1.Deployment{}, "Deployment")
}

// liveService reads a release's own Service; nil where there is none.
func (e *Engine) liveService(ctx context.Context, c Cluster, id release.ID, application string) (*corev1.Service, error) {
	return look(ctx, c, id.Namespace, id.Name, application, &corev1.Service{}, "Service")
}

// look reads an object before it is written or removed: the zero T where there
// is none, a *release.ForeignError where it is not ours.
func look[T interface {
	comparable
	Object
}](ctx context.Context, c Cluster, namespace, name, application string, into T, kind string) (T, error) {
	var none T
	err := c.Get(ctx, namespace, name, into)
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	return into, release.Foreign(c.Name(), kind, into, application)
}

// liveMain reads what is remembered of the application's address; nil where it
// has none. The ConfigMap may be there without one: it also has the history.
func (e *Engine) liveMain(ctx context.Context, c Cluster, namespace, application string) (*release.Main, *corev1.ConfigMap, error) {
	cm, err := look(ctx, c, namespace, release.MainName(application), application, &corev1.ConfigMap{}, "ConfigMap")
	if err != nil || cm == nil {
		return nil, nil, err
	}
	main, err := mainIn(cm.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("the ConfigMap %s/%s on cluster %q: %w", namespace, cm.Name, c.Name(), err)
	}
	return main, cm, nil
}
