package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// routeFindings: a route does not get its traffic from a parent, or cannot pass
// it on. Each parent has its own say.
func routeFindings(in Input) []Finding {
	var found []Finding
	for _, route := range in.Around.Routes {
		var troubles, quotes []string
		for _, ref := range route.Spec.ParentRefs {
			trouble, quote := parentTrouble(route, ref)
			if trouble != "" {
				troubles = append(troubles, trouble)
			}
			if quote != "" {
				quotes = append(quotes, quote)
			}
		}
		if len(troubles) > 0 {
			found = append(found, Finding{
				Cause: CauseRouteNotAccepted, Class: Patient, Object: "HTTPRoute " + route.Name,
				Sentence: fmt.Sprintf("the HTTPRoute %q does not work: %s", route.Name, strings.Join(troubles, "; ")),
				Evidence: strings.Join(quotes, "\n"), Hint: try(CauseRouteNotAccepted),
			})
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Compare(a.Object, b.Object) })
	return found
}

// parentTrouble is what a parent objects to, and its own words; empty where it
// does not, or has not seen the route as it is.
func parentTrouble(route *gatewayv1.HTTPRoute, ref gatewayv1.ParentReference) (trouble, quote string) {
	name := parentName(route, ref)
	heard := false
	for _, parent := range route.Status.Parents {
		if parentName(route, parent.ParentRef) != name {
			continue
		}
		heard = true
		for _, kind := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
			c := routeCondition(parent.Conditions, string(kind))
			if c == nil || c.Status == metav1.ConditionTrue || c.ObservedGeneration < route.Generation {
				continue
			}
			trouble = name + " does not accept it"
			if kind == gatewayv1.RouteConditionResolvedRefs {
				trouble = name + " cannot resolve what it leads to"
			}
			return trouble, fmt.Sprintf("condition %s %s of %s, %s: %s", c.Type, c.Status, name, c.Reason, strings.TrimSpace(c.Message))
		}
	}
	if !heard {
		return name + " has not said anything about it: is it there, and does its controller run?", ""
	}
	return "", ""
}

func routeCondition(conditions []metav1.Condition, kind string) *metav1.Condition {
	for i := range conditions {
		if conditions[i].Type == kind {
			return &conditions[i]
		}
	}
	return nil
}

// parentName is who a reference means: a listener of a Gateway, most often.
func parentName(route *gatewayv1.HTTPRoute, ref gatewayv1.ParentReference) string {
	kind, namespace := "Gateway", route.Namespace
	if ref.Kind != nil {
		kind = string(*ref.Kind)
	}
	if ref.Namespace != nil {
		namespace = string(*ref.Namespace)
	}
	name := fmt.Sprintf("%s %s/%s", kind, namespace, ref.Name)
	if ref.SectionName != nil && *ref.SectionName != "" {
		name += fmt.Sprintf(" (listener %s)", *ref.SectionName)
	}
	if ref.Port != nil {
		name += fmt.Sprintf(" (port %d)", *ref.Port)
	}
	return name
}
