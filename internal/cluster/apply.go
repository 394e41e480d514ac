package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// Apply is a server-side apply as field manager "switchback", which fills obj
// from the reply. uid and resourceVersion, where set on obj, are preconditions.
// Without force, fields of other managers are an *ApplyConflictError. They are so also
// where an apply would leave them, and the API server does not take them beside ours.
func (c *Cluster) Apply(ctx context.Context, obj Object, force bool) error {
	res, err := resourceOf(obj)
	if err != nil {
		return err
	}
	body, err := applyBody(res, obj)
	if err != nil {
		return err
	}
	err = c.applyAs(ctx, fieldManager, res, obj, body, force)
	if apierrors.IsInvalid(err) && obj.GetResourceVersion() != "" {
		return c.applyPast(ctx, res, obj, force, err)
	}
	return err
}

// applyPast applies over what is in the way of obj, if that is why the API server finds
// it invalid: it lets us have that first, so that the apply removes it, and puts ours in
// its place, in one write.
func (c *Cluster) applyPast(ctx context.Context, res resource, obj Object, force bool, invalid error) error {
	live := fresh(obj).(Object)
	if err := c.Get(ctx, obj.GetNamespace(), obj.GetName(), live); err != nil {
		return invalid
	}
	blockers := workload.Blockers(live, obj)
	k := call{"apply", res, obj.GetNamespace(), obj.GetName(), writeTimeout}
	switch {
	case len(blockers) == 0:
		return invalid
	case !force:
		return &ApplyConflictError{c.name, k.object(), workload.Conflicts(blockers), blocked(invalid, blockers)}
	case live.GetUID() != obj.GetUID() || live.GetResourceVersion() != obj.GetResourceVersion():
		return c.wrap(k, apierrors.NewConflict(schema.GroupResource{Group: res.gv.Group, Resource: res.plural}, k.name, invalid))
	}
	seized, err := workload.Seized(live, res.gv.String(), blockers)
	if err != nil {
		return err
	}
	if err := c.Update(ctx, seized); err != nil {
		return err
	}
	obj.SetResourceVersion(seized.GetResourceVersion())
	body, err := applyBody(res, obj)
	if err != nil {
		return err
	}
	return c.applyAs(ctx, fieldManager, res, obj, body, force)
}

// blocked is a refusal as the API server words it where it finds that others have a
// field.
func blocked(invalid error, blockers []workload.Blocker) error {
	status := &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusConflict, Reason: metav1.StatusReasonConflict, Message: invalid.Error(), Details: &metav1.StatusDetails{},
	}}
	for _, conflict := range workload.Conflicts(blockers) {
		status.ErrStatus.Details.Causes = append(status.ErrStatus.Details.Causes, metav1.StatusCause{
			Type: metav1.CauseTypeFieldManagerConflict, Field: conflict.Field, Message: fmt.Sprintf("conflict with %q", conflict.Manager),
		})
	}
	return status
}

// applyAs is an apply of the body by any field manager; obj says what is meant.
func (c *Cluster) applyAs(ctx context.Context, manager string, res resource, obj Object, body []byte, force bool) (err error) {
	defer func() { c.wrote(obj, err); quiet(obj, err) }()
	k := call{"apply", res, obj.GetNamespace(), obj.GetName(), writeTimeout}
	for race := 0; ; race++ {
		again, err := c.do(ctx, k, func(ctx context.Context) error {
			return fill(obj, func(o runtime.Object) error {
				return c.request("PATCH", res, k.namespace, k.name).
					SetHeader("Content-Type", string(types.ApplyYAMLPatchType)).
					VersionedParams(&metav1.PatchOptions{FieldManager: manager, Force: &force}, parameterCodec).
					Body(body).Do(ctx).Into(o)
			})
		})
		if !apierrors.IsConflict(err) && !apierrors.IsInvalid(err) {
			return err
		}
		if conflicts := release.FieldConflicts(err); len(conflicts) > 0 {
			return &ApplyConflictError{c.name, k.object(), conflicts, err}
		}
		// Another uid is answered as a conflict or as an invalid field, by kind.
		if gone := c.replaced(ctx, k, obj.GetUID(), err); gone != nil {
			return gone
		}
		if apierrors.IsInvalid(err) {
			return err
		}
		if obj.GetResourceVersion() == "" && race < races {
			continue
		}
		if live, same := c.sameLive(ctx, k, obj); again && same {
			move(live, obj)
			return nil
		}
		return err
	}
}

// applyBody is obj as an apply configuration: what the caller set and nothing
// else. Typed structs cannot leave out some fields that they do not use; sent
// empty they would be owned.
func applyBody(res resource, obj Object) ([]byte, error) {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, err
	}
	u["apiVersion"], u["kind"] = res.gv.String(), res.kind
	delete(u, "status")
	if m, ok := u["metadata"].(map[string]any); ok {
		for _, field := range []string{"managedFields", "generation", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"} {
			delete(m, field)
		}
	}
	prune(u)
	return json.Marshal(u)
}

// prune removes what typed structs emit although it is unset. Other empty
// objects mean something (emptyDir: {}).
func prune(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			empty, isMap := child.(map[string]any)
			switch {
			case child == nil,
				key == "creationTimestamp",
				key == "targetPort" && child == int64(0), // unset: the port itself
				isMap && len(empty) == 0 && (key == "strategy" || key == "resources" || key == "updateStrategy"):
				delete(v, key)
			default:
				prune(child)
			}
		}
	case []any:
		for _, child := range v {
			prune(child)
		}
	}
}

// holds says whether live has everything that written says, metadata's labels
// and annotations included. What live has beyond it are defaults.
func holds(live, written Object) bool {
	l, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return false
	}
	w, err := runtime.DefaultUnstructuredConverter.ToUnstructured(written)
	if err != nil {
		return false
	}
	for _, u := range []map[string]any{l, w} {
		m, _ := u["metadata"].(map[string]any)
		u["metadata"] = map[string]any{"labels": m["labels"], "annotations": m["annotations"]}
		delete(u, "status")
		delete(u, "apiVersion")
		delete(u, "kind")
		prune(u)
	}
	exact := false
	switch written.(type) {
	case *corev1.ConfigMap, *coordinationv1.Lease: // they have no defaults: a claim must be exactly ours
		exact = true
	}
	return within(w, l, exact)
}

func within(w, l any, exact bool) bool {
	switch w := w.(type) {
	case map[string]any:
		l, ok := l.(map[string]any)
		if !ok || exact && len(l) != len(w) {
			return len(w) == 0 && l == nil
		}
		for key := range w {
			if !within(w[key], l[key], exact) {
				return false
			}
		}
		return true
	case []any:
		l, ok := l.([]any)
		if !ok || len(l) != len(w) {
			return false
		}
		for i := range w {
			if !within(w[i], l[i], exact) {
				return false
			}
		}
		return true
	default:
		return w == l
	}
}
