package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ParentRef is one of `parent_refs` of a route.
type ParentRef struct {
	Name        string  `tfsdk:"name"`
	Namespace   *string `tfsdk:"namespace"`
	Kind        *string `tfsdk:"kind"`
	SectionName *string `tfsdk:"section_name"`
	Port        *int32  `tfsdk:"port"`
}

// Kinds of who serves a route.
const (
	parentGateway = "Gateway"
	parentService = "Service"
)

// Ref is the same in Kubernetes' terms.
func (p ParentRef) Ref() gatewayv1.ParentReference {
	ref := gatewayv1.ParentReference{
		Name: gatewayv1.ObjectName(p.Name), Namespace: (*gatewayv1.Namespace)(p.Namespace),
		SectionName: (*gatewayv1.SectionName)(p.SectionName), Port: p.Port,
	}
	if p.Kind != nil && *p.Kind == parentService {
		ref.Group, ref.Kind = new(gatewayv1.Group(corev1.GroupName)), new(gatewayv1.Kind(parentService))
	}
	return ref
}

// ParentFaultPath is the attribute of the i-th of refs, a list of references, that a fault
// of a route comes from: see traffic.RouteFault.
func ParentFaultPath(refs path.Path, field string, i int) path.Path {
	switch parent := refs.AtListIndex(i); field {
	case "sectionName":
		return parent.AtName("section_name")
	case "port":
		return parent.AtName("port")
	default:
		return parent
	}
}

// ParentRefOf is the way back, without defaults.
func ParentRefOf(ref gatewayv1.ParentReference) ParentRef {
	p := ParentRef{Name: string(ref.Name), Namespace: (*string)(ref.Namespace), SectionName: (*string)(ref.SectionName), Port: ref.Port}
	if ref.Kind != nil && *ref.Kind != parentGateway {
		p.Kind = (*string)(ref.Kind)
	}
	return p
}

// ParentRefsAttribute is `parent_refs`.
func ParentRefsAttribute(description string) schema.ListNestedAttribute {
	return schema.ListNestedAttribute{
		Required:            true,
		MarkdownDescription: description,
		Validators:          []validator.List{listvalidator.SizeBetween(1, 32)},
		NestedObject: schema.NestedAttributeObject{Validators: []validator.Object{Requires("name")}, Attributes: map[string]schema.Attribute{
			"name":         schema.StringAttribute{Optional: true, MarkdownDescription: "Its name. Required.", Validators: []validator.String{stringvalidator.LengthBetween(1, 253)}},
			"namespace":    schema.StringAttribute{Optional: true, MarkdownDescription: "Its namespace. Default: that of the application.", Validators: NamespaceName()},
			"kind":         schema.StringAttribute{Optional: true, MarkdownDescription: "`Gateway` (default), or `Service` for a mesh.", Validators: []validator.String{stringvalidator.OneOf(parentGateway, parentService)}},
			"section_name": schema.StringAttribute{Optional: true, MarkdownDescription: "Name of one of its listeners. Default: all that take the route.", Validators: []validator.String{stringvalidator.LengthBetween(1, 253)}},
			"port": schema.Int32Attribute{
				CustomType: WholeNumber32{}, Optional: true, MarkdownDescription: "Port of its listeners. Default: all that take the route.",
				Validators: []validator.Int32{int32validator.Between(1, 65535)},
			},
		}},
	}
}
