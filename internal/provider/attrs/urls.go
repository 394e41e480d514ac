package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// URLsAttribute is `urls`: where something is reached, by who asks.
func URLsAttribute(meaning map[string]string) schema.SingleNestedAttribute {
	attributes := map[string]schema.Attribute{}
	for name, text := range meaning {
		attributes[name] = ComputedString(text)
	}
	return schema.SingleNestedAttribute{
		Computed:            true,
		MarkdownDescription: "Where it is reached. Each is known at plan when what it is made of is, and null where there is none.",
		Attributes:          attributes,
	}
}

// URLs is the value of it.
func URLs(of map[string]types.String) types.Object {
	kinds, values := map[string]attr.Type{}, map[string]attr.Value{}
	for name, url := range of {
		kinds[name], values[name] = types.StringType, url
	}
	return types.ObjectValueMust(kinds, values)
}
