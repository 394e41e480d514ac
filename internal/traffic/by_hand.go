package traffic

import (
	"encoding/json"
	"reflect"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ByHand are the changes of a route as it lives by which all of its traffic goes to one
// release, whose own Service has such a port: what a promotion writes, for somebody who has
// nothing but kubectl. Where to is empty, an adopted rule has its former backends again.
func (s RouteSpec) ByHand(route Object, to string, port int32, former json.RawMessage) ([]release.PatchOp, error) {
	if s.Adopt && to == "" {
		ops, _ := s.restoring(route, former)
		return ops, nil
	}
	split, ports := release.Split{to: 100}, map[string]int32{to: port}
	if s.Adopt {
		return s.adopting(route, split, ports, nil)
	}
	rules := reflect.ValueOf(s.Object(split, ports)).Elem().FieldByName("Spec").FieldByName("Rules").Interface()
	return []release.PatchOp{{Op: "replace", Path: "/spec/rules", Value: rules}}, nil
}
