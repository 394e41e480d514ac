package rollout

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// takeBack says whether fields that other managers hold may be set back.
type takeBack func(conflicts []release.FieldConflict) bool

// everything: who adopts a release by its content gets that content.
func everything([]release.FieldConflict) bool { return true }

// shown allows the fields that a plan has shown as drift, and no others.
func shown(fields []string) takeBack {
	return func(conflicts []release.FieldConflict) bool {
		for _, conflict := range conflicts {
			if !covered(workload.FieldPath(conflict.Field), fields) {
				return false
			}
		}
		return true
	}
}

// also allows, besides what may does, one field.
func also(may takeBack, field string) takeBack {
	return func(conflicts []release.FieldConflict) bool {
		for _, conflict := range conflicts {
			if workload.FieldPath(conflict.Field) != field && (may == nil || !may([]release.FieldConflict{conflict})) {
				return false
			}
		}
		return true
	}
}

func covered(field string, fields []string) bool {
	for _, f := range fields {
		if workload.Within(field, f) || workload.Within(f, field) {
			return true
		}
	}
	return false
}

// within are the conflicts' fields that lie within one of the paths.
func within(conflicts []release.FieldConflict, paths []string) []string {
	var fields []string
	for _, conflict := range conflicts {
		if field := workload.FieldPath(conflict.Field); workload.Ignored(field, paths) {
			fields = append(fields, field)
		}
	}
	return fields
}

// applyWorkload applies the release's workload and returns the server's reply,
// with the fields that were taken back. Its pods are replaced only where they
// must be: what a former restart has written stays, and restart, where there is
// one, is written.
func (e *Engine) applyWorkload(ctx context.Context, c Cluster, t target, restart *restart, may takeBack) (*appsv1.Deployment, []release.FieldConflict, error) {
	return e.applyCounted(ctx, c, t, restart, may, func(_, _ *appsv1.Deployment) error { return nil })
}

// applyCounted is applyWorkload where the number of pods is not what the
// release's Spec says: count sets it. live is nil where there is none.
func (e *Engine) applyCounted(ctx context.Context, c Cluster, t target, restart *restart, may takeBack, count func(want, live *appsv1.Deployment) error) (*appsv1.Deployment, []release.FieldConflict, error) {
	render := func(live *appsv1.Deployment) (*appsv1.Deployment, error) {
		want, err := workload.Deployment(startedAs(t.spec, live))
		if err != nil {
			return nil, err
		}
		if err := count(want, live); err != nil || live == nil {
			return want, err
		}
		workload.SetRestartedAt(want, workload.RestartedAt(live))
		if restart != nil && !restartedFor(live, t.spec.RestartTriggers) {
			restart.asked(live)
			workload.SetRestartedAt(want, restart.at)
		}
		return want, nil
	}
	displaced, err := displace(ctx, c, t, may)
	if err != nil {
		return nil, displaced, err
	}
	d, taken, err := apply(ctx, c, t, "Deployment", render, may)
	return d, append(displaced, taken...), err
}

// applyService applies the release's own Service; nil where it has no ports.
func (e *Engine) applyService(ctx context.Context, cl *claim, may takeBack) (*corev1.Service, []release.FieldConflict, error) {
	c, t := cl.cluster, cl.target
	want := workload.Service(t.spec)
	if want == nil {
		return nil, nil, nil
	}
	if cl.fresh { // admit has just seen that there is none
		release.Anew(want)
		if err := c.Apply(ctx, want, false); !release.ReadAgain(err) && release.FieldConflicts(err) == nil {
			return want, nil, err
		}
	}
	render := func(*corev1.Service) (*corev1.Service, error) { return workload.Service(t.spec), nil }
	return apply(ctx, c, t, "Service", render, may)
}

// apply looks, writes with what it saw as precondition, and looks again when
// the object has moved on meanwhile. What is on its way out is awaited first. Where
// nothing is rendered, nothing is written.
func apply[T any, P interface {
	*T
	comparable
	Object
}](ctx context.Context, c Cluster, t target, kind string, render func(live P) (P, error), may takeBack) (P, []release.FieldConflict, error) {
	var taken []release.FieldConflict
	for {
		live, err := ownership.Look(ctx, c, t.id.Namespace, t.id.Name, t.application(), P(new(T)), kind)
		if err != nil {
			return nil, nil, err
		}
		want, err := render(live)
		if err != nil || want == nil {
			return nil, nil, err
		}
		if live != nil {
			if live.GetDeletionTimestamp() != nil {
				if err := awaitGone(ctx, c, live, kind); err != nil {
					return nil, nil, err
				}
				continue
			}
			want.SetUID(live.GetUID())
			want.SetResourceVersion(live.GetResourceVersion())
		} else {
			release.Anew(want)
		}
		var removed []release.FieldConflict
		if live != nil {
			if removed, err = seizeAdded(ctx, c, live, want, t.spec.IgnoreDrift, may); release.ReadAgain(err) && ctx.Err() == nil {
				continue
			} else if err != nil {
				return nil, nil, err
			}
		}
		err = c.Apply(ctx, want, false)
		conflicts := release.FieldConflicts(err)
		if ignored := within(conflicts, t.spec.IgnoreDrift); len(ignored) > 0 {
			// The user leaves these to whoever has them now.
			if err := workload.Without(want, ignored); err != nil {
				return nil, nil, err
			}
			err = c.Apply(ctx, want, false)
			conflicts = release.FieldConflicts(err)
		}
		if conflicts != nil && may != nil && may(conflicts) {
			taken = conflicts
			err = c.Apply(ctx, want, true)
		}
		if release.ReadAgain(err) && ctx.Err() == nil {
			continue
		}
		return want, append(removed, taken...), err
	}
}

// seizeAdded gives the ports that somebody has added to a Service to our own manager, so
// that the apply of want, which follows, removes them. Each may be ignored, or not be ours
// to take. want gets the version that this leaves.
func seizeAdded(ctx context.Context, c Cluster, live, want Object, ignore []string, may takeBack) ([]release.FieldConflict, error) {
	added := slices.DeleteFunc(workload.Added(live, want), func(b workload.Blocker) bool {
		return workload.Ignored(workload.FieldPath(b.Wanted.Field), ignore) || may == nil || !may([]release.FieldConflict{b.Wanted})
	})
	if len(added) == 0 {
		return nil, nil
	}
	seized, err := workload.Seized(live, "v1", added)
	if err != nil {
		return nil, err
	}
	if err := c.Update(ctx, seized); err != nil {
		return nil, err
	}
	want.SetResourceVersion(seized.GetResourceVersion())
	return workload.Conflicts(added), nil
}

// awaitGone waits until an object that is being deleted is gone, and says what
// holds it where that does not happen in time.
func awaitGone(ctx context.Context, c Cluster, obj Object, kind string) error {
	view := c.View(obj.GetNamespace())
	err := wait.Until(ctx, view.Changes(""), func() (bool, time.Duration, error) {
		cached, err := view.Get(ctx, obj, obj.GetName())
		if err != nil {
			return false, 0, err
		}
		return cached == nil || cached.GetUID() != obj.GetUID(), 0, nil
	})
	if err == nil || ctx.Err() == nil {
		return err
	}
	return stuck(view, c, obj, kind, err)
}

// stuck names the finalizers and pods that keep an object from going away.
func stuck(view View, c Cluster, obj Object, kind string, cause error) error {
	e := &release.StuckError{Cluster: c.Name(), Kind: kind, Namespace: obj.GetNamespace(), Name: obj.GetName(), Err: cause}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // reads a cache that is there already
	defer cancel()
	if cached, err := view.Get(ctx, obj, obj.GetName()); err == nil && cached != nil {
		e.Finalizers = cached.GetFinalizers()
	}
	pods, err := view.List(ctx, &corev1.Pod{}, map[string]string{release.LabelDeployment: obj.GetName()})
	if err == nil {
		for _, pod := range pods {
			e.Pods = append(e.Pods, pod.GetName())
		}
	}
	return e
}
