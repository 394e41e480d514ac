package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// configuredClusters tells the names of the clusters in the provider's
// configuration, and false while that is not known: a plan must work before
// the cluster exists.
type configuredClusters func() (names []string, known bool)

// planClusters checks the names and fills in the default. Nothing is guessed:
// with more than one cluster the user says which.
func planClusters(configured configuredClusters, config, prior types.Set) (types.Set, diag.Diagnostics) {
	var diags diag.Diagnostics
	at := path.Root("clusters")
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
			diags.AddAttributeError(at.AtSetValue(element), "Unknown cluster",
				fmt.Sprintf("The provider's configuration has no cluster %q. It has: %s.", name.ValueString(), quoted(names)))
		}
		return config, diags
	}

	switch {
	case !known && !prior.IsNull():
		return prior, diags
	case !known:
		return types.SetUnknown(types.StringType), diags
	case len(names) != 1:
		diags.AddAttributeError(at, "Clusters must be named",
			fmt.Sprintf("The provider's configuration has %d clusters (%s), so there is no default. Set `clusters` to the ones that are meant.", len(names), quoted(names)))
		return types.SetUnknown(types.StringType), diags
	}
	return types.SetValueMust(types.StringType, []attr.Value{types.StringValue(names[0])}), diags
}

func quoted(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(list, ", ")
}
