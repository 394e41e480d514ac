package provider_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// The acceptance tests run the provider as Terraform does, against a real API
// server: TestAcc… in the files *_acc_test.go. Each has a namespace of its own,
// and all run in parallel.
//
// Tests of what a plan, a state and diagnostics hold run in this process, see
// inprocess_test.go. What only a CLI does, such as output, taint, interrupts,
// import blocks and expressions of its language, runs through a real terraform
// or tofu, see workspace_test.go.

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "provider-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	builtDir = dir
	debug.SetGCPercent(seldom)
	return testcluster.Run(m)
}

// seldom is how much the heap may grow before it is collected, in percent of what
// lives in it: a fifth of the tests' own work was to collect what they had just left
// behind. A provider leaves that as it is: it must do with little memory.
const seldom = 400

// terraformCLI finds the CLI, or builds it, when the first test needs it. From
// then on its environment is that of the test process, which hands it on.
var terraformCLI = sync.OnceValues(func() (devtools.CLI, error) {
	cli, err := testcli.CLI()
	if err != nil {
		return cli, err
	}
	for name, value := range cli.Environment() {
		if err := os.Setenv(name, value); err != nil {
			return cli, err
		}
	}
	return cli, nil
})

// timing makes failures certain sooner than users want it. What a busy machine
// may need longer for than an idle one has so much time that only a hang uses it up.
// A heartbeat is a write for each release and for each Lease that is held, as long as
// a verb takes.
var timing = rollout.Timing{
	Beat:    2 * time.Second,
	Expiry:  20 * time.Second,
	Grace:   time.Second,
	Settle:  time.Minute,
	Cleanup: 30 * time.Second,

	Patience: 20 * time.Second, // a cluster that is silent uses it up
}

// hang is longer than anything takes, on however busy a machine.
const hang = 5 * time.Minute

// enough is time for everything but what a test lets go wrong, which then takes
// all of it: as `timeouts`, where it is told with the timeout what was seen.
const enough = "40s"

// newProviderServer is a provider that ends with ctx, as its process would: what it
// watches would go on until all tests have ended, and everything that happens in a
// namespace would be told to all the providers that have ever looked at it.
func newProviderServer(ctx context.Context) (tfprotov6.ProviderServer, error) {
	return provider.Timed(ctx, "test", timing)
}

// lab is what an acceptance test works with: a namespace of its own on one
// cluster.
type lab struct {
	t         *testing.T
	cluster   *testcluster.Cluster
	namespace string
	provider  string // the provider block of its configurations
}

// newLab makes the test a parallel one, with a namespace on the shared cluster.
func newLab(t *testing.T) *lab {
	t.Helper()
	t.Parallel()
	return labOn(t, testcluster.Shared(t))
}

func labOn(t *testing.T, c *testcluster.Cluster) *lab {
	t.Helper()
	if _, err := terraformCLI(); err != nil {
		t.Fatal(err)
	}
	return &lab{t: t, cluster: c, namespace: c.Namespace(t), provider: connection(c.KubeconfigPath)}
}

// connection is the provider block for the only cluster.
func connection(kubeconfig string, lines ...string) string {
	return block(`provider "switchback"`, append([]string{fmt.Sprintf("config_path = %q", kubeconfig)}, lines...))
}

// config is a whole configuration.
func (l *lab) config(blocks ...string) string {
	return strings.Join(append([]string{l.provider}, blocks...), "\n")
}

// deployment is switchback_deployment.api. Lines stand in place of the default
// ones of the same attribute.
func (l *lab) deployment(lines ...string) string {
	return l.deploymentNamed("api", lines...)
}

func (l *lab) deploymentNamed(name string, lines ...string) string {
	return block(fmt.Sprintf("resource \"switchback_deployment\" %q", name), overridden([]string{
		`application = "api"`,
		fmt.Sprintf("namespace = %q", l.namespace),
		`image = "demo/api:v1"`,
		`container = { ports = { http = 8080 } }`,
	}, lines))
}

// main is switchback_main_deployment.api, which points at
// switchback_deployment.api unless lines say otherwise.
func (l *lab) main(lines ...string) string { return l.mainNamed("api", lines...) }

func (l *lab) mainNamed(name string, lines ...string) string {
	return block(fmt.Sprintf("resource \"switchback_main_deployment\" %q", name), overridden([]string{
		`application = "api"`,
		fmt.Sprintf("namespace = %q", l.namespace),
		`deployment_id = switchback_deployment.api.id`,
		`traffic = { service = { ports = { http = 80 } } }`,
		`drain = "1s"`,
	}, lines))
}

const drain = time.Second // what main has, see there

const (
	theDeployment = "switchback_deployment.api"
	theMain       = "switchback_main_deployment.api"
	createFirst   = `lifecycle { create_before_destroy = true }`
)

func image(tag string) string { return fmt.Sprintf("image = %q", "demo/api:"+tag) }

func keepPrevious(count int) string { return fmt.Sprintf("keep_previous = { count = %d }", count) }

func (l *lab) pointAt(name string) string {
	return fmt.Sprintf("deployment_id = %q", l.namespace+"/"+name)
}

func block(header string, lines []string) string {
	return header + " {\n  " + strings.Join(lines, "\n  ") + "\n}\n"
}

var attributeOf = regexp.MustCompile(`^\w+`)

func overridden(defaults, lines []string) []string {
	return append(slices.DeleteFunc(slices.Clone(defaults), func(d string) bool {
		return slices.ContainsFunc(lines, func(l string) bool { return attributeOf.FindString(l) == attributeOf.FindString(d) })
	}), lines...)
}

// nameOf is the name of the release that l.deployment(image(tag)) makes, in
// any namespace.
func nameOf(tag string) string {
	return release.Content{
		Application: "api", Version: tag, Image: "demo/api:" + tag,
		Container: release.Container{Ports: map[string]int32{"http": 8080}}, PodSecurity: release.PodSecurityBaseline,
	}.Normalize().Name()
}

// Checks that look at the cluster.

// pods are the UIDs of a release's pods, without those that are being deleted.
func (l *lab) pods(name string) []types.UID {
	l.t.Helper()
	list, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + name})
	l.must(err)
	var uids []types.UID
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			uids = append(uids, pod.UID)
		}
	}
	slices.Sort(uids)
	return uids
}

func (l *lab) wantPods(name string, count int) []types.UID {
	l.t.Helper()
	pods := l.pods(name)
	if len(pods) != count {
		l.t.Errorf("%s has %d pods, want %d", name, len(pods), count)
	}
	return pods
}

// eventuallyPods is for what is asked for but not waited for, such as scaling
// down.
func (l *lab) eventuallyPods(name string, count int) {
	l.t.Helper()
	testcluster.Eventually(l.t, hang, fmt.Sprintf("%s to have %d pods", name, count), func() error {
		if n := len(l.pods(name)); n != count {
			return fmt.Errorf("it has %d", n)
		}
		return nil
	})
}

// wantSamePods fails the test unless a release still has the pods it had.
func (l *lab) wantSamePods(name string, before []types.UID) {
	l.t.Helper()
	if now := l.pods(name); !slices.Equal(before, now) {
		l.t.Errorf("the pods of %s are %v, want the ones it had: %v", name, now, before)
	}
}

// wantMain fails the test unless the application's address points at a release.
func (l *lab) wantMain(name string) {
	l.t.Helper()
	svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(l.t.Context(), "api", metav1.GetOptions{})
	l.must(err)
	if want := release.Selector(name); !maps.Equal(svc.Spec.Selector, want) {
		l.t.Errorf("the main Service selects %v, want %v", svc.Spec.Selector, want)
	}
}

// wantReleases fails the test unless these, and no others, have a workload.
func (l *lab) wantReleases(names ...string) {
	l.t.Helper()
	list, err := l.cluster.Client().AppsV1().Deployments(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector})
	l.must(err)
	var found []string
	for _, d := range list.Items {
		found = append(found, d.Name)
	}
	slices.Sort(names)
	slices.Sort(found)
	if !slices.Equal(found, names) {
		l.t.Errorf("there are the releases %v, want %v", found, names)
	}
}

// custody of a release is what its record says; empty where there is none.
func (l *lab) custody(name string) release.Custody {
	l.t.Helper()
	return release.Custody(l.recordLabel(name, release.LabelCustody))
}

func (l *lab) recordLabel(name, label string) string {
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return cm.Labels[label]
}

func (l *lab) wantCustody(name string, want release.Custody) {
	l.t.Helper()
	if got := l.custody(name); got != want {
		l.t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// wantNothingLeft fails the test if anything in the namespace has our label.
func (l *lab) wantNothingLeft() {
	l.t.Helper()
	ctx, client := l.t.Context(), l.cluster.Client()
	var left []string
	add := func(kind string, count int, err error, name func(i int) string) {
		l.t.Helper()
		l.must(err)
		for i := range count {
			left = append(left, kind+"/"+name(i))
		}
	}
	for _, selector := range []string{release.ManagedSelector, release.LabelApplication} {
		ours := metav1.ListOptions{LabelSelector: selector}
		deployments, err := client.AppsV1().Deployments(l.namespace).List(ctx, ours)
		add("Deployment", len(deployments.Items), err, func(i int) string { return deployments.Items[i].Name })
		sets, err := client.AppsV1().ReplicaSets(l.namespace).List(ctx, ours)
		add("ReplicaSet", len(sets.Items), err, func(i int) string { return sets.Items[i].Name })
		pods, err := client.CoreV1().Pods(l.namespace).List(ctx, ours)
		add("Pod", len(pods.Items), err, func(i int) string { return pods.Items[i].Name })
		services, err := client.CoreV1().Services(l.namespace).List(ctx, ours)
		add("Service", len(services.Items), err, func(i int) string { return services.Items[i].Name })
		maps, err := client.CoreV1().ConfigMaps(l.namespace).List(ctx, ours)
		add("ConfigMap", len(maps.Items), err, func(i int) string { return maps.Items[i].Name })
		leases, err := client.CoordinationV1().Leases(l.namespace).List(ctx, ours)
		add("Lease", len(leases.Items), err, func(i int) string { return leases.Items[i].Name })
		scalers, err := client.AutoscalingV2().HorizontalPodAutoscalers(l.namespace).List(ctx, ours)
		add("HorizontalPodAutoscaler", len(scalers.Items), err, func(i int) string { return scalers.Items[i].Name })
		budgets, err := client.PolicyV1().PodDisruptionBudgets(l.namespace).List(ctx, ours)
		add("PodDisruptionBudget", len(budgets.Items), err, func(i int) string { return budgets.Items[i].Name })
	}
	for _, name := range l.cluster.DNSEndpoints(l.t, l.namespace) {
		left = append(left, "DNSEndpoint/"+name)
	}
	slices.Sort(left)
	if left = slices.Compact(left); len(left) > 0 {
		l.t.Errorf("left in the cluster: %s", strings.Join(left, ", "))
	}
}

// workload is a release's Deployment.
func (l *lab) workload(name string) *appsv1.Deployment {
	l.t.Helper()
	d, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Get(l.t.Context(), name, metav1.GetOptions{})
	l.must(err)
	return d
}

// somebody is the field manager of what others do to our objects.
const somebody = "somebody-else"

func (l *lab) patchWorkload(name, patch string) {
	l.t.Helper()
	_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Patch(l.t.Context(), name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
}

func (l *lab) patchService(name, patch string) {
	l.t.Helper()
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(l.t.Context(), name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
}

// setReady overrules the simulated kubelet: it says of every pod of a release
// that it is ready, or not.
func (l *lab) setReady(name string, ready corev1.ConditionStatus) {
	l.t.Helper()
	pods, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + name})
	l.must(err)
	patch := fmt.Appendf(nil, `{"status":{"conditions":[{"type":"Ready","status":%q},{"type":"ContainersReady","status":%q}]}}`, ready, ready)
	for _, pod := range pods.Items {
		_, err := l.cluster.Client().CoreV1().Pods(l.namespace).Patch(l.t.Context(), pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		l.must(err)
	}
}

// untilNoneReady waits until the Deployment of a release tells of no ready pods.
func (l *lab) untilNoneReady(name string) {
	l.t.Helper()
	testcluster.Eventually(l.t, hang, name+" to have no ready pods", func() error {
		if n := l.workload(name).Status.ReadyReplicas; n > 0 {
			return fmt.Errorf("it has %d", n)
		}
		return nil
	})
}

// watchMain watches the pods behind the application's address from now on.
func (l *lab) watchMain() *testcluster.MainWatch {
	l.t.Helper()
	return l.cluster.WatchMain(l.t, l.namespace, "api")
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

// someDeployment is a workload that has nothing to do with us.
func someDeployment(name string) *appsv1.Deployment {
	labels, none := map[string]string{"theirs": "yes"}, int32(0)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &none,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "theirs", Image: "demo/theirs:v1"}}},
			},
		},
	}
}

// makeNamespace makes the lab's namespace on a further cluster.
func (l *lab) makeNamespace() {
	l.t.Helper()
	client := l.cluster.Client().CoreV1()
	_, err := client.Namespaces().Create(l.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace}}, metav1.CreateOptions{})
	l.must(err)
	testcluster.Eventually(l.t, hang, "the default service account", func() error {
		_, err := client.ServiceAccounts(l.namespace).Get(l.t.Context(), "default", metav1.GetOptions{})
		return err
	})
}

// forbidPods lets the lab's namespace have no more pods than it has.
func (l *lab) forbidPods() {
	l.t.Helper()
	_, err := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Create(l.t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "full"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: quantity("1")}},
	}, metav1.CreateOptions{})
	l.must(err)
}

// noPatchOfMain is a fault: the main Service cannot be changed.
func noPatchOfMain(r *testcluster.Request, _ int) testcluster.Fault {
	if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/api") {
		return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
	}
	return testcluster.Fault{}
}
