package rollout

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// companionKind is what is done with a companion of one kind.
type companionKind struct {
	first  bool // its pods need it: it is made before them
	leads  bool // it leads to the release's Service: it goes before that
	empty  func() Object
	render func(release.Spec) Object
	apply  func(context.Context, Cluster, target, takeBack) (Object, []release.FieldConflict, error)
	// live reads those of a release that exist; nil: there is one at most, of the
	// release's name.
	live func(ctx context.Context, c Cluster, id release.ID, application string) ([]Object, error)
}

// companions are all kinds. A new one is a line here, and a constant in
// release.Companions.
var companions = map[release.Companion]companionKind{
	release.CompanionAutoscaler:       autoscaler(),
	release.CompanionDisruptionBudget: companionOf(release.CompanionDisruptionBudget, workload.DisruptionBudget),
	release.CompanionFiles:            files(),
	release.CompanionPreview:          preview(),
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
			t.id.Name = render(t.spec).GetName()
			obj, taken, err := apply(ctx, c, t, string(kind), func(P) (P, error) { return render(t.spec), nil }, may)
			return obj, taken, err
		},
	}
}

// liveCompanion reads the companion of a kind that has such a name; nil where there
// is none.
func (e *Engine) liveCompanion(ctx context.Context, c Cluster, id release.ID, application string, kind release.Companion) (Object, error) {
	return ownership.Look(ctx, c, id.Namespace, id.Name, application, companions[kind].empty(), string(kind))
}

// applyCompanions applies those that the release shall have, before its pods or
// after them, and adds them to the baseline.
func (e *Engine) applyCompanions(ctx context.Context, cl *claim, first bool, may takeBack, baseline release.Baseline) ([]release.FieldConflict, error) {
	var taken []release.FieldConflict
	for _, kind := range cl.target.spec.Companions() {
		if companions[kind].first != first {
			continue
		}
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
		release.Anew(obj)
		if err := c.Apply(ctx, obj, false); !release.ReadAgain(err) && release.FieldConflicts(err) == nil {
			return obj, nil, err
		}
	}
	return companions[kind].apply(ctx, c, t, may)
}

// removeUnwanted removes the companions that the release shall not have any
// more. The autoscaler goes before the number of pods becomes ours again. Files go
// when all pods have others: see dropFormerFiles.
func (e *Engine) removeUnwanted(ctx context.Context, cl *claim) error {
	unwanted := cl.Record().Unwanted(cl.target.spec.Companions())
	if cl.target.inPlace() {
		unwanted = slices.DeleteFunc(unwanted, func(kind release.Companion) bool { return companions[kind].first })
	}
	going, err := e.deleteCompanions(ctx, cl.cluster, cl.target.id, cl.target.application(), cl.Record(), unwanted)
	if err != nil {
		return err
	}
	return awaitCompanionsGone(ctx, cl.cluster, going)
}

// leading are those that lead to the release's Service, and the others.
func leading(kinds []release.Companion) (leads, others []release.Companion) {
	for _, kind := range kinds {
		if companions[kind].leads {
			leads = append(leads, kind)
		} else {
			others = append(others, kind)
		}
	}
	return leads, others
}

// goingCompanion is a companion whose deletion was asked for.
type goingCompanion struct {
	kind release.Companion
	Object
}

// deleteCompanions asks for the deletion of such companions and returns those
// that were there.
func (e *Engine) deleteCompanions(ctx context.Context, c Cluster, id release.ID, application string, record *release.Record, kinds []release.Companion) ([]goingCompanion, error) {
	var going []goingCompanion
	for _, kind := range kinds {
		names := []string{id.Name}
		if live := companions[kind].live; live != nil {
			found, err := live(ctx, c, id, application)
			if err != nil {
				return nil, err
			}
			names = nil
			for _, obj := range found {
				names = append(names, obj.GetName())
			}
		}
		for _, name := range names {
			_, known := record.Baseline[string(kind)]
			obj, err := e.deleteCompanion(ctx, c, release.ID{Namespace: id.Namespace, Name: name}, application, kind, known)
			if err != nil {
				return nil, err
			}
			if obj != nil {
				going = append(going, goingCompanion{kind, obj})
			}
		}
	}
	return going, nil
}

func awaitCompanionsGone(ctx context.Context, c Cluster, going []goingCompanion) error {
	for _, obj := range going {
		if err := awaitGone(ctx, c, obj.Object, string(obj.kind)); err != nil {
			return err
		}
	}
	return nil
}

// deleteCompanion asks for a companion's deletion, if it is as it was when we
// saw that it is ours. What is somebody else's is left alone: the release has
// no use for the name. known: there has been one.
func (e *Engine) deleteCompanion(ctx context.Context, c Cluster, id release.ID, application string, kind release.Companion, known bool) (Object, error) {
	for {
		obj, err := e.liveCompanion(ctx, c, id, application, kind)
		if !known && apierrors.IsForbidden(err) {
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
