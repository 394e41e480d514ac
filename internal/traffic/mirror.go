package traffic

import (
	"fmt"
	"maps"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// A mirror is a filter of the rule that has the weights: of so many percent of the
// requests, the candidate gets a copy. Whoever has the weights answers all of them, and
// nobody sees what the candidate answers. It is there as long as the candidate has no
// share, and goes in the same write in which it gets one.

// copies is whom a route gives copies of requests, and of how many percent of them.
type copies struct {
	to      string
	percent int
}

// mirrors says that a release of ours is to get copies, with such a split.
func (s RouteSpec) mirrors(split release.Split) bool {
	return s.Mirror > 0 && s.Candidate != "" && split[s.Candidate] == 0 && len(split) == 1 && !s.Adopt && s.Kind != TCPRoute
}

// mirrored are the copies that the route is to give with a split.
func (s RouteSpec) mirrored(split release.Split) (all []copies) {
	if s.mirrors(split) {
		all = append(all, copies{s.Candidate, s.Mirror})
	}
	return all
}

// mirror is the filter that gives them.
func (s RouteSpec) mirror(ports map[string]int32) *gatewayv1.HTTPRequestMirrorFilter {
	filter := &gatewayv1.HTTPRequestMirrorFilter{
		BackendRef: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(s.Candidate), Port: new(ports[s.Candidate])},
	}
	if s.Mirror < 100 { // definitions of the Gateway API before 1.3 know no other
		filter.Percent = new(int32(s.Mirror)) //nolint:gosec // as above
	}
	return filter
}

func (s RouteSpec) httpMirror(split release.Split, ports map[string]int32) (filters []gatewayv1.HTTPRouteFilter) {
	if s.mirrors(split) {
		filters = append(filters, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterRequestMirror, RequestMirror: s.mirror(ports)})
	}
	return filters
}

func (s RouteSpec) grpcMirror(split release.Split, ports map[string]int32) (filters []gatewayv1.GRPCRouteFilter) {
	if s.mirrors(split) {
		filters = append(filters, gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterRequestMirror, RequestMirror: s.mirror(ports)})
	}
	return filters
}

// mirrorsOf are all mirrors of a route's rules.
func mirrorsOf(route Object) (all []*gatewayv1.HTTPRequestMirrorFilter) {
	switch r := route.(type) {
	case *gatewayv1.HTTPRoute:
		for _, rule := range r.Spec.Rules {
			for _, filter := range rule.Filters {
				all = append(all, filter.RequestMirror)
			}
		}
	case *gatewayv1.GRPCRoute:
		for _, rule := range r.Spec.Rules {
			for _, filter := range rule.Filters {
				all = append(all, filter.RequestMirror)
			}
		}
	}
	return slices.DeleteFunc(all, func(m *gatewayv1.HTTPRequestMirrorFilter) bool { return m == nil })
}

// copiesOf are the copies that a route gives to the application's releases: other mirrors,
// and those of somebody else's route, are nothing that we have written.
func (s RouteSpec) copiesOf(route Object) (all []copies) {
	for _, m := range mirrorsOf(route) {
		if s.ourMirror(m) {
			all = append(all, copies{string(m.BackendRef.Name), percentOf(m)})
		}
	}
	return all
}

// ourMirror says that a mirror is one of ours; nil is none.
func (s RouteSpec) ourMirror(m *gatewayv1.HTTPRequestMirrorFilter) bool {
	if m == nil || s.Adopt {
		return false
	}
	of, is := release.ApplicationOf(string(m.BackendRef.Name))
	return is && of == s.Application && isService(gatewayv1.BackendRef{BackendObjectReference: m.BackendRef})
}

// percentOf is of how many percent of the requests a mirror gives copies, rounded up: by
// default, of all.
func percentOf(m *gatewayv1.HTTPRequestMirrorFilter) int {
	switch {
	case m.Percent != nil:
		return int(*m.Percent)
	case m.Fraction != nil && m.Fraction.Denominator == nil:
		return int(m.Fraction.Numerator)
	case m.Fraction != nil && *m.Fraction.Denominator > 0:
		of := int64(*m.Fraction.Denominator)
		return int((100*int64(m.Fraction.Numerator) + of - 1) / of)
	}
	return 100
}

// copiesText are copies as a sentence has them.
func copiesText(all []copies) string {
	if len(all) == 0 {
		return "no copies"
	}
	var text string
	for _, one := range all {
		if text != "" {
			text += ", and "
		}
		text += fmt.Sprintf("%s to %s", release.CopiesText(one.percent), one.to)
	}
	return text
}

// withoutMirrors are the filters of a rule but the mirrors that are ours.
func withoutMirrors[T any](s RouteSpec, filters []T, mirror func(T) *gatewayv1.HTTPRequestMirrorFilter) []T {
	return slices.DeleteFunc(slices.Clone(filters), func(filter T) bool { return s.ourMirror(mirror(filter)) })
}

func httpFilterMirror(f gatewayv1.HTTPRouteFilter) *gatewayv1.HTTPRequestMirrorFilter {
	return f.RequestMirror
}

func grpcFilterMirror(f gatewayv1.GRPCRouteFilter) *gatewayv1.HTTPRequestMirrorFilter {
	return f.RequestMirror
}

// Mirror says of how many percent of the requests the candidate gets a copy from the next
// Shift on, as long as it has no share; 0: of none.
func (g *Gateway) Mirror(percent int) {
	if g.spec.Mirror != percent {
		g.spec.Mirror, g.written = percent, nil
	}
}

// does says that a route gives everybody what is wanted: shares, and copies.
func (g *Gateway) does(route Object, want release.Split) bool {
	return maps.Equal(g.spec.Split(route), want) && slices.Equal(g.spec.copiesOf(route), g.spec.mirrored(want))
}
