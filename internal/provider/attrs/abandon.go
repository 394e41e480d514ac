package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
)

// AbandonAttribute is `abandon_unreachable`.
func AbandonAttribute() schema.BoolAttribute {
	return schema.BoolAttribute{
		Optional: true,
		Computed: true,
		Default:  booldefault.StaticBool(false),
		MarkdownDescription: "Whether a cluster that cannot be reached may be forgotten: by a destroy, and where it is taken out of `clusters`. " +
			"A warning then says what is left there, and how to remove it. Default: `false`, so that nothing is forgotten that may still be running. " +
			"A destroy goes by what was applied last: set it in an apply of its own first, which needs no cluster." + InPlace,
	}
}
