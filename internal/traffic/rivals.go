package traffic

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Rival is another route that asks for the same requests as a route of ours, so that only
// one of them serves. Both are accepted, and nothing in their status tells of it.
type Rival struct {
	Route  Object
	On     string // whom both ask to serve them
	Shared string // what both ask for, as a sentence goes on
	Serves bool   // it is the one that serves: it is older, or ours is not there yet
}

// String says who it is.
func (r Rival) String() string {
	text := fmt.Sprintf("%s/%s", r.Route.GetNamespace(), r.Route.GetName())
	if of := r.Route.GetLabels()[release.LabelApplication]; of != "" && r.Route.GetLabels()[release.LabelManagedBy] == release.ManagedBy {
		text += " of the application " + of
	}
	return text
}

// Rivals are those among other routes of its kind that ask a parent for the same requests
// as a route of ours. By the rules of the Gateway API, of two matches that are equal, for
// host names that are equal, the older route's serves; of two TCPRoutes of one listener,
// the older one.
func (p Parent) Rivals(s RouteSpec, others []Object) (rivals []Rival) {
	var ours Object
	for _, other := range others {
		if other.GetNamespace() == s.Namespace && other.GetName() == s.Name {
			ours = other
		}
	}
	for _, other := range others {
		if other == ours || s.own(other) {
			continue
		}
		on, meets := p.meets(other)
		if !meets {
			continue
		}
		if shared, is := s.sharedWith(other); is {
			rivals = append(rivals, Rival{Route: other, On: on.String(), Shared: shared, Serves: ours == nil || older(other, ours)})
		}
	}
	return rivals
}

// own says that a route is the application's, by a former name.
func (s RouteSpec) own(other Object) bool {
	labels := other.GetLabels()
	return other.GetNamespace() == s.Namespace && labels[release.LabelManagedBy] == release.ManagedBy &&
		labels[release.LabelApplication] == s.Application && labels[release.LabelRole] == release.RoleMain
}

// older says that of two routes, the first one is preferred.
func older(a, b Object) bool {
	key := func(o Object) string { return o.GetNamespace() + "/" + o.GetName() }
	return cmp.Or(a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time), strings.Compare(key(a), key(b))) < 0
}

// meets says that another route asks for a listener that is meant here, too, and that it
// was not refused there.
func (p Parent) meets(other Object) (parent, bool) {
	wanted, said := parentsOf(other)
	mine := parentKey(p.Ref, p.RouteNamespace)
	for _, ref := range wanted {
		theirs := parentKey(ref, other.GetNamespace())
		if theirs.group != mine.group || theirs.kind != mine.kind || theirs.namespace != mine.namespace || theirs.name != mine.name || !p.sameListener(ref) {
			continue
		}
		refused := slices.ContainsFunc(said, func(status gatewayv1.RouteParentStatus) bool {
			return parentKey(status.ParentRef, other.GetNamespace()) == theirs && meta(status.Conditions, string(gatewayv1.RouteConditionAccepted)) == metav1.ConditionFalse
		})
		if !refused {
			return mine, true
		}
	}
	return mine, false
}

// sameListener says that there is a listener that both references mean. Where the Gateway
// cannot be read, what they name tells.
func (p Parent) sameListener(ref gatewayv1.ParentReference) bool {
	if p.Gateway == nil {
		differ := func(a, b string) bool { return a != "" && b != "" && a != b }
		a, b := parentKey(p.Ref, ""), parentKey(ref, "")
		return !differ(a.section, b.section) && (a.port == 0 || b.port == 0 || a.port == b.port)
	}
	theirs := Parent{Ref: ref, Gateway: p.Gateway}.listeners()
	return slices.ContainsFunc(p.listeners(), func(l gatewayv1.Listener) bool {
		return slices.ContainsFunc(theirs, func(other gatewayv1.Listener) bool { return other.Name == l.Name })
	})
}

// sharedWith says what another route of the kind asks for that this one does, too.
func (s RouteSpec) sharedWith(other Object) (string, bool) {
	switch r := other.(type) {
	case *gatewayv1.HTTPRoute:
		var theirs []gatewayv1.HTTPRouteMatch
		for _, rule := range r.Spec.Rules {
			theirs = append(theirs, orAll(rule.Matches)...)
		}
		return sharedRequests(s.Hostnames, r.Spec.Hostnames, sharedMatch(orAll(s.HTTPMatches), theirs, httpMatchKey))
	case *gatewayv1.GRPCRoute:
		var theirs []gatewayv1.GRPCRouteMatch
		for _, rule := range r.Spec.Rules {
			theirs = append(theirs, orAll(rule.Matches)...)
		}
		return sharedRequests(s.Hostnames, r.Spec.Hostnames, sharedMatch(orAll(s.GRPCMatches), theirs, grpcMatchKey))
	case *gatewayv1.TCPRoute:
		return "all connections", s.Kind == TCPRoute
	}
	return "", false
}

// sharedRequests are the host names that both have, with a match that both have. A host
// name that is more special than the other one's takes nothing from it unasked.
func sharedRequests(mine, theirs []gatewayv1.Hostname, match string) (string, bool) {
	if match == "" {
		return "", false
	}
	if len(mine) == 0 && len(theirs) == 0 {
		return match + " for every host name", true
	}
	for _, name := range mine {
		if slices.ContainsFunc(theirs, func(other gatewayv1.Hostname) bool { return strings.EqualFold(string(other), string(name)) }) {
			return match + " for " + string(name), true
		}
	}
	return "", false
}

// sharedMatch is the first match that both have, as people read it; empty: none.
func sharedMatch[T any](mine, theirs []T, key func(T) string) string {
	for _, match := range mine {
		if slices.ContainsFunc(theirs, func(other T) bool { return key(other) == key(match) }) {
			return key(match)
		}
	}
	return ""
}

func httpMatchKey(m gatewayv1.HTTPRouteMatch) string {
	kind, value := gatewayv1.PathMatchPathPrefix, "/"
	if m.Path != nil {
		kind, value = or(m.Path.Type, kind), or(m.Path.Value, value)
	}
	if kind == gatewayv1.PathMatchPathPrefix && value != "/" {
		value = strings.TrimRight(value, "/")
	}
	text := fmt.Sprintf("requests with the path %s (%s)", value, kind)
	if m.Method != nil {
		text += " and the method " + string(*m.Method)
	}
	var all []string
	for _, h := range m.Headers {
		all = append(all, fmt.Sprintf("the header %s: %s (%s)", strings.ToLower(string(h.Name)), h.Value, or(h.Type, gatewayv1.HeaderMatchExact)))
	}
	for _, q := range m.QueryParams {
		all = append(all, fmt.Sprintf("the query parameter %s=%s (%s)", q.Name, q.Value, or(q.Type, gatewayv1.QueryParamMatchExact)))
	}
	return listed(text, all)
}

func grpcMatchKey(m gatewayv1.GRPCRouteMatch) string {
	text := "all calls"
	if c := m.Method; c != nil {
		text = fmt.Sprintf("calls of %s/%s (%s)", or(c.Service, "*"), or(c.Method, "*"), or(c.Type, gatewayv1.GRPCMethodMatchExact))
	}
	var all []string
	for _, h := range m.Headers {
		all = append(all, fmt.Sprintf("the header %s: %s (%s)", strings.ToLower(string(h.Name)), h.Value, or(h.Type, gatewayv1.GRPCHeaderMatchExact)))
	}
	return listed(text, all)
}

func listed(text string, all []string) string {
	slices.Sort(all)
	return strings.Join(append([]string{text}, all...), ", ")
}

// or is a value, or what the API takes where there is none.
func or[T any](value *T, standard T) T {
	if value == nil {
		return standard
	}
	return *value
}
