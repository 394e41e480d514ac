package fastpath

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// Object is an object as it is on the wire: each attribute can be read without the
// others.
type Object map[string][]byte

// objectOf splits an object. It is false for what is null, and for what is not
// encoded as MsgPack.
func objectOf(v *tfprotov6.DynamicValue) (Object, bool) {
	if v == nil || len(v.MsgPack) == 0 {
		return nil, false
	}
	in := bytes.NewReader(v.MsgPack)
	dec := msgpack.NewDecoder(in)
	length, err := dec.DecodeMapLen()
	if err != nil || length < 0 {
		return nil, false
	}
	o := make(Object, length)
	for range length {
		name, err := dec.DecodeString()
		if err != nil {
			return nil, false
		}
		from := len(v.MsgPack) - in.Len()
		if err := dec.Skip(); err != nil {
			return nil, false
		}
		o[name] = v.MsgPack[from : len(v.MsgPack)-in.Len()]
	}
	return o, in.Len() == 0
}

// null says that an attribute is.
func (o Object) null(name string) bool {
	raw := o[name]
	return len(raw) == 1 && raw[0] == msgpcode.Nil
}

func (o Object) value(name string, typ tftypes.Type) (tftypes.Value, error) {
	if o[name] == nil {
		return tftypes.Value{}, fmt.Errorf("there is no attribute %q", name)
	}
	if o.null(name) {
		return tftypes.NewValue(typ, nil), nil
	}
	return (&tfprotov6.DynamicValue{MsgPack: o[name]}).Unmarshal(typ)
}

// Into reads attributes into the fields of a model that have their names as
// `tfsdk`: all, or those that are named. It is false where one does not fit, or is
// not known although it should be.
func (o Object) Into(ctx context.Context, types map[string]attr.Type, model any, names ...string) bool {
	for name, field := range fieldsOf(reflect.ValueOf(model).Elem()) {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		typ := types[name]
		if typ == nil {
			return false
		}
		raw, err := o.value(name, typ.TerraformType(ctx))
		if err != nil {
			return false
		}
		value, err := typ.ValueFromTerraform(ctx, raw)
		if err != nil || raw.IsKnown() && value.IsUnknown() {
			return false
		}
		v := reflect.ValueOf(value)
		if !v.Type().AssignableTo(field.Type()) {
			return false
		}
		field.Set(v)
	}
	return true
}

// Same says that two models, of which both are of one type, have the same values.
func Same(a, b any) bool {
	others := map[string]reflect.Value{}
	for name, field := range fieldsOf(reflect.ValueOf(b).Elem()) {
		others[name] = field
	}
	for name, field := range fieldsOf(reflect.ValueOf(a).Elem()) {
		if !field.Interface().(attr.Value).Equal(others[name].Interface().(attr.Value)) {
			return false
		}
	}
	return true
}

// fieldsOf are a model's fields, and those of what it embeds.
func fieldsOf(model reflect.Value) func(yield func(string, reflect.Value) bool) {
	return func(yield func(string, reflect.Value) bool) { eachField(model, yield) }
}

func eachField(model reflect.Value, yield func(string, reflect.Value) bool) bool {
	for i := range model.NumField() {
		field := model.Type().Field(i)
		if field.Anonymous {
			if !eachField(model.Field(i), yield) {
				return false
			}
			continue
		}
		if !yield(field.Tag.Get("tfsdk"), model.Field(i)) {
			return false
		}
	}
	return true
}
