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

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// point is where a verb begins: what the applies before it have left in the
// namespace and in the state. It is made once, by applies, and copied for each
// run that begins there.
type point struct {
	*testcluster.Copy
	routes []testcluster.Request // that have applied them
	state  []byte
	names  map[string]string // of the releases, by version
	steps  []step            // the verb's writes from there
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
	state, err := os.ReadFile(filepath.Join(w.Dir, "terraform.tfstate"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return &point{Copy: w.cluster.Copy(w.t, w.namespace), routes: w.applied("/httproutes/"), state: state, names: names}
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

// beginAt makes the same things in another namespace, and the same state. It
// returns when the pods are ready that were, and a gateway has the routes.
func (w *workspace) beginAt(p *point) {
	w.t.Helper()
	ctx, client := w.t.Context(), w.cluster.Client().Discovery().RESTClient()
	there := func(text string) string { return strings.ReplaceAll(text, p.Namespace, w.namespace) }
	var baseline map[string]string // of the route: it goes by the uid
	for _, r := range p.routes {
		var route gatewayv1.HTTPRoute
		put := client.Patch(types.ApplyPatchType).AbsPath(there(r.Path)).SetHeader("Accept", "application/json").Body([]byte(there(string(r.Body))))
		text, err := put.Param("fieldManager", "switchback").Param("force", "true").DoRaw(ctx)
		if err = errors.Join(err, json.Unmarshal(text, &route)); err != nil {
			w.t.Fatal(err)
		}
		baseline = workload.Baseline(&route)
	}
	p.Into(w.t, w.cluster, w.namespace, func(data map[string]string) {
		if text := data[release.MainKey]; baseline != nil && text != "" {
			data[release.MainKey] = with(w.t, text, "routeBaseline", baseline)
		}
	})
	if p.state != nil {
		w.file("terraform.tfstate", string(elsewhere(w.t, p.state, p.Namespace, w.namespace)))
	}
	for _, r := range p.routes {
		eventually(w.t, "a gateway that has the route", func() error {
			var route gatewayv1.HTTPRoute
			text, err := client.Get().AbsPath(there(r.Path)).SetHeader("Accept", "application/json").DoRaw(ctx)
			if err = errors.Join(err, json.Unmarshal(text, &route)); err == nil && len(route.Status.Parents) == 0 {
				err = errors.New("nobody has said so")
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
