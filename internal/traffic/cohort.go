package traffic

import (
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// MaxMatches is how many matches a rule of the Gateway API may have.
const MaxMatches = 64

// Header is a header of a request, and its value.
type Header struct {
	Name, Value string
	Pattern     bool // the value is a regular expression; else it is exact
}

// Cookie is the header by which a request shows a cookie of a value. The expression means
// the same, whether a data plane takes it for all of the header or looks for it there. A
// client shows all of its cookies in one header.
func Cookie(name, value string) Header {
	return Header{Name: "cookie", Value: "^(.*; *)?" + regexp.QuoteMeta(name+"="+value) + "(;.*)?$", Pattern: true}
}

// kind is how the API calls that; nil is its default, exact.
func (h Header) kind() *string {
	if !h.Pattern {
		return nil
	}
	return new(string(gatewayv1.HeaderMatchRegularExpression))
}

// Asks says that one of the route's own matches asks for a header already: a match of the
// API names each header once.
func (s RouteSpec) Asks(header string) bool {
	return slices.ContainsFunc(s.HTTPMatches, func(m gatewayv1.HTTPRouteMatch) bool {
		return slices.ContainsFunc(m.Headers, func(h gatewayv1.HTTPHeaderMatch) bool { return strings.EqualFold(string(h.Name), header) })
	}) || slices.ContainsFunc(s.GRPCMatches, func(m gatewayv1.GRPCRouteMatch) bool {
		return slices.ContainsFunc(m.Headers, func(h gatewayv1.GRPCHeaderMatch) bool { return strings.EqualFold(string(h.Name), header) })
	})
}

// A cohort are the clients that say, by a header, that they want what is being tried. As
// long as that has a share of the traffic, a rule of their own leads all of their requests
// there. The Gateway API prefers it to the rule that has the weights, since it asks for
// one header more. It comes and goes in the same write as the weights.

// httpCohort is that rule; none where there is no cohort, or nothing is being tried.
func (s RouteSpec) httpCohort(split release.Split, ports map[string]int32, all gatewayv1.HTTPRouteRule) []gatewayv1.HTTPRouteRule {
	if !s.tries(split) {
		return nil
	}
	rule := gatewayv1.HTTPRouteRule{Name: new(gatewayv1.SectionName(cohortName)), Filters: all.Filters, BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: s.candidate(ports)}}}
	for _, match := range orAll(all.Matches) {
		for _, header := range s.Cohort {
			own := *match.DeepCopy()
			own.Headers = append(own.Headers, gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(header.Name), Value: header.Value, Type: (*gatewayv1.HeaderMatchType)(header.kind())})
			rule.Matches = append(rule.Matches, own)
		}
	}
	return []gatewayv1.HTTPRouteRule{rule}
}

// grpcCohort is httpCohort for calls.
func (s RouteSpec) grpcCohort(split release.Split, ports map[string]int32, all gatewayv1.GRPCRouteRule) []gatewayv1.GRPCRouteRule {
	if !s.tries(split) {
		return nil
	}
	rule := gatewayv1.GRPCRouteRule{Name: new(gatewayv1.SectionName(cohortName)), Filters: all.Filters, BackendRefs: []gatewayv1.GRPCBackendRef{{BackendRef: s.candidate(ports)}}}
	for _, match := range orAll(all.Matches) {
		for _, header := range s.Cohort {
			own := *match.DeepCopy()
			own.Headers = append(own.Headers, gatewayv1.GRPCHeaderMatch{Name: gatewayv1.GRPCHeaderName(header.Name), Value: header.Value, Type: (*gatewayv1.GRPCHeaderMatchType)(header.kind())})
			rule.Matches = append(rule.Matches, own)
		}
	}
	return []gatewayv1.GRPCRouteRule{rule}
}

// ReplacesPrefix says that a filter puts something in the place of the part of the path
// that the rule's match names: the API takes no more than one match then.
func (s RouteSpec) ReplacesPrefix() bool {
	return slices.ContainsFunc(s.HTTPFilters, func(f gatewayv1.HTTPRouteFilter) bool {
		return f.URLRewrite != nil && f.URLRewrite.Path != nil && f.URLRewrite.Path.Type == gatewayv1.PrefixMatchHTTPPathModifier
	})
}

// tries says that the candidate shares the traffic, and that there is a cohort.
func (s RouteSpec) tries(split release.Split) bool {
	return len(s.Cohort) > 0 && len(split) > 1 && split[s.Candidate] > 0
}

func (s RouteSpec) candidate(ports map[string]int32) gatewayv1.BackendRef {
	return gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(s.Candidate), Port: new(ports[s.Candidate])},
		Weight:                 new(int32(100)),
	}
}

// orAll is one match for everything where there is none.
func orAll[T any](matches []T) []T {
	if len(matches) == 0 {
		return make([]T, 1)
	}
	return matches
}

// withoutCohort are a route's rules but the one that is for the cohort alone.
func withoutCohort[T any](rules []T, name func(T) *gatewayv1.SectionName) []T {
	return slices.DeleteFunc(slices.Clone(rules), func(rule T) bool {
		named := name(rule)
		return named != nil && *named == cohortName
	})
}

// mainRule is the first of a route's rules that is not for the cohort: the one that has
// the weights. Empty where there is none.
func mainRule[T any](rules []T, name func(T) *gatewayv1.SectionName) []T {
	all := withoutCohort(rules, name)
	return all[:min(1, len(all))]
}

func httpRuleName(rule gatewayv1.HTTPRouteRule) *gatewayv1.SectionName { return rule.Name }

func grpcRuleName(rule gatewayv1.GRPCRouteRule) *gatewayv1.SectionName { return rule.Name }
