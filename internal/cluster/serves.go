package cluster

import (
	"context"
	"encoding/json"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Serves says whether the API server has the kind of obj, an object or a list of
// one of our kinds. A kind may be forbidden, or not found, although there is none:
// the discovery document, which every user may read, tells. The answer is
// remembered for the rest of the run.
func (c *Cluster) Serves(ctx context.Context, obj runtime.Object) (bool, error) {
	res, err := resourceOf(obj)
	if err != nil {
		return false, err
	}
	key := res.gv.String() + "/" + res.plural
	c.mu.Lock()
	has, known := c.serves[key]
	c.mu.Unlock()
	if known {
		return has, nil
	}
	var found metav1.APIResourceList
	k := call{"get", resource{kind: "the list of kinds of " + res.gv.String()}, "", "", readTimeout}
	_, err = c.do(ctx, k, func(ctx context.Context) error {
		raw, err := c.root.Get().MaxRetries(0).AbsPath("/apis/"+res.gv.String()).SetHeader("Accept", "application/json").Do(ctx).Raw()
		if err != nil {
			return statusOf(raw, err)
		}
		return json.Unmarshal(raw, &found)
	})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return false, err
	default:
		has = slices.ContainsFunc(found.APIResources, func(r metav1.APIResource) bool { return r.Name == res.plural })
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serves[key] = has
	return has, nil
}
