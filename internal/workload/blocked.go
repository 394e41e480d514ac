package workload

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// A server-side apply takes fields from others, and leaves what it does not name: an
// item that somebody gave another key, or another one of several alternatives. Where
// the API server wants only one of the two, it refuses the apply, forced or not.

// alone are the fields that no two items of a list may share, by the list's name, besides
// those that tell the items apart.
var alone = map[string][][]string{
	"ports": {{"name"}, {"nodePort", "protocol"}, {"hostPort", "protocol"}},
}

// alternatives are the fields of which an object may have one, by the name of the object
// or of the list that it is in. All but the name of a volume are.
var alternatives = map[string][]string{
	"env":            {"value", "valueFrom"},
	"livenessProbe":  handlers,
	"readinessProbe": handlers,
	"startupProbe":   handlers,
	"postStart":      handlers,
	"preStop":        handlers,
	"volumes":        nil,
}

var handlers = []string{"exec", "grpc", "httpGet", "sleep", "tcpSocket"}

// Blocker is a field that lives and that an apply would leave, beside one of ours that
// the API server does not take together with it.
type Blocker struct {
	Wanted  release.FieldConflict // ours, and who has what is in its way
	blocker fieldpath.Path
}

// Blockers are those of an apply of want over what lives.
func Blockers(live, want Object) []Blocker {
	was, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	is, err2 := runtime.DefaultUnstructuredConverter.ToUnstructured(want)
	if err != nil || err2 != nil {
		return nil
	}
	b := blocking{entries: live.GetManagedFields()}
	b.object(fieldpath.MakePathOrDie("spec"), "spec", was["spec"], is["spec"])
	return b.found
}

// Conflicts are the blockers as the API server tells of fields that others have.
func Conflicts(blockers []Blocker) (all []release.FieldConflict) {
	for _, b := range blockers {
		all = append(all, b.Wanted)
	}
	return all
}

type blocking struct {
	entries []metav1.ManagedFieldsEntry
	found   []Blocker
}

func (b *blocking) object(at fieldpath.Path, name string, live, want any) {
	was, ok := live.(map[string]any)
	is, ok2 := want.(map[string]any)
	if !ok || !ok2 {
		return
	}
	if group, one := alternatives[name]; one {
		for _, other := range slices.Sorted(maps.Keys(was)) {
			for _, ours := range slices.Sorted(maps.Keys(is)) {
				if is[other] == nil && is[ours] != nil && among(group, other) && among(group, ours) {
					b.note(join(at, fieldStep(ours)), join(at, fieldStep(other)))
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(is)) {
		b.object(join(at, fieldStep(key)), key, was[key], is[key])
		b.list(join(at, fieldStep(key)), key, was[key], is[key])
	}
}

func among(group []string, field string) bool {
	return field != "name" && (group == nil || slices.Contains(group, field))
}

func (b *blocking) list(at fieldpath.Path, name string, live, want any) {
	was, is := itemsOf(name, live), itemsOf(name, want)
	for _, w := range is {
		for _, l := range was {
			if w.text == l.text {
				b.object(join(at, w.step), name, l.fields, w.fields)
			} else if share(name, w.fields, l.fields) && !slices.ContainsFunc(is, func(i item) bool { return i.text == l.text }) {
				b.note(join(at, w.step), join(at, l.step))
			}
		}
	}
}

// share says that two items of a list cannot both be in it. Of a Service's several ports,
// none is without a name.
func share(list string, one, other map[string]any) bool {
	if one["port"] != nil && (one["name"] == nil || other["name"] == nil) {
		return true
	}
	return slices.ContainsFunc(alone[list], func(fields []string) bool {
		return !slices.ContainsFunc(fields, func(f string) bool {
			v := orProtocol(f, one)
			return v == nil || v == int64(0) || !reflect.DeepEqual(v, orProtocol(f, other))
		})
	})
}

func orProtocol(field string, of map[string]any) any {
	if field == "protocol" && of[field] == nil {
		return "TCP"
	}
	return of[field]
}

// note notes a blocker, unless the apply removes it: nobody but us has anything of it.
func (b *blocking) note(wanted, blocker fieldpath.Path) {
	manager, oursAlone := "", false
	for _, entry := range b.entries {
		within := within(fieldSet(entry), blocker)
		switch {
		case within.Empty():
		case ours(entry):
			oursAlone = true
		default:
			manager = cmp.Or(manager, entry.Manager)
		}
	}
	if manager != "" || !oursAlone {
		b.found = append(b.found, Blocker{release.FieldConflict{Field: wanted.String(), Manager: manager}, blocker})
	}
}

// Seized is what lives with the blockers given to our own apply, so that the next one
// removes what it does not name. Nothing but who has which field is changed. The version
// is that of our applies, for an object of which we have applied nothing yet.
func Seized(live Object, apiVersion string, blockers []Blocker) (Object, error) {
	taken := live.DeepCopyObject().(Object)
	var entries []metav1.ManagedFieldsEntry
	mine := metav1.ManagedFieldsEntry{
		Manager: release.FieldManager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: apiVersion, FieldsType: "FieldsV1",
	}
	set := &fieldpath.Set{}
	for _, entry := range taken.GetManagedFields() {
		if ours(entry) {
			mine, set = entry, set.Union(fieldSet(entry))
			continue
		}
		before := fieldSet(entry)
		after := before
		for _, b := range blockers {
			set = set.Union(within(before, b.blocker))
			after = after.RecursiveDifference(fieldpath.NewSet(b.blocker))
		}
		if !after.Equals(before) {
			if err := write(&entry, after); err != nil {
				return nil, err
			}
		}
		if !after.Empty() || before.Empty() {
			entries = append(entries, entry)
		}
	}
	for _, b := range blockers {
		set.Insert(b.blocker)
	}
	if err := write(&mine, set); err != nil {
		return nil, err
	}
	taken.SetManagedFields(append(entries, mine))
	return taken, nil
}

func write(entry *metav1.ManagedFieldsEntry, set *fieldpath.Set) error {
	text, err := set.ToJSON()
	if err != nil {
		return err
	}
	entry.FieldsV1 = metav1.NewFieldsV1(string(text))
	return nil
}

// within are the members of a set that are the path, or lie below it.
func within(set *fieldpath.Set, path fieldpath.Path) *fieldpath.Set {
	return set.Difference(set.RecursiveDifference(fieldpath.NewSet(path)))
}

// item is an item of a list with the step that leads to it.
type item struct {
	text   string
	step   fieldpath.PathElement
	fields map[string]any
}

// itemsOf are those of a list; none where it is atomic, or none.
func itemsOf(name string, list any) (all []item) {
	items, _ := list.([]any)
	for _, v := range items {
		fields, _ := v.(map[string]any)
		for _, keys := range mergeKeys[name] {
			key := value.FieldList{}
			for _, k := range keys {
				if v := orProtocol(k, fields); v != nil {
					key = append(key, value.Field{Name: k, Value: value.NewValueInterface(v)})
				}
			}
			if len(key) == len(keys) {
				step := fieldpath.PathElement{Key: &key}
				all = append(all, item{fmt.Sprint(step), step, fields})
				break
			}
		}
	}
	return all
}

func fieldStep(name string) fieldpath.PathElement { return fieldpath.PathElement{FieldName: &name} }

// join is a path with one more step, which shares nothing with it.
func join(at fieldpath.Path, step fieldpath.PathElement) fieldpath.Path {
	return append(at.Copy(), step)
}
