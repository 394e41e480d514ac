package rollout

import (
	"context"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// newCompanion is an empty object of a companion's kind.
func newCompanion(kind release.Companion) Object {
	switch kind {
	case release.CompanionAutoscaler:
		return &autoscalingv2.HorizontalPodAutoscaler{}
	case release.CompanionDisruptionBudget:
		return &policyv1.PodDisruptionBudget{}
	}
	panic("no such companion: " + kind)
}

// liveCompanion reads one of a release's companions; nil where there is none.
func (e *Engine) liveCompanion(ctx context.Context, c Cluster, id release.ID, application string, kind release.Companion) (Object, error) {
	return look(ctx, c, id.Namespace, id.Name, application, newCompanion(kind), string(kind))
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
		obj := renderCompanion(t.spec, kind)
		if err := c.Apply(ctx, obj, false); !release.ReadAgain(err) && release.FieldConflicts(err) == nil {
			return obj, nil, err
		}
	}
	switch kind {
	case release.CompanionAutoscaler:
		render := func(*autoscalingv2.HorizontalPodAutoscaler) (*autoscalingv2.HorizontalPodAutoscaler, error) {
			return workload.Autoscaler(t.spec), nil
		}
		return applied(apply(ctx, c, t, string(kind), render, may))
	case release.CompanionDisruptionBudget:
		render := func(*policyv1.PodDisruptionBudget) (*policyv1.PodDisruptionBudget, error) {
			return workload.DisruptionBudget(t.spec), nil
		}
		return applied(apply(ctx, c, t, string(kind), render, may))
	}
	panic("no such companion: " + kind)
}

func renderCompanion(spec release.Spec, kind release.Companion) Object {
	switch kind {
	case release.CompanionAutoscaler:
		return workload.Autoscaler(spec)
	case release.CompanionDisruptionBudget:
		return workload.DisruptionBudget(spec)
	}
	panic("no such companion: " + kind)
}

// applied forgets the type of what apply returns.
func applied[T Object](obj T, taken []release.FieldConflict, err error) (Object, []release.FieldConflict, error) {
	return obj, taken, err
}

// removeUnwanted removes the companions that the release shall not have any
// more. The autoscaler goes before the number of pods becomes ours again.
func (e *Engine) removeUnwanted(ctx context.Context, cl *claim) error {
	unwanted := cl.record.Unwanted(cl.target.spec.Companions())
	going, err := e.deleteCompanions(ctx, cl.cluster, cl.target.id, cl.target.application(), cl.copied(), unwanted)
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
