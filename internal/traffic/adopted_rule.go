package traffic

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// An adopted rule is one of a route that belongs to somebody else, who has handed us its
// backends. The API server treats a route's rules as one value, so that none of it can be
// applied: single fields are patched, with the version that was read as precondition.
// Nothing else of the route is ever written, and it gets no label of ours. Where there is
// a cohort, a rule of its own comes and goes beside the adopted one.

// AdoptedSpec describes a rule as it is remembered.
func AdoptedSpec(namespace, application string, route release.Route) RouteSpec {
	return RouteSpec{
		Namespace: namespace, Application: application, Name: route.Name, Kind: RouteKind(route.Kind),
		Adopt: true, Rule: route.Adopted.Name, Port: route.Adopted.Port, Settle: route.Adopted.Settle, Probe: probeIn(route.Adopted.Probe),
	}
}

// rule is what matters of one rule of a route.
type rule struct {
	name     string
	matches  int  // how many it has; none: it is for everything
	filtered bool // a backend of it has filters of its own
	refs     []gatewayv1.BackendRef
}

func rulesOf(route Object) (rules []rule) {
	switch r := route.(type) {
	case *gatewayv1.HTTPRoute:
		for _, of := range r.Spec.Rules {
			rules = append(rules, rule{string(deref(of.Name)), len(of.Matches),
				slices.ContainsFunc(of.BackendRefs, func(ref gatewayv1.HTTPBackendRef) bool { return len(ref.Filters) > 0 }),
				refsOf(of.BackendRefs, func(ref gatewayv1.HTTPBackendRef) gatewayv1.BackendRef { return ref.BackendRef })})
		}
	case *gatewayv1.GRPCRoute:
		for _, of := range r.Spec.Rules {
			rules = append(rules, rule{string(deref(of.Name)), len(of.Matches),
				slices.ContainsFunc(of.BackendRefs, func(ref gatewayv1.GRPCBackendRef) bool { return len(ref.Filters) > 0 }),
				refsOf(of.BackendRefs, func(ref gatewayv1.GRPCBackendRef) gatewayv1.BackendRef { return ref.BackendRef })})
		}
	case *gatewayv1.TCPRoute:
		for _, of := range r.Spec.Rules {
			rules = append(rules, rule{name: string(deref(of.Name)), refs: of.BackendRefs})
		}
	}
	return rules
}

// adoptedCohort is what the rule for an adopted rule's cohort is called: a route may have
// rules of several applications.
func (s RouteSpec) adoptedCohort() string { return cohortPrefix + s.Application }

const cohortPrefix = "cohort-"

// Room says that a route can have one rule more, for a cohort.
func (s RouteSpec) Room(route Object) bool {
	others := slices.DeleteFunc(rulesOf(route), func(r rule) bool { return r.name == s.adoptedCohort() })
	return len(others) < maxRules
}

// maxRules is how many rules a route of the Gateway API may have.
const maxRules = 16

// MaxMatchesOfRoute is how many matches all rules of a route may have together.
const MaxMatchesOfRoute = 128

// AllMatches is how many matches a route has where its adopted rule has a cohort of so many
// headers.
func (s RouteSpec) AllMatches(route Object, headers int) int {
	all, own := 0, s.Matches(route)
	for _, r := range rulesOf(route) {
		if r.name != s.adoptedCohort() {
			all += max(1, r.matches)
		}
	}
	return all + own*headers
}

// place finds the adopted rule in a route. why says why there is none.
func (s RouteSpec) place(rules []rule) (at int, why string) {
	named := map[string]bool{}
	var names []string
	at = -1
	for i, r := range rules {
		if r.name == s.adoptedCohort() || r.name != s.Rule && strings.HasPrefix(r.name, cohortPrefix) {
			continue // of this application, or of another one
		}
		names = append(names, cmp.Or(r.name, "(no name)"))
		if at < 0 && (s.Rule == "" || r.name == s.Rule) {
			at = i
		}
		named[r.name] = true
	}
	switch {
	case s.Rule != "" && at < 0:
		return -1, fmt.Sprintf("the route has no rule of that name. Its rules are called: %s. Where its owner has renamed it since it was adopted, set `rule` to the new name: what it led to before is still known", strings.Join(names, ", "))
	case s.Rule == "" && len(names) > 1:
		return -1, fmt.Sprintf("the route has %d rules. Say by `rule` which one leads to the application; they are called: %s", len(names), strings.Join(names, ", "))
	case at < 0:
		return -1, "the route has no rules. Give it one that leads to what the application replaces"
	}
	return at, ""
}

// Unadoptable says why the rule in a route as it lives cannot be ours to move; empty
// where it can.
func (s RouteSpec) Unadoptable(route Object) string {
	labels := route.GetLabels()
	switch owner := labels[release.LabelApplication]; {
	case labels[release.LabelManagedBy] == release.ManagedBy && owner == s.Application:
		return "it is the application's own route, which Switchback made. Leave `adopt` out"
	case labels[release.LabelManagedBy] == release.ManagedBy:
		return fmt.Sprintf("it belongs to the application %q, for which Switchback made it. Choose another route", owner)
	}
	rules := rulesOf(route)
	at, why := s.place(rules)
	switch {
	case why != "":
		return why
	case len(rules[at].refs) == 0:
		return "it sends no request to a backend. Choose a rule that does"
	case rules[at].filtered:
		return "a backend of it has filters of its own, which would be lost with that backend. Move them to the rule"
	}
	for _, ref := range rules[at].refs {
		if of, is := release.ApplicationOf(string(ref.Name)); is && of != s.Application && isService(ref) {
			return fmt.Sprintf("it leads to the application %q, which has adopted it already, or which it was made for. Choose another rule", of)
		}
	}
	return ""
}

// Asking is an adopted rule with what it asks for in a route as it lives.
func (s RouteSpec) Asking(route Object) RouteSpec {
	at, why := s.place(rulesOf(route))
	if why != "" {
		return s
	}
	s.Parents, _ = parentsOf(route)
	switch r := route.(type) {
	case *gatewayv1.HTTPRoute:
		s.Hostnames, s.HTTPMatches, s.HTTPFilters = r.Spec.Hostnames, r.Spec.Rules[at].Matches, r.Spec.Rules[at].Filters
	case *gatewayv1.GRPCRoute:
		s.Hostnames, s.GRPCMatches, s.GRPCFilters = r.Spec.Hostnames, r.Spec.Rules[at].Matches, r.Spec.Rules[at].Filters
	}
	return s
}

// Matches is how many matches the adopted rule has, at least one.
func (s RouteSpec) Matches(route Object) int {
	rules := rulesOf(route)
	at, why := s.place(rules)
	if why != "" {
		return 1
	}
	return max(1, rules[at].matches)
}

func isService(ref gatewayv1.BackendRef) bool {
	return deref(ref.Group) == "" && (ref.Kind == nil || *ref.Kind == "Service")
}

// Split is who gets which percent of the traffic of a route, ours or adopted. Where
// somebody else gets all of it, it is empty.
func (s RouteSpec) Split(route Object) release.Split {
	if !s.Adopt {
		return RouteSplit(route)
	}
	rules := rulesOf(route)
	at, why := s.place(rules)
	switch {
	case why != "" || s.ours(rules[at].refs) == 0:
		return release.Split{}
	case s.ours(rules[at].refs) < len(rules[at].refs):
		return s.mixed(rules[at].refs, route.GetNamespace())
	}
	return splitOf(rules[at].refs, route.GetNamespace())
}

// ours is how many of the backends are releases of the application.
func (s RouteSpec) ours(refs []gatewayv1.BackendRef) (n int) {
	for _, ref := range refs {
		if s.isOurs(ref) {
			n++
		}
	}
	return n
}

// othersIn says whether a rule of the route leads to another application's releases.
func (s RouteSpec) othersIn(route Object) bool {
	return slices.ContainsFunc(rulesOf(route), func(r rule) bool {
		return slices.ContainsFunc(r.refs, func(ref gatewayv1.BackendRef) bool {
			of, is := release.ApplicationOf(string(ref.Name))
			return is && of != s.Application && isService(ref)
		})
	})
}

// Theirs are the backends of an adopted rule as they stand, as long as none of them is
// ours; nil otherwise.
func (s RouteSpec) Theirs(route Object) json.RawMessage {
	rules := rulesOf(route)
	at, why := s.place(rules)
	if why != "" || s.ours(rules[at].refs) > 0 {
		return nil
	}
	text, err := json.Marshal(rules[at].refs)
	if err != nil {
		return nil
	}
	return text
}

// LeadsTo says that the adopted rule, as it stands, leads to a Service of its route's namespace.
func (s RouteSpec) LeadsTo(route Object, service string) bool {
	rules := rulesOf(route)
	at, why := s.place(rules)
	return why == "" && slices.ContainsFunc(rules[at].refs, func(ref gatewayv1.BackendRef) bool {
		return isService(ref) && string(ref.Name) == service && cmp.Or(string(deref(ref.Namespace)), route.GetNamespace()) == route.GetNamespace()
	})
}

// Leads are the backends of the rule that has the weights, ours or adopted, as they stand, as
// a sentence has them.
func (s RouteSpec) Leads(route Object) string {
	if !s.Adopt {
		return backendsText(slices.Concat(weightsOf(route)...))
	}
	rules := rulesOf(route)
	at, why := s.place(rules)
	if why != "" {
		return "no such rule"
	}
	return backendsText(rules[at].refs)
}

func backendsText(refs []gatewayv1.BackendRef) string {
	var all []string
	for _, ref := range refs {
		weight := int32(1)
		if ref.Weight != nil {
			weight = *ref.Weight
		}
		all = append(all, fmt.Sprintf("%s (weight %d)", ref.Name, weight))
	}
	return strings.Join(all, ", ")
}

// Field is the path of what is ours of an adopted route.
func (s RouteSpec) Field() string { return fmt.Sprintf("spec.rules[%s].backendRefs", s.Rule) }

// Expected are the backends that a rule should have, as Leads says them.
func (s RouteSpec) Expected(split release.Split) string { return backendsText(weighted(split, nil)) }

// adopting are the changes that make an adopted rule share the traffic as wanted; none
// where it does.
func (s RouteSpec) adopting(route Object, split release.Split, ports map[string]int32, former json.RawMessage) ([]release.PatchOp, error) {
	rules := rulesOf(route)
	at, why := s.place(rules)
	if why != "" {
		return nil, errors.New(why)
	}
	refs, err := s.beside(split, ports, former)
	if err != nil {
		return nil, err
	}
	var ops []release.PatchOp
	if !slices.EqualFunc(rules[at].refs, refs, sameRef) {
		ops = append(ops, release.PatchOp{Op: "replace", Path: fmt.Sprintf("/spec/rules/%d/backendRefs", at), Value: refs})
	}
	return append(ops, s.cohortOps(route, rules, at, split, ports)...), nil
}

// restoring are the changes by which an adopted rule has its former backends, where it
// leads to a release of ours, and by which there is no rule for a cohort. back says that
// the first is among them.
func (s RouteSpec) restoring(route Object, former json.RawMessage) (ops []release.PatchOp, back bool) {
	rules := rulesOf(route)
	if at, why := s.place(rules); why == "" && s.ours(rules[at].refs) > 0 && len(former) > 0 {
		ops, back = append(ops, release.PatchOp{Op: "replace", Path: fmt.Sprintf("/spec/rules/%d/backendRefs", at), Value: former}), true
	}
	if has := s.cohortAt(rules); has >= 0 {
		ops = append(ops, release.PatchOp{Op: "remove", Path: fmt.Sprintf("/spec/rules/%d", has)})
	}
	return ops, back
}

// sameRef compares references, with the API's defaults.
func sameRef(a, b gatewayv1.BackendRef) bool {
	weight := func(ref gatewayv1.BackendRef) int32 {
		if ref.Weight == nil {
			return 1
		}
		return *ref.Weight
	}
	return a.Name == b.Name && isService(a) == isService(b) && deref(a.Namespace) == deref(b.Namespace) && deref(a.Port) == deref(b.Port) && weight(a) == weight(b)
}
