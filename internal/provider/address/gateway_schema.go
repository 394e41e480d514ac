package address

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// pathTypes and matchTypes are those of the Gateway API.
var (
	pathTypes  = []string{"Exact", "PathPrefix", "RegularExpression"}
	matchTypes = []string{"Exact", "RegularExpression"}
	methods    = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)

// routeKindMeaning documents gateway.kind.
var routeKindMeaning = map[traffic.RouteKind]string{
	traffic.HTTPRoute: "shares requests",
	traffic.GRPCRoute: "shares calls",
	traffic.TCPRoute:  "shares connections, whatever is spoken over them",
}

func gatewayAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "A route of the Gateway API beside the Service, by which clients reach the application through a Gateway that is there already. It is Switchback's own, since a Gateway merges several routes of one hostname, or, with `adopt`, one rule of a route that stays somebody else's. " +
			"It can share the traffic between two deployments: see `canary`. It leads to the deployments' own Services, and the Service of `service` follows when the promotion does not go back any more. " +
			"The cluster needs the CustomResourceDefinitions of the Gateway API: 1.0 or later for an `HTTPRoute`, 1.1 for a `GRPCRoute`, 1.6 for a `TCPRoute`." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"kind": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Kind of the route: " + attrs.EnumText(traffic.RouteKinds(), routeKindMeaning) + ". Default: `" + string(traffic.HTTPRoute) + "`." + attrs.InPlace,
				Validators:          []validator.String{attrs.OneOf(traffic.RouteKinds())},
			},
			"name": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of the route. Default: the application's name. A change makes the new route before the old one is removed; it cannot be made together with another version." + attrs.InPlace,
				Validators: []validator.String{
					stringvalidator.LengthBetween(1, 63),
					stringvalidator.RegexMatches(attrs.DNS1035, "must be lower case letters, digits and -, beginning with a letter and not ending with -"),
				},
			},
			"adopt": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "The route is there already, and stays somebody else's: only to which Services one rule of it leads is changed, which is given back when the main deployment is destroyed. " +
					"It is not allowed together with `parent_refs`, `hostnames` and `matches`, which are the owner's to say. See the guide [Moving an existing HTTPRoute in](../guides/moving-an-existing-httproute-in). Default: `false`." + attrs.InPlace,
			},
			"rule": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of the rule that is adopted. Default: the route's only one." + attrs.InPlace,
				Validators:          []validator.String{stringvalidator.LengthAtMost(253)}, // an empty one: see checkAdopt
			},
			"port": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of the one of the deployment's `container.ports` to which the route leads. Default: the only one of `service.ports`." + attrs.InPlace,
				Validators:          []validator.String{stringvalidator.LengthBetween(1, 15)},
			},
			"parent_refs": parentsUnlessAdopted(),
			"hostnames": schema.ListAttribute{
				ElementType:         types.StringType,
				Optional:            true,
				MarkdownDescription: "Host names that the route is for, such as `api.example.com` or `*.example.com`. Default: those of the listeners. Not of a `TCPRoute`." + attrs.InPlace,
				Validators:          []validator.List{listvalidator.SizeBetween(1, 16), listvalidator.NoNullValues(), listvalidator.UniqueValues(), listvalidator.ValueStringsAre(hostnameValidator{})},
			},
			"matches": schema.ListNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Which requests the route is for: those to which one of these applies. Default: all of its host names. Not of a `TCPRoute`." + attrs.InPlace,
				Validators:          []validator.List{listvalidator.SizeBetween(1, 8)},
				NestedObject:        schema.NestedAttributeObject{Attributes: matchAttributes()},
			},
			"filters": filtersAttribute(),
			"settle": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "How long the data plane may take to do what it has accepted, as a text like `5s`: a route's status says that a change is accepted before it is in effect. Default: `" +
					defaultRouteSettle.String() + "`." + attrs.InPlace,
				Validators:    []validator.String{attrs.IsDuration()},
				PlanModifiers: []planmodifier.String{attrs.KeepSameDuration()},
			},
			"probe": probeAttribute(),
		},
	}
}

// parentsUnlessAdopted is `parent_refs`, which only a route of our own must have.
func parentsUnlessAdopted() schema.ListNestedAttribute {
	parents := attrs.ParentRefsAttribute("Who serves the route: Gateways, or the Services of a mesh. A change of the traffic has arrived when all of them have accepted it. Required, unless `adopt` is set." + attrs.InPlace)
	parents.Required, parents.Optional = false, true
	return parents
}

func matchAttributes() map[string]schema.Attribute {
	kind := func(of []string, standard string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: attrs.EnumText(of, nil) + ". Default: `" + standard + "`.", Validators: []validator.String{stringvalidator.OneOf(of...)}}
	}
	named := func(what string) schema.ListNestedAttribute {
		return schema.ListNestedAttribute{
			Optional: true, MarkdownDescription: what + ", all of which must apply.", Validators: []validator.List{listvalidator.SizeBetween(1, 16)},
			NestedObject: schema.NestedAttributeObject{Validators: []validator.Object{attrs.Requires("name", "value")}, Attributes: map[string]schema.Attribute{
				"name":  schema.StringAttribute{Optional: true, MarkdownDescription: "Its name. Required.", Validators: []validator.String{stringvalidator.LengthBetween(1, 256)}},
				"value": schema.StringAttribute{Optional: true, MarkdownDescription: "Its value. Required.", Validators: []validator.String{stringvalidator.LengthBetween(1, 1024)}},
				"type":  kind(matchTypes, "Exact"),
			}},
		}
	}
	return map[string]schema.Attribute{
		"path": schema.SingleNestedAttribute{
			Optional: true, MarkdownDescription: "Path of the request, of an `HTTPRoute`.", Validators: []validator.Object{attrs.Requires("value")},
			Attributes: map[string]schema.Attribute{
				"value": schema.StringAttribute{Optional: true, MarkdownDescription: "The path, such as `/v1`. Required.", Validators: []validator.String{stringvalidator.LengthBetween(1, 1024)}},
				"type":  kind(pathTypes, "PathPrefix"),
			},
		},
		"method":       schema.StringAttribute{Optional: true, MarkdownDescription: "HTTP method, of an `HTTPRoute`.", Validators: []validator.String{stringvalidator.OneOf(methods...)}},
		"headers":      named("Headers"),
		"query_params": named("Query parameters, of an `HTTPRoute`"),
		"grpc": schema.SingleNestedAttribute{
			Optional: true, MarkdownDescription: "What is called, of a `GRPCRoute`.",
			Attributes: map[string]schema.Attribute{
				"service": schema.StringAttribute{Optional: true, MarkdownDescription: "Service, such as `shop.v1.Orders`. Default: all.", Validators: []validator.String{stringvalidator.LengthBetween(1, 1024)}},
				"method":  schema.StringAttribute{Optional: true, MarkdownDescription: "Method. Default: all.", Validators: []validator.String{stringvalidator.LengthBetween(1, 1024)}},
			},
		},
	}
}
