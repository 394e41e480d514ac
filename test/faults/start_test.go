package faults_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	policyapply "k8s.io/client-go/applyconfigurations/policy/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// managers are who owns fields of our objects, as the API server knows us.
var managers = []string{"switchback", "switchback-labels"}

// point is where a verb begins: what the applies before it have left in the
// namespace and in the state. It is made once, by applies, and copied for each
// run that begins there.
type point struct {
	namespace string
	state     []byte
	names     map[string]string // of the releases, by version

	workloads []appsv1.Deployment
	services  []corev1.Service
	budgets   []policyv1.PodDisruptionBudget
	maps      []corev1.ConfigMap
	leases    []coordinationv1.Lease
	routes    []testcluster.Request // that have applied them

	steps []step // the verb's writes from there
}

// points are those of all verbs, by name.
var points sync.Map

type pointOnce struct {
	sync.Once
	made *point
}

// point is the verb's, made when the first test asks.
func (v verb) point(t *testing.T) *point {
	t.Helper()
	entry, _ := points.LoadOrStore(v.name, &pointOnce{})
	p := entry.(*pointOnce)
	p.Do(func() { p.made = v.makePoint(t) })
	if p.made == nil {
		t.Fatal("the test that made this starting point has failed")
	}
	return p.made
}

// makePoint applies what comes before the verb, and counts the verb's writes from
// a copy of that, where another apply has nothing to do.
func (v verb) makePoint(t *testing.T) *point {
	t.Helper()
	w := v.workspace(t)
	names := v.begin(w)
	p := w.snapshot(names)
	if !v.copied() {
		v.count(w, p)
		return p
	}
	c := v.workspace(t).hasty()
	c.copies(v, p)
	if len(v.before) > 0 {
		c.nothingIsPlanned()
		if got, want := c.objects(), w.objects(); !slices.Equal(got, want) {
			t.Fatalf("copied there are %v, want %v", got, want)
		}
	}
	v.count(c, p)
	return p
}

// copied says that the verb's starting point can be copied: a Service that was
// there before is remembered by its uid.
func (v verb) copied() bool {
	return !v.adopts || !slices.ContainsFunc(v.before, func(c config) bool { return c.adopt })
}

// count counts the verb's writes without a fault.
func (v verb) count(w *workspace, p *point) {
	w.t.Helper()
	w.proxy.Reset()
	if x := v.start(w); x.wait() != 0 {
		w.t.Fatalf("without a fault:\n%s", x.text())
	}
	p.steps = slices.DeleteFunc(w.steps(), func(s step) bool { return v.leaves(s.what) })
	if len(p.steps) == 0 {
		w.t.Fatal("it writes nothing")
	}
}

// snapshot is what there is in the workspace.
func (w *workspace) snapshot(names map[string]string) *point {
	w.t.Helper()
	client, ctx, options := w.cluster.Client(), w.t.Context(), metav1.ListOptions{LabelSelector: ours}
	deployments, err1 := client.AppsV1().Deployments(w.namespace).List(ctx, options)
	services, err2 := client.CoreV1().Services(w.namespace).List(ctx, options)
	configMaps, err3 := client.CoreV1().ConfigMaps(w.namespace).List(ctx, options)
	leases, err4 := client.CoordinationV1().Leases(w.namespace).List(ctx, options)
	budgets, err5 := client.PolicyV1().PodDisruptionBudgets(w.namespace).List(ctx, options)
	state, err6 := os.ReadFile(filepath.Join(w.Dir, "terraform.tfstate"))
	if errors.Is(err6, os.ErrNotExist) {
		err6 = nil
	}
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		w.t.Fatal(err)
	}
	return &point{
		namespace: w.namespace, state: state, names: names, workloads: deployments.Items, services: services.Items,
		budgets: budgets.Items, maps: configMaps.Items, leases: leases.Items, routes: w.applied("/httproutes/"),
	}
}

// applied are the requests that have last applied each object of a kind.
func (w *workspace) applied(kind string) (last []testcluster.Request) {
	for _, r := range slices.Backward(w.proxy.Writes()) {
		of := func(later testcluster.Request) bool { return later.Path == r.Path }
		if r.Method == http.MethodPatch && r.Status/100 == 2 && strings.Contains(r.Path, kind) && !slices.ContainsFunc(last, of) {
			last = append(last, r)
		}
	}
	return last
}

// beginAt makes the same things in another namespace, with the same owners of
// their fields, and the same state. It returns when the pods are ready that were.
func (w *workspace) beginAt(p *point) {
	w.t.Helper()
	client, ctx := w.cluster.Client(), w.t.Context()
	create, apply := metav1.CreateOptions{FieldManager: managers[0]}, metav1.ApplyOptions{Force: true}
	var errs []error
	for _, manager := range managers {
		apply.FieldManager = manager
		for i := range p.workloads {
			o, err := appsapply.ExtractDeployment(&p.workloads[i], manager)
			if err == nil {
				_, err = client.AppsV1().Deployments(w.namespace).Apply(ctx, o.WithNamespace(w.namespace), apply)
			}
			errs = append(errs, err)
		}
		for i := range p.services {
			o, err := coreapply.ExtractService(&p.services[i], manager)
			if err == nil && o.ObjectMetaApplyConfiguration != nil && (manager == managers[0] || len(o.Labels) > 0) {
				_, err = client.CoreV1().Services(w.namespace).Apply(ctx, o.WithNamespace(w.namespace), apply)
			}
			errs = append(errs, err)
		}
	}
	apply.FieldManager = managers[0]
	for i := range p.budgets {
		o, err := policyapply.ExtractPodDisruptionBudget(&p.budgets[i], managers[0])
		if err == nil {
			_, err = client.PolicyV1().PodDisruptionBudgets(w.namespace).Apply(ctx, o.WithNamespace(w.namespace), apply)
		}
		errs = append(errs, err)
	}
	var baseline map[string]string // of the route: it goes by the uid
	for _, r := range p.routes {
		var route gatewayv1.HTTPRoute
		there := func(text string) string { return strings.ReplaceAll(text, p.namespace, w.namespace) }
		put := client.Discovery().RESTClient().Patch(types.ApplyPatchType).AbsPath(there(r.Path)).SetHeader("Accept", "application/json").Body([]byte(there(string(r.Body))))
		text, err := put.Param("fieldManager", managers[0]).Param("force", "true").DoRaw(ctx)
		errs = append(errs, err, json.Unmarshal(text, &route))
		baseline = workload.Baseline(&route)
	}
	for _, o := range p.maps {
		data := map[string]string{}
		for key, text := range o.Data {
			data[key] = strings.ReplaceAll(text, p.namespace, w.namespace)
		}
		if text := data[release.MainKey]; baseline != nil && text != "" {
			data[release.MainKey] = with(w.t, text, "routeBaseline", baseline)
		}
		_, err := client.CoreV1().ConfigMaps(w.namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: bare(o.ObjectMeta), Data: data}, create)
		errs = append(errs, err)
	}
	for _, o := range p.leases {
		_, err := client.CoordinationV1().Leases(w.namespace).Create(ctx, &coordinationv1.Lease{ObjectMeta: bare(o.ObjectMeta), Spec: o.Spec}, create)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
	if p.state != nil {
		w.file("terraform.tfstate", string(elsewhere(w.t, p.state, p.namespace, w.namespace)))
	}
	for _, r := range p.routes {
		eventually(w.t, "a gateway that has the route", func() error {
			var route gatewayv1.HTTPRoute
			text, err := client.Discovery().RESTClient().Get().AbsPath(strings.ReplaceAll(r.Path, p.namespace, w.namespace)).SetHeader("Accept", "application/json").DoRaw(ctx)
			if err = errors.Join(err, json.Unmarshal(text, &route)); err == nil && len(route.Status.Parents) == 0 {
				err = errors.New("nobody has said so")
			}
			return err
		})
	}
	for _, was := range p.workloads {
		eventually(w.t, "the pods of "+was.Name, func() error {
			d, err := client.AppsV1().Deployments(w.namespace).Get(ctx, was.Name, metav1.GetOptions{})
			if err == nil && (d.Status.ObservedGeneration < d.Generation || d.Status.ReadyReplicas != was.Status.ReadyReplicas) {
				err = fmt.Errorf("%+v", d.Status)
			}
			return err
		})
	}
}

// with is JSON that has another value.
func with(t *testing.T, text, key string, value any) string {
	t.Helper()
	content := map[string]any{}
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		t.Fatal(err)
	}
	content[key] = value
	changed, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(changed)
}

// bare is an object's metadata without what an API server adds.
func bare(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: m.Name, Labels: maps.Clone(m.Labels), Annotations: maps.Clone(m.Annotations)}
}

// elsewhere is a state of another namespace, with what providers keep for
// themselves in it.
func elsewhere(t *testing.T, state []byte, from, to string) []byte {
	t.Helper()
	state = bytes.ReplaceAll(state, []byte(from), []byte(to))
	var content map[string]any
	if err := json.Unmarshal(state, &content); err != nil {
		t.Fatal(err)
	}
	resources, _ := content["resources"].([]any)
	for _, r := range resources {
		instances, _ := r.(map[string]any)["instances"].([]any)
		for _, i := range instances {
			instance := i.(map[string]any)
			private, _ := instance["private"].(string)
			if private == "" {
				continue
			}
			instance["private"] = privately(t, private, func(text []byte) []byte { return bytes.ReplaceAll(text, []byte(from), []byte(to)) })
		}
	}
	moved, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// privately changes what is kept in a private state: JSON in base64, whose values
// are base64 again.
func privately(t *testing.T, private string, change func([]byte) []byte) string {
	t.Helper()
	kept := map[string][]byte{}
	text, err := base64.StdEncoding.DecodeString(private)
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		t.Fatalf("the private state %q: %v", private, err)
	}
	for key, value := range kept {
		kept[key] = change(value)
	}
	if text, err = json.Marshal(kept); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

// starts brings a workspace to the verb's starting point, by a copy where there
// can be one, and returns the releases' names by version.
func (v verb) starts(w *workspace) map[string]string {
	w.t.Helper()
	if !v.copied() {
		return v.begin(w)
	}
	p := v.point(w.t)
	w.copies(v, p)
	return maps.Clone(p.names)
}

func (w *workspace) copies(v verb, p *point) {
	w.t.Helper()
	if v.adopts {
		w.legacy = w.cluster.Legacy(w.t, w.namespace, application, "demo/legacy:v0")
	}
	w.beginAt(p)
	if n := len(v.before); n > 0 { // what a destroy takes the provider's configuration from
		w.configure(v.before[n-1])
	}
}

// ready waits until a watched address has all the pods that it had.
func ready(t *testing.T, main *testcluster.MainWatch, pods int) {
	t.Helper()
	eventually(t, "the pods behind the address", func() error {
		if now := main.Pods(t); len(now) != pods {
			return fmt.Errorf("there are %v", now)
		}
		return nil
	})
}
