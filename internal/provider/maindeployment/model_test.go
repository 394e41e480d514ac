package maindeployment

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// TestAnEmptyMainHasItsTypes: an import writes such a model into a state.
func TestAnEmptyMainHasItsTypes(t *testing.T) {
	s := mainDeploymentSchema(t.Context())
	state := tfsdk.State{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(t.Context()), nil)}
	if diags := state.Set(t.Context(), newModel()); diags.HasError() {
		t.Fatal(diags)
	}
	var read model
	if diags := state.Get(t.Context(), &read); diags.HasError() {
		t.Fatal(diags)
	}
}
