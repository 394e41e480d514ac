package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// fieldManager is who we are in managedFields.
const fieldManager = "switchback"

// call names a request for errors, and bounds one attempt of it.
type call struct {
	verb            string
	res             resource
	namespace, name string
	timeout         time.Duration
}

func (c call) object() string {
	if c.namespace == "" {
		return c.res.kind + " " + c.name
	}
	return c.res.kind + " " + c.namespace + "/" + c.name
}

// do runs a request on a cluster that has been found to be the right one.
func (c *Cluster) do(ctx context.Context, k call, fn func(context.Context) error) (again bool, err error) {
	if err := c.Check(ctx); err != nil {
		return false, err
	}
	return c.bare(ctx, k, fn)
}

// bare is do without the check; the check itself uses it.
func (c *Cluster) bare(ctx context.Context, k call, fn func(context.Context) error) (again bool, err error) {
	try, told := c.heard(k, fn)
	again, err = c.retry(ctx, k.timeout, try)
	told(err)
	return again, c.wrap(k, err)
}

func (c *Cluster) wrap(k call, err error) error {
	if err == nil {
		return nil
	}
	if saysItAll(err) {
		return err
	}
	return &RequestError{Cluster: c.name, Verb: k.verb, Kind: k.res.kind, Namespace: k.namespace, Name: k.name, Err: err}
}

// saysItAll: these errors are about the connection, whatever was asked for.
func saysItAll(err error) bool {
	var (
		unreachable *UnreachableError
		unusable    *UnusableError
		untrusted   *TLSError
		credential  *CredentialError
	)
	return errors.As(err, &unreachable) || errors.As(err, &unusable) || errors.As(err, &untrusted) || errors.As(err, &credential)
}

// request starts a request; client-go's own retries are off.
func (c *Cluster) request(verb string, res resource, namespace, name string) *rest.Request {
	r := c.clients[res.gv].Verb(verb).MaxRetries(0).Resource(res.plural)
	if namespace != "" {
		r = r.Namespace(namespace)
	}
	if name != "" {
		r = r.Name(name)
	}
	return r
}

// Get fills into. A missing object is an error that apierrors.IsNotFound
// recognises.
func (c *Cluster) Get(ctx context.Context, namespace, name string, into Object) error {
	res, err := resourceOf(into)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{"get", res, namespace, name, readTimeout}, func(ctx context.Context) error {
		return fill(into, func(o runtime.Object) error {
			return c.request("GET", res, namespace, name).Do(ctx).Into(o)
		})
	})
	return err
}

// List fills into, e.g. a *corev1.ServiceList. An empty selector lists all.
func (c *Cluster) List(ctx context.Context, namespace, selector string, into runtime.Object) error {
	res, err := resourceOf(into)
	if err != nil {
		return err
	}
	_, err = c.list(ctx, res, namespace, metav1.ListOptions{LabelSelector: selector}, into)
	return err
}

// Recent is List from what the API server has at hand, which may be a moment
// old. It is for what is shown, not for what is decided.
func (c *Cluster) Recent(ctx context.Context, namespace, selector string, into runtime.Object) error {
	res, err := resourceOf(into)
	if err != nil {
		return err
	}
	_, err = c.list(ctx, res, namespace, metav1.ListOptions{LabelSelector: selector, ResourceVersion: "0"}, into)
	return err
}

func (c *Cluster) list(ctx context.Context, res resource, namespace string, options metav1.ListOptions, into runtime.Object) (bool, error) {
	return c.do(ctx, call{"list", res, namespace, "", writeTimeout}, func(ctx context.Context) error {
		return fill(into, func(o runtime.Object) error {
			return c.request("GET", res, namespace, "").VersionedParams(&options, parameterCodec).Do(ctx).Into(o)
		})
	})
}

// fill decodes into a new object and moves it to into, only on success.
func fill(into runtime.Object, get func(runtime.Object) error) error {
	o := fresh(into)
	if err := get(o); err != nil {
		return err
	}
	move(o, into)
	return nil
}

// Create makes obj and fills it from the reply. Where the reply was lost, and
// the object that exists then has obj's content, it is ours: a success.
func (c *Cluster) Create(ctx context.Context, obj Object) (err error) {
	res, err := resourceOf(obj)
	if err != nil {
		return err
	}
	defer func() { c.wrote(obj, err); quiet(obj, err) }()
	k := call{"create", res, obj.GetNamespace(), obj.GetName(), writeTimeout}
	again, err := raced(true, func() (bool, error) {
		return c.do(ctx, k, func(ctx context.Context) error {
			return fill(obj, func(o runtime.Object) error {
				return c.request("POST", res, k.namespace, "").
					VersionedParams(&metav1.CreateOptions{FieldManager: fieldManager}, parameterCodec).
					Body(obj).Do(ctx).Into(o)
			})
		})
	})
	if again && apierrors.IsAlreadyExists(err) {
		if live, same := c.sameLive(ctx, k, obj); same {
			move(live, obj)
			return nil
		}
	}
	return err
}

// races is how often a conflict is tried again that no precondition of ours
// explains: with controllers that write the same object, or with a quota's count.
const races = 5

// raced does something again while it meets such conflicts; where ours explain
// them, once.
func raced(unexplained bool, do func() (again bool, err error)) (again bool, err error) {
	for n := 0; ; n++ {
		more, err := do()
		again = again || more
		if !unexplained || n == races || !apierrors.IsConflict(err) {
			return again, err
		}
	}
}

// sameLive reads the live object and says whether it holds what obj says.
func (c *Cluster) sameLive(ctx context.Context, k call, obj Object) (Object, bool) {
	live := fresh(obj).(Object)
	if err := c.Get(ctx, k.namespace, k.name, live); err != nil {
		return nil, false
	}
	uid := obj.GetUID()
	return live, (uid == "" || uid == live.GetUID()) && holds(live, obj)
}

// Update replaces obj, whose resourceVersion is the precondition, and fills it
// from the reply. A conflict after a lost reply is a success where the live
// object holds what was written; else it is for the caller, who alone can
// compute the change again.
//
// Of a ConfigMap the labels, annotations and data are written, by a patch: so
// that a role needs "patch", which applying needs anyway, and not "update". Of a
// Service and a Deployment only who manages their fields is written, in the same
// way: what is ours we apply, and of the rest there is nothing to write but that
// we take it or let it go.
func (c *Cluster) Update(ctx context.Context, obj Object) (err error) {
	res, err := resourceOf(obj)
	if err != nil {
		return err
	}
	defer func() { c.wrote(obj, err); quiet(obj, err) }()
	send := func() *rest.Request {
		return c.request("PUT", res, obj.GetNamespace(), obj.GetName()).Body(obj)
	}
	if ops := patchOf(obj); ops != nil {
		if send, err = c.patching(res, obj, ops); err != nil {
			return err
		}
	}
	k := call{"update", res, obj.GetNamespace(), obj.GetName(), writeTimeout}
	again, err := c.do(ctx, k, func(ctx context.Context) error {
		return fill(obj, func(o runtime.Object) error {
			return send().VersionedParams(&metav1.UpdateOptions{FieldManager: fieldManager}, parameterCodec).Do(ctx).Into(o)
		})
	})
	if again && apierrors.IsConflict(err) {
		if live, same := c.sameLive(ctx, k, obj); same {
			move(live, obj)
			return nil
		}
	}
	return err
}

// Patch changes single fields of obj as field manager "switchback". obj's uid and
// resourceVersion are the precondition; it is filled from the reply.
func (c *Cluster) Patch(ctx context.Context, obj Object, ops []release.PatchOp) (err error) {
	res, err := resourceOf(obj)
	if err != nil {
		return err
	}
	defer func() { c.wrote(obj, err); quiet(obj, err) }()
	send, err := c.patching(res, obj, ops)
	if err != nil {
		return err
	}
	k := call{"patch", res, obj.GetNamespace(), obj.GetName(), writeTimeout}
	_, err = c.do(ctx, k, func(ctx context.Context) error {
		return fill(obj, func(o runtime.Object) error {
			return send().VersionedParams(&metav1.PatchOptions{FieldManager: fieldManager}, parameterCodec).Do(ctx).Into(o)
		})
	})
	return err
}

// patching is a JSON patch of obj as it was read.
func (c *Cluster) patching(res resource, obj Object, ops []release.PatchOp) (func() *rest.Request, error) {
	ops = slices.Clone(ops)
	if obj.GetUID() != "" {
		ops = append(ops, release.PatchOp{Op: "replace", Path: "/metadata/uid", Value: obj.GetUID()})
	}
	if obj.GetResourceVersion() != "" {
		ops = append(ops, release.PatchOp{Op: "replace", Path: "/metadata/resourceVersion", Value: obj.GetResourceVersion()})
	}
	patch, err := json.Marshal(ops)
	namespace, name := obj.GetNamespace(), obj.GetName()
	return func() *rest.Request {
		return c.request("PATCH", res, namespace, name).SetHeader("Content-Type", string(types.JSONPatchType)).Body(patch)
	}, err
}

// patchOf is what an update writes of obj; nil where it replaces the whole object.
func patchOf(obj Object) []release.PatchOp {
	orEmpty := func(v map[string]string) map[string]string {
		if v == nil {
			return map[string]string{}
		}
		return v
	}
	switch o := obj.(type) {
	case *corev1.ConfigMap:
		return []release.PatchOp{
			{Op: "add", Path: "/metadata/labels", Value: orEmpty(o.Labels)},
			{Op: "add", Path: "/metadata/annotations", Value: orEmpty(o.Annotations)},
			{Op: "add", Path: "/data", Value: orEmpty(o.Data)},
		}
	case *corev1.Service, *appsv1.Deployment:
		return []release.PatchOp{{Op: "add", Path: "/metadata/managedFields", Value: obj.GetManagedFields()}}
	}
	return nil
}

// replaced is a *ReplacedError where the live object's uid is another one, and
// nil where it is not, or cannot be told.
func (c *Cluster) replaced(ctx context.Context, k call, want types.UID, because error) error {
	if want == "" {
		return nil
	}
	live := &metav1.PartialObjectMetadata{}
	if c.getMeta(ctx, k, live) == nil && live.UID != want {
		return c.anotherObject(k, want, live.UID, because)
	}
	return nil
}

func (c *Cluster) anotherObject(k call, want, live types.UID, because error) error {
	group := schema.GroupResource{Group: k.res.gv.Group, Resource: k.res.plural}
	return &ReplacedError{c.name, k.object(), want, live, apierrors.NewConflict(group, k.name, because)}
}

// getMeta reads metadata alone.
func (c *Cluster) getMeta(ctx context.Context, k call, into *metav1.PartialObjectMetadata) error {
	k.verb, k.timeout = "get", readTimeout
	_, err := c.do(ctx, k, func(ctx context.Context) error {
		raw, err := c.request("GET", k.res, k.namespace, k.name).
			SetHeader("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json").Do(ctx).Raw()
		if err != nil {
			return statusOf(raw, err)
		}
		return json.Unmarshal(raw, into)
	})
	return err
}

// statusOf prefers the API server's Status to the bare HTTP code that
// Result.Raw reports.
func statusOf(raw []byte, err error) error {
	var s metav1.Status
	if json.Unmarshal(raw, &s) == nil && s.Kind == "Status" && s.Status != metav1.StatusSuccess {
		return &apierrors.StatusError{ErrStatus: s}
	}
	return err
}

// Delete removes the object if it still has obj's uid and, where set,
// resourceVersion. What is gone already is a success. Where another object has
// the name by now, the result is a *ReplacedError: obj is gone, the name is not
// free. A conflict on resourceVersion alone is for the caller to decide again.
func (c *Cluster) Delete(ctx context.Context, obj Object, propagation metav1.DeletionPropagation) error {
	res, err := resourceOf(obj)
	if err != nil {
		return err
	}
	options := &metav1.DeleteOptions{PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{}}
	if uid := obj.GetUID(); uid != "" {
		options.Preconditions.UID = &uid
	}
	if version := obj.GetResourceVersion(); version != "" {
		options.Preconditions.ResourceVersion = &version
	}
	k := call{"delete", res, obj.GetNamespace(), obj.GetName(), writeTimeout}
	again, err := raced(obj.GetResourceVersion() == "", func() (bool, error) {
		return c.do(ctx, k, func(ctx context.Context) error {
			return c.request("DELETE", res, k.namespace, k.name).Body(options).Do(ctx).Error()
		})
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case !apierrors.IsConflict(err):
		return err
	}
	live := &metav1.PartialObjectMetadata{}
	switch getErr := c.getMeta(ctx, k, live); {
	case apierrors.IsNotFound(getErr):
		return nil
	case getErr != nil:
		return errors.Join(err, getErr)
	case obj.GetUID() != "" && live.UID != obj.GetUID():
		return c.anotherObject(k, obj.GetUID(), live.UID, err)
	case again && live.DeletionTimestamp != nil:
		return nil // the lost reply was a yes: deleting bumped the resourceVersion
	}
	return err
}
