package workload

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What a release gets without asking. The figures are from test/e2e, on one real
// node with little else to do; a larger cluster is slower in all of them.
const (
	// DefaultGracePeriod is how long a pod may take to end, in seconds: the pause
	// below and 25 seconds for what is under way. Requests of 10 seconds all
	// finish (TestRequestsUnderWayOutliveTheirRelease).
	DefaultGracePeriod int64 = 30
	// PreStopSeconds is how long a pod that is being removed goes on serving
	// before its process is told to stop. With the pods of a main deployment
	// deleted one by one under 800 requests a second, 88 requests failed without
	// this pause and none with it; the last new connection came to a pod 0.13 s
	// after it was told to leave (TestPodsThatLeaveTakeNoRequestAlong). Proxies of
	// large clusters and load balancers take seconds.
	PreStopSeconds int64 = 5

	revisionHistoryLimit int32 = 2
)

// Deployment renders the release's workload. The spec need not be normalized,
// but it must be valid: what Validate reports comes back as an error here.
//
// Two fields are left unset on purpose. progressDeadlineSeconds stays at the
// server's ten minutes where the user does not set it: the engine has its own deadline (the timeouts
// attribute) and its own verdict, and the condition it leads to is only an echo
// of them. automountServiceAccountToken is the service account's to decide.
func Deployment(spec release.Spec) (*appsv1.Deployment, error) {
	c := spec.Content.Normalize()
	hash := c.Hash()
	name := spec.NameFor(hash)
	notes, err := annotations(spec, hash)
	if err != nil {
		return nil, fmt.Errorf("cannot describe %s: %w", name, err)
	}
	template, err := podTemplate(c, name)
	if err != nil {
		return nil, fmt.Errorf("cannot render the pods of %s: %w", name, err)
	}
	if spec.Strategy.InPlace() {
		markContent(template, hash)
	}
	if spec.Nameless {
		delete(template.Labels, release.LabelName)
	}
	replicas, history := spec.RunningReplicas(), revisionHistoryLimit
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: spec.Namespace, Name: name, Labels: Labels(spec), Annotations: notes},
		Spec: appsv1.DeploymentSpec{
			Replicas:             &replicas,
			RevisionHistoryLimit: &history,
			Selector:             &metav1.LabelSelector{MatchLabels: release.Selector(name)},
			Template:             *template,
		},
	}
	setStrategy(&d.Spec, spec)
	setHealth(&d.Spec, spec.Health)
	return d, nil
}

// Nameless says that a live workload's pods go without LabelName.
func Nameless(d *appsv1.Deployment) bool {
	_, named := d.Spec.Template.Labels[release.LabelName]
	return !named
}

// podTemplate renders the pods from the content alone: nothing that changes in
// place may be here, or changing it would replace every pod.
func podTemplate(c release.Content, name string) (*corev1.PodTemplateSpec, error) {
	pod, err := podSpec(c, name)
	if err != nil {
		return nil, err
	}
	template := &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: podLabels(c, name), Annotations: podAnnotations(c)},
		Spec:       *pod,
	}
	return applyPatch(template, c)
}

func podSpec(c release.Content, name string) (*corev1.PodSpec, error) {
	app, err := container(c.Application, c.Image, c.Container, c.PodSecurity)
	if err != nil {
		return nil, err
	}
	app.Lifecycle = orSleeps(app.Lifecycle, c.Container)
	inits, err := initContainers(c)
	if err != nil {
		return nil, err
	}
	volumes, err := volumes(c.Volumes, c.Application)
	if err != nil {
		return nil, err
	}
	if c.HasFiles() {
		volumes = append(volumes, filesVolume(c, name))
	}
	grace := DefaultGracePeriod
	if c.GracePeriod != nil {
		grace = *c.GracePeriod
	}
	return &corev1.PodSpec{
		Containers:                    []corev1.Container{*app},
		InitContainers:                inits,
		Volumes:                       volumes,
		ServiceAccountName:            c.ServiceAccount,
		ImagePullSecrets:              pullSecrets(c.PullSecrets),
		NodeSelector:                  c.NodeSelector,
		Tolerations:                   tolerations(c.Tolerations),
		TerminationGracePeriodSeconds: &grace,
		SecurityContext:               podSecurityContext(c.PodSecurity),
		TopologySpreadConstraints:     spread(c.TopologySpread, name),
		Affinity:                      affinity(c.Affinity, name),
		PriorityClassName:             c.PriorityClass,
		RuntimeClassName:              nonEmpty(c.RuntimeClass),
		HostAliases:                   hostAliases(c.HostAliases),
		DNSPolicy:                     dnsPolicy(c.DNS),
		DNSConfig:                     dnsConfig(c.DNS),
	}, nil
}

func pullSecrets(names []string) []corev1.LocalObjectReference {
	var refs []corev1.LocalObjectReference
	for _, name := range names {
		refs = append(refs, corev1.LocalObjectReference{Name: name})
	}
	return refs
}

func tolerations(list []release.Toleration) []corev1.Toleration {
	var ts []corev1.Toleration
	for _, t := range list {
		ts = append(ts, corev1.Toleration{
			Key:               t.Key,
			Operator:          corev1.TolerationOperator(t.Operator),
			Value:             t.Value,
			Effect:            corev1.TaintEffect(t.Effect),
			TolerationSeconds: t.Seconds,
		})
	}
	return ts
}
