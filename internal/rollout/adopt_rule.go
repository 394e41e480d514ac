package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// adoptRule decides, before anything is written, what is remembered of the route that is
// asked for. Of a rule that was handed to us, that is what it led to before.
func (p *Promotion) adoptRule(ctx context.Context, pl *placement) error {
	pl.asks = p.req.route()
	if pl.asks == nil || pl.asks.Adopted == nil {
		return nil
	}
	theirs := pl.route.Theirs()
	if theirs == nil {
		for _, known := range append(pl.main.StillLeaves(), pl.main.Route) {
			if known.Is(pl.asks) || pl.renamed(known) {
				theirs = known.Adopted.Backends
			}
		}
	} else if err := observe.RuleUnclaimed(ctx, pl.cluster, p.req.Route.Namespace, p.req.Service.Application, *pl.asks); err != nil {
		return err
	}
	pl.asks.Adopted.Backends = theirs
	pl.route.Former(theirs)
	return nil
}

// renamed says that the rule that is asked for is one that was adopted by another name, which
// its owner has changed: it leads to releases of ours, and there is none of that name.
func (pl *placement) renamed(known *release.Route) bool {
	return known != nil && known.Adopted != nil && known.Kind == pl.asks.Kind && known.Name == pl.asks.Name &&
		pl.found.Route != nil && !traffic.HasRule(pl.found.Route, known.Adopted.Name)
}

// giveBack makes an adopted rule lead again to what it led to before. Where that would be
// an outage, it stays, with all of the traffic on main, and that is told. Where nobody
// knows main any more, it stays with whom it leads to.
func (e *Engine) giveBack(ctx context.Context, c Cluster, service traffic.ServiceSpec, route release.Route, main string) ([]Notice, error) {
	router := e.gateway(c, traffic.AdoptedSpec(service.Namespace, service.Application, route), false)
	router.Former(route.Adopted.Backends)
	seen, err := router.Look(ctx)
	var gone *release.RuleError
	if err != nil && !errors.As(err, &gone) {
		return nil, err
	}
	told, err := e.leaveRule(ctx, c, router, service, route, seen, main)
	if err == nil {
		err = router.LetGo(ctx)
	}
	if err != nil {
		return told, fmt.Errorf("the %s in the namespace %s on cluster %q could not be given back: %w", route, service.Namespace, c.Name(), err)
	}
	return told, nil
}

// leaveRule is giveBack, until that is in effect.
func (e *Engine) leaveRule(ctx context.Context, c Cluster, router *traffic.Gateway, service traffic.ServiceSpec, route release.Route, seen traffic.Observed, main string) ([]Notice, error) {
	if seen.Route == nil { // whoever has it has taken it back, but perhaps not the rule of a cohort
		if _, err := router.Restore(ctx); err != nil || !router.Unheard() {
			return nil, err
		}
		return nil, e.inEffect(ctx, c, router, route, router.GiveBack) // a run was cut off that had written it
	}
	if why := e.notServed(ctx, c, service, route.Adopted.Backends); why != "" {
		return e.keepRule(ctx, c, router, service, route, seen.Split, main, why)
	}
	if _, err := router.Restore(ctx); err != nil {
		return nil, err
	}
	return nil, e.inEffect(ctx, c, router, route, router.Restored)
}

// keepRule leaves an adopted rule with main, or with whom it leads to where nothing is
// remembered, a run was killed that had retired it, or main could not take all of it.
func (e *Engine) keepRule(ctx context.Context, c Cluster, router *traffic.Gateway, service traffic.ServiceSpec, route release.Route, split release.Split, main, why string) ([]Notice, error) {
	if main == "" {
		main, _ = split.Stable()
	}
	if main != "" && split[main] < 100 {
		switch up, err := answers(ctx, c, service.Namespace, main); {
		case err != nil:
			main, why = "", fmt.Sprintf("%s; nor can it be told whether %s has one, which is main: %v", why, main, err)
		case !up:
			main, why = "", fmt.Sprintf("%s; nor has %s, which is main", why, main)
		}
	}
	if main == "" {
		return []Notice{ruleStays(c, service, route, slices.Sorted(maps.Keys(split)), why)}, nil
	}
	told := []Notice{ruleStays(c, service, route, []string{main}, why)}
	if split[main] == 100 {
		return told, nil
	}
	router.Returns()
	return told, e.inEffect(ctx, c, router, route, func(ctx context.Context) (bool, time.Duration, error) {
		return router.Shift(ctx, release.Split{main: 100})
	})
}

// inEffect waits until the data plane has what an adopted rule was told, and says what it
// waited for where that takes too long.
func (e *Engine) inEffect(ctx context.Context, c Cluster, router *traffic.Gateway, route release.Route, settled func(context.Context) (bool, time.Duration, error)) error {
	limit := e.timing.Settle + route.Adopted.Settle
	waiting, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it is not known to be in effect after %s", limit))
	defer cancel()
	err := wait.Until(waiting, c.View(router.Namespace()).Changes(""), func() (bool, time.Duration, error) { return settled(waiting) })
	if awaits := router.Awaiting(); err != nil && awaits != "" {
		err = fmt.Errorf("%w. What it waited for: %s", err, awaits)
	}
	return err
}

// notServed says why a rule that is given back would answer with errors, or may; empty
// where it would not. The application's own Service is what was asked for: it comes and
// goes with the main deployment.
func (e *Engine) notServed(ctx context.Context, c Cluster, service traffic.ServiceSpec, former json.RawMessage) string {
	why, unknown := e.unserved(ctx, c, service.Namespace, service.Name, former)
	return cmp.Or(why, unknown)
}

// unserved says why what a rule leads to does not answer, and why it cannot be told whether
// it does; both are empty where it does. spare is a Service that does not count.
func (e *Engine) unserved(ctx context.Context, c Cluster, in, spare string, former json.RawMessage) (why, unknown string) {
	var refs []gatewayv1.BackendRef
	if len(former) == 0 || json.Unmarshal(former, &refs) != nil {
		return "", "what it led to before is not known any more"
	}
	for _, ref := range refs {
		namespace := in
		if ref.Namespace != nil {
			namespace = string(*ref.Namespace)
		}
		switch {
		case ref.Weight != nil && *ref.Weight == 0, namespace == in && string(ref.Name) == spare:
			continue
		case ref.Kind != nil && *ref.Kind != "Service":
			unknown = fmt.Sprintf("it cannot be told whether the %s %s/%s, to which it led before, answers", *ref.Kind, namespace, ref.Name)
			continue
		}
		switch up, err := answers(ctx, c, namespace, string(ref.Name)); {
		case err != nil:
			unknown = fmt.Sprintf("it cannot be told whether the Service %s/%s, to which it led before, has a pod that is ready: %v", namespace, ref.Name, err)
		case !up:
			return fmt.Sprintf("the Service %s/%s, to which it led before, has no pod that is ready", namespace, ref.Name), ""
		}
	}
	return "", unknown
}

// answers says that a Service has a pod that is ready.
func answers(ctx context.Context, c Cluster, namespace, service string) (bool, error) {
	found := &discoveryv1.EndpointSliceList{}
	err := c.List(ctx, namespace, discoveryv1.LabelServiceName+"="+service, found)
	return err == nil && traffic.Answers(found), err
}
