package rollout

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// companionKind is what is done with a companion of one kind.
type companionKind struct {
	empty  func() Object
	render func(release.Spec) Object
	apply  func(context.Context, Cluster, target, takeBack) (Object, []release.FieldConflict, error)
}

// companions are all kinds. A new one is a line here, and a constant in
// release.Companions.
var companions = map[release.Companion]companionKind{
	release.CompanionAutoscaler:       companionOf(release.CompanionAutoscaler, workload.Autoscaler),
	release.CompanionDisruptionBudget: companionOf(release.CompanionDisruptionBudget, workload.DisruptionBudget),
}

func companionOf[T any, P interface {
	*T
	comparable
	Object
}](kind release.Companion, render func(release.Spec) P) companionKind {
	return companionKind{
		empty:  func() Object { return P(new(T)) },
		render: func(spec release.Spec) Object { return render(spec) },
		apply: func(ctx context.Context, c Cluster, t target, may takeBack) (Object, []release.FieldConflict, error) {
			obj, taken, err := apply(ctx, c, t, string(kind), func(P) (P, error) { return render(t.spec), nil }, may)
			return obj, taken, err
		},
	}
}

// liveCompanion reads one of a release's companions; nil where there is none.
func (e *Engine) liveCompanion(ctx context.Context, c Cluster, id release.ID, application string, kind release.Companion) (Object, error) {
	return ownership.Look(ctx, c, id.Namespace, id.Name, application, companions[kind].empty(), string(kind))
}

// applyCompanions applies those that the release shall have, and adds them to
// the baseline.
func (e *Engine) applyCompanions(ctx context.Context, cl *claim, may takeBack, baseline release.Baseline) ([]release.FieldConflict, error) {
	var taken []release.FieldConflict
	for _, kind := range cl.target.spec.Companions() {
		applied, more, err := e.applyCompanion(ctx, cl, kind, may)
		if err != nil {
			return nil, err
		}
		taken = append(taken, more...)
		baseline[string(kind)] = workload.Baseline(applied)
	}
	return taken, nil
}

func (e *Engine) applyCompanion(ctx context.Context, cl *claim, kind release.Companion, may takeBack) (Object, []release.FieldConflict, error) {
	c, t := cl.cluster, cl.target
	if cl.fresh { // admit has just seen that there is none
		obj := companions[kind].render(t.spec)
		if err := c.Apply(ctx, obj, false); !release.ReadAgain(err) && release.FieldConflicts(err) == nil {
			return obj, nil, err
		}
	}
	return companions[kind].apply(ctx, c, t, may)
}

// removeUnwanted removes the companions that the release shall not have any
// more. The autoscaler goes before the number of pods becomes ours again.
func (e *Engine) removeUnwanted(ctx context.Context, cl *claim) error {
	unwanted := cl.Record().Unwanted(cl.target.spec.Companions())
	going, err := e.deleteCompanions(ctx, cl.cluster, cl.target.id, cl.target.application(), cl.Record(), unwanted)
	if err != nil {
		return err
	}
	return awaitCompanionsGone(ctx, cl.cluster, going)
}

// deleteCompanions asks for the deletion of such companions and returns those
// that were there.
func (e *Engine) deleteCompanions(ctx context.Context, c Cluster, id release.ID, application string, record *release.Record, kinds []release.Companion) (map[release.Companion]Object, error) {
	going := map[release.Companion]Object{}
	for _, kind := range kinds {
		obj, err := e.deleteCompanion(ctx, c, id, application, record, kind)
		if err != nil {
			return nil, err
		}
		if obj != nil {
			going[kind] = obj
		}
	}
	return going, nil
}

func awaitCompanionsGone(ctx context.Context, c Cluster, going map[release.Companion]Object) error {
	for kind, obj := range going {
		if err := awaitGone(ctx, c, obj, string(kind)); err != nil {
			return err
		}
	}
	return nil
}

// deleteCompanion asks for a companion's deletion, if it is as it was when we
// saw that it is ours. What is somebody else's is left alone: the release has
// no use for the name.
func (e *Engine) deleteCompanion(ctx context.Context, c Cluster, id release.ID, application string, record *release.Record, kind release.Companion) (Object, error) {
	for {
		obj, err := e.liveCompanion(ctx, c, id, application, kind)
		if _, known := record.Baseline[string(kind)]; !known && apierrors.IsForbidden(err) {
			return nil, nil // only a lost record has us look: this credential made none
		}
		if release.IsForeign(err) {
			return nil, nil
		}
		if err != nil || obj == nil || obj.GetDeletionTimestamp() != nil {
			return obj, err
		}
		err = c.Delete(ctx, obj, metav1.DeletePropagationBackground)
		if !release.ReadAgain(err) {
			return obj, err
		}
	}
}
