package fastpath_test

import (
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// TestFastValidationIsTheFrameworks: whatever is asked, and asked again.
func TestFastValidationIsTheFrameworks(t *testing.T) {
	t.Parallel()
	fast, slow := fastServer(t, runs["one cluster"]()), slowServer(t, runs["one cluster"]())
	rapid.Check(t, func(rt *rapid.T) {
		k := rapid.SampledFrom(kinds()).Draw(rt, "kind")
		typ := plantest.On(t, k.typeName, slow).Type()
		config := k.odd.draw(rt, "oddity", k.usual.draw(rt, "configuration", k.base, 4), 2)
		if rapid.IntRange(0, 3).Draw(rt, "wrong") == 3 {
			config[rapid.SampledFrom([]string{"drain", "version", "timeouts", "traffic", "container"}).Draw(rt, "left out")] = nil
		}
		for name := range config {
			if _, ok := typ.AttributeTypes[name]; !ok {
				delete(config, name)
			}
		}
		req := &tfprotov6.ValidateResourceConfigRequest{TypeName: k.typeName, Config: plantest.Dynamic(t, typ, plantest.TFValue(t, typ, config))}
		want, err := slow.ValidateResourceConfig(t.Context(), req)
		if err != nil {
			rt.Fatal(err)
		}
		for range 2 {
			got, err := fast.ValidateResourceConfig(t.Context(), req)
			if err != nil {
				rt.Fatal(err)
			}
			if a, b := plantest.DiagnosticTexts(got.Diagnostics), plantest.DiagnosticTexts(want.Diagnostics); !slices.Equal(a, b) {
				rt.Fatalf("the fast way says %q, and the framework %q", a, b)
			}
		}
	})
}
