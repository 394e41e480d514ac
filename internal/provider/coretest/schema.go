package coretest

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"github.com/zclconf/go-cty/cty/msgpack"
)

// typesOf are the types that were asked for, by their JSON: there are a few, of
// hundreds of attributes, and each command asks for them many times.
var typesOf sync.Map

// typeOf is the same type in core's words.
func typeOf(t tftypes.Type) cty.Type {
	text, err := json.Marshal(t)
	if err != nil {
		panic(fmt.Errorf("a type of the provider's schema: %w", err))
	}
	if typ, known := typesOf.Load(string(text)); known {
		return typ.(cty.Type)
	}
	typ, err := ctyjson.UnmarshalType(text)
	if err != nil {
		panic(fmt.Errorf("a type of the provider's schema: %w", err))
	}
	typesOf.Store(string(text), typ)
	return typ
}

// configType is what users may write for an attribute: less than its type, as
// what is optional may be left out.
func configType(a *tfprotov6.SchemaAttribute) cty.Type {
	if a.NestedType == nil {
		return typeOf(a.Type)
	}
	types, optional := map[string]cty.Type{}, []string{}
	for _, inner := range a.NestedType.Attributes {
		types[inner.Name] = configType(inner)
		if !inner.Required {
			optional = append(optional, inner.Name)
		}
	}
	object := cty.ObjectWithOptionalAttrs(types, optional)
	switch a.NestedType.Nesting {
	case tfprotov6.SchemaObjectNestingModeList:
		return cty.List(object)
	case tfprotov6.SchemaObjectNestingModeMap:
		return cty.Map(object)
	case tfprotov6.SchemaObjectNestingModeSet:
		return cty.Set(object)
	}
	return object
}

// specOf decodes a block.
func specOf(s *tfprotov6.Schema) hcldec.ObjectSpec {
	spec := hcldec.ObjectSpec{}
	for _, a := range s.Block.Attributes {
		spec[a.Name] = &hcldec.AttrSpec{Name: a.Name, Type: configType(a), Required: a.Required}
	}
	return spec
}

// knownSchema refuses what is in no schema of this provider today.
func knownSchema(what string, s *tfprotov6.Schema) error {
	if len(s.Block.BlockTypes) > 0 {
		return unsupported("a nested block, as in the schema of %s,", what)
	}
	return knownAttributes(what, s.Block.Attributes)
}

func knownAttributes(what string, attributes []*tfprotov6.SchemaAttribute) error {
	for _, a := range attributes {
		switch {
		case a.WriteOnly:
			return unsupported("a write-only attribute, as in the schema of %s,", what)
		case a.NestedType != nil && a.NestedType.Nesting == tfprotov6.SchemaObjectNestingModeSet:
			return unsupported("a set of nested attributes, as in the schema of %s,", what)
		case a.NestedType != nil:
			if err := knownAttributes(what, a.NestedType.Attributes); err != nil {
				return err
			}
		}
	}
	return nil
}

func pack(v cty.Value, typ cty.Type) *tfprotov6.DynamicValue {
	data, err := msgpack.Marshal(v, typ)
	if err != nil {
		panic(fmt.Errorf("a value for the provider: %w", err))
	}
	return &tfprotov6.DynamicValue{MsgPack: data}
}

// unpack is null where the provider sent nothing.
func unpack(d *tfprotov6.DynamicValue, typ cty.Type) (cty.Value, error) {
	switch {
	case d != nil && len(d.MsgPack) > 0:
		return msgpack.Unmarshal(d.MsgPack, typ)
	case d != nil && len(d.JSON) > 0:
		return ctyjson.Unmarshal(d.JSON, typ)
	}
	return cty.NullVal(typ), nil
}
