package address

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// lookAtRule tells what a rule that is to be adopted would meet on the clusters. A route
// that is not there yet may come with this same apply.
func (a Ahead) lookAtRule(ctx context.Context, clusters []rollout.Cluster, route traffic.RouteSpec) {
	at := a.Place.At(GatewayPath)
	var quiet diag.Diagnostics // whatever is wrong is told elsewhere
	cohort, shares := a.Planned.cohort(ctx, &quiet), len(CanaryOf(ctx, a.Planned.Canary, &quiet).Shares())
	for _, c := range clusters {
		live := route.Empty()
		err := c.Get(ctx, route.Namespace, route.Name, live)
		switch {
		case apierrors.IsNotFound(err):
			a.Diags.AddAttributeWarning(at.AtName("adopt"), "Route is not there",
				fmt.Sprintf("The cluster %q has no %s %s/%s. Unless this same apply makes it first, the apply of this plan will fail. To have one of its own, leave `adopt` out.", c.Name(), route.Kind, route.Namespace, route.Name))
			continue
		case err != nil:
			continue // the apply says so
		}
		why := route.Unadoptable(live)
		if _, parts := traffic.Theirs(route.Theirs(live)); why == "" && shares > 1 && parts > traffic.MaxParts && a.nobodyIsMain(ctx, c, route) {
			why = traffic.TooFine(parts)
		}
		var unfit error
		if why != "" {
			unfit = &release.RuleError{Cluster: c.Name(), Namespace: route.Namespace, Route: route.Ref(), Reason: why}
		} else if route.Theirs(live) != nil {
			unfit = a.tellOthersRule(ctx, c, route, live)
		}
		if unfit != nil {
			summary, detail, _ := explain.Of(unfit)
			a.Diags.AddAttributeError(at.AtName("rule"), summary, detail)
			continue
		}
		asks := route.Asking(live)
		if routes, err := a.Session.Routes.Like(ctx, c, asks); err == nil {
			seen := observe.ParentsOf(ctx, c, asks)
			a.tellRivals(ctx, c, asks, slices.Concat(seen.There, seen.Unseen), routes)
		}
		a.lookAtCohort(c.Name(), asks, live, cohort)
	}
}

// lookAtCohort tells why there cannot be a rule for a cohort beside an adopted one.
func (a Ahead) lookAtCohort(cluster string, asks traffic.RouteSpec, live traffic.Object, cohort []traffic.Header) {
	if len(cohort) == 0 || asks.Kind == traffic.TCPRoute {
		return
	}
	route := fmt.Sprintf("the %s %s/%s", asks.Kind, asks.Namespace, asks.Name)
	summary, detail := cohortFault(asks, cohort)
	taken, all := asks.CohortTaken(live), asks.AllMatches(live, len(cohort))
	switch {
	case taken != "":
		summary, detail = "No name for a cohort's rule", fmt.Sprintf("For `canary.match`, %s gets a rule called %q, and a rule of its owner is called so. Rename that one, or remove `canary.match`.", route, taken)
	case !asks.Room(live):
		summary, detail = "No room for a cohort's rule", fmt.Sprintf("For `canary.match`, %s needs one rule more, and has as many as a route may have. Remove `canary.match`, or a rule of the route.", route)
	case summary != "":
	case all > traffic.MaxMatchesOfRoute:
		summary, detail = "Too many matches", fmt.Sprintf("With `canary.match`, the rules of %s would have %d matches, and all of a route may have %d. Use fewer.", route, all, traffic.MaxMatchesOfRoute)
	default:
		return
	}
	a.Diags.AddAttributeError(a.Place.At(path.Root("canary").AtName("match")), summary, fmt.Sprintf("On the cluster %q: %s", cluster, detail))
}

// tellOthersRule returns an error for a rule that another application has adopted, and
// tells of one that leads to the address of another application, which may be meant: the
// one may replace the other.
func (a Ahead) tellOthersRule(ctx context.Context, c rollout.Cluster, route traffic.RouteSpec, live traffic.Object) error {
	ref := route.Ref()
	var unfit *release.RuleError
	if errors.As(observe.RuleUnclaimed(ctx, c, route.Namespace, route.Application, ref), &unfit) {
		return unfit
	}
	var service string
	other, err := observe.OtherWith(ctx, c, route.Namespace, route.Application, func(main *release.Main) bool {
		service = main.Service
		return main.Service != "" && route.LeadsTo(live, main.Service)
	})
	if err == nil && other != "" {
		a.Diags.AddAttributeWarning(a.Place.At(GatewayPath).AtName("rule"), "Rule leads to another application",
			fmt.Sprintf("On the cluster %q, the %s leads to the Service %q, which is the address of the application %q. The apply takes this traffic from it and gives it to %q. "+
				"Where %q replaces it, that is right. Otherwise choose another rule, by `rule`.", c.Name(), ref, service, other, route.Application, route.Application))
	}
	return nil // what cannot be read, the apply says
}

// nobodyIsMain says that no release has been main on a cluster: the first one shares the
// traffic with what the rule leads to.
func (a Ahead) nobodyIsMain(ctx context.Context, c rollout.Cluster, route traffic.RouteSpec) bool {
	o := observe.Mains(ctx, []rollout.Cluster{c}, route.Namespace, route.Application, route.Application)[0]
	return o.Err == nil && (o.Main == nil || o.Main.Deployment == "")
}
