package traffic_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

func TestMain(m *testing.M) { os.Exit(testcluster.Run(m)) }

// settle is what a data plane gets in these tests: none of them has one.
const settle = 50 * time.Millisecond

// kinds are the routers, all of which pass TestRouter.
func kinds() map[string]kind {
	all := map[string]kind{"Service": {resource: "/api/v1/namespaces/%s/services/api", router: func(c *cluster.Cluster, namespace string) traffic.Router {
		return traffic.NewService(c, c.View(namespace), traffic.ServiceSpec{
			Namespace: namespace, Application: "api", Name: "api", Ports: map[string]int32{"http": 80}, Type: corev1.ServiceTypeClusterIP, SessionAffinity: corev1.ServiceAffinityNone,
		}, false)
	}}}
	for _, of := range traffic.RouteKinds() {
		all[string(of)] = kind{resource: "/apis/gateway.networking.k8s.io/v1/namespaces/%s/" + strings.ToLower(string(of)) + "s/api", splits: true, router: func(c *cluster.Cluster, namespace string) traffic.Router {
			return traffic.NewGateway(c, c.View(namespace), traffic.RouteSpec{
				Namespace: namespace, Application: "api", Name: "api", Kind: of, Port: "http", Settle: settle,
				Parents: []gatewayv1.ParentReference{{Name: "public"}, {Name: "private"}},
			}, false)
		}}
	}
	return all
}

// kind is a kind of router.
type kind struct {
	router   func(c *cluster.Cluster, namespace string) traffic.Router
	resource string // where its object is, with %s for the namespace
	splits   bool   // it can split, and has a data plane that accepts what is written
}

// address is an application's address in a namespace of its own, with the releases
// api-1 and api-2, of which each has a pod that is ready.
type address struct {
	kind
	t         *testing.T
	cluster   *testcluster.Cluster
	client    *cluster.Cluster
	namespace string
}

// withRoutes is a cluster that knows all kinds of routes. Tests share it.
func withRoutes(t *testing.T) *testcluster.Cluster {
	t.Helper()
	c := testcluster.Routed(t, 1)[0]
	c.Routes(t, "grpcroutes", "tcproutes")
	return c
}

// TestRouter is what every router does.
func TestRouter(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, of := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, test := range map[string]func(*address){
				"moves":                            (*address).moves,
				"splits, or says that it cannot":   (*address).divides,
				"waits for pods":                   (*address).waitsForPods,
				"leaves what is somebody else's":   (*address).leavesWhatIsForeign,
				"keeps what others have put there": (*address).keepsWhatOthersAdd,
			} {
				t.Run(what, func(t *testing.T) {
					t.Parallel()
					test(newAddress(t, c, of))
				})
			}
			if !of.splits {
				return
			}
			for what, test := range map[string]func(*address){
				"waits for every parent":           (*address).waitsForEveryParent,
				"takes weights back":               (*address).takesWeightsBack,
				"leads to each release's own port": (*address).leadsToOwnPorts,
			} {
				t.Run(what, func(t *testing.T) {
					t.Parallel()
					test(newAddress(t, c, of))
				})
			}
		})
	}
}

func newAddress(t *testing.T, c *testcluster.Cluster, of kind) *address {
	t.Helper()
	client, err := cluster.New(cluster.Config{Name: "default", UserAgent: "terraform-provider-switchback/test", ConfigPath: c.KubeconfigPath})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &address{kind: of, t: t, cluster: c, client: client, namespace: c.Namespace(t)}
}

// has makes a release with so many pods, whose port "http" has this number.
func (a *address) has(name string, pods, port int32) {
	a.t.Helper()
	labels := release.Selector(name)
	all := maps.Clone(labels)
	all[release.LabelManagedBy], all[release.LabelApplication] = release.ManagedBy, "api"
	meta := metav1.ObjectMeta{Namespace: a.namespace, Name: name, Labels: all}
	_, err := a.cluster.Client().AppsV1().Deployments(a.namespace).Create(a.t.Context(), &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Replicas: &pods, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: all}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "api", Image: "demo/api:" + name, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: port}},
		}}}},
	}}, metav1.CreateOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	_, err = a.cluster.Client().CoreV1().Services(a.namespace).Create(a.t.Context(), &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Selector: labels, Ports: []corev1.ServicePort{{Name: "http", Port: port, TargetPort: intstr.FromString("http")}},
	}}, metav1.CreateOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *address) new() traffic.Router { return a.router(a.client, a.namespace) }

// shift brings a split about, with a data plane that accepts everything at once.
func (a *address) shift(router traffic.Router, want release.Split) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), testcluster.Hang)
	defer cancel()
	err := wait.Until(ctx, a.client.View(a.namespace).Changes("api"), func() (bool, time.Duration, error) {
		settled, again, err := router.Shift(ctx, want)
		if !settled && err == nil && a.splits {
			a.accepted("public", "private")
		}
		return settled, again, err
	})
	if err != nil {
		a.t.Fatalf("%v did not come about: %v", want, err)
	}
	a.is(want)
}

func (a *address) is(want release.Split) {
	a.t.Helper()
	seen, err := a.new().Look(a.t.Context())
	if err != nil || !maps.Equal(seen.Split, want) {
		a.t.Errorf("the split is %v, want %v (%v)", seen.Split, want, err)
	}
}

// object is the address as the API server has it; nil where there is none.
func (a *address) object() map[string]any {
	a.t.Helper()
	text, err := a.cluster.Client().Discovery().RESTClient().Get().AbsPath(fmt.Sprintf(a.resource, a.namespace)).SetHeader("Accept", "application/json").DoRaw(a.t.Context())
	if err != nil {
		return nil
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		a.t.Fatal(err)
	}
	return object
}

// version changes with every write.
func (a *address) version() string {
	a.t.Helper()
	meta, _ := a.object()["metadata"].(map[string]any)
	return fmt.Sprint(meta["resourceVersion"])
}

// patch is what somebody else does to the address, or to its status.
func (a *address) patch(sub, patch string) {
	a.t.Helper()
	err := a.cluster.Client().Discovery().RESTClient().Patch(types.MergePatchType).AbsPath(fmt.Sprintf(a.resource, a.namespace)+sub).
		Param("fieldManager", "somebody").Body([]byte(patch)).Do(a.t.Context()).Error()
	if err != nil {
		a.t.Fatal(err)
	}
}

// accepted says for parents that they have accepted the route as it is now. Those who
// are not named say nothing.
func (a *address) accepted(parents ...string) {
	a.t.Helper()
	object := a.object()
	if object == nil {
		return
	}
	generation := object["metadata"].(map[string]any)["generation"]
	var said []map[string]any
	for _, name := range parents {
		var conditions []map[string]any
		for _, kind := range []string{"Accepted", "ResolvedRefs"} {
			conditions = append(conditions, map[string]any{"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"})
		}
		said = append(said, map[string]any{"parentRef": map[string]any{"name": name}, "controllerName": "example.com/data-plane", "conditions": conditions})
	}
	status, err := json.Marshal(map[string]any{"status": map[string]any{"parents": said}})
	if err != nil {
		a.t.Fatal(err)
	}
	a.patch("/status", string(status))
}

func (a *address) moves() {
	a.has("api-1", 1, 8080)
	a.has("api-2", 2, 9090)
	a.is(release.Split{})
	router := a.new()
	a.shift(router, release.Split{"api-1": 100})
	before := a.version()
	a.shift(a.new(), release.Split{"api-1": 100})
	if a.version() != before && !a.splits {
		a.t.Error("what is there already is written once more")
	}
	a.shift(router, release.Split{"api-2": 100})
	a.shift(router, release.Split{"api-1": 100})
	for range 2 {
		if err := router.Remove(a.t.Context()); err != nil {
			a.t.Fatal(err)
		}
		a.is(release.Split{})
	}
	if a.object() != nil {
		a.t.Error("it is still there")
	}
}

func (a *address) divides() {
	a.has("api-1", 1, 8080)
	a.has("api-2", 1, 9090)
	router := a.new()
	a.shift(router, release.Split{"api-1": 100})
	if !a.splits {
		if _, _, err := router.Shift(a.t.Context(), release.Split{"api-1": 90, "api-2": 10}); err == nil || !strings.Contains(err.Error(), "cannot split") {
			a.t.Errorf("it says %v", err)
		}
		a.is(release.Split{"api-1": 100})
		return
	}
	for _, percent := range []int{1, 50, 99, 25} {
		a.shift(router, release.Split{"api-1": 100 - percent, "api-2": percent})
	}
	a.shift(router, release.Split{"api-2": 100})
}

// waitsForPods: nobody gets what they have no pod for.
func (a *address) waitsForPods() {
	a.has("api-1", 1, 8080)
	a.has("api-2", 0, 9090)
	router := a.new()
	a.shift(router, release.Split{"api-1": 100})
	settled, _, err := router.Shift(a.t.Context(), release.Split{"api-2": 100})
	if settled || err != nil {
		a.t.Errorf("it has settled without a pod: %v", err)
	}
	if a.splits { // a Service moves as a whole: when it may is its user's to say
		a.is(release.Split{"api-1": 100})
		if why := router.(*traffic.Gateway).Awaiting(); why != `a pod of api-2 that is ready on its port "http"` {
			a.t.Errorf("it waits for %s", why)
		}
	}
	patch := []byte(`{"spec":{"replicas":1}}`)
	if _, err := a.cluster.Client().AppsV1().Deployments(a.namespace).Patch(a.t.Context(), "api-2", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		a.t.Fatal(err)
	}
	a.shift(router, release.Split{"api-2": 100})
}

func (a *address) leavesWhatIsForeign() {
	a.has("api-1", 1, 8080)
	a.shift(a.new(), release.Split{"api-1": 100})
	a.patch("", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"Helm"}}}`)
	before := a.version()
	_, _, err := a.new().Shift(a.t.Context(), release.Split{"api-1": 100})
	if !release.IsForeign(err) {
		a.t.Errorf("a shift says %v", err)
	}
	if _, err := a.new().Look(a.t.Context()); !release.IsForeign(err) {
		a.t.Errorf("a look says %v", err)
	}
	if err := a.new().Remove(a.t.Context()); !release.IsForeign(err) {
		a.t.Errorf("a removal says %v", err)
	}
	if a.version() != before {
		a.t.Error("it was written")
	}
}

func (a *address) keepsWhatOthersAdd() {
	a.has("api-1", 1, 8080)
	a.has("api-2", 1, 9090)
	router := a.new()
	a.shift(router, release.Split{"api-1": 100})
	a.patch("", `{"metadata":{"annotations":{"example.com/owner":"somebody"},"labels":{"team":"shop"}}}`)
	a.shift(router, release.Split{"api-2": 100})
	meta := a.object()["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	if annotations["example.com/owner"] != "somebody" || labels["team"] != "shop" {
		a.t.Errorf("left of it are %v and %v", annotations, labels)
	}
}

// waitsForEveryParent: a change has not arrived before all who serve the route have
// accepted this one.
func (a *address) waitsForEveryParent() {
	a.has("api-1", 1, 8080)
	a.has("api-2", 1, 9090)
	router := a.new().(*traffic.Gateway)
	a.shift(router, release.Split{"api-1": 100})
	next := release.Split{"api-1": 90, "api-2": 10}
	waits := func(reason string) {
		a.t.Helper()
		testcluster.Eventually(a.t, testcluster.Hang, reason, func() error {
			settled, _, err := router.Shift(a.t.Context(), next)
			if settled || err != nil {
				a.t.Fatalf("settled: %t, %v", settled, err)
			}
			if why := router.Awaiting(); !strings.Contains(why, reason) {
				return fmt.Errorf("it waits for %q", why)
			}
			return nil
		})
	}
	waits("has seen generation")
	a.accepted("public")
	waits("Gateway " + a.namespace + "/private says nothing about it")
	a.patch("/status", `{"status":{"parents":[]}}`)
	waits("Gateway " + a.namespace + "/public says nothing about it")
	a.shift(router, next)
}

// takesWeightsBack: weights that somebody has changed meanwhile are not what was asked
// for.
func (a *address) takesWeightsBack() {
	a.has("api-1", 1, 8080)
	a.has("api-2", 1, 9090)
	router := a.new()
	want := release.Split{"api-1": 75, "api-2": 25}
	a.shift(router, want)
	a.patch("", `{"metadata":{"labels":{"team":"shop"}},"spec":{"rules":[{"backendRefs":[{"name":"api-2","port":9090}]}]}}`)
	a.is(release.Split{"api-2": 100})
	testcluster.Eventually(a.t, testcluster.Hang, "the field's owner to be told", func() error {
		_, _, err := router.Shift(a.t.Context(), want)
		if len(release.FieldConflicts(err)) == 0 {
			return fmt.Errorf("it says %w", err)
		}
		return nil
	})
}

func (a *address) leadsToOwnPorts() {
	a.has("api-1", 1, 8080)
	a.has("api-2", 1, 9090)
	a.shift(a.new(), release.Split{"api-1": 60, "api-2": 40})
	spec, err := json.Marshal(a.object()["spec"])
	if err != nil {
		a.t.Fatal(err)
	}
	for _, part := range []string{`"name":"api-1","port":8080,"weight":60`, `"name":"api-2","port":9090,"weight":40`} {
		if !strings.Contains(string(spec), part) {
			a.t.Errorf("%s is not in %s", part, spec)
		}
	}
}
