package testcluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	policyapply "k8s.io/client-go/applyconfigurations/policy/v1"
)

// managers are who owns fields of our objects, as the API server knows us: the
// applies, and the labels for kubectl.
var managers = []string{"switchback", "switchback-labels"}

// Copy is what an application has in a namespace, for tests that begin where it
// is: it is made once, by verbs, which ask a hundred requests for it, and copied by
// a dozen. What has no copy: a Service or a route that is adopted, which is
// remembered by its uid.
type Copy struct {
	Namespace string // that it is of

	workloads []appsv1.Deployment
	services  []corev1.Service
	budgets   []policyv1.PodDisruptionBudget
	maps      []corev1.ConfigMap
	leases    []coordinationv1.Lease
}

// Copy takes a copy of what is ours in a namespace.
func (c *Cluster) Copy(t *testing.T, namespace string) *Copy {
	t.Helper()
	client, ctx, options := c.Client(), t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=switchback"}
	deployments, err1 := client.AppsV1().Deployments(namespace).List(ctx, options)
	services, err2 := client.CoreV1().Services(namespace).List(ctx, options)
	configMaps, err3 := client.CoreV1().ConfigMaps(namespace).List(ctx, options)
	leases, err4 := client.CoordinationV1().Leases(namespace).List(ctx, options)
	budgets, err5 := client.PolicyV1().PodDisruptionBudgets(namespace).List(ctx, options)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	return &Copy{
		Namespace: namespace, workloads: deployments.Items, services: services.Items, budgets: budgets.Items,
		maps: configMaps.Items, leases: leases.Items,
	}
}

// Into makes the same things in another namespace, with the same owners of their
// fields. What a ConfigMap says may be changed on the way; nil: nothing is. It
// returns when the pods are ready that were.
func (p *Copy) Into(t *testing.T, c *Cluster, namespace string, change func(data map[string]string)) {
	t.Helper()
	client, ctx := c.Client(), t.Context()
	create := metav1.CreateOptions{FieldManager: managers[0]}
	var errs []error
	for _, manager := range managers {
		errs = append(errs, p.apply(ctx, c, namespace, manager))
	}
	for _, o := range p.maps {
		data := map[string]string{}
		for key, text := range o.Data {
			data[key] = strings.ReplaceAll(text, p.Namespace, namespace)
		}
		if change != nil {
			change(data)
		}
		_, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: bare(o.ObjectMeta), Data: data}, create)
		errs = append(errs, err)
	}
	for _, o := range p.leases {
		_, err := client.CoordinationV1().Leases(namespace).Create(ctx, &coordinationv1.Lease{ObjectMeta: bare(o.ObjectMeta), Spec: o.Spec}, create)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, was := range p.workloads {
		Eventually(t, Hang, "the pods of "+was.Name, func() error {
			d, err := client.AppsV1().Deployments(namespace).Get(ctx, was.Name, metav1.GetOptions{})
			if err == nil && (d.Status.ObservedGeneration < d.Generation || d.Status.ReadyReplicas != was.Status.ReadyReplicas) {
				err = fmt.Errorf("%+v", d.Status)
			}
			return err
		})
	}
}

// apply applies what one manager owns.
func (p *Copy) apply(ctx context.Context, c *Cluster, namespace, manager string) error {
	client, options := c.Client(), metav1.ApplyOptions{FieldManager: manager, Force: true}
	var errs []error
	for i := range p.workloads {
		o, err := appsapply.ExtractDeployment(&p.workloads[i], manager)
		if err == nil {
			_, err = client.AppsV1().Deployments(namespace).Apply(ctx, o.WithNamespace(namespace), options)
		}
		errs = append(errs, err)
	}
	for i := range p.services {
		o, err := coreapply.ExtractService(&p.services[i], manager)
		if err == nil && o.ObjectMetaApplyConfiguration != nil && (manager == managers[0] || len(o.Labels) > 0) {
			_, err = client.CoreV1().Services(namespace).Apply(ctx, o.WithNamespace(namespace), options)
		}
		errs = append(errs, err)
	}
	if manager != managers[0] {
		return errors.Join(errs...)
	}
	for i := range p.budgets {
		o, err := policyapply.ExtractPodDisruptionBudget(&p.budgets[i], manager)
		if err == nil {
			_, err = client.PolicyV1().PodDisruptionBudgets(namespace).Apply(ctx, o.WithNamespace(namespace), options)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// bare is an object's metadata without what an API server adds.
func bare(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: m.Name, Labels: maps.Clone(m.Labels), Annotations: maps.Clone(m.Annotations)}
}
