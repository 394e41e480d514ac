package provider

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
)

func TestEveryAttributeIsDescribed(t *testing.T) {
	var walk func(at string, attributes map[string]schema.Attribute)
	walk = func(at string, attributes map[string]schema.Attribute) {
		for name, a := range attributes {
			here := at + "." + name
			text := a.GetMarkdownDescription() + a.GetDescription()
			if len(text) < 8 || !strings.HasSuffix(strings.TrimSpace(text), ".") && !strings.Contains(here, "timeouts.") {
				t.Errorf("%s is described %q", here, text)
			}
			switch n := a.(type) {
			case schema.SingleNestedAttribute:
				walk(here, n.Attributes)
			case schema.ListNestedAttribute:
				walk(here, n.NestedObject.Attributes)
			case schema.MapNestedAttribute:
				walk(here, n.NestedObject.Attributes)
			}
		}
	}
	for _, newResource := range (&switchbackProvider{}).Resources(t.Context()) {
		r := newResource()
		var name resource.MetadataResponse
		var described resource.SchemaResponse
		r.Metadata(t.Context(), resource.MetadataRequest{ProviderTypeName: typeName}, &name)
		r.Schema(t.Context(), resource.SchemaRequest{}, &described)
		walk(name.TypeName, described.Schema.Attributes)
	}
}
