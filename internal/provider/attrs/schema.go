package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// OptionalString is a text that need not be given; it is not empty where it is.
func OptionalString(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: description,
		// An empty text would mean the same as none, and not survive an import.
		Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
	}
}

// StringMap is a map of texts that need not be given.
func StringMap(description string) schema.MapAttribute {
	return schema.MapAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: description}
}

// AttributeTypes are the types of a schema's attributes, by name.
func AttributeTypes(s schema.Schema) map[string]attr.Type {
	types := make(map[string]attr.Type, len(s.Attributes))
	for name, a := range s.Attributes {
		types[name] = a.GetType()
	}
	return types
}

// What a change of an attribute does, said the same way everywhere.
const (
	Replaces = " A change makes a new deployment."
	InPlace  = " Changes in place."
)

// ComputedString is a text that the provider tells.
func ComputedString(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}
