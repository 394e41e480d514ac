package testcluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestMain(m *testing.M) {
	if os.Getenv("TESTCLUSTER_CHILD") != "" {
		os.Exit(m.Run()) // without stopping the cluster
	}
	os.Exit(testcluster.Run(m))
}

func TestImagesFailAsTheirNamesAsk(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	namespace := c.Namespace(t)
	for image, want := range map[string]string{
		"demo/api:v1":      "Running ready=true ",
		"demo/bloom:v1":    "Running ready=true ",
		"demo/slow-api:v1": "Running ready=true ",
		"demo/missing:v1":  "Pending ready=false ImagePullBackOff",
		"demo/api:crash":   "Running ready=false CrashLoopBackOff last=Error",
		"demo/oom:v1":      "Running ready=false CrashLoopBackOff last=OOMKilled",
		"demo/unready:v1":  "Running ready=false ",
	} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			name := strings.NewReplacer("/", "-", ":", "-").Replace(image)
			deploy(t, c.Client(), namespace, name, image, 1)
			testcluster.Eventually(t, testcluster.Hang, want, func() error {
				pods, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
				if err != nil || len(pods.Items) != 1 || len(pods.Items[0].Status.ContainerStatuses) != 1 {
					return errors.Join(err, errors.New("no pod with a status"))
				}
				if pods.Items[0].Status.PodIP == "" {
					return errors.New("the pod has no address")
				}
				container := pods.Items[0].Status.ContainerStatuses[0]
				got := fmt.Sprintf("%s ready=%t ", pods.Items[0].Status.Phase, container.Ready)
				if container.State.Waiting != nil {
					got += container.State.Waiting.Reason
				}
				if container.LastTerminationState.Terminated != nil {
					got += " last=" + container.LastTerminationState.Terminated.Reason
				}
				if got != want {
					return fmt.Errorf("got %q", got)
				}
				return nil
			})
		})
	}
}

// TestNamespaceIsLeftAtRest: what asks for work after a test is ended, and nothing else.
func TestNamespaceIsLeftAtRest(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	for name, test := range map[string]struct {
		image string
		also  func(t *testing.T, namespace string)
		left  int // Deployments
	}{
		"ready":   {image: "demo/api:v1", left: 1},
		"failing": {image: "demo/missing:v1"},
		"autoscaled": {image: "demo/api:v1", also: func(t *testing.T, namespace string) {
			t.Helper()
			scaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "api"}, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "api"}, MaxReplicas: 2,
			}}
			if _, err := c.Client().AutoscalingV2().HorizontalPodAutoscalers(namespace).Create(t.Context(), scaler, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var namespace string
			t.Run("a test", func(t *testing.T) {
				namespace = c.Namespace(t)
				deploy(t, c.Client(), namespace, "api", test.image, 1)
				if test.also != nil {
					test.also(t, namespace)
				}
				cached := metav1.ListOptions{ResourceVersion: "0"} // as the clean-up sees it
				testcluster.Eventually(t, testcluster.Hang, "the pod to be told of", func() error {
					deployments, err1 := c.Client().AppsV1().Deployments(namespace).List(t.Context(), cached)
					pods, err2 := c.Client().CoreV1().Pods(namespace).List(t.Context(), cached)
					if err := errors.Join(err1, err2); err != nil {
						return err
					}
					if len(deployments.Items) != 1 || len(pods.Items) != 1 {
						return errors.New("it is not there")
					}
					ready := slices.ContainsFunc(pods.Items[0].Status.Conditions, func(c corev1.PodCondition) bool {
						return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
					})
					if s := deployments.Items[0].Status; s.Replicas != 1 || test.left == 1 && (s.AvailableReplicas != 1 || !ready) {
						return fmt.Errorf("%+v, ready: %t", s, ready)
					}
					return nil
				})
			})
			found, err := c.Client().AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
			if err != nil || len(found.Items) != test.left {
				t.Errorf("%d Deployments are left, want %d: %v", len(found.Items), test.left, err)
			}
		})
	}
}

func TestRestrictedKubeconfigMayOnlyDoWhatItsRulesSay(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	namespace := c.Namespace(t)
	client := clientFor(t, c.RestrictedKubeconfig(t, namespace,
		[]rbacv1.PolicyRule{{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"configmaps"}}},
		rbacv1.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{"kube-system"}}))

	if _, err := client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("list of configmaps, which is allowed: %v", err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{}); err != nil {
		t.Errorf("get of kube-system, which is allowed: %v", err)
	}
	if _, err := client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("list of pods, which is not allowed: %v", err)
	}
}

func TestMutatingAdmissionPolicyChangesObjects(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	namespace := c.Namespace(t)
	policies := c.Client().AdmissionregistrationV1()
	_, err := policies.MutatingAdmissionPolicies().Create(t.Context(), &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				}}},
			},
			Mutations: []admissionv1.Mutation{{
				PatchType:          admissionv1.PatchTypeApplyConfiguration,
				ApplyConfiguration: &admissionv1.ApplyConfiguration{Expression: `Object{metadata: Object.metadata{labels: {"mutated": "yes"}}}`},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = policies.MutatingAdmissionPolicyBindings().Create(t.Context(), &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec:       admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: namespace},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = policies.MutatingAdmissionPolicyBindings().Delete(ctx, namespace, metav1.DeleteOptions{})
		_ = policies.MutatingAdmissionPolicies().Delete(ctx, namespace, metav1.DeleteOptions{})
	})
	testcluster.Eventually(t, testcluster.Hang, "the policy to be in force", func() error {
		made, err := c.Client().CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "x-"}}, metav1.CreateOptions{})
		if err == nil && made.Labels["mutated"] != "yes" {
			err = errors.New("the object was not changed")
		}
		return err
	})
}

func TestOwnClusterCanBePausedAndStopped(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t)
	version := func(timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		return c.Client().CoreV1().RESTClient().Get().AbsPath("/version").Do(ctx).Error()
	}
	if err := version(testcluster.Hang); err != nil {
		t.Fatalf("a running cluster: %v", err)
	}
	c.Pause(t)
	// The signal reaches one thread after the other.
	testcluster.Eventually(t, testcluster.Hang, "a paused cluster to answer no more", func() error {
		if err := version(300 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			return errors.New("it answered")
		}
		return nil
	})
	c.Resume(t)
	if err := version(testcluster.Hang); err != nil {
		t.Errorf("a resumed cluster: %v", err)
	}
	c.Stop(t)
	if err := version(testcluster.Hang); err == nil {
		t.Error("a stopped cluster answers")
	}
	if _, err := os.Stat(filepath.Dir(c.KubeconfigPath)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a stopped cluster leaves its directory behind: %v", err)
	}
}

// TestClusterEndsWithItsTestProcess kills a test process as a timeout or an
// impatient user would.
func TestClusterEndsWithItsTestProcess(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("TESTCLUSTER_CHILD"); path != "" {
		if err := os.WriteFile(path, []byte(testcluster.Start(t).KubeconfigPath), 0o600); err != nil {
			t.Fatal(err)
		}
		<-t.Context().Done() // until killed
		return
	}
	result := filepath.Join(t.TempDir(), "kubeconfig")
	child := exec.Command(os.Args[0], "-test.run=^TestClusterEndsWithItsTestProcess$")
	child.Env = append(os.Environ(), "TESTCLUSTER_CHILD="+result)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var kubeconfig []byte
	testcluster.Eventually(t, testcluster.Hang, "the child's cluster", func() (err error) {
		kubeconfig, err = os.ReadFile(result)
		if err == nil && len(kubeconfig) == 0 {
			err = errors.New("not written yet")
		}
		return err
	})
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	testcluster.Eventually(t, testcluster.Hang, "the cluster to end", func() error {
		_, err := os.Stat(string(kubeconfig))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return errors.Join(fmt.Errorf("%s is still there", kubeconfig), err)
	})
}

func clientFor(t *testing.T, kubeconfig string) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// deploy makes a Deployment whose pods carry the label app=name.
func deploy(t *testing.T, client kubernetes.Interface, namespace, name, image string, replicas int32) {
	t.Helper()
	labels := map[string]string{"app": name}
	_, err := client.AppsV1().Deployments(namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDirectoryOutlivesItsCluster starts, kills and starts a devcluster again
// in the same directory: objects, kubeconfigs and tokens outlive it.
func TestDirectoryOutlivesItsCluster(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "kept-") //nolint:usetesting // the test's own has too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	kill := startIn(t, dir)
	path := filepath.Join(dir, "kubeconfig")
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	before := clientFor(t, path)
	made, err := before.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := before.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command(devcluster(t), "-dir", dir).CombinedOutput(); err == nil || !strings.Contains(string(output), "in use by another devcluster") {
		t.Errorf("a second one in the same directory: %v\n%s", err, output)
	}
	kill()

	startIn(t, dir)
	again, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	config.Host = again.Host // the port is another one
	for name, config := range map[string]*rest.Config{
		"the old kubeconfig": config,
		"the new kubeconfig": again,
		"the old token":      {Host: config.Host, BearerToken: token.Status.Token, TLSClientConfig: rest.TLSClientConfig{CAData: config.CAData}},
	} {
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		who, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		t.Logf("%s is of %s", name, who.Status.UserInfo.Username)
	}
	if found, err := clientFor(t, path).CoreV1().Namespaces().Get(t.Context(), "kept", metav1.GetOptions{}); err != nil || found.UID != made.UID {
		t.Errorf("what was made before: %v, %v", found, err)
	}
}

func devcluster(t *testing.T) string {
	t.Helper()
	program, err := devtools.Devcluster.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// startIn starts a devcluster in a directory, and waits until it is usable. It
// is killed at the test's end, if not before.
func startIn(t *testing.T, dir string) (kill func()) {
	t.Helper()
	command := exec.Command(devcluster(t), "-dir", dir, "-exit-on-stdin-eof")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill = func() {
		once.Do(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
			_ = stdin.Close()
		})
	}
	t.Cleanup(kill)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("devcluster ended before it was usable: %v, %q", err, line)
	}
	return kill
}
