package coretest

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/zclconf/go-cty/cty"
)

// invalidPlan is what core refuses in a plan: what is configured must be planned
// as it is, or stay as it was; only what is computed may be anything else.
func invalidPlan(attributes []*tfprotov6.SchemaAttribute, prior, config, planned cty.Value, path string) (wrong []string) {
	switch {
	case !planned.IsKnown():
		return []string{path + ": the object as a whole is planned as unknown"}
	case planned.IsNull() != config.IsNull():
		return []string{fmt.Sprintf("%s: planned %s, configured %s", path, show(planned), show(config))}
	case planned.IsNull():
		return nil
	}
	for _, a := range attributes {
		at, before := path+"."+a.Name, cty.NullVal(planned.Type().AttributeType(a.Name))
		if !prior.IsNull() {
			before = prior.GetAttr(a.Name)
		}
		configured := cty.UnknownVal(planned.Type().AttributeType(a.Name))
		if config.IsKnown() {
			configured = config.GetAttr(a.Name)
		}
		wrong = append(wrong, invalidAttribute(a, before, configured, planned.GetAttr(a.Name), at)...)
	}
	return wrong
}

func invalidAttribute(a *tfprotov6.SchemaAttribute, prior, config, planned cty.Value, at string) []string {
	switch {
	case planned.RawEquals(config), a.Computed && config.IsNull():
		return nil
	case planned.RawEquals(prior) && !prior.IsNull() && !config.IsNull():
		return nil // another way to write the same
	case config.IsNull() || planned.IsNull() || a.NestedType == nil || !config.IsKnown() || !planned.IsKnown():
		return []string{fmt.Sprintf("%s: planned %s, which is neither what is configured, %s, nor what it was, %s", at, show(planned), show(config), show(prior))}
	case a.NestedType.Nesting == tfprotov6.SchemaObjectNestingModeSingle:
		return invalidPlan(a.NestedType.Attributes, prior, config, planned, at)
	case planned.LengthInt() != config.LengthInt():
		return []string{fmt.Sprintf("%s: %d elements are planned, and %d configured", at, planned.LengthInt(), config.LengthInt())}
	}
	var wrong []string
	for it := planned.ElementIterator(); it.Next(); {
		key, element := it.Element()
		if config.HasIndex(key).False() {
			wrong = append(wrong, fmt.Sprintf("%s: %s is planned, and not configured", at, show(key)))
			continue
		}
		before := cty.NullVal(element.Type())
		if !prior.IsNull() && prior.IsKnown() && prior.HasIndex(key).True() {
			before = prior.Index(key)
		}
		wrong = append(wrong, invalidPlan(a.NestedType.Attributes, before, config.Index(key), element, at+"["+show(key)+"]")...)
	}
	return wrong
}

// incompatible is what core refuses in a result: what was known in the plan must
// have come true.
func incompatible(planned, actual cty.Value, path string) (wrong []string) {
	switch typ := planned.Type(); {
	case !planned.IsKnown():
		return nil
	case planned.IsNull() != actual.IsNull() || !actual.IsKnown():
		return []string{fmt.Sprintf("%s: was %s, but now %s", path, show(planned), show(actual))}
	case planned.IsNull():
		return nil
	case typ.IsObjectType():
		for name := range typ.AttributeTypes() {
			wrong = append(wrong, incompatible(planned.GetAttr(name), actual.GetAttr(name), path+"."+name)...)
		}
	case typ.IsSetType():
		// Members have no names: each planned one must be there, as far as it is known.
		if planned.LengthInt() < actual.LengthInt() && planned.IsWhollyKnown() {
			wrong = append(wrong, fmt.Sprintf("%s: was %s, but now %s", path, show(planned), show(actual)))
		}
		for _, member := range planned.AsValueSlice() {
			found := false
			for _, candidate := range actual.AsValueSlice() {
				found = found || len(incompatible(member, candidate, path)) == 0
			}
			if !found {
				wrong = append(wrong, fmt.Sprintf("%s: planned member %s has vanished", path, show(member)))
			}
		}
	case typ.IsListType() || typ.IsMapType() || typ.IsTupleType():
		if planned.LengthInt() != actual.LengthInt() {
			wrong = append(wrong, fmt.Sprintf("%s: had %d elements, but now %d", path, planned.LengthInt(), actual.LengthInt()))
		}
		for it := planned.ElementIterator(); it.Next(); {
			key, element := it.Element()
			if actual.HasIndex(key).False() {
				wrong = append(wrong, fmt.Sprintf("%s: element %s has vanished", path, show(key)))
				continue
			}
			wrong = append(wrong, incompatible(element, actual.Index(key), path+"["+show(key)+"]")...)
		}
	case !planned.RawEquals(actual):
		wrong = append(wrong, fmt.Sprintf("%s: was %s, but now %s", path, show(planned), show(actual)))
	}
	return wrong
}

func show(v cty.Value) string { return fmt.Sprintf("%#v", v) }
