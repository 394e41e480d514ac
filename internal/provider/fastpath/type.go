package fastpath

import (
	"context"
	"reflect"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// resourceType is what follows from a resource's schema. It is found once in a
// process, when it is first needed: a process that is asked for its schema alone
// has nothing of it.
type resourceType struct {
	identifies bool
	schema     func() schema.Schema
	form       func() tftypes.Object
	shape      func() *shape
	plain      func() bool // nothing in it is write-only, a block, or of an unknown kind
}

// found are the types of this process, by the Go types of their resources.
var found sync.Map

func typeOf(res resource.Resource) *resourceType {
	of := reflect.TypeOf(res)
	if known, ok := found.Load(of); ok {
		return known.(*resourceType)
	}
	_, identifies := res.(resource.ResourceWithIdentity)
	t := &resourceType{identifies: identifies}
	t.schema = sync.OnceValue(func() schema.Schema {
		var resp resource.SchemaResponse
		res.Schema(context.Background(), resource.SchemaRequest{}, &resp)
		return resp.Schema
	})
	t.form = sync.OnceValue(func() tftypes.Object {
		return t.schema().Type().TerraformType(context.Background()).(tftypes.Object)
	})
	all := sync.OnceValues(func() (*shape, bool) { return objectShape(t.schema().Attributes) })
	t.shape = func() *shape { s, _ := all(); return s }
	t.plain = sync.OnceValue(func() bool {
		_, known := all()
		return known && len(t.schema().Blocks) == 0
	})
	kept, _ := found.LoadOrStore(of, t)
	return kept.(*resourceType)
}
