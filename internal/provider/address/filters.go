package address

import (
	"cmp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// filtersModel is `traffic.gateway.filters`. A rule of the Gateway API has each filter at
// most once.
type filtersModel struct {
	Request  *headersModel `tfsdk:"request_header_modifier"`
	Response *headersModel `tfsdk:"response_header_modifier"`
	Rewrite  *rewriteModel `tfsdk:"url_rewrite"`
}

type headersModel struct {
	Set    map[string]string `tfsdk:"set"`
	Add    map[string]string `tfsdk:"add"`
	Remove []string          `tfsdk:"remove"`
}

type rewriteModel struct {
	Hostname *string           `tfsdk:"hostname"`
	Path     *rewritePathModel `tfsdk:"path"`
}

type rewritePathModel struct {
	Value *string `tfsdk:"value"`
	Type  *string `tfsdk:"type"`
}

// replacesPrefix says that only the part of the path is replaced that the route's match
// names.
func (f *filtersModel) replacesPrefix() bool {
	return f != nil && f.Rewrite != nil && f.Rewrite.Path != nil && f.Rewrite.Path.kind() == gatewayv1.PrefixMatchHTTPPathModifier
}

func (p *rewritePathModel) kind() gatewayv1.HTTPPathModifierType {
	return gatewayv1.HTTPPathModifierType(textOr(p.Type, string(gatewayv1.PrefixMatchHTTPPathModifier)))
}

// into fills in the filters of a route.
func (f *filtersModel) into(spec *traffic.RouteSpec) {
	switch {
	case f == nil:
	case spec.Kind == traffic.HTTPRoute:
		spec.HTTPFilters = f.http()
	case spec.Kind == traffic.GRPCRoute:
		spec.GRPCFilters = f.grpc()
	}
}

func (f *filtersModel) http() (all []gatewayv1.HTTPRouteFilter) {
	if f.Request != nil {
		all = append(all, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: f.Request.filter()})
	}
	if f.Response != nil {
		all = append(all, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterResponseHeaderModifier, ResponseHeaderModifier: f.Response.filter()})
	}
	if f.Rewrite != nil {
		all = append(all, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: f.Rewrite.filter()})
	}
	return all
}

func (f *filtersModel) grpc() (all []gatewayv1.GRPCRouteFilter) {
	if f.Request != nil {
		all = append(all, gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier, RequestHeaderModifier: f.Request.filter()})
	}
	if f.Response != nil {
		all = append(all, gatewayv1.GRPCRouteFilter{Type: gatewayv1.GRPCRouteFilterResponseHeaderModifier, ResponseHeaderModifier: f.Response.filter()})
	}
	return all
}

func (h *headersModel) filter() *gatewayv1.HTTPHeaderFilter {
	headers := func(of map[string]string) (all []gatewayv1.HTTPHeader) {
		for name, value := range of {
			all = append(all, gatewayv1.HTTPHeader{Name: gatewayv1.HTTPHeaderName(name), Value: value})
		}
		slices.SortFunc(all, func(a, b gatewayv1.HTTPHeader) int { return cmp.Compare(a.Name, b.Name) })
		return all
	}
	return &gatewayv1.HTTPHeaderFilter{Set: headers(h.Set), Add: headers(h.Add), Remove: slices.Clone(h.Remove)}
}

func (r *rewriteModel) filter() *gatewayv1.HTTPURLRewriteFilter {
	filter := &gatewayv1.HTTPURLRewriteFilter{Hostname: (*gatewayv1.PreciseHostname)(r.Hostname)}
	if r.Path == nil {
		return filter
	}
	filter.Path = &gatewayv1.HTTPPathModifier{Type: r.Path.kind()}
	if filter.Path.Type == gatewayv1.FullPathHTTPPathModifier {
		filter.Path.ReplaceFullPath = r.Path.Value
	} else {
		filter.Path.ReplacePrefixMatch = r.Path.Value
	}
	return filter
}

// filtersOf is the way back, for import: nil where the route has none that can be
// configured.
func filtersOf(spec *traffic.RouteSpec) *filtersModel {
	f := filtersModel{}
	for _, filter := range spec.HTTPFilters {
		f.add(filter.RequestHeaderModifier, filter.ResponseHeaderModifier, filter.URLRewrite)
	}
	for _, filter := range spec.GRPCFilters {
		f.add(filter.RequestHeaderModifier, filter.ResponseHeaderModifier, nil)
	}
	if f == (filtersModel{}) {
		return nil
	}
	return &f
}

func (f *filtersModel) add(request, response *gatewayv1.HTTPHeaderFilter, rewrite *gatewayv1.HTTPURLRewriteFilter) {
	if request != nil {
		f.Request = headersOf(request)
	}
	if response != nil {
		f.Response = headersOf(response)
	}
	if rewrite != nil {
		f.Rewrite = rewriteOf(rewrite)
	}
}

func headersOf(filter *gatewayv1.HTTPHeaderFilter) *headersModel {
	headers := func(all []gatewayv1.HTTPHeader) (of map[string]string) {
		for _, h := range all {
			if of == nil {
				of = map[string]string{}
			}
			of[string(h.Name)] = h.Value
		}
		return of
	}
	return &headersModel{Set: headers(filter.Set), Add: headers(filter.Add), Remove: filter.Remove}
}

func rewriteOf(filter *gatewayv1.HTTPURLRewriteFilter) *rewriteModel {
	r := &rewriteModel{Hostname: (*string)(filter.Hostname)}
	if p := filter.Path; p != nil {
		r.Path = &rewritePathModel{Value: cmp.Or(p.ReplacePrefixMatch, p.ReplaceFullPath), Type: unlessDefault(&p.Type, gatewayv1.PrefixMatchHTTPPathModifier)}
	}
	return r
}

// wrongFilters calls wrong for whatever cannot be meant by filters of a kind of route
// with such matches. at is an attribute of `filters`; empty: all of it.
func (f *filtersModel) wrongFilters(kind traffic.RouteKind, matches []matchModel, wrong func(at, summary, detail string)) {
	switch {
	case f == nil:
		return
	case kind == traffic.TCPRoute:
		wrong("", "Filters of another kind of route", "A TCPRoute knows connections, and nothing of what is sent over them. Remove `filters`.")
		return
	case *f == filtersModel{}:
		wrong("", "Filters are empty", "Set one of `request_header_modifier`, `response_header_modifier` and `url_rewrite`, or remove `filters`.")
		return
	}
	for at, headers := range map[string]*headersModel{"request_header_modifier": f.Request, "response_header_modifier": f.Response} {
		if why := headers.wrong(); why != "" {
			wrong(at, "Header filter cannot be meant", why)
		}
	}
	switch {
	case f.Rewrite == nil:
	case kind == traffic.GRPCRoute:
		wrong("url_rewrite", "Filter of another kind of route", "The path of a call is its service and method, which a GRPCRoute does not rewrite. Remove `url_rewrite`.")
	case f.Rewrite.Hostname == nil && f.Rewrite.Path == nil:
		wrong("url_rewrite", "Filter does nothing", "Set `hostname` or `path`, or remove `url_rewrite`.")
	case f.replacesPrefix() && !onePrefix(matches):
		wrong("url_rewrite", "Which prefix is replaced is not clear",
			"`ReplacePrefixMatch` replaces the part of the path that the route's match names: `matches` must be left out, or be one match whose `path` is a `PathPrefix`. Or replace the whole path: `type = \"ReplaceFullPath\"`.")
	}
}

// onePrefix says that there is one match, by a prefix of the path. None is one for all.
func onePrefix(matches []matchModel) bool {
	if len(matches) == 0 {
		return true
	}
	path := matches[0].Path
	return len(matches) == 1 && (path == nil || textOr(path.Type, string(gatewayv1.PathMatchPathPrefix)) == string(gatewayv1.PathMatchPathPrefix))
}

// wrong says why header filters cannot be meant; empty where they can.
func (h *headersModel) wrong() string {
	if h == nil {
		return ""
	}
	var names []string
	for name := range h.Set {
		names = append(names, name)
	}
	for name := range h.Add {
		names = append(names, name)
	}
	if names = append(names, h.Remove...); len(names) == 0 {
		return "It changes no header. Set one of `set`, `add` and `remove`, or remove it."
	}
	slices.Sort(names)
	seen := map[string]bool{}
	for _, name := range names {
		if seen[strings.ToLower(name)] {
			return "The header `" + name + "` is named twice, and which of the two comes first is not defined. In the names of headers, lower and upper case are the same. Name it once in `set`, `add` and `remove` together."
		}
		seen[strings.ToLower(name)] = true
	}
	return ""
}
