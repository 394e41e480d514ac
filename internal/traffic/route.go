package traffic

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// RouteKind is a kind of route of the Gateway API that has weights.
type RouteKind string

// Kinds of routes.
const (
	HTTPRoute RouteKind = "HTTPRoute"
	GRPCRoute RouteKind = "GRPCRoute"
	TCPRoute  RouteKind = "TCPRoute" // whatever is spoken over TCP: it splits connections, not requests
)

// RouteKinds lists every RouteKind.
func RouteKinds() []RouteKind { return []RouteKind{HTTPRoute, GRPCRoute, TCPRoute} }

// RouteSpec is an application's route, as the user describes it. It is Switchback's
// own, since a Gateway merges several routes of one hostname, or one of somebody else's
// of which a rule is adopted.
type RouteSpec struct {
	Namespace, Application string

	Name string // default: the application
	Kind RouteKind
	Port string // named port of the pods, to which it leads

	// Adopt says that the route is somebody else's. Only the backends of one rule of it
	// are ours: what says which requests it is for is unset.
	Adopt bool
	Rule  string // the rule's name; empty: the route has one only

	Parents   []gatewayv1.ParentReference // Gateways, or Services of a mesh
	Hostnames []gatewayv1.Hostname        // not of a TCPRoute

	HTTPMatches []gatewayv1.HTTPRouteMatch // none: every request
	HTTPFilters []gatewayv1.HTTPRouteFilter
	GRPCMatches []gatewayv1.GRPCRouteMatch
	GRPCFilters []gatewayv1.GRPCRouteFilter

	// Cohort are headers by which a request goes to Candidate for as long as it has a
	// share of the traffic: each of them alone does. Not of a TCPRoute.
	Cohort    []Header
	Candidate string

	// Mirror is of how many percent of the requests Candidate gets a copy, for as long as it
	// has no share of the traffic; 0: of none. Not of a TCPRoute, nor of an adopted rule.
	Mirror int

	// Settle is how long the data plane may take to do what it has accepted: a
	// route's status comes before its effect.
	Settle time.Duration

	// Probe is asked after each share of the traffic; nil: nothing is.
	Probe *Probe
}

// Ref names the route.
func (s RouteSpec) Ref() release.Route {
	ref := release.Route{Kind: string(s.Kind), Name: s.Name}
	if s.Adopt {
		ref.Adopted = &release.AdoptedRule{Name: s.Rule, Port: s.Port, Settle: s.Settle}
		if s.Probe != nil {
			ref.Adopted.Probe = s.Probe.text()
		}
	}
	return ref
}

// Annotations of a route, by which it can be told again what was asked for.
const (
	annotationPort   = release.Prefix + "port"
	annotationSettle = release.Prefix + "settle"
	annotationProbe  = release.Prefix + "probe"
)

// Same says that both are one route, wherever it leads.
func (s RouteSpec) Same(other RouteSpec) bool { return reflect.DeepEqual(s, other) }

// RouteSpecOf is what a user would have written to get a route of ours as it lives.
func RouteSpecOf(application string, route Object) RouteSpec {
	s := RouteSpec{Namespace: route.GetNamespace(), Application: application, Name: route.GetName(), Port: route.GetAnnotations()[annotationPort]}
	s.Settle, _ = time.ParseDuration(route.GetAnnotations()[annotationSettle])
	s.Probe = probeIn(route.GetAnnotations()[annotationProbe])
	switch r := route.(type) {
	case *gatewayv1.HTTPRoute:
		s.Kind, s.Parents, s.Hostnames = HTTPRoute, r.Spec.ParentRefs, r.Spec.Hostnames
		for _, rule := range mainRule(r.Spec.Rules, httpRuleName) {
			if s.HTTPFilters = withoutMirrors(s, rule.Filters, httpFilterMirror); !slices.EqualFunc(rule.Matches, everyRequest, sameMatch) {
				s.HTTPMatches = rule.Matches
			}
		}
	case *gatewayv1.GRPCRoute:
		s.Kind, s.Parents, s.Hostnames = GRPCRoute, r.Spec.ParentRefs, r.Spec.Hostnames
		for _, rule := range mainRule(r.Spec.Rules, grpcRuleName) {
			s.GRPCMatches, s.GRPCFilters = rule.Matches, withoutMirrors(s, rule.Filters, grpcFilterMirror)
		}
	case *gatewayv1.TCPRoute:
		s.Kind, s.Parents = TCPRoute, r.Spec.ParentRefs
	}
	return s
}

// everyRequest is what the API server writes where a rule has no matches.
var everyRequest = []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/")}}}

func sameMatch(a, b gatewayv1.HTTPRouteMatch) bool { return reflect.DeepEqual(a, b) }

// Names of a route's rules: of the one that has the weights, and of the one for whom all
// goes to the candidate.
const (
	ruleName   = "switchback"
	cohortName = "switchback-cohort"
)

// Object is the route that splits the traffic. ports has, for each release of the
// split, the port of its own Service.
func (s RouteSpec) Object(split release.Split, ports map[string]int32) Object {
	meta := metav1.ObjectMeta{
		Namespace: s.Namespace, Name: s.Name,
		Labels: map[string]string{
			release.LabelName:        s.Application,
			release.LabelManagedBy:   release.ManagedBy,
			release.LabelApplication: s.Application,
			release.LabelRole:        release.RoleMain,
		},
		Annotations: map[string]string{annotationPort: s.Port, annotationSettle: s.Settle.String()},
	}
	if s.Probe != nil {
		meta.Annotations[annotationProbe] = s.Probe.text()
	}
	refs := weighted(split, ports)
	common := gatewayv1.CommonRouteSpec{ParentRefs: slices.Clone(s.Parents)}
	is := metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: string(s.Kind)}
	name := new(gatewayv1.SectionName(ruleName))
	switch s.Kind {
	case GRPCRoute:
		rule := gatewayv1.GRPCRouteRule{Name: name, Matches: slices.Clone(s.GRPCMatches), Filters: slices.Concat(s.GRPCFilters, s.grpcMirror(split, ports))}
		for _, ref := range refs {
			rule.BackendRefs = append(rule.BackendRefs, gatewayv1.GRPCBackendRef{BackendRef: ref})
		}
		return &gatewayv1.GRPCRoute{TypeMeta: is, ObjectMeta: meta, Spec: gatewayv1.GRPCRouteSpec{CommonRouteSpec: common, Hostnames: slices.Clone(s.Hostnames), Rules: append(s.grpcCohort(split, ports, rule), rule)}}
	case TCPRoute:
		return &gatewayv1.TCPRoute{TypeMeta: is, ObjectMeta: meta, Spec: gatewayv1.TCPRouteSpec{CommonRouteSpec: common, Rules: []gatewayv1.TCPRouteRule{{Name: name, BackendRefs: refs}}}}
	case HTTPRoute:
	}
	rule := gatewayv1.HTTPRouteRule{Name: name, Matches: slices.Clone(s.HTTPMatches), Filters: slices.Concat(s.HTTPFilters, s.httpMirror(split, ports))}
	for _, ref := range refs {
		rule.BackendRefs = append(rule.BackendRefs, gatewayv1.HTTPBackendRef{BackendRef: ref})
	}
	return &gatewayv1.HTTPRoute{TypeMeta: is, ObjectMeta: meta, Spec: gatewayv1.HTTPRouteSpec{CommonRouteSpec: common, Hostnames: slices.Clone(s.Hostnames), Rules: append(s.httpCohort(split, ports, rule), rule)}}
}

// weighted are the releases' own Services, with their shares as weights.
func weighted(split release.Split, ports map[string]int32) (refs []gatewayv1.BackendRef) {
	for _, name := range slices.Sorted(maps.Keys(split)) {
		refs = append(refs, gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(name), Port: new(ports[name])},
			Weight:                 new(int32(split[name])),
		})
	}
	return refs
}

// Empty is an object of the route's kind with nothing in it.
func (s RouteSpec) Empty() Object {
	switch s.Kind {
	case GRPCRoute:
		return &gatewayv1.GRPCRoute{}
	case TCPRoute:
		return &gatewayv1.TCPRoute{}
	case HTTPRoute:
	}
	return &gatewayv1.HTTPRoute{}
}

// EmptyList is a list of the route's kind with nothing in it.
func (s RouteSpec) EmptyList() runtime.Object {
	switch s.Kind {
	case GRPCRoute:
		return &gatewayv1.GRPCRouteList{}
	case TCPRoute:
		return &gatewayv1.TCPRouteList{}
	case HTTPRoute:
	}
	return &gatewayv1.HTTPRouteList{}
}

// RoutesIn are those in a list of them.
func RoutesIn(list runtime.Object) (all []Object) {
	switch l := list.(type) {
	case *gatewayv1.HTTPRouteList:
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	case *gatewayv1.GRPCRouteList:
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	case *gatewayv1.TCPRouteList:
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	}
	return all
}

// parentsOf are whom a route asks to be served by, and what they say of it.
func parentsOf(route Object) ([]gatewayv1.ParentReference, []gatewayv1.RouteParentStatus) {
	switch r := route.(type) {
	case *gatewayv1.HTTPRoute:
		return r.Spec.ParentRefs, r.Status.Parents
	case *gatewayv1.GRPCRoute:
		return r.Spec.ParentRefs, r.Status.Parents
	case *gatewayv1.TCPRoute:
		return r.Spec.ParentRefs, r.Status.Parents
	}
	return nil, nil
}

// weightsOf are the weights of each of a route's rules. Where one of them is for the
// cohort alone, only the other one counts.
func weightsOf(route Object) (rules [][]gatewayv1.BackendRef) {
	switch r := route.(type) {
	case *gatewayv1.HTTPRoute:
		for _, rule := range withoutCohort(r.Spec.Rules, httpRuleName) {
			rules = append(rules, refsOf(rule.BackendRefs, func(ref gatewayv1.HTTPBackendRef) gatewayv1.BackendRef { return ref.BackendRef }))
		}
	case *gatewayv1.GRPCRoute:
		for _, rule := range withoutCohort(r.Spec.Rules, grpcRuleName) {
			rules = append(rules, refsOf(rule.BackendRefs, func(ref gatewayv1.GRPCBackendRef) gatewayv1.BackendRef { return ref.BackendRef }))
		}
	case *gatewayv1.TCPRoute:
		for _, rule := range r.Spec.Rules {
			rules = append(rules, rule.BackendRefs)
		}
	}
	return rules
}

func refsOf[T any](backends []T, ref func(T) gatewayv1.BackendRef) []gatewayv1.BackendRef {
	refs := make([]gatewayv1.BackendRef, len(backends))
	for i, backend := range backends {
		refs[i] = ref(backend)
	}
	return refs
}

// RouteSplit reads who gets which percent of a route's traffic. What is not exactly
// ours (another number of rules, a backend that is no Service of its namespace, no
// weight at all) gives an empty split. Somebody's weights are taken for the nearest
// percents that make a hundred.
func RouteSplit(route Object) release.Split {
	rules := weightsOf(route)
	if len(rules) != 1 {
		return release.Split{}
	}
	return splitOf(rules[0], route.GetNamespace())
}

// splitOf is RouteSplit of one rule's backends.
func splitOf(refs []gatewayv1.BackendRef, namespace string) release.Split {
	named := &backends{namespace: namespace}
	weights, sum := map[string]int64{}, int64(0)
	for _, ref := range refs {
		named.add(ref.BackendObjectReference, nil)
		weight := int64(1) // the API's default
		if ref.Weight != nil {
			weight = int64(*ref.Weight)
		}
		weights[string(ref.Name)] += weight
		sum += weight
	}
	if len(named.found) != len(refs) || sum == 0 {
		return release.Split{}
	}
	return percents(weights, sum)
}

// RoutePorts are the ports of the Services to which a route leads, or gives copies of
// requests, by their names.
func RoutePorts(route Object) map[string]int32 {
	ports := map[string]int32{}
	for _, mirror := range mirrorsOf(route) {
		if mirror.BackendRef.Port != nil {
			ports[string(mirror.BackendRef.Name)] = *mirror.BackendRef.Port
		}
	}
	for _, rule := range weightsOf(route) {
		for _, ref := range rule {
			if ref.Port != nil {
				ports[string(ref.Name)] = *ref.Port
			}
		}
	}
	return ports
}

// percents are shares of a sum as whole percents that make a hundred: those with the
// largest remainders are rounded up. Nobody who gets something has 0.
func percents(weights map[string]int64, sum int64) release.Split {
	split, left := release.Split{}, 100
	var names []string
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if weights[name] == 0 {
			continue
		}
		names = append(names, name)
		split[name] = max(1, int(100*weights[name]/sum))
		left -= split[name]
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(100*weights[b]%sum, 100*weights[a]%sum)
	})
	for i := 0; left > 0; i++ {
		split[names[i%len(names)]]++
		left--
	}
	for ; left < 0; left++ { // what was rounded up to 1 is taken from who has most
		most := slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(split[a], split[b]) })
		split[most]--
	}
	return split
}

// Unaccepted says why those who shall serve a route do not serve it as it is now;
// empty where all of them do. What has seen another generation has not seen this one,
// and what does not say which it has seen cannot be told from that.
func Unaccepted(route Object) string {
	wanted, said := parentsOf(route)
	if len(wanted) == 0 {
		return "it has no parent"
	}
	for _, ref := range wanted {
		want, heard := parentKey(ref, route.GetNamespace()), false
		for _, status := range said {
			if parentKey(status.ParentRef, route.GetNamespace()) != want {
				continue
			}
			heard = true
			if why := unmet(status.Conditions, route.GetGeneration()); why != "" {
				return fmt.Sprintf("%s (%s) %s", want, status.ControllerName, why)
			}
		}
		if !heard {
			return fmt.Sprintf("%s says nothing about it: there is no such parent, or no controller that serves it", want)
		}
	}
	return ""
}

// unmet is what keeps conditions from saying that a generation is served.
func unmet(conditions []metav1.Condition, generation int64) string {
	is := func(kind gatewayv1.RouteConditionType) *metav1.Condition {
		i := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == string(kind) })
		if i < 0 {
			return nil
		}
		return &conditions[i]
	}
	if is(gatewayv1.RouteConditionAccepted) == nil {
		return "has not decided whether to accept it"
	}
	for _, kind := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteConditionPartiallyInvalid} {
		condition, want := is(kind), metav1.ConditionTrue
		if kind == gatewayv1.RouteConditionPartiallyInvalid {
			want = metav1.ConditionFalse
		}
		switch {
		case condition == nil:
		case condition.ObservedGeneration == 0:
			return fmt.Sprintf("does not say which generation of it its condition %s is about: it cannot be told whether the last change is in effect", kind)
		case condition.ObservedGeneration != generation:
			return fmt.Sprintf("has seen generation %d of it, not %d", condition.ObservedGeneration, generation)
		case condition.Status != want:
			return conditionText(*condition)
		}
	}
	return ""
}

// parent is whom a route asks to be served by, with the API's defaults.
type parent struct {
	group, kind, namespace, name, section string
	port                                  int32
}

func parentKey(ref gatewayv1.ParentReference, namespace string) parent {
	p := parent{group: gatewayv1.GroupName, kind: "Gateway", namespace: namespace, name: string(ref.Name)}
	if ref.Group != nil {
		p.group = string(*ref.Group)
	}
	if ref.Kind != nil {
		p.kind = string(*ref.Kind)
	}
	if ref.Namespace != nil {
		p.namespace = string(*ref.Namespace)
	}
	if ref.SectionName != nil {
		p.section = string(*ref.SectionName)
	}
	if ref.Port != nil {
		p.port = *ref.Port
	}
	return p
}

func (p parent) String() string {
	text := fmt.Sprintf("%s %s/%s", p.kind, p.namespace, p.name)
	if p.section != "" {
		text += fmt.Sprintf(", section %q", p.section)
	}
	if p.port != 0 {
		text += fmt.Sprintf(", port %d", p.port)
	}
	return text
}
