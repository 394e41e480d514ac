package testcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// DataPlane says of the routes of a namespace, in place of a gateway, what its parents
// think of them. It accepts everything at once, until it is told otherwise. No traffic
// goes through it.
type DataPlane struct {
	cluster *Cluster
	routes  string // where they are, in the API

	mu   sync.Mutex
	says func(route map[string]any) []map[string]any            // the conditions of each parent; nil: nothing is said
	own  map[string]func(route map[string]any) []map[string]any // of parents that say something else, by name
}

// DataPlane serves the routes of one kind, by its plural, in a namespace until the test
// ends.
func (c *Cluster) DataPlane(t testing.TB, namespace, plural string) *DataPlane {
	t.Helper()
	d := &DataPlane{cluster: c, routes: fmt.Sprintf("/apis/gateway.networking.k8s.io/v1/namespaces/%s/%s", namespace, plural), says: Accepting}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			d.serve(ctx)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return d
}

// Say changes what is said from now on, of what has been written since, too.
func (d *DataPlane) Say(t testing.TB, says func(route map[string]any) []map[string]any) {
	t.Helper()
	d.mu.Lock()
	d.says = says
	d.mu.Unlock()
	d.again(t)
}

// SayOf is Say for one of a route's parents, by its name. Where it has no conditions, it
// says nothing at all.
func (d *DataPlane) SayOf(t testing.TB, parent string, says func(route map[string]any) []map[string]any) {
	t.Helper()
	d.mu.Lock()
	d.own = maps.Clone(d.own) // somebody may be reading it
	if d.own == nil {
		d.own = map[string]func(map[string]any) []map[string]any{}
	}
	d.own[parent] = says
	d.mu.Unlock()
	d.again(t)
}

// again answers what has been written.
func (d *DataPlane) again(t testing.TB) {
	t.Helper()
	var list struct{ Items []map[string]any }
	text, err := d.cluster.client.Discovery().RESTClient().Get().AbsPath(d.routes).SetHeader("Accept", "application/json").DoRaw(t.Context())
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range list.Items {
		d.answer(t.Context(), route)
	}
}

// Accepting is what a data plane says that has done what a route asks for.
func Accepting(route map[string]any) []map[string]any {
	var all []map[string]any
	for _, kind := range []string{"Accepted", "ResolvedRefs"} {
		all = append(all, Condition(route, kind, true, kind, ""))
	}
	return all
}

// Condition is one condition of a route's generation.
func Condition(route map[string]any, kind string, is bool, reason, message string) map[string]any {
	status := map[bool]string{true: "True", false: "False"}[is]
	generation := route["metadata"].(map[string]any)["generation"]
	return map[string]any{"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"}
}

// serve answers what is written until its watch ends.
func (d *DataPlane) serve(ctx context.Context) {
	stream, err := d.cluster.client.Discovery().RESTClient().Get().AbsPath(d.routes).Param("watch", "1").SetHeader("Accept", "application/json").Stream(ctx)
	if err != nil {
		return
	}
	defer func() { _ = stream.Close() }()
	events := json.NewDecoder(stream)
	for {
		var event struct {
			Type   string
			Object map[string]any
		}
		if events.Decode(&event) != nil {
			return
		}
		if event.Type == "ADDED" || event.Type == "MODIFIED" {
			d.answer(ctx, event.Object)
		}
	}
}

// answer writes the status of a route, unless it says that already.
func (d *DataPlane) answer(ctx context.Context, route map[string]any) {
	d.mu.Lock()
	says, own := d.says, d.own
	d.mu.Unlock()
	if says == nil {
		return
	}
	meta, spec := route["metadata"].(map[string]any), route["spec"].(map[string]any)
	parents, _ := spec["parentRefs"].([]any)
	said := []map[string]any{}
	for _, parent := range parents {
		name, _ := parent.(map[string]any)["name"].(string)
		tells := says
		if of, is := own[name]; is {
			tells = of
		}
		if conditions := tells(route); len(conditions) > 0 {
			said = append(said, map[string]any{"parentRef": parent, "controllerName": "example.com/data-plane", "conditions": conditions})
		}
	}
	status := map[string]any{"parents": said}
	if same(route["status"], status) {
		return
	}
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		panic(err)
	}
	_ = d.cluster.client.Discovery().RESTClient().Patch(types.MergePatchType).AbsPath(d.routes, meta["name"].(string), "status").Param("fieldManager", "data-plane").Body(patch).Do(ctx).Error()
}

// same compares what JSON makes of two values.
func same(a, b any) bool {
	one, err1 := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return errors.Join(err1, err2) == nil && bytes.Equal(one, other)
}
