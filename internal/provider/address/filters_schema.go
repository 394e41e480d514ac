package address

import (
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
)

var (
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	headerValue = regexp.MustCompile(`^[^\x00-\x1f\x7f]*$`)
	rewriteType = []gatewayv1.HTTPPathModifierType{gatewayv1.PrefixMatchHTTPPathModifier, gatewayv1.FullPathHTTPPathModifier}
)

// rewriteMeaning documents url_rewrite.path.type.
var rewriteMeaning = map[gatewayv1.HTTPPathModifierType]string{
	gatewayv1.PrefixMatchHTTPPathModifier: "the part of the path that the route's only match names, which is a `PathPrefix`",
	gatewayv1.FullPathHTTPPathModifier:    "the whole path",
}

func filtersAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "What the Gateway changes of requests and answers on their way, whichever deployment they are of. Not of a `TCPRoute`." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"request_header_modifier":  headersAttribute("Headers of the requests, before the application has them."),
			"response_header_modifier": headersAttribute("Headers of the answers, before the client has them."),
			"url_rewrite": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "What the application gets to see as the URL, of an `HTTPRoute`. At least one of `hostname` and `path`.",
				Attributes: map[string]schema.Attribute{
					"hostname": schema.StringAttribute{Optional: true, MarkdownDescription: "Host name, such as `api.internal`, in place of the one that was asked for.", Validators: []validator.String{hostnameValidator{precise: true}}},
					"path": schema.SingleNestedAttribute{
						Optional: true, MarkdownDescription: "Path, in place of the one that was asked for.", Validators: []validator.Object{attrs.Requires("value")},
						Attributes: map[string]schema.Attribute{
							"value": schema.StringAttribute{
								Optional: true, MarkdownDescription: "What is put there, such as `/v2`. Required.",
								Validators: []validator.String{stringvalidator.LengthBetween(1, 1024), stringvalidator.RegexMatches(regexp.MustCompile(`^/[^?#\s]*$`), "must be a path: it begins with / and has no ?, # or white space")},
							},
							"type": schema.StringAttribute{
								Optional: true, MarkdownDescription: "What it replaces: " + attrs.EnumText(rewriteType, rewriteMeaning) + ". Default: `" + string(gatewayv1.PrefixMatchHTTPPathModifier) + "`.",
								Validators: []validator.String{attrs.OneOf(rewriteType)},
							},
						},
					},
				},
			},
		},
	}
}

func headersAttribute(description string) schema.SingleNestedAttribute {
	names := []validator.String{stringvalidator.LengthBetween(1, 256), stringvalidator.RegexMatches(headerName, "must be the name of a header, such as x-team")}
	values := func(what string) schema.MapAttribute {
		return schema.MapAttribute{
			ElementType: types.StringType, Optional: true, MarkdownDescription: what + ", by their names. They are no place for a secret: they are in the state, and whoever may read the route sees them.",
			Validators: []validator.Map{
				mapvalidator.SizeBetween(1, 16), mapvalidator.NoNullValues(), mapvalidator.KeysAre(names...),
				mapvalidator.ValueStringsAre(stringvalidator.LengthBetween(1, 4096), stringvalidator.RegexMatches(headerValue, "must be one line, without control characters")),
			},
		}
	}
	return schema.SingleNestedAttribute{
		Optional: true, MarkdownDescription: description,
		Attributes: map[string]schema.Attribute{
			"set": values("Values that take the place of whatever is there"),
			"add": values("Values that are put beside what is there"),
			"remove": schema.ListAttribute{
				ElementType: types.StringType, Optional: true, MarkdownDescription: "Names of headers that are taken away.",
				Validators: []validator.List{listvalidator.SizeBetween(1, 16), listvalidator.NoNullValues(), listvalidator.UniqueValues(), listvalidator.ValueStringsAre(names...)},
			},
		},
	}
}
