package session

import (
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
)

// ConfiguredClusters tells the names of the clusters in the provider's
// configuration, and false while that is not known: a plan must work before
// the cluster exists.
type ConfiguredClusters func() (names []string, known bool)

// PlanClusters checks the names and fills in the default. Nothing is guessed:
// with more than one cluster the user says which. at is where the attribute is.
func PlanClusters(configured ConfiguredClusters, at path.Path, config, prior types.Set) (types.Set, diag.Diagnostics) {
	var diags diag.Diagnostics
	names, known := configured()
	names = slices.Sorted(slices.Values(names))

	if !config.IsNull() {
		if !known || config.IsUnknown() {
			return config, diags
		}
		for _, element := range config.Elements() {
			name, ok := element.(types.String)
			if !ok || name.IsNull() || name.IsUnknown() || slices.Contains(names, name.ValueString()) {
				continue
			}
			diags.Append(unknownCluster(at.AtSetValue(element), name.ValueString(), names))
		}
		return config, diags
	}

	switch {
	case !known && !prior.IsNull():
		return prior, diags
	case !known:
		return types.SetUnknown(types.StringType), diags
	case len(names) != 1:
		diags.Append(noDefaultCluster(at, names))
		return types.SetUnknown(types.StringType), diags
	}
	return types.SetValueMust(types.StringType, []attr.Value{types.StringValue(names[0])}), diags
}

func unknownCluster(at path.Path, name string, configured []string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Unknown cluster",
		fmt.Sprintf("The provider's configuration has no cluster %q. It has: %s. "+
			"Where that is a slip, correct it. A resource that is still on a cluster of that name needs its connection until it has left; "+
			"else forget the resource with terraform state rm, and import it again.", name, attrs.Quoted(configured)))
}

func noDefaultCluster(at path.Path, configured []string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Clusters must be named",
		fmt.Sprintf("The provider's configuration has %d clusters (%s), so there is no default. Set `clusters` to the ones that are meant.", len(configured), attrs.Quoted(configured)))
}
