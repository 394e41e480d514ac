package provider

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// configurable is a schema that users write values for.
type configurable struct {
	name     string
	schema   *tfprotov6.Schema
	validate func(config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error)
}

// everyConfigurable are the schemas of all that the provider has.
func everyConfigurable(t *testing.T) []configurable {
	t.Helper()
	server, err := New("test")
	if err != nil {
		t.Fatal(err)
	}
	all, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(all.EphemeralResourceSchemas) > 0 {
		t.Fatal("ephemeral resources are not looked at")
	}
	type diagnostics = []*tfprotov6.Diagnostic
	out := []configurable{{"provider", all.Provider, func(config *tfprotov6.DynamicValue) (diagnostics, error) {
		resp, err := server.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: config})
		return resp.Diagnostics, err
	}}}
	for name, schema := range all.ResourceSchemas {
		out = append(out, configurable{name, schema, func(config *tfprotov6.DynamicValue) (diagnostics, error) {
			resp, err := server.ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{TypeName: name, Config: config})
			return resp.Diagnostics, err
		}})
	}
	for name, schema := range all.DataSourceSchemas {
		out = append(out, configurable{"data " + name, schema, func(config *tfprotov6.DynamicValue) (diagnostics, error) {
			resp, err := server.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: config})
			return resp.Diagnostics, err
		}})
	}
	for name, schema := range all.ListResourceSchemas {
		out = append(out, configurable{"list " + name, schema, func(config *tfprotov6.DynamicValue) (diagnostics, error) {
			resp, err := server.(tfprotov6.ListResourceServer).ValidateListResourceConfig(t.Context(), &tfprotov6.ValidateListResourceConfigRequest{TypeName: name, Config: config})
			return resp.Diagnostics, err
		}})
	}
	for name, schema := range all.ActionSchemas {
		out = append(out, configurable{"action " + name, schema.Schema, func(config *tfprotov6.DynamicValue) (diagnostics, error) {
			resp, err := server.(tfprotov6.ActionServer).ValidateActionConfig(t.Context(), &tfprotov6.ValidateActionConfigRequest{ActionType: name, Config: config})
			return resp.Diagnostics, err
		}})
	}
	return out
}

// numberAt is a number that a user can write: where it is, and a configuration
// that has nothing but it.
type numberAt struct {
	path   string
	config func(number float64) any
}

// numbersOf are all that can be written among attributes.
func numbersOf(t *testing.T, attributes []*tfprotov6.SchemaAttribute) []numberAt {
	t.Helper()
	var out []numberAt
	for _, a := range attributes {
		if !a.Optional && !a.Required {
			continue
		}
		inner := numbersIn(t, a.Type)
		if n := a.NestedType; n != nil {
			inner = numbersOf(t, n.Attributes)
			switch n.Nesting {
			case tfprotov6.SchemaObjectNestingModeSingle:
			case tfprotov6.SchemaObjectNestingModeMap:
				inner = under(inner, ".k", func(v any) any { return plantest.Obj{"k": v} })
			case tfprotov6.SchemaObjectNestingModeList:
				inner = under(inner, ".0", func(v any) any { return []any{v} })
			default:
				inner = under(inner, ".{}", func(v any) any { return []any{v} })
			}
		}
		out = append(out, under(inner, "."+a.Name, func(v any) any { return plantest.Obj{a.Name: v} })...)
	}
	return out
}

// numbersIn are those of an attribute's type.
func numbersIn(t *testing.T, typ tftypes.Type) []numberAt {
	t.Helper()
	switch typ := typ.(type) {
	case nil:
		return nil
	case tftypes.Map:
		return under(numbersIn(t, typ.ElementType), ".k", func(v any) any { return plantest.Obj{"k": v} })
	case tftypes.List:
		return under(numbersIn(t, typ.ElementType), ".0", func(v any) any { return []any{v} })
	case tftypes.Set:
		return under(numbersIn(t, typ.ElementType), ".{}", func(v any) any { return []any{v} })
	}
	switch {
	case typ.Is(tftypes.Number):
		return []numberAt{{"", func(n float64) any { return n }}}
	case typ.Is(tftypes.String), typ.Is(tftypes.Bool):
		return nil
	}
	if object, ok := typ.(tftypes.Object); ok {
		for _, of := range object.AttributeTypes {
			if len(numbersIn(t, of)) == 0 {
				continue
			}
			t.Errorf("a number is in the object type %s: nothing says at its attribute what is wrong with it", typ)
		}
		return nil
	}
	t.Errorf("the type %s is not looked into", typ)
	return nil
}

func under(inner []numberAt, step string, wrap func(v any) any) []numberAt {
	var out []numberAt
	for _, n := range inner {
		out = append(out, numberAt{step + n.path, func(number float64) any { return wrap(n.config(number)) }})
	}
	return out
}

// fractions are the numbers that need not be whole.
var fractions = map[string]bool{"switchback_deployment.duration_budget.factor": true}

// Every whole number that can be written, wherever: a fraction, and what has no
// room, are the user's error, at that attribute and in one sentence.
func TestWholeNumbersAreSaidToBe(t *testing.T) {
	looked := map[string]bool{}
	for _, c := range everyConfigurable(t) {
		if len(c.schema.Block.BlockTypes) > 0 {
			t.Errorf("%s has blocks, which are not looked at", c.name)
		}
		for _, n := range numbersOf(t, c.schema.Block.Attributes) {
			name := c.name + n.path
			looked[name] = true
			for number, summary := range map[float64]string{1.5: "Not a whole number", 1e30: "Number out of range"} {
				typ := c.schema.ValueType()
				found, err := c.validate(plantest.Dynamic(t, typ, plantest.TFValue(t, typ, n.config(number))))
				if err != nil {
					t.Fatal(err)
				}
				var at []string
				for _, d := range found {
					text := d.Summary + ": " + d.Detail
					if strings.Contains(text, "error in the provider") {
						t.Errorf("%s = %g: %s", name, number, text)
					}
					if "."+plantest.PathText(d.Attribute) == n.path {
						at = append(at, text)
					}
				}
				if fractions[name] {
					if len(at) > 0 {
						t.Errorf("%s = %g is refused: %q", name, number, at)
					}
					continue
				}
				if len(at) != 1 || !strings.HasPrefix(at[0], summary+": ") {
					t.Errorf("%s = %g: %q is said there, want %q: its type (or its element's) must be wholeNumber32 or wholeNumber64", name, number, at, summary)
				}
			}
		}
	}
	for _, name := range []string{
		"switchback_deployment.replicas", "switchback_deployment.container.ports.k", "switchback_deployment.sidecars.0.readiness_probe.period_seconds",
		"switchback_main_deployment.dns.weights.k", "switchback_deployment_group.waves.0.max_parallel", "data switchback_logs.tail",
		"switchback_deployment.duration_budget.factor",
	} {
		if !looked[name] {
			t.Errorf("%s was not looked at", name)
		}
	}
}
