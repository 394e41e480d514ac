package fastpath

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/defaults"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Core proposes the prior value of what a configuration leaves out. The framework
// puts the schema's default in its place, so that a proposed state which is the
// prior one may be a change all the same: of `replicas = 3`, removed.

// defaulted is an attribute that has a default, or has some in it.
type defaulted struct {
	own     *tftypes.Value // nil: none
	parts   map[string]*defaulted
	nesting nesting
}

type nesting int

const (
	single nesting = iota
	list
	mapping
	set
)

// defaultsOf are those of the attributes that have any. It is false where one is of
// a kind that is not known here, or write-only.
func defaultsOf(attributes map[string]schema.Attribute) (map[string]*defaulted, bool) {
	found := map[string]*defaulted{}
	for name, a := range attributes {
		d, ok := defaultedOf(a)
		if !ok {
			return nil, false
		}
		if d.own != nil || len(d.parts) > 0 {
			found[name] = d
		}
	}
	return found, true
}

func defaultedOf(a schema.Attribute) (d *defaulted, ok bool) {
	d = &defaulted{}
	own, ok := ownDefault(a)
	ok = ok && !a.IsWriteOnly()
	if ok && own != nil {
		value, err := own.ToTerraformValue(context.Background())
		if err != nil {
			return nil, false
		}
		d.own = &value
	}
	var inner map[string]schema.Attribute
	switch a := a.(type) {
	case schema.SingleNestedAttribute:
		inner, d.nesting = a.Attributes, single
	case schema.ListNestedAttribute:
		inner, d.nesting = a.NestedObject.Attributes, list
	case schema.MapNestedAttribute:
		inner, d.nesting = a.NestedObject.Attributes, mapping
	case schema.SetNestedAttribute:
		inner, d.nesting = a.NestedObject.Attributes, set
	}
	parts, known := defaultsOf(inner)
	d.parts = parts
	return d, ok && known
}

// ownDefault is an attribute's default; nil where it has none.
func ownDefault(a schema.Attribute) (attr.Value, bool) {
	ctx := context.Background()
	switch a := a.(type) {
	case schema.StringAttribute:
		if a.Default != nil {
			var resp defaults.StringResponse
			a.Default.DefaultString(ctx, defaults.StringRequest{}, &resp)
			return resp.PlanValue, true
		}
	case schema.BoolAttribute:
		if a.Default != nil {
			var resp defaults.BoolResponse
			a.Default.DefaultBool(ctx, defaults.BoolRequest{}, &resp)
			return resp.PlanValue, true
		}
	case schema.Int32Attribute:
		if a.Default != nil {
			var resp defaults.Int32Response
			a.Default.DefaultInt32(ctx, defaults.Int32Request{}, &resp)
			return resp.PlanValue, true
		}
	case schema.Int64Attribute:
		return nil, a.Default == nil
	case schema.Float64Attribute:
		return nil, a.Default == nil
	case schema.ListAttribute:
		return nil, a.Default == nil
	case schema.MapAttribute:
		return nil, a.Default == nil
	case schema.SetAttribute:
		return nil, a.Default == nil
	case schema.SingleNestedAttribute:
		if a.Default != nil {
			var resp defaults.ObjectResponse
			a.Default.DefaultObject(ctx, defaults.ObjectRequest{}, &resp)
			return resp.PlanValue, true
		}
	case schema.ListNestedAttribute:
		return nil, a.Default == nil
	case schema.MapNestedAttribute:
		return nil, a.Default == nil
	case schema.SetNestedAttribute:
		return nil, a.Default == nil
	default:
		return nil, false
	}
	return nil, true
}

// holds says that a prior value has every default that its configuration asks for.
func (d *defaulted) holds(config, prior tftypes.Value) bool {
	switch {
	case config.IsNull() && d.own != nil:
		return prior.Equal(*d.own)
	case len(d.parts) == 0:
		return true
	case config.IsNull() || prior.IsNull() || !config.IsKnown():
		return config.IsNull() && prior.IsNull()
	}
	switch d.nesting {
	case single:
		return d.partsHold(config, prior)
	case list:
		var a, b []tftypes.Value
		if config.As(&a) != nil || prior.As(&b) != nil || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !d.partsHold(a[i], b[i]) {
				return false
			}
		}
		return true
	case mapping:
		var a, b map[string]tftypes.Value
		if config.As(&a) != nil || prior.As(&b) != nil || len(a) != len(b) {
			return false
		}
		for key := range a {
			if other, ok := b[key]; !ok || !d.partsHold(a[key], other) {
				return false
			}
		}
		return true
	}
	return false // which element of a set is which cannot be told
}

// partsHold is holds of an object's attributes.
func (d *defaulted) partsHold(config, prior tftypes.Value) bool {
	var a, b map[string]tftypes.Value
	if config.IsNull() || prior.IsNull() || config.As(&a) != nil || prior.As(&b) != nil {
		return false
	}
	for name, part := range d.parts {
		if !part.holds(a[name], b[name]) {
			return false
		}
	}
	return true
}
