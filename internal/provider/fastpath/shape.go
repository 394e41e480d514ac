package fastpath

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/defaults"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// shape is an attribute by what a plan does about it, or a resource as one object.
type shape struct {
	computed  bool
	own       *tftypes.Value // its default; nil: none
	modifiers []planmodifier.String
	nesting   nesting
	parts     map[string]*shape // its attributes about which a plan does anything
	defaults  bool              // it has one, or there are some in it
}

type nesting int

const (
	single nesting = iota
	list
	mapping
	set
)

// objectShape is false where an attribute is of a kind that is not known here, or
// write-only.
func objectShape(attributes map[string]schema.Attribute) (*shape, bool) {
	s := &shape{parts: map[string]*shape{}}
	for name, a := range attributes {
		part, ok := shapeOf(a)
		if !ok {
			return nil, false
		}
		if part.computed || part.own != nil || len(part.modifiers) > 0 || len(part.parts) > 0 {
			s.parts[name] = part
			s.defaults = s.defaults || part.defaults
		}
	}
	return s, true
}

func shapeOf(a schema.Attribute) (*shape, bool) {
	s, inner := &shape{}, map[string]schema.Attribute{}
	switch a := a.(type) {
	case schema.SingleNestedAttribute:
		inner, s.nesting = a.Attributes, single
	case schema.ListNestedAttribute:
		inner, s.nesting = a.NestedObject.Attributes, list
	case schema.MapNestedAttribute:
		inner, s.nesting = a.NestedObject.Attributes, mapping
	case schema.SetNestedAttribute:
		inner, s.nesting = a.NestedObject.Attributes, set
	}
	object, known := objectShape(inner)
	own, modifiers, ok := ownOf(a)
	if !known || !ok || a.IsWriteOnly() || s.nesting == set && len(object.parts) > 0 {
		return nil, false // which element of a set is which cannot be told
	}
	s.computed, s.modifiers, s.parts, s.defaults = a.IsComputed(), modifiers, object.parts, object.defaults || own != nil
	if own != nil {
		value, err := own.ToTerraformValue(context.Background())
		if err != nil {
			return nil, false
		}
		s.own = &value
	}
	return s, true
}

// ownOf are an attribute's default, nil where it has none, and its plan modifiers,
// which only texts have.
func ownOf(a schema.Attribute) (own attr.Value, modifiers []planmodifier.String, ok bool) {
	ctx := context.Background()
	switch a := a.(type) {
	case schema.StringAttribute:
		if a.Default != nil {
			var resp defaults.StringResponse
			a.Default.DefaultString(ctx, defaults.StringRequest{}, &resp)
			own = resp.PlanValue
		}
		return own, a.PlanModifiers, true
	case schema.BoolAttribute:
		if a.Default != nil {
			var resp defaults.BoolResponse
			a.Default.DefaultBool(ctx, defaults.BoolRequest{}, &resp)
			own = resp.PlanValue
		}
		return own, nil, len(a.PlanModifiers) == 0
	case schema.Int32Attribute:
		if a.Default != nil {
			var resp defaults.Int32Response
			a.Default.DefaultInt32(ctx, defaults.Int32Request{}, &resp)
			own = resp.PlanValue
		}
		return own, nil, len(a.PlanModifiers) == 0
	case schema.SingleNestedAttribute:
		if a.Default != nil {
			var resp defaults.ObjectResponse
			a.Default.DefaultObject(ctx, defaults.ObjectRequest{}, &resp)
			own = resp.PlanValue
		}
		return own, nil, len(a.PlanModifiers) == 0
	case schema.Int64Attribute:
		return nil, nil, a.Default == nil && len(a.PlanModifiers) == 0
	case schema.Float64Attribute:
		return nil, nil, a.Default == nil && len(a.PlanModifiers) == 0
	case schema.ListAttribute:
		return nil, nil, a.Default == nil && len(a.PlanModifiers) == 0
	case schema.MapAttribute:
		return nil, nil, a.Default == nil && len(a.PlanModifiers) == 0
	case schema.SetAttribute:
		return nil, nil, a.Default == nil && len(a.PlanModifiers) == 0
	case schema.ListNestedAttribute:
		return nil, nil, a.Default == nil && len(a.PlanModifiers) == 0
	case schema.MapNestedAttribute:
		return nil, nil, a.Default == nil && len(a.PlanModifiers) == 0
	case schema.SetNestedAttribute:
		return nil, nil, a.Default == nil && len(a.PlanModifiers) == 0
	}
	return nil, nil, false
}
