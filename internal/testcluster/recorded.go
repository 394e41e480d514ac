package testcluster

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// Recorded is an object of a cluster.
type Recorded interface {
	runtime.Object
	metav1.Object
}

// Recreate makes, in a namespace, the objects of a file that were recorded in
// another one: with who manages which of their fields, and without what a cluster
// gives an object of its own. It returns when the Deployments have the pods that
// the version's image lets them have.
//
// The file has a document for each object. NAMESPACE stands in it for the
// namespace's name, uid(Kind/name) for the uid of an object that comes before it,
// and "=" in the JSON of a ConfigMap, in place of a baseline or of one of its hashes,
// for what baseline says of the object as it is now: hashes are keyed with the uid.
func (c *Cluster) Recreate(t testing.TB, namespace, file string, baseline func(Recorded) map[string]string) {
	t.Helper()
	client, err := dynamic.NewForConfig(c.quick)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := &recreation{t: t, uids: []string{"NAMESPACE", namespace}, baselines: map[string]map[string]string{}}
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		o := &unstructured.Unstructured{}
		r.must(yaml.Unmarshal([]byte(strings.NewReplacer(r.uids...).Replace(document)), &o.Object))
		if o.GetKind() == "ConfigMap" {
			r.fill(o)
		}
		resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
		objects, fields := client.Resource(resource).Namespace(namespace), o.GetManagedFields()
		o.SetManagedFields(nil) // who makes an object has all of its fields
		made, err := objects.Create(t.Context(), o, metav1.CreateOptions{FieldManager: "recreation"})
		r.must(err)
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"managedFields": fields}})
		r.must(err)
		made, err = objects.Patch(t.Context(), made.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "recreation"})
		r.must(err)
		r.made(made, baseline)
	}
	c.awaitPods(t, namespace)
}

// recreation is what is known of the objects that were made.
type recreation struct {
	t         testing.TB
	uids      []string // what stands for them, and they
	baselines map[string]map[string]string
}

func (r *recreation) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("recreate: %v", err)
	}
}

func (r *recreation) made(o *unstructured.Unstructured, baseline func(Recorded) map[string]string) {
	r.t.Helper()
	name := o.GetKind() + "/" + o.GetName()
	r.uids = append(r.uids, "uid("+name+")", string(o.GetUID()))
	if !scheme.Scheme.Recognizes(o.GroupVersionKind()) {
		return // a route: what should be there is in the pointer, in clear
	}
	typed, err := scheme.Scheme.New(o.GroupVersionKind())
	r.must(err)
	r.must(runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, typed))
	r.baselines[name] = baseline(typed.(Recorded))
}

// fill puts in a ConfigMap's baselines.
func (r *recreation) fill(o *unstructured.Unstructured) {
	r.t.Helper()
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	r.must(err)
	for key, text := range data {
		var content map[string]any
		r.must(json.Unmarshal([]byte(text), &content))
		r.fillIn(content, o.GetName())
		filled, err := json.Marshal(content)
		r.must(err)
		data[key] = string(filled)
	}
	r.must(unstructured.SetNestedStringMap(o.Object, data, "data"))
}

// fillIn fills what is recorded of a release, whose objects have its name, or of an
// address, whose Service is named beside its baseline, at any depth.
func (r *recreation) fillIn(content map[string]any, name string) {
	if service, ok := content["service"].(string); ok {
		r.fillBaseline(content, "baseline", "Service/"+service)
	} else if kinds, ok := content["baseline"].(map[string]any); ok {
		for kind := range kinds {
			r.fillBaseline(kinds, kind, kind+"/"+name)
		}
	}
	for _, inner := range content {
		if inner, ok := inner.(map[string]any); ok {
			r.fillIn(inner, name)
		}
	}
}

func (r *recreation) fillBaseline(in map[string]any, key, object string) {
	if in[key] == "=" {
		in[key] = r.baselines[object]
	}
	hashes, _ := in[key].(map[string]any)
	for path, hash := range hashes {
		if hash == "=" {
			hashes[path] = r.baselines[object][path]
		}
	}
}

// awaitPods waits until every Deployment of a namespace has as many pods as it
// should, and those are ready that can be.
func (c *Cluster) awaitPods(t testing.TB, namespace string) {
	t.Helper()
	Eventually(t, Hang, "the pods", func() error {
		list, err := c.client.AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range list.Items {
			d := &list.Items[i]
			want, status := *d.Spec.Replicas, d.Status
			ready := want
			if cannotStart(d) {
				ready = 0
			}
			if status.ObservedGeneration < d.Generation || status.Replicas != want || status.ReadyReplicas != ready {
				return fmt.Errorf("the Deployment %s has %+v", d.Name, status)
			}
		}
		return nil
	})
}

// cannotStart says that a Deployment's image is one of those that fail.
func cannotStart(d *appsv1.Deployment) bool {
	image := d.Spec.Template.Spec.Containers[0].Image
	return strings.Contains(image, "missing") || strings.Contains(image, "unready")
}
