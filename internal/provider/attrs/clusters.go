package attrs

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// Quoted is a list of names for a sentence: "a", "b".
func Quoted(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(list, ", ")
}

// ClustersAttribute is `clusters` of a resource; description says what they are for.
func ClustersAttribute(description string) schema.SetAttribute {
	return schema.SetAttribute{
		ElementType:         types.StringType,
		Optional:            true,
		Computed:            true,
		MarkdownDescription: description + " May be left out where the provider has exactly one, which is then the default." + InPlace,
		Validators:          []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues()},
	}
}

// ClusterSet is the value of a `clusters` attribute.
func ClusterSet(ctx context.Context, names []string, diags *diag.Diagnostics) types.Set {
	set, more := types.SetValueFrom(ctx, types.StringType, names)
	diags.Append(more...)
	return set
}
