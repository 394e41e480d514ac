package ownership_test

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestPointer: a label and an entry of the history, written by others meanwhile, do
// not keep a pointer from being written; another pointer does.
func TestPointer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r, other := p.run(t), p.run(t)
	main := &release.Main{Owner: "one", Deployment: "api-7f3c9a1e"}
	must(t, r.locked(t.Context(), func(ctx context.Context) error {
		_, live, err := ownership.LiveMain(ctx, r.c, p.namespace, "api")
		must(t, err)
		must(t, r.SaveMain(ctx, r.c, p.namespace, "api", &live, main))
		stale := live.DeepCopy()

		_, err = p.cluster.Client().CoreV1().ConfigMaps(p.namespace).Patch(ctx, "api-switchback", types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"x"}}}`), metav1.PatchOptions{})
		must(t, err)
		other.Remember(ctx, other.c, p.namespace, "api", release.Entry{ID: "1", Operation: release.OperationDeploy, Deployment: "api-0c295c2f"})
		main.Deployment = "api-0c295c2f"
		must(t, r.SaveMain(ctx, r.c, p.namespace, "api", &live, main))
		if live.Labels["team"] != "x" {
			t.Error("somebody's label is gone")
		}
		if history, err := ownership.HistoryIn(live.Data); err != nil || len(history.Entries) != 1 {
			t.Errorf("the history is %+v: %v", history, err)
		}

		var changed *release.PointerChangedError
		err = other.SaveMain(ctx, r.c, p.namespace, "api", &stale, &release.Main{Owner: "two", Deployment: "api-b3b566de"})
		if !errors.Is(err, ownership.ErrLockLost) && !errors.As(err, &changed) {
			t.Errorf("what is not known any more is overwritten: %v", err)
		}
		return r.DropMain(ctx, r.c, p.namespace, "api", live, nil)
	}))
	is, live, err := ownership.LiveMain(t.Context(), r.c, p.namespace, "api")
	must(t, err)
	if is != nil || live == nil {
		t.Errorf("the pointer is %+v, in %v", is, live)
	}
}
