package traffic

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Parent is a Gateway that is asked to serve a route, as it is.
type Parent struct {
	Ref            gatewayv1.ParentReference
	At             int // its place among those of the RouteSpec
	RouteNamespace string
	Gateway        *gatewayv1.Gateway      // nil: it may not be read, or it is a mesh
	Class          *gatewayv1.GatewayClass // nil: it is not there, or may not be read
	Classless      bool                    // it is not there
	Namespace      *corev1.Namespace       // the route's; nil: it may not be read
}

// RouteFault is why a Gateway would not serve a route, or why that cannot be told.
type RouteFault struct {
	Field  string // of RouteSpec: parents, hostnames, matches, filters or mirror; or of the reference: sectionName or port
	Doubt  bool   // it cannot be told
	Reason string // sentences
}

// Faults are what a Gateway has against a route.
func (p Parent) Faults(s RouteSpec) (faults []RouteFault) {
	of := fmt.Sprintf("Gateway %s/%s", p.Gateway.Namespace, p.Gateway.Name)
	fault := func(field, format string, args ...any) {
		faults = append(faults, RouteFault{Field: field, Reason: fmt.Sprintf("The "+of+" "+format, args...)})
	}
	if p.Class != nil && meta(p.Class.Status.Conditions, string(gatewayv1.GatewayClassConditionStatusAccepted)) == metav1.ConditionFalse {
		fault("parents", "has the class %s, which its controller does not accept: nobody serves it.", p.Class.Name)
	}
	if why := p.nobody(); why != "" {
		faults = append(faults, RouteFault{Field: "parents", Doubt: true, Reason: fmt.Sprintf("The %s has the class %s, %s", of, p.Gateway.Spec.GatewayClassName, why)})
	}
	named := p.listeners()
	if len(named) == 0 {
		field, what := p.missing()
		fault(field, "has no listener%s. Its listeners are %s.", what, listenersText(p.Gateway.Spec.Listeners))
		return faults
	}
	fitting := slices.DeleteFunc(slices.Clone(named), func(l gatewayv1.Listener) bool { return !takesKind(l, s.Kind) })
	if len(fitting) == 0 {
		fault("parents", "has no listener for a %s. Its listeners are %s.", s.Kind, listenersText(named))
		return faults
	}
	open := slices.DeleteFunc(slices.Clone(fitting), func(l gatewayv1.Listener) bool { return !p.takesNamespace(l, s.Namespace) })
	if len(open) == 0 {
		fault("parents", "takes no routes of the namespace %s. Whoever manages it allows that by `allowedRoutes.namespaces` of a listener.", s.Namespace)
		return faults
	}
	if len(s.Hostnames) > 0 && !slices.ContainsFunc(open, func(l gatewayv1.Listener) bool { return takesHostname(l, s.Hostnames) }) {
		fault("hostnames", "has no listener for any of these host names. Its listeners are %s.", listenersText(open))
	}
	return append(faults, p.unsupported(s)...)
}

// nobody says why it may be that no controller serves the Gateway.
func (p Parent) nobody() string {
	waits := func(c metav1.Condition) bool { // it is so from the beginning, until a controller says something
		return c.Type == string(gatewayv1.GatewayClassConditionStatusAccepted) && c.Status == metav1.ConditionUnknown
	}
	switch {
	case p.Classless:
		return "which is not there. Unless this same apply makes it first, nobody serves it."
	case p.Class != nil && slices.ContainsFunc(p.Class.Status.Conditions, waits):
		return fmt.Sprintf("which no controller has accepted so far. Unless %s is about to start, nobody serves it.", p.Class.Spec.ControllerName)
	}
	return ""
}

func meta(conditions []metav1.Condition, kind string) metav1.ConditionStatus {
	for _, c := range conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return metav1.ConditionUnknown
}

// listeners are those that are meant.
func (p Parent) listeners() (all []gatewayv1.Listener) {
	for _, l := range p.Gateway.Spec.Listeners {
		if p.Ref.SectionName != nil && *p.Ref.SectionName != l.Name || p.Ref.Port != nil && *p.Ref.Port != l.Port {
			continue
		}
		all = append(all, l)
	}
	return all
}

// missing is what no listener has, of what the reference asks for.
func (p Parent) missing() (field, what string) {
	named := func(l gatewayv1.Listener) bool { return p.Ref.SectionName != nil && l.Name == *p.Ref.SectionName }
	switch {
	case p.Ref.SectionName == nil && p.Ref.Port == nil:
		return "parents", ""
	case p.Ref.SectionName == nil:
		return "port", fmt.Sprintf(" on port %d", *p.Ref.Port)
	case !slices.ContainsFunc(p.Gateway.Spec.Listeners, named):
		return "sectionName", fmt.Sprintf(" %q", *p.Ref.SectionName)
	}
	return "port", fmt.Sprintf(" %q on port %d", *p.Ref.SectionName, *p.Ref.Port)
}

// takesKind says that a listener takes routes of a kind: by what it says, or by what it
// speaks.
func takesKind(l gatewayv1.Listener, kind RouteKind) bool {
	if l.AllowedRoutes != nil && len(l.AllowedRoutes.Kinds) > 0 {
		return slices.ContainsFunc(l.AllowedRoutes.Kinds, func(k gatewayv1.RouteGroupKind) bool { return string(k.Kind) == string(kind) })
	}
	switch l.Protocol {
	case gatewayv1.HTTPProtocolType, gatewayv1.HTTPSProtocolType:
		return kind != TCPRoute
	case gatewayv1.TCPProtocolType, gatewayv1.TLSProtocolType:
		return kind == TCPRoute
	case gatewayv1.UDPProtocolType:
		return false
	}
	return true // a protocol of its own
}

// takesNamespace says that a listener takes routes of a namespace, or that it cannot be
// told.
func (p Parent) takesNamespace(l gatewayv1.Listener, namespace string) bool {
	from := gatewayv1.NamespacesFromSame
	var selector *metav1.LabelSelector
	if l.AllowedRoutes != nil && l.AllowedRoutes.Namespaces != nil {
		selector = l.AllowedRoutes.Namespaces.Selector
		if l.AllowedRoutes.Namespaces.From != nil {
			from = *l.AllowedRoutes.Namespaces.From
		}
	}
	switch from {
	case gatewayv1.NamespacesFromSame:
		return p.Gateway.Namespace == namespace
	case gatewayv1.NamespacesFromSelector:
		chosen, err := metav1.LabelSelectorAsSelector(selector)
		return err != nil || p.Namespace == nil || chosen.Matches(labels.Set(p.Namespace.Labels))
	case gatewayv1.NamespacesFromNone:
		return false
	case gatewayv1.NamespacesFromAll:
	}
	return true
}

// takesHostname says that a listener serves one of some host names.
func takesHostname(l gatewayv1.Listener, names []gatewayv1.Hostname) bool {
	if l.Hostname == nil || *l.Hostname == "" {
		return true
	}
	return slices.ContainsFunc(names, func(name gatewayv1.Hostname) bool { return overlap(string(name), string(*l.Hostname)) })
}

// overlap says that there is a host name that both stand for, by the rules of the
// Gateway API: a * stands for one label or more.
func overlap(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	wild := func(name, pattern string) bool {
		suffix, is := strings.CutPrefix(pattern, "*")
		return is && strings.HasSuffix(name, suffix) && name != suffix
	}
	return a == b || wild(a, b) || wild(b, a)
}

func listenersText(listeners []gatewayv1.Listener) string {
	if len(listeners) == 0 {
		return "none"
	}
	texts := make([]string, len(listeners))
	for i, l := range listeners {
		texts[i] = fmt.Sprintf("%q (%s, port %d", l.Name, l.Protocol, l.Port)
		if l.Hostname != nil && *l.Hostname != "" {
			texts[i] += ", " + string(*l.Hostname)
		}
		texts[i] += ")"
	}
	return strings.Join(texts, ", ")
}
