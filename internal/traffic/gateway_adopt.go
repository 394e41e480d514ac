package traffic

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Namespace is where the route is.
func (g *Gateway) Namespace() string { return g.spec.Namespace }

// Former tells a router what an adopted rule led to before; nil where it is not known.
func (g *Gateway) Former(backends json.RawMessage) { g.former = backends }

// Theirs are what an adopted rule leads to, as it was seen last; nil where that is ours.
func (g *Gateway) Theirs() json.RawMessage { return g.theirs }

// theirRoute is the route of an adopted rule.
func (g *Gateway) theirRoute(ctx context.Context) (Object, error) {
	route := g.spec.Empty()
	err := g.cluster.Get(ctx, g.spec.Namespace, g.spec.Name, route)
	switch {
	case apierrors.IsNotFound(err):
		return nil, g.refuse("there is no such route. Create it first, or leave `adopt` out: then Switchback makes one")
	case err != nil:
		return nil, err
	}
	if why := g.spec.Unadoptable(route); why != "" {
		return nil, g.refuse(why)
	}
	return route, nil
}

func (g *Gateway) refuse(why string) error {
	return &release.RuleError{Cluster: g.cluster.Name(), Namespace: g.spec.Namespace, Route: g.spec.Ref(), Reason: why}
}

// adopt makes an adopted rule share the traffic as wanted.
func (g *Gateway) adopt(ctx context.Context, split release.Split, ports map[string]int32) (Object, error) {
	for {
		live, err := g.theirRoute(ctx)
		if err != nil {
			return nil, err
		}
		ops, err := g.spec.adopting(live, split, ports, g.former)
		if err != nil || len(ops) == 0 {
			return live, err
		}
		if err = g.cluster.Patch(ctx, live, ops); err == nil {
			return live, nil
		}
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return nil, err
		}
	}
}

// Restore gives an adopted rule the backends that it had before, and takes the rule of a
// cohort away: also where the owner has taken the adopted one back, and left that. What
// does not lead to a release of ours, or is gone, is left alone. done says that it has
// them now.
func (g *Gateway) Restore(ctx context.Context) (done bool, err error) {
	for {
		route := g.spec.Empty()
		err := g.cluster.Get(ctx, g.spec.Namespace, g.spec.Name, route)
		if apierrors.IsNotFound(err) || err == nil && route.GetLabels()[release.LabelManagedBy] == release.ManagedBy {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		ops, back := g.spec.restoring(route, g.former)
		if len(ops) == 0 {
			return false, nil
		}
		if err = g.cluster.Patch(ctx, route, ops); err == nil {
			g.wrote(nil, route)
			return back, nil
		}
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return false, err
		}
	}
}

// Restored says that everybody who serves an adopted route has accepted that it was
// given back, and that the data plane has had its time to do it; or when to ask again.
func (g *Gateway) Restored(ctx context.Context) (done bool, again time.Duration, err error) {
	route, err := g.watched(ctx)
	if err != nil || route == nil || release.Newer(g.reply, route) {
		return false, 0, err
	}
	done, again = g.accepted(route)
	return done, again, nil
}

// GiveBack gives an adopted rule back, once, and says whether that is in effect; or when to
// ask again. Of a route that is gone, nothing is to be seen.
func (g *Gateway) GiveBack(ctx context.Context) (done bool, again time.Duration, err error) {
	if !g.gave {
		if _, err := g.Restore(ctx); err != nil {
			return false, 0, err
		}
		g.gave = true
	}
	if g.reply == nil { // it was not ours to give back any more
		live := g.spec.Empty()
		switch err := g.cluster.Get(ctx, g.spec.Namespace, g.spec.Name, live); {
		case apierrors.IsNotFound(err):
			return true, 0, nil
		case err != nil:
			return false, 0, err
		}
		g.reply = live
	}
	return g.Restored(ctx)
}

// Unheard says that a Look has found an adopted rule given back by us, whose name is still on
// it: LetGo follows when that is in effect.
func (g *Gateway) Unheard() bool { return g.unheard }

func isOurEntry(f metav1.ManagedFieldsEntry) bool { return f.Manager == release.FieldManager }

// LetGo takes our name off the fields of an adopted route, which stay as they are: whoever
// applies the route next meets no conflict. Where another application of ours has a rule
// of it, the name stays for that one's sake.
func (g *Gateway) LetGo(ctx context.Context) error {
	for {
		route := g.spec.Empty()
		err := g.cluster.Get(ctx, g.spec.Namespace, g.spec.Name, route)
		if apierrors.IsNotFound(err) || err == nil && route.GetLabels()[release.LabelManagedBy] == release.ManagedBy {
			return nil
		}
		if err != nil {
			return err
		}
		theirs := slices.DeleteFunc(slices.Clone(route.GetManagedFields()), isOurEntry)
		if len(theirs) == len(route.GetManagedFields()) || g.spec.othersIn(route) {
			return nil
		}
		err = g.cluster.Patch(ctx, route, []release.PatchOp{{Op: "replace", Path: "/metadata/managedFields", Value: theirs}})
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return err
		}
	}
}
