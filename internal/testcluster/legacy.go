package testcluster

import (
	"context"
	"errors"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// LegacyManager is the field manager of what Legacy makes.
const LegacyManager = "kubectl-client-side-apply"

// LegacySelector is what a Legacy Service selects.
func LegacySelector(name string) map[string]string { return map[string]string{"app": name} }

// Legacy makes a plain Deployment <name>-legacy, as people have one before they
// know of us, and the Service in front of it, which sends its port 80 to the
// pods' port "http". It returns the Service when a pod is ready behind it.
func (c *Cluster) Legacy(t testing.TB, namespace, name, image string, edit ...func(*appsv1.Deployment)) *corev1.Service {
	t.Helper()
	labels, replicas := LegacySelector(name), int32(1)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name + "-legacy", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "legacy", Image: image, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				}}},
			},
		},
	}
	for _, f := range edit {
		f(d)
	}
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{"owner": "somebody"}},
		Spec: corev1.ServiceSpec{
			Selector: labels,
			Ports:    []corev1.ServicePort{{Name: "web", Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	options := metav1.CreateOptions{FieldManager: LegacyManager}
	_, err1 := c.client.AppsV1().Deployments(namespace).Create(ctx, d, options)
	svc, err2 := c.client.CoreV1().Services(namespace).Create(ctx, svc, options)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	Eventually(t, Hang, "a ready pod behind the Service "+name, func() error {
		list, err := c.client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + name})
		if err != nil {
			return err
		}
		for _, slice := range list.Items {
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
					return nil
				}
			}
		}
		return errors.New("there is none")
	})
	return svc
}
