package rollout

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// files is the ConfigMap with the files of a release's containers. No pod starts
// without it, and its data cannot change: where somebody has made another one, that
// one goes first.
func files() companionKind {
	kind := companionOf(release.CompanionFiles, workload.Files)
	write := kind.apply
	kind.first, kind.live = true, liveFiles
	kind.apply = func(ctx context.Context, c Cluster, t target, may takeBack) (Object, []release.FieldConflict, error) {
		if err := removeOtherFiles(ctx, c, t); err != nil {
			return nil, nil, err
		}
		return write(ctx, c, t, may)
	}
	return kind
}

// liveFiles are the ConfigMaps with files of a release: while its content changes in
// place there are two.
func liveFiles(ctx context.Context, c Cluster, id release.ID, application string) ([]Object, error) {
	list := &corev1.ConfigMapList{}
	selector := release.ManagedSelector + "," + release.LabelApplication + "=" + application + "," +
		release.LabelDeployment + "=" + id.Name + "," + release.LabelRole + "=" + release.RoleFiles
	if err := c.List(ctx, id.Namespace, selector, list); err != nil {
		return nil, err
	}
	var found []Object
	for i := range list.Items {
		found = append(found, &list.Items[i])
	}
	return found, nil
}

// removeOtherFiles removes a ConfigMap of ours that holds something else than it
// should, and that nobody can correct. Pods that run keep what they have mounted.
func removeOtherFiles(ctx context.Context, c Cluster, t target) error {
	want := workload.Files(t.spec)
	for {
		live, err := ownership.Look(ctx, c, want.Namespace, want.Name, t.application(), &corev1.ConfigMap{}, string(release.CompanionFiles))
		if err != nil || live == nil || !deref(live.Immutable) || maps.Equal(live.Data, want.Data) && len(live.BinaryData) == 0 {
			return err
		}
		if live.DeletionTimestamp == nil {
			if err := c.Delete(ctx, live, metav1.DeletePropagationBackground); release.ReadAgain(err) {
				continue
			} else if err != nil {
				return err
			}
		}
		if err := awaitGone(ctx, c, live, string(release.CompanionFiles)); err != nil {
			return err
		}
	}
}

// has are the companions that there may be once all is applied: where the content
// changes in place, former files are there until no pod has them.
func (cl *claim) has(r *release.Record) []release.Companion {
	asked := cl.target.spec.Companions()
	if cl.target.inPlace() && r.Expects(release.CompanionFiles) && !slices.Contains(asked, release.CompanionFiles) {
		asked = append(asked, release.CompanionFiles)
	}
	return asked
}

// dropFormerFiles removes the files of a content that has been replaced in place,
// once no pod has it any more. What stays is drift, and no reason to go back.
func (e *Engine) dropFormerFiles(ctx context.Context, cl *claim) {
	t := cl.target
	if !t.inPlace() || cl.unplanned {
		return
	}
	keep := ""
	if want := workload.Files(t.spec); want != nil {
		keep = want.Name
	}
	if err := e.dropFiles(ctx, cl, keep); err == nil {
		cl.Note(func(r *release.Record) { r.Companions = t.spec.Companions() })
	}
}

// dropFiles removes all files of a release but those in one ConfigMap.
func (e *Engine) dropFiles(ctx context.Context, cl *claim, keep string) error {
	c, t := cl.cluster, cl.target
	if !cl.Record().Expects(release.CompanionFiles) {
		return nil
	}
	found, err := liveFiles(ctx, c, t.id, t.application())
	for _, obj := range found {
		if err == nil && obj.GetName() != keep {
			_, err = e.deleteCompanion(ctx, c, release.ID{Namespace: t.id.Namespace, Name: obj.GetName()}, t.application(), release.CompanionFiles, true)
		}
	}
	return err
}
