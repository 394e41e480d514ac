package address

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// GatewayPath is where the route is configured.
var GatewayPath = path.Root("traffic").AtName("gateway")

// hostnameValidator accepts what the Gateway API takes for a host name.
type hostnameValidator struct{ precise bool }

func (v hostnameValidator) Description(context.Context) string {
	if v.precise {
		return "a host name such as api.example.com"
	}
	return "a host name such as api.example.com, or one whose first label is *"
}

func (v hostnameValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v hostnameValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if !attrs.Known(req.ConfigValue) {
		return
	}
	name := req.ConfigValue.ValueString()
	var bad []string
	if strings.HasPrefix(name, "*") && !v.precise {
		bad = validation.IsWildcardDNS1123Subdomain(name)
	} else {
		bad = validation.IsDNS1123Subdomain(name)
	}
	if strings.Trim(name, "0123456789.") == "" {
		bad = append(bad, "an IP address is none")
	}
	if len(bad) > 0 {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid host name", fmt.Sprintf("Attribute %s: %q is not %s: %s.", req.Path, name, v.Description(ctx), strings.Join(bad, "; ")))
	}
}

// checkGateway is what the attributes of `traffic.gateway` say about each other, and
// about the Service's.
func (m *Model) checkGateway(ctx context.Context, place explain.Place, s ServiceModel) diag.Diagnostics {
	var diags diag.Diagnostics
	object := m.gateway(ctx)
	if object.IsNull() || !attrs.WhollyKnown(ctx, object) {
		return diags
	}
	var quiet diag.Diagnostics
	g := attrs.Decode[gatewayModel](ctx, &quiet, object)
	if quiet.HasError() {
		return diags // something is missing, which attrs.Requires says
	}
	kind := traffic.RouteKind(textOr(g.Kind, string(traffic.HTTPRoute)))
	wrong := func(at path.Path, summary, detail string, args ...any) {
		diags.AddAttributeError(place.At(at), summary, fmt.Sprintf(detail, args...))
	}
	m.checkAdopt(g, wrong)
	if g.Probe != nil && g.Probe.URL == nil { // a validator of the object would keep the framework from looking into it
		wrong(GatewayPath.AtName("probe").AtName("url"), "Attribute is missing", "A probe must have `url`, which is what it asks for. Set it.")
	}
	if of, is := release.ApplicationOf(textOr(g.Name, "")); is && of == m.Application.ValueString() {
		wrong(GatewayPath.AtName("name"), "Name of a deployment's own route", "%q is the name of a deployment of the application, whose `preview` has a route of that name. Choose another one.", *g.Name)
	}
	if kind == traffic.TCPRoute && len(g.Hostnames) > 0 {
		wrong(GatewayPath.AtName("hostnames"), "Host names of a TCPRoute", "A TCPRoute is for all connections of its listener. Remove `hostnames`, and name the listener by `parent_refs[].section_name`.")
	}
	for i, match := range g.Matches {
		if why := match.misfit(kind); why != "" {
			wrong(GatewayPath.AtName("matches").AtListIndex(i), "Match of another kind of route", "%s", why)
		}
	}
	g.Filters.wrongFilters(kind, g.Matches, func(at, summary, detail string) {
		where := GatewayPath.AtName("filters")
		if at != "" {
			where = where.AtName(at)
		}
		wrong(where, summary, "%s", detail)
	})
	if s.Adopt.IsUnknown() || !attrs.WhollyKnown(ctx, s.Ports) {
		return diags
	}
	ports := slices.Sorted(maps.Keys(attrs.Decode[map[string]*int32](ctx, &diags, s.Ports)))
	switch {
	case g.Port == nil && len(ports) != 1:
		wrong(GatewayPath.AtName("port"), "Port of the route is missing", "Say to which of the deployment's ports the route leads, such as `port = \"http\"`: `service.ports` has %s.", listed(ports))
	case g.Port != nil && len(ports) > 0 && !slices.Contains(ports, *g.Port):
		wrong(GatewayPath.AtName("port"), "No such port", "`service.ports` has %s, and no %q. Use one of these names; or add it to `service.ports`, where the deployment's `container.ports` has it.", listed(ports), *g.Port)
	}
	return diags
}

// checkAdopt is what `adopt` says about the other attributes of a route.
func (m *Model) checkAdopt(g gatewayModel, wrong func(at path.Path, summary, detail string, args ...any)) {
	if g.Adopt == nil || !*g.Adopt {
		if len(g.ParentRefs) == 0 {
			wrong(GatewayPath.AtName("parent_refs"), "Attribute is missing", "A route needs somebody who serves it: set `parent_refs`. Where the route is there already, and a rule of it is to lead to the application, set `adopt = true`.")
		}
		if g.Rule != nil {
			wrong(GatewayPath.AtName("rule"), "Rule of a route of its own", "`rule` names the rule of somebody else's route. Set `adopt = true`, or remove `rule`.")
		}
		return
	}
	if g.Rule != nil && *g.Rule == "" {
		wrong(GatewayPath.AtName("rule"), "Name of a rule is empty", "A rule is found by its name. Say the name of the one that leads to the application, or remove `rule` where the route has one rule only. A rule that has no name gets one from whoever owns the route: `name` in `spec.rules[]`.")
	}
	for name, set := range map[string]bool{"parent_refs": len(g.ParentRefs) > 0, "hostnames": len(g.Hostnames) > 0, "matches": len(g.Matches) > 0, "filters": g.Filters != nil} {
		if set {
			wrong(GatewayPath.AtName(name), "Attribute of an adopted route", "The route is somebody else's, who says which requests it is for. Remove `%s`, or `adopt`.", name)
		}
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none that is known here"
	}
	return strings.Join(names, ", ")
}

// misfit says why a match is none of a kind of route.
func (m matchModel) misfit(kind traffic.RouteKind) string {
	switch {
	case kind == traffic.TCPRoute:
		return "A TCPRoute is for all connections of its listener. Remove `matches`."
	case kind == traffic.HTTPRoute && m.GRPC != nil:
		return "`grpc` is of a GRPCRoute. Use `path`, or set `kind = \"GRPCRoute\"`."
	case kind == traffic.GRPCRoute && (m.Path != nil || m.Method != nil || len(m.QueryParams) > 0):
		return "`path`, `method` and `query_params` are of an HTTPRoute. Use `grpc` and `headers`."
	case kind == traffic.GRPCRoute && m.GRPC != nil && m.GRPC.Service == nil && m.GRPC.Method == nil:
		return "`grpc` names neither a service nor a method. Say one of them, or remove `grpc`."
	}
	return ""
}

// KeepRoute refuses a change of the route that would not go well together with what
// else changes, or while a promotion is open.
func (p *Plan) KeepRoute(ctx context.Context) {
	was, is := p.Prior.Route(ctx, p.Diags), p.Planned.Route(ctx, p.Diags)
	if is == nil && !p.Planned.gateway(ctx).IsNull() {
		return // not known yet
	}
	at := p.Place.At(GatewayPath)
	shares, how := p.Prior.mayMirror(ctx), "shared by"
	if shares {
		how = "copied by"
	}
	for _, split := range splitOf(ctx, p.Prior.Split, p.Diags) {
		shares = shares || len(split) > 1 && p.Prior.isOpen()
	}
	switch {
	case was == nil && is == nil, was != nil && is != nil && was.Same(*is):
	case shares:
		p.Diags.AddAttributeError(at, "Route changes while it shares the traffic",
			fmt.Sprintf("A promotion to %s is open, and the traffic is %s the %s. Let it come to its end, or go back by setting `deployment_id` to the former deployment, and change the route after that.", p.Prior.DeploymentID.ValueString(), how, routeRef(was)))
	case was == nil || is == nil || new(routeRef(was)).Is(new(routeRef(is))):
	case was.Kind == traffic.TCPRoute && is.Kind == traffic.TCPRoute && was.Name != is.Name:
		p.Diags.AddAttributeError(at.AtName("name"), "TCPRoute cannot be renamed",
			"Of two TCPRoutes of one listener, only the older one serves. Keep its name.")
	case !p.Planned.DeploymentID.Equal(p.Prior.DeploymentID):
		p.Diags.AddAttributeError(at, "Route changes together with the deployment",
			fmt.Sprintf("As long as both routes are there, the older one, the %s, serves, so that the new one cannot move the traffic. Change the route in one apply, and `deployment_id` in another.", routeRef(was)))
	}
}

// routeRef names a route; the zero value where there is none.
func routeRef(spec *traffic.RouteSpec) release.Route {
	if spec == nil {
		return release.Route{}
	}
	return spec.Ref()
}
