package cluster

import (
	"context"
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// markManager owns the labels that Label sets, and nothing else: so that they
// change without touching what Apply owns.
const markManager = fieldManager + "-labels"

const markTimeout = 5 * time.Second

// Label sets labels of ours on an object that is there, for those who look with
// kubectl, and drops those that it set before. obj's uid is the precondition. It
// is best effort: at most 5 s, and no error.
func (c *Cluster) Label(ctx context.Context, obj Object, labels map[string]string) {
	res, err := resourceOf(obj)
	if err != nil || obj.GetUID() == "" {
		return // without a uid it could make the object
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{
		"apiVersion": res.gv.String(), "kind": res.kind,
		"metadata": map[string]any{"namespace": obj.GetNamespace(), "name": obj.GetName(), "uid": obj.GetUID(), "labels": labels},
	})
	if err != nil {
		return
	}
	force := true
	// Another uid is a conflict too, and not worth the few attempts; but controllers write the same object.
	_, _ = raced(true, func() (bool, error) {
		return c.do(ctx, call{"label", res, obj.GetNamespace(), obj.GetName(), writeTimeout}, func(ctx context.Context) error {
			return c.request("PATCH", res, obj.GetNamespace(), obj.GetName()).
				SetHeader("Content-Type", string(types.ApplyYAMLPatchType)).
				VersionedParams(&metav1.PatchOptions{FieldManager: markManager, Force: &force}, parameterCodec).
				Body(body).Do(ctx).Error()
		})
	})
}
