package traffic

import (
	"cmp"
	"fmt"
	"slices"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// The rule of a cohort beside an adopted one: a copy of it for fewer requests. It follows
// what is asked of the cohort, and what its owner makes of the adopted rule's matches.

// cohortOps are the changes by which the cohort's rule stands before the adopted one, as
// long as it is wanted.
func (s RouteSpec) cohortOps(route Object, rules []rule, at int, split release.Split, ports map[string]int32) []release.PatchOp {
	has := s.cohortAt(rules)
	want := s.cohortRule(route, at, split, ports)
	switch {
	case want == nil && has < 0:
		return nil
	case want == nil:
		return []release.PatchOp{{Op: "remove", Path: fmt.Sprintf("/spec/rules/%d", has)}}
	case has < 0:
		return []release.PatchOp{{Op: "add", Path: fmt.Sprintf("/spec/rules/%d", at), Value: want}}
	case slices.EqualFunc(rules[has].refs, []gatewayv1.BackendRef{s.candidate(ports)}, sameRef) && sameMatches(route, has, want):
		return nil
	}
	return []release.PatchOp{{Op: "replace", Path: fmt.Sprintf("/spec/rules/%d", has), Value: want}}
}

// cohortAt is the place of the cohort's rule, which leads to releases of the application
// alone: one of that name which leads elsewhere is its owner's. -1: there is none.
func (s RouteSpec) cohortAt(rules []rule) int {
	return slices.IndexFunc(rules, func(r rule) bool {
		return r.name == s.adoptedCohort() && len(r.refs) > 0 && s.ours(r.refs) == len(r.refs)
	})
}

// CohortTaken says what the cohort's rule would be called, where the route's owner calls one
// of theirs so; empty: nobody does.
func (s RouteSpec) CohortTaken(route Object) string {
	rules := rulesOf(route)
	if s.cohortAt(rules) < 0 && slices.ContainsFunc(rules, func(r rule) bool { return r.name == s.adoptedCohort() }) {
		return s.adoptedCohort()
	}
	return ""
}

// cohortRule is the adopted rule, made for the cohort; nil where there is none for now.
func (s RouteSpec) cohortRule(route Object, at int, split release.Split, ports map[string]int32) any {
	name := new(gatewayv1.SectionName(s.adoptedCohort()))
	switch r := route.(type) {
	case *gatewayv1.HTTPRoute:
		for _, made := range s.httpCohort(split, ports, r.Spec.Rules[at]) {
			own := r.Spec.Rules[at].DeepCopy()
			own.Name, own.Matches, own.BackendRefs = name, made.Matches, made.BackendRefs
			return own
		}
	case *gatewayv1.GRPCRoute:
		for _, made := range s.grpcCohort(split, ports, r.Spec.Rules[at]) {
			own := r.Spec.Rules[at].DeepCopy()
			own.Name, own.Matches, own.BackendRefs = name, made.Matches, made.BackendRefs
			return own
		}
	}
	return nil
}

// sameMatches says that a rule of the route is for the requests that a wanted one is for. A
// header of no type is compared as a whole, as the API has it by default.
func sameMatches(route Object, at int, want any) bool {
	switch r := route.(type) {
	case *gatewayv1.HTTPRoute:
		want, ok := want.(*gatewayv1.HTTPRouteRule)
		return ok && apiequality.Semantic.DeepEqual(typedHTTP(r.Spec.Rules[at].Matches), typedHTTP(want.Matches))
	case *gatewayv1.GRPCRoute:
		want, ok := want.(*gatewayv1.GRPCRouteRule)
		return ok && apiequality.Semantic.DeepEqual(typedGRPC(r.Spec.Rules[at].Matches), typedGRPC(want.Matches))
	}
	return false
}

// typedHTTP are matches whose headers all have a type.
func typedHTTP(matches []gatewayv1.HTTPRouteMatch) []gatewayv1.HTTPRouteMatch {
	typed := make([]gatewayv1.HTTPRouteMatch, len(matches))
	for i, match := range matches {
		typed[i] = *match.DeepCopy()
		for h := range typed[i].Headers {
			typed[i].Headers[h].Type = new(cmp.Or(deref(typed[i].Headers[h].Type), gatewayv1.HeaderMatchExact))
		}
	}
	return typed
}

// typedGRPC is typedHTTP for calls.
func typedGRPC(matches []gatewayv1.GRPCRouteMatch) []gatewayv1.GRPCRouteMatch {
	typed := make([]gatewayv1.GRPCRouteMatch, len(matches))
	for i, match := range matches {
		typed[i] = *match.DeepCopy()
		for h := range typed[i].Headers {
			typed[i].Headers[h].Type = new(cmp.Or(deref(typed[i].Headers[h].Type), gatewayv1.GRPCHeaderMatchExact))
		}
	}
	return typed
}
