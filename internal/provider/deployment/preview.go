package deployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// previewModel is `preview`.
type previewModel struct {
	Hostname   string            `tfsdk:"hostname"`
	Scheme     *string           `tfsdk:"scheme"`
	Port       *string           `tfsdk:"port"`
	ParentRefs []attrs.ParentRef `tfsdk:"parent_refs"`
}

// previewSchemeMeaning documents preview.scheme.
var previewSchemeMeaning = map[release.PreviewScheme]string{
	release.PreviewHTTP:  "plain HTTP",
	release.PreviewHTTPS: "the Gateway has a certificate for the host name",
}

// previewFields are those of its route.
var previewFields = []string{"spec.hostnames", "spec.parentRefs", "spec.rules"}

func previewAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "An address of its own, by which this version is reached through a Gateway that is there already, before it is main and after it was: an HTTPRoute of its name, " +
			"which leads to its own Service, and which no promotion touches. It goes with the deployment, and does not count as traffic that would keep it. `preview_url` is the address. " +
			"A Gateway that has not accepted the route yet is told of, and is no failure. The cluster needs the CustomResourceDefinitions of the Gateway API 1.0 or later." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"hostname": schema.StringAttribute{
				Required: true,
				MarkdownDescription: fmt.Sprintf("Host name, such as `%[1]s.preview.example.com`. It has `%[1]s`, which becomes the deployment's name, since two versions stand side by side; "+
					"and may have `%[2]s` and `%[3]s`. Deployments of one name in two namespaces of a cluster need `%[3]s`, or other domains.",
					release.PlaceholderName, release.PlaceholderApplication, release.PlaceholderNamespace) + attrs.InPlace,
				Validators: []validator.String{stringvalidator.LengthBetween(1, 253)},
			},
			"scheme": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "What clients speak to the Gateway: " + attrs.EnumText(release.PreviewSchemes(), previewSchemeMeaning) +
					". It is for `preview_url` alone. Default: `" + string(release.PreviewHTTP) + "`." + attrs.InPlace,
				Validators: []validator.String{attrs.OneOf(release.PreviewSchemes())},
			},
			"port": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of the one of `container.ports` to which it leads. Default: `http`, else the only one." + attrs.InPlace,
				Validators:          []validator.String{stringvalidator.LengthBetween(1, 15)},
			},
			"parent_refs": attrs.ParentRefsAttribute("Who serves it: Gateways, or the Services of a mesh. Where the first one has a `port`, `preview_url` has it, too." + attrs.InPlace),
		},
	}
}

func (m *previewModel) preview() *release.Preview {
	if m == nil {
		return nil
	}
	return &release.Preview{
		Hostname: m.Hostname, Scheme: release.PreviewScheme(value(m.Scheme)), Port: value(m.Port),
		Parents: attrs.ConvertList(m.ParentRefs, attrs.ParentRef.Ref),
	}
}

// preview is what a known `preview` asks for; nil where there is none, or it is not known.
func (m *model) preview(ctx context.Context, diags *diag.Diagnostics) *release.Preview {
	if !attrs.WhollyKnown(ctx, m.Preview) {
		return nil
	}
	return attrs.Decode[*previewModel](ctx, diags, m.Preview).preview()
}

func (e encoder) preview(p *release.Preview) types.Object {
	attributes := deploymentTypes()["preview"].(types.ObjectType).AttrTypes
	if p == nil {
		return types.ObjectNull(attributes)
	}
	out, diags := types.ObjectValueFrom(e.ctx, attributes, previewModel{
		Hostname: p.Hostname, Scheme: pointer(string(p.Scheme)), Port: pointer(p.Port), ParentRefs: attrs.ConvertList(p.Parents, attrs.ParentRefOf),
	})
	e.diags.Append(diags...)
	return out
}

// urlsMeaning documents `urls`.
var urlsMeaning = map[string]string{
	"internal": "From inside the cluster, by its own Service: what `internal_url` is.",
	"preview":  "From outside, by `preview`: what `preview_url` is.",
}

// setURLs sets preview_url and urls, as far as what they are made of is known.
func (m *model) setURLs(ctx context.Context, diags *diag.Diagnostics) {
	m.PreviewURL = m.previewURL(ctx, diags)
	m.URLs = attrs.URLs(map[string]types.String{"internal": m.InternalURL, "preview": m.PreviewURL})
}

func (m *model) previewURL(ctx context.Context, diags *diag.Diagnostics) types.String {
	if m.Preview.IsNull() {
		return types.StringNull()
	}
	for _, part := range []attr.Value{m.Preview, m.Name, m.Namespace, m.Application} {
		if !attrs.WhollyKnown(ctx, part) {
			return types.StringUnknown()
		}
	}
	p := m.preview(ctx, diags)
	if p == nil { // which is an error already
		return types.StringUnknown()
	}
	return types.StringValue(p.URL(release.ID{Namespace: m.Namespace.ValueString(), Name: m.Name.ValueString()}, m.Application.ValueString()))
}
