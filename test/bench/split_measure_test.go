//go:build bench

package bench_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
)

// asked is one request: who has answered it, and when it began.
type asked struct {
	began   time.Time
	version string
	err     error
}

// TestSplit moves a route from one release to another and back, again and again, while
// requests come in, and measures how long it takes from the answer to the write until
// all of them go by it. It moves all at once: then a single answer tells.
func TestSplit(t *testing.T) {
	const calm = 3 * time.Second // a gateway may put off a second change within two
	c := testnode.Shared(t)
	g, err := c.Gateway(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	version, err := c.Client().Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := newNamespace(t.Context(), c, "split")
	if err != nil {
		t.Fatal(err)
	}
	defer removeNamespace(t.Context(), c, namespace)
	host := namespace + ".example.com"
	route, err := routed(t.Context(), c, g, namespace, host)
	if err != nil {
		t.Fatal(err)
	}
	found := bench.Split{Machine: here.machine, Kubernetes: version.GitVersion}
	load := begin(t.Context(), g.Web, host)
	defer load.stop()
	load.until(t, "v1")
	versions := []string{"v1", "v2"}
	for i := range 4 * *repetitions {
		to := 1 - i%2
		wait(t.Context(), calm)
		load.take()
		answered, accepted, err := route.lead(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		load.until(t, versions[to])
		wait(t.Context(), calm)
		shift, failed := effect(load.take(), answered, versions[to])
		shift.Accepted = bench.Duration(max(0, accepted.Sub(answered)))
		found.Failed += failed
		found.Shifts = append(found.Shifts, shift)
		t.Logf("to %s: accepted after %s, in effect after %s", versions[to], rounded(shift.Accepted), rounded(shift.Effect))
	}
	load.stop()
	found.Requests = load.count
	if found.Failed > 0 {
		t.Errorf("%d requests failed", found.Failed)
	}
	to := filepath.Join(filepath.Dir(*results), "split.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), found.Write(to)); err != nil {
		t.Error(err)
	}
	fmt.Fprintln(os.Stdout, found.Table())
}

// effect finds out when a shift came into effect.
func effect(answers []asked, answered time.Time, to string) (s bench.Shift, failed int) {
	slices.SortFunc(answers, func(a, b asked) int { return a.began.Compare(b.began) })
	former := true // answers
	for _, a := range answers {
		switch {
		case a.err != nil:
			failed++
		case a.version != to:
			former = true
		case former:
			s.Effect, former = bench.Duration(max(0, a.began.Sub(answered))), false
		}
	}
	return s, failed
}

// wait lets the load go on.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// traffic is load on a gateway.
type traffic struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	answers []asked
	count   int
}

// begin offers 400 requests a second, on connections that are kept: a gateway chooses for
// each request.
func begin(ctx context.Context, address, host string) *traffic {
	const clients, every = 8, 20 * time.Millisecond
	ctx, cancel := context.WithCancel(ctx)
	l := &traffic{cancel: cancel}
	for i := range clients {
		l.done.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
			wait(ctx, every*time.Duration(i)/clients)
			tick := time.NewTicker(every)
			defer tick.Stop()
			for ctx.Err() == nil {
				a := asked{began: time.Now()}
				a.version, a.err = get(client, address, host)
				l.mu.Lock()
				l.answers, l.count = append(l.answers, a), l.count+1
				l.mu.Unlock()
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return l
}

func (l *traffic) stop() { l.cancel(); l.done.Wait() }

// take returns the answers since the last time.
func (l *traffic) take() []asked {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers := l.answers
	l.answers = nil
	return answers
}

// until waits until a version has answered.
func (l *traffic) until(t *testing.T, version string) {
	t.Helper()
	for t.Context().Err() == nil {
		l.mu.Lock()
		there := slices.ContainsFunc(l.answers, func(a asked) bool { return a.version == version })
		l.mu.Unlock()
		if there {
			return
		}
		wait(t.Context(), 10*time.Millisecond)
	}
}

func get(client *http.Client, address, host string) (version string, err error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/", nil) //nolint:noctx // what has begun is waited for
	if err != nil {
		return "", err
	}
	request.Host = host
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return response.Header.Get("X-Version"), err
}

// httpRoute is a route to two releases.
type httpRoute struct {
	client dynamic.ResourceInterface
	watch  watch.Interface
}

const routeName = "web"

// routed makes two releases, each a pod with a Service, and a route to the first.
func routed(ctx context.Context, c *testnode.Cluster, g testnode.Gateway, namespace, host string) (httpRoute, error) {
	for _, version := range []string{"v1", "v2"} {
		label := map[string]string{"version": version}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: version, Labels: label}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "web", Image: testnode.AppImage(version), ImagePullPolicy: corev1.PullNever, ReadinessProbe: &corev1.Probe{
				ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(8080)}}, PeriodSeconds: 1,
			},
		}}}}
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: version}, Spec: corev1.ServiceSpec{
			Selector: label, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		}}
		pods, services := c.Client().CoreV1().Pods(namespace), c.Client().CoreV1().Services(namespace)
		_, err := services.Create(ctx, service, metav1.CreateOptions{})
		if err == nil {
			_, err = pods.Create(ctx, pod, metav1.CreateOptions{})
		}
		if err != nil {
			return httpRoute{}, err
		}
		seen, err := pods.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + version})
		if err != nil {
			return httpRoute{}, err
		}
		err = await(ctx, seen, func(object runtime.Object) bool {
			pod, ok := object.(*corev1.Pod)
			return ok && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
		})
		seen.Stop()
		if err != nil {
			return httpRoute{}, err
		}
	}
	client, err := dynamic.NewForConfig(c.REST)
	if err != nil {
		return httpRoute{}, err
	}
	r := httpRoute{client: client.Resource(schema.GroupVersionResource{Group: gatewayv1.GroupName, Version: "v1", Resource: "httproutes"}).Namespace(namespace)}
	backend := func(name string, weight int64) any {
		return map[string]any{"name": name, "port": int64(80), "weight": weight}
	}
	_, err = r.client.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gatewayv1.GroupVersion.String(), "kind": "HTTPRoute", "metadata": map[string]any{"name": routeName}, "spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": g.Name, "namespace": g.Namespace}}, "hostnames": []any{host},
			"rules": []any{map[string]any{"backendRefs": []any{backend("v1", 100), backend("v2", 0)}}},
		},
	}}, metav1.CreateOptions{})
	if err == nil {
		r.watch, err = r.client.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + routeName})
	}
	return r, err
}

// lead gives one of the releases everything, and returns when the write was answered, and
// when the route's parent was seen to have accepted it.
func (r httpRoute) lead(ctx context.Context, to int) (answered, accepted time.Time, err error) {
	patch := fmt.Sprintf(`[{"op":"replace","path":"/spec/rules/0/backendRefs/0/weight","value":%d},{"op":"replace","path":"/spec/rules/0/backendRefs/1/weight","value":%d}]`, 100-100*to, 100*to)
	changed, err := r.client.Patch(ctx, routeName, types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	answered = time.Now()
	if err != nil {
		return answered, accepted, err
	}
	err = await(ctx, r.watch, func(object runtime.Object) bool {
		var route gatewayv1.HTTPRoute
		seen, ok := object.(*unstructured.Unstructured)
		if !ok || runtime.DefaultUnstructuredConverter.FromUnstructured(seen.Object, &route) != nil {
			return false
		}
		return slices.ContainsFunc(route.Status.Parents, func(p gatewayv1.RouteParentStatus) bool {
			found := meta.FindStatusCondition(p.Conditions, string(gatewayv1.RouteConditionAccepted))
			return found != nil && found.Status == metav1.ConditionTrue && found.ObservedGeneration == changed.GetGeneration()
		})
	})
	return answered, time.Now(), err
}
