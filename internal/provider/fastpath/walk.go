package fastpath

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// withDefault is an attribute's default in place of what is not configured.
func (s *shape) withDefault(config, v tftypes.Value) tftypes.Value {
	if s.own != nil && config.IsNull() {
		return *s.own
	}
	return v
}

// unlessConfigured is what the apply may tell, in place of what is not configured.
func (s *shape) unlessConfigured(config, v tftypes.Value) tftypes.Value {
	if s.computed && s.own == nil && config.IsNull() {
		return tftypes.NewValue(v.Type(), tftypes.UnknownValue)
	}
	return v
}

// each does something about every attribute in a value, and then about the value. It
// is false where a configuration has fewer elements than the value: nobody proposes
// that.
func (s *shape) each(config, v tftypes.Value, do func(*shape, tftypes.Value, tftypes.Value) tftypes.Value) (tftypes.Value, bool) {
	if len(s.parts) == 0 || v.IsNull() || !v.IsKnown() {
		return do(s, config, v), true
	}
	elements, ok := elementsOf(v, s.nesting)
	if !ok {
		return v, false
	}
	for at, element := range elements.all {
		of, ok := elementOf(config, s.nesting, at)
		if !ok {
			return v, false
		}
		if elements.all[at], ok = s.eachPart(of, element, do); !ok {
			return v, false
		}
	}
	return do(s, config, elements.value(v.Type())), true
}

// eachPart is each of an object's attributes.
func (s *shape) eachPart(config, v tftypes.Value, do func(*shape, tftypes.Value, tftypes.Value) tftypes.Value) (tftypes.Value, bool) {
	if v.IsNull() || !v.IsKnown() {
		return v, true
	}
	parts := attributesOf(v)
	for name, part := range s.parts {
		var ok bool
		if parts[name], ok = part.each(attributeOf(config, name), parts[name], do); !ok {
			return v, false
		}
	}
	return tftypes.NewValue(v.Type(), parts), true
}

// ask asks the plan modifiers of an attribute, and of those in it.
func (c *change) ask(s *shape, at path.Path, config, plan, prior tftypes.Value) tftypes.Value {
	for _, m := range s.modifiers {
		plan = c.askOne(m, at, config, plan, prior)
	}
	if len(s.parts) == 0 || plan.IsNull() || !plan.IsKnown() {
		return plan
	}
	elements, ok := elementsOf(plan, s.nesting)
	if !ok {
		return plan
	}
	for key, element := range elements.all {
		if element.IsNull() || !element.IsKnown() {
			continue
		}
		was, ok := elementOf(prior, s.nesting, key)
		if !ok {
			was = tftypes.NewValue(element.Type(), nil)
		}
		typed, ok := elementOf(config, s.nesting, key)
		if !ok {
			typed = tftypes.NewValue(element.Type(), nil)
		}
		parts := attributesOf(element)
		for name, part := range s.parts {
			parts[name] = c.ask(part, key.below(at).AtName(name), attributeOf(typed, name), parts[name], attributeOf(was, name))
		}
		elements.all[key] = tftypes.NewValue(element.Type(), parts)
	}
	return elements.value(plan.Type())
}

func (c *change) askOne(m planmodifier.String, at path.Path, config, plan, prior tftypes.Value) tftypes.Value {
	schema := c.of.schema()
	req := planmodifier.StringRequest{
		Path: at, ConfigValue: textOf(config), PlanValue: textOf(plan), StateValue: textOf(prior),
		Config: tfsdk.Config{Raw: c.config, Schema: schema}, Plan: tfsdk.Plan{Raw: c.plan, Schema: schema}, State: tfsdk.State{Raw: c.prior, Schema: schema},
	}
	resp := planmodifier.StringResponse{PlanValue: req.PlanValue}
	m.PlanModifyString(c.ctx, req, &resp)
	c.diags.Append(resp.Diagnostics...)
	if resp.RequiresReplace {
		c.replace.Append(at)
	}
	value, err := resp.PlanValue.ToTerraformValue(c.ctx)
	if err != nil {
		return plan
	}
	return value
}

// textOf is a text that may be in nothing, or in what is not known.
func textOf(v tftypes.Value) basetypes.StringValue {
	var text string
	switch {
	case !v.IsKnown():
		return basetypes.NewStringUnknown()
	case v.IsNull() || v.As(&text) != nil:
		return basetypes.NewStringNull()
	}
	return basetypes.NewStringValue(text)
}

// place is where an element is: the zero value for an object that is by itself.
type place struct {
	index int
	key   string
	in    nesting
}

func (p place) below(at path.Path) path.Path {
	switch p.in {
	case list:
		return at.AtListIndex(p.index)
	case mapping:
		return at.AtMapKey(p.key)
	case single, set:
	}
	return at
}

// elements are the objects of a value.
type elements struct {
	in  nesting
	all map[place]tftypes.Value
}

func elementsOf(v tftypes.Value, in nesting) (elements, bool) {
	e := elements{in, map[place]tftypes.Value{}}
	switch in {
	case single:
		e.all[place{}] = v
	case list:
		var items []tftypes.Value
		if v.As(&items) != nil {
			return e, false
		}
		for i, item := range items {
			e.all[place{index: i, in: list}] = item
		}
	case mapping:
		var items map[string]tftypes.Value
		if v.As(&items) != nil {
			return e, false
		}
		for key, item := range items {
			e.all[place{key: key, in: mapping}] = item
		}
	case set:
	}
	return e, in != set
}

// value is the whole again.
func (e elements) value(typ tftypes.Type) tftypes.Value {
	switch e.in {
	case list:
		items := make([]tftypes.Value, len(e.all))
		for at, item := range e.all {
			items[at.index] = item
		}
		return tftypes.NewValue(typ, items)
	case mapping:
		items := make(map[string]tftypes.Value, len(e.all))
		for at, item := range e.all {
			items[at.key] = item
		}
		return tftypes.NewValue(typ, items)
	case single, set:
	}
	return e.all[place{}]
}

// elementOf is an element of a value; what is in nothing, or in what is not known, is
// that itself.
func elementOf(v tftypes.Value, in nesting, at place) (tftypes.Value, bool) {
	if in == single || v.IsNull() || !v.IsKnown() {
		return v, true
	}
	e, ok := elementsOf(v, in)
	element, there := e.all[at]
	return element, ok && there
}

// attributesOf are those of an object, for the caller to change.
func attributesOf(v tftypes.Value) map[string]tftypes.Value {
	var all map[string]tftypes.Value
	if v.As(&all) != nil {
		return map[string]tftypes.Value{}
	}
	return maps.Clone(all)
}

// attributeOf is one of them; what is in nothing, or in what is not known, is that
// itself.
func attributeOf(v tftypes.Value, name string) tftypes.Value {
	var all map[string]tftypes.Value
	if v.IsNull() || !v.IsKnown() || v.As(&all) != nil {
		return v
	}
	return all[name]
}
