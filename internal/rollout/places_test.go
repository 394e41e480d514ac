package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// place is one thing around pods that is wrong, made so on a real control plane.
type place struct {
	prepare func(t *testing.T, s *scene)                       // before the workload is made
	edit    func(t *testing.T, s *scene, d *appsv1.Deployment) // what it asks for
	then    func(t *testing.T, s *scene)                       // once it is there
	cause   health.Cause
	class   health.Class
	tells   []string // by the finding
	healthy bool     // all the same
	second  bool     // what follows from it is told first
	asked   int32    // how many pods are waited for; 0: as many as the workload asks for
}

// scene is a namespace for one workload, and what reads it for a verdict.
type scene struct {
	*testcluster.Cluster
	namespace string
	wire      rollout.Cluster
	after     time.Duration // how much later than now the cluster is looked at
}

// workloadName is that of a scene's only workload, and of its pods' labels.
const workloadName = "web"

// TestPlaces lets everything go wrong that only a control plane is needed for.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, table := range []map[string]place{refusedPlaces, nodePlaces, claimPlaces, endingPlaces, trafficPlaces, othersPlaces} {
		for name, p := range table {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p.run(t, name)
			})
		}
	}
}

func (p place) run(t *testing.T, name string) {
	shared := testcluster.Shared(t)
	wire, err := cluster.New(cluster.Config{Name: "prod", UserAgent: "terraform-provider-switchback/test", ConfigPath: shared.KubeconfigPath})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	s := &scene{Cluster: shared, namespace: shared.Namespace(t), wire: wiredCluster{wire}}
	if p.prepare != nil {
		p.prepare(t, s)
	}
	d := s.workload()
	if p.edit != nil {
		p.edit(t, s, d)
	}
	if _, err := s.Client().AppsV1().Deployments(s.namespace).Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if p.then != nil {
		p.then(t, s)
	}
	var in health.Input
	testcluster.Eventually(t, testcluster.Hang, "the verdict "+string(p.cause), func() (err error) {
		in, err = s.look(t)
		if err != nil {
			return err
		}
		if p.asked > 0 {
			in.WantReplicas = p.asked
		}
		return p.judge(health.Compute(in))
	})
	if *capture {
		s.keep(t, in, name, p.asked)
	}
}

// judge says what of a verdict is not as it should be.
func (p place) judge(v health.Verdict) error {
	if (v.State == health.Healthy) != p.healthy || len(v.Findings) == 0 {
		return fmt.Errorf("the verdict is %+v", v)
	}
	first := v.Findings[0]
	if p.second && len(v.Findings) > 1 {
		first = v.Findings[1]
	}
	if first.Cause != p.cause || first.Class != p.class {
		return fmt.Errorf("the finding is %+v", first)
	}
	told := strings.Join([]string{first.Object, first.Sentence, first.Evidence, first.Hint}, "\n")
	for _, text := range p.tells {
		if !strings.Contains(told, text) {
			return fmt.Errorf("it does not say %q:\n%s", text, told)
		}
	}
	return nil
}

// look reads what an error would be made of.
func (s *scene) look(t *testing.T) (health.Input, error) {
	t.Helper()
	in, unread, err := diagnose.Gather(t.Context(), s.wire, diagnose.Subject{Namespace: s.namespace, Workload: workloadName})
	for _, u := range unread {
		err = errors.Join(err, u.Err)
	}
	in.Now = in.Now.Add(s.after)
	return in, err
}

// workload is one that becomes healthy.
func (s *scene) workload() *appsv1.Deployment {
	labels := map[string]string{release.LabelDeployment: workloadName, "app": workloadName}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: workloadName, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "web", Image: "demo/web:v1", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				}}},
			},
		},
	}
}

// edits makes an edit of one of a workload's pod template.
func edits(change func(*corev1.PodSpec)) func(*testing.T, *scene, *appsv1.Deployment) {
	return func(_ *testing.T, _ *scene, d *appsv1.Deployment) { change(&d.Spec.Template.Spec) }
}

func asks(list corev1.ResourceList) func(*testing.T, *scene, *appsv1.Deployment) {
	return edits(func(pod *corev1.PodSpec) { pod.Containers[0].Resources.Requests = list })
}

func of(name corev1.ResourceName, quantity string) corev1.ResourceList {
	return corev1.ResourceList{name: resource.MustParse(quantity)}
}

// node makes a node that nobody plays: a pod that is scheduled onto it stays as
// the test writes it. No other test's pods come there.
func (s *scene) node(t *testing.T, capacity corev1.ResourceList) string {
	t.Helper()
	nodes, name := s.Client().CoreV1().Nodes(), s.namespace
	_, err := nodes.Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "only", Value: name, Effect: corev1.TaintEffectNoSchedule}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nodes.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}) })
	s.nodeStatus(t, corev1.ConditionTrue, capacity)
	testcluster.Eventually(t, testcluster.Hang, "the node to take pods", func() error {
		node, err := nodes.Get(t.Context(), name, metav1.GetOptions{})
		if err == nil && len(node.Spec.Taints) != 1 {
			err = fmt.Errorf("its taints are %v", node.Spec.Taints)
		}
		return err
	})
	return name
}

// nodeStatus is what a kubelet says of its node.
func (s *scene) nodeStatus(t *testing.T, ready corev1.ConditionStatus, capacity corev1.ResourceList) {
	t.Helper()
	nodes := s.Client().CoreV1().Nodes()
	testcluster.Eventually(t, testcluster.Hang, "the node's status", func() error {
		node, err := nodes.Get(t.Context(), s.namespace, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now := metav1.Now()
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, LastHeartbeatTime: now, LastTransitionTime: now, Reason: "Test"}}
		if capacity != nil {
			node.Status.Capacity, node.Status.Allocatable = capacity, capacity
		}
		_, err = nodes.UpdateStatus(t.Context(), node, metav1.UpdateOptions{})
		return err
	})
}

// roomy is enough for whatever these tests run.
var roomy = corev1.ResourceList{
	corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("2Gi"), corev1.ResourcePods: resource.MustParse("10"),
}

// onItsOwn puts a pod onto the scene's node.
func onItsOwn(name string, pod *corev1.PodSpec) {
	pod.NodeSelector = map[string]string{"kubernetes.io/hostname": name}
	pod.Tolerations = append(pod.Tolerations, corev1.Toleration{Key: "only", Value: name})
}

// pod waits for a pod of the workload on the scene's node, and returns it.
func (s *scene) pod(t *testing.T) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	testcluster.Eventually(t, testcluster.Hang, "a pod on its node", func() error {
		pods, err := s.Client().CoreV1().Pods(s.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + workloadName})
		if err != nil {
			return err
		}
		for i := range pods.Items {
			if pod = &pods.Items[i]; pod.Spec.NodeName == s.namespace {
				return nil
			}
		}
		return fmt.Errorf("there are %d pods, none of them there", len(pods.Items))
	})
	return pod
}

// refuses waits until the API server knows a rule that was made: it learns of it
// from a watch.
func (s *scene) refuses(t *testing.T) {
	t.Helper()
	template := s.workload().Spec.Template
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "asks", Labels: template.Labels}, Spec: template.Spec}
	testcluster.Eventually(t, testcluster.Hang, "pods to be refused", func() error {
		_, err := s.Client().CoreV1().Pods(s.namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return errors.New("they are not")
		}
		return nil
	})
}

func servicePort(port int32, target intstr.IntOrString) []corev1.ServicePort {
	return []corev1.ServicePort{{Name: "http", Port: port, TargetPort: target}}
}
