package coretest

import (
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/zclconf/go-cty/cty"
)

// proposedObject is what core proposes to the provider: the configuration, with
// the prior values of what is computed and not configured.
func proposedObject(attributes []*tfprotov6.SchemaAttribute, prior, config cty.Value) cty.Value {
	if config.IsNull() || !config.IsKnown() {
		return config
	}
	values := map[string]cty.Value{}
	for _, a := range attributes {
		configured, before := config.GetAttr(a.Name), cty.NullVal(config.Type().AttributeType(a.Name))
		if !prior.IsNull() {
			before = prior.GetAttr(a.Name)
		}
		switch {
		case a.Computed && configured.IsNull():
			// Where the user has set a part of it, it was not computed: it was taken
			// out of the configuration.
			if !a.Optional || !typed(a, before) {
				configured = before
			}
		case a.NestedType != nil:
			configured = proposedNested(a.NestedType, before, configured)
		}
		values[a.Name] = configured
	}
	return cty.ObjectVal(values)
}

// typed says whether some part of an attribute can only come from a user.
func typed(a *tfprotov6.SchemaAttribute, v cty.Value) bool {
	if a.NestedType == nil || v.IsNull() || !v.IsKnown() {
		return false
	}
	objects := []cty.Value{v}
	if a.NestedType.Nesting != tfprotov6.SchemaObjectNestingModeSingle {
		objects = v.AsValueSlice()
	}
	for _, object := range objects {
		for _, inner := range a.NestedType.Attributes {
			if object.IsNull() {
				continue
			}
			part := object.GetAttr(inner.Name)
			if !inner.Computed && !part.IsNull() || typed(inner, part) {
				return true
			}
		}
	}
	return false
}

func proposedNested(nested *tfprotov6.SchemaObject, prior, config cty.Value) cty.Value {
	if config.IsNull() || !config.IsKnown() {
		return config
	}
	if nested.Nesting == tfprotov6.SchemaObjectNestingModeSingle {
		return proposedObject(nested.Attributes, prior, config)
	}
	// Elements of a list belong together by their places, those of a map by their keys.
	elements, list := map[string]cty.Value{}, []cty.Value{}
	for it := config.ElementIterator(); it.Next(); {
		key, element := it.Element()
		before := cty.NullVal(element.Type())
		if !prior.IsNull() && prior.IsKnown() && prior.HasIndex(key).True() {
			before = prior.Index(key)
		}
		element = proposedObject(nested.Attributes, before, element)
		if nested.Nesting == tfprotov6.SchemaObjectNestingModeMap {
			elements[key.AsString()] = element
		}
		list = append(list, element)
	}
	switch {
	case len(list) == 0:
		return config
	case nested.Nesting == tfprotov6.SchemaObjectNestingModeMap:
		return cty.MapVal(elements)
	}
	return cty.ListVal(list)
}
