package address

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// defaultRouteSettle is how long a data plane may take to do what it has accepted. A
// Traefik took 37 to 160 ms, and 2.1 to 2.5 s for a second change within two seconds.
const defaultRouteSettle = 5 * time.Second

// gatewayModel is `traffic.gateway` where it is known.
type gatewayModel struct {
	Kind       *string           `tfsdk:"kind"`
	Name       *string           `tfsdk:"name"`
	Adopt      *bool             `tfsdk:"adopt"`
	Rule       *string           `tfsdk:"rule"`
	Port       *string           `tfsdk:"port"`
	ParentRefs []attrs.ParentRef `tfsdk:"parent_refs"`
	Hostnames  []string          `tfsdk:"hostnames"`
	Matches    []matchModel      `tfsdk:"matches"`
	Filters    *filtersModel     `tfsdk:"filters"`
	Settle     *string           `tfsdk:"settle"`
	Probe      *probeModel       `tfsdk:"probe"`
}

type matchModel struct {
	Path        *pathModel   `tfsdk:"path"`
	Method      *string      `tfsdk:"method"`
	Headers     []namedModel `tfsdk:"headers"`
	QueryParams []namedModel `tfsdk:"query_params"`
	GRPC        *grpcModel   `tfsdk:"grpc"`
}

type pathModel struct {
	Value string  `tfsdk:"value"`
	Type  *string `tfsdk:"type"`
}

type namedModel struct {
	Name  string  `tfsdk:"name"`
	Value string  `tfsdk:"value"`
	Type  *string `tfsdk:"type"`
}

type grpcModel struct {
	Service *string `tfsdk:"service"`
	Method  *string `tfsdk:"method"`
}

func gatewayTypes() map[string]attr.Type {
	return trafficTypes()["gateway"].(types.ObjectType).AttrTypes
}

// gateway is `traffic.gateway`; null where there is none, or `traffic` is unknown.
func (m *Model) gateway(ctx context.Context) types.Object {
	var diags diag.Diagnostics
	none := types.ObjectNull(gatewayTypes())
	if m.Traffic.IsNull() || m.Traffic.IsUnknown() {
		return none
	}
	typed := attrs.Decode[trafficModel](ctx, &diags, m.Traffic)
	if diags.HasError() {
		return none
	}
	return typed.Gateway
}

// MayRoute says that the address has a route, or may turn out to have one.
func (m *Model) MayRoute(ctx context.Context) bool {
	return m.Traffic.IsUnknown() || !m.gateway(ctx).IsNull()
}

// Route is the application's route, of a plan or state in which it is known; nil where
// there is none.
func (m *Model) Route(ctx context.Context, diags *diag.Diagnostics) *traffic.RouteSpec {
	object := m.gateway(ctx)
	if object.IsNull() || !attrs.WhollyKnown(ctx, object) {
		return nil
	}
	g := attrs.Decode[gatewayModel](ctx, diags, object)
	spec := &traffic.RouteSpec{
		Namespace: m.Namespace.ValueString(), Application: m.Application.ValueString(),
		Name: textOr(g.Name, m.Application.ValueString()), Kind: traffic.RouteKind(textOr(g.Kind, string(traffic.HTTPRoute))),
		Adopt: g.Adopt != nil && *g.Adopt, Rule: textOr(g.Rule, ""),
		Port: textOr(g.Port, ""), Settle: defaultRouteSettle,
		Hostnames: attrs.ConvertList(g.Hostnames, func(name string) gatewayv1.Hostname { return gatewayv1.Hostname(name) }),
		Parents:   attrs.ConvertList(g.ParentRefs, attrs.ParentRef.Ref),
	}
	if ports := m.Service(ctx, diags).Ports; spec.Port == "" && len(ports) == 1 {
		spec.Port = slices.Collect(maps.Keys(ports))[0]
	}
	if settle, err := time.ParseDuration(textOr(g.Settle, "")); err == nil {
		spec.Settle = settle
	}
	switch spec.Kind {
	case traffic.HTTPRoute:
		spec.HTTPMatches = attrs.ConvertList(g.Matches, matchModel.http)
	case traffic.GRPCRoute:
		spec.GRPCMatches = attrs.ConvertList(g.Matches, matchModel.grpc)
	case traffic.TCPRoute:
	}
	g.Filters.into(spec)
	spec.Probe = g.Probe.probe()
	return spec
}

func textOr(text *string, fallback string) string {
	if text == nil {
		return fallback
	}
	return *text
}

func (m matchModel) http() gatewayv1.HTTPRouteMatch {
	match := gatewayv1.HTTPRouteMatch{Method: (*gatewayv1.HTTPMethod)(m.Method)}
	if m.Path != nil {
		match.Path = &gatewayv1.HTTPPathMatch{Type: (*gatewayv1.PathMatchType)(m.Path.Type), Value: &m.Path.Value}
	}
	for _, h := range m.Headers {
		match.Headers = append(match.Headers, gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(h.Name), Value: h.Value, Type: (*gatewayv1.HeaderMatchType)(h.Type)})
	}
	for _, q := range m.QueryParams {
		match.QueryParams = append(match.QueryParams, gatewayv1.HTTPQueryParamMatch{Name: gatewayv1.HTTPHeaderName(q.Name), Value: q.Value, Type: (*gatewayv1.QueryParamMatchType)(q.Type)})
	}
	return match
}

func (m matchModel) grpc() gatewayv1.GRPCRouteMatch {
	match := gatewayv1.GRPCRouteMatch{}
	if m.GRPC != nil {
		match.Method = &gatewayv1.GRPCMethodMatch{Service: m.GRPC.Service, Method: m.GRPC.Method}
	}
	for _, h := range m.Headers {
		match.Headers = append(match.Headers, gatewayv1.GRPCHeaderMatch{Name: gatewayv1.GRPCHeaderName(h.Name), Value: h.Value, Type: (*gatewayv1.GRPCHeaderMatchType)(h.Type)})
	}
	return match
}

// gatewayOf is `traffic.gateway` as a user would have it who leaves out defaults: for
// import.
func gatewayOf(ctx context.Context, spec *traffic.RouteSpec, ports map[string]int32, diags *diag.Diagnostics) types.Object {
	if spec == nil {
		return types.ObjectNull(gatewayTypes())
	}
	g := gatewayModel{
		ParentRefs: attrs.ConvertList(spec.Parents, attrs.ParentRefOf),
		Hostnames:  attrs.ConvertList(spec.Hostnames, func(name gatewayv1.Hostname) string { return string(name) }),
	}
	if _, known := ports[spec.Port]; !known || len(ports) > 1 {
		g.Port = &spec.Port
	}
	if spec.Kind != traffic.HTTPRoute {
		g.Kind = new(string(spec.Kind))
	}
	if spec.Name != spec.Application {
		g.Name = &spec.Name
	}
	if spec.Adopt {
		g.Adopt = new(true)
	}
	if spec.Rule != "" {
		g.Rule = &spec.Rule
	}
	if spec.Settle != defaultRouteSettle {
		g.Settle = new(attrs.DurationText(spec.Settle))
	}
	g.Filters, g.Probe = filtersOf(spec), probeOf(spec.Probe)
	g.Matches = append(attrs.ConvertList(spec.HTTPMatches, matchOf), attrs.ConvertList(spec.GRPCMatches, grpcMatchOf)...)
	value, more := types.ObjectValueFrom(ctx, gatewayTypes(), g)
	diags.Append(more...)
	return value
}

// unlessDefault leaves out what the API server fills in.
func unlessDefault[T ~string](value *T, standard T) *string {
	if value == nil || *value == standard {
		return nil
	}
	return new(string(*value))
}

func matchOf(match gatewayv1.HTTPRouteMatch) matchModel {
	m := matchModel{Method: (*string)(match.Method)}
	if p := match.Path; p != nil && p.Value != nil {
		m.Path = &pathModel{Value: *p.Value, Type: unlessDefault(p.Type, gatewayv1.PathMatchPathPrefix)}
	}
	for _, h := range match.Headers {
		m.Headers = append(m.Headers, namedModel{string(h.Name), h.Value, unlessDefault(h.Type, gatewayv1.HeaderMatchExact)})
	}
	for _, q := range match.QueryParams {
		m.QueryParams = append(m.QueryParams, namedModel{string(q.Name), q.Value, unlessDefault(q.Type, gatewayv1.QueryParamMatchExact)})
	}
	return m
}

func grpcMatchOf(match gatewayv1.GRPCRouteMatch) matchModel {
	m := matchModel{}
	if match.Method != nil {
		m.GRPC = &grpcModel{Service: match.Method.Service, Method: match.Method.Method}
	}
	for _, h := range match.Headers {
		m.Headers = append(m.Headers, namedModel{string(h.Name), h.Value, unlessDefault(h.Type, gatewayv1.GRPCHeaderMatchExact)})
	}
	return m
}

// TellDestroyed says what a destroy ends, and what it does to a rule of somebody else's route.
func (m *Model) TellDestroyed(ctx context.Context, diags *diag.Diagnostics) {
	if m.isPaused() {
		paused, _, _ := strings.Cut(m.StatusReason.ValueString(), ": `") // and how it goes on
		diags.AddWarning("Promotion is paused", fmt.Sprintf("%s is to be destroyed, and its promotion is open: %s. Its address goes, and the promotion with it. To end that first, let it go on, or go back, and apply.", m.ID.ValueString(), paused))
	}
	route := m.Route(ctx, diags)
	if route == nil || !route.Adopt {
		return
	}
	ref := route.Ref()
	diags.AddWarning("Rule is given back", fmt.Sprintf("When %s is destroyed, the %s leads to what it led to before it was taken over, or to what somebody has written there since, with all of the traffic, whatever shares there are now. Nothing of the application goes before that. "+
		"Where nobody answers there any more, it stays with the main deployment, whose pods stay, too: `kubectl get %s %s --namespace %s -o yaml` shows where it leads.",
		m.ID.ValueString(), ref, strings.ToLower(string(route.Kind)), route.Name, m.Namespace.ValueString()))
}
