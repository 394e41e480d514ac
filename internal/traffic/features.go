package traffic

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// unsupported is what a route asks for that the Gateway's class does not have. A class
// that lists nothing may have all of it.
func (p Parent) unsupported(s RouteSpec) (faults []RouteFault) {
	if p.Class == nil {
		return nil
	}
	for _, ask := range s.features() {
		if len(p.Class.Status.SupportedFeatures) == 0 {
			faults = append(faults, RouteFault{Field: ask.field, Doubt: true, Reason: fmt.Sprintf(
				"The GatewayClass %s does not say what it supports. Whether it has %s is seen when traffic arrives.", p.Class.Name, strings.Join(ask.names, ", "))})
			continue
		}
		for _, feature := range ask.names {
			if !slices.ContainsFunc(p.Class.Status.SupportedFeatures, func(f gatewayv1.SupportedFeature) bool { return string(f.Name) == feature }) {
				faults = append(faults, RouteFault{Field: ask.field, Reason: fmt.Sprintf("The GatewayClass %s does not support %s, which the route asks for.", p.Class.Name, feature)})
			}
		}
	}
	return faults
}

// asked are the features of the Gateway API that a part of a route asks for.
type asked struct {
	field string // of RouteSpec
	names []string
}

// features are those of the Gateway API that a route asks for, beyond what every data
// plane has. It has no names for those of a GRPCRoute.
func (s RouteSpec) features() (all []asked) {
	var matches, filters, mirror []string
	add := func(to *[]string, is bool, feature features.FeatureName) {
		if is && !slices.Contains(*to, string(feature)) {
			*to = append(*to, string(feature))
		}
	}
	for _, match := range s.HTTPMatches {
		add(&matches, match.Method != nil, features.SupportHTTPRouteMethodMatching)
		add(&matches, len(match.QueryParams) > 0, features.SupportHTTPRouteQueryParamMatching)
	}
	for _, filter := range s.HTTPFilters {
		add(&filters, filter.ResponseHeaderModifier != nil, features.SupportHTTPRouteResponseHeaderModification)
		add(&filters, filter.URLRewrite != nil && filter.URLRewrite.Hostname != nil, features.SupportHTTPRouteHostRewrite)
		add(&filters, filter.URLRewrite != nil && filter.URLRewrite.Path != nil, features.SupportHTTPRoutePathRewrite)
	}
	if s.Kind == HTTPRoute {
		add(&mirror, s.Mirror > 0, features.SupportHTTPRouteRequestMirror)
		add(&mirror, s.Mirror > 0 && s.Mirror < 100, features.SupportHTTPRouteRequestPercentageMirror)
	}
	for _, a := range []asked{{"matches", matches}, {"filters", filters}, {"mirror", mirror}} {
		if len(a.names) > 0 {
			slices.Sort(a.names)
			all = append(all, a)
		}
	}
	return all
}
