package workload

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// FieldDrift is one field of ours that somebody else changed or removed.
type FieldDrift struct {
	Field    string // spec.template.spec.containers[api].image
	Expected string // for people; never an env value
	Actual   string
	Manager  string // the field manager that has it now; empty where none is recorded
	Removed  bool
	Added    bool // beside what is ours
}

// notShown stands for values that may be secret.
const notShown = "(value not shown)"

// by says who changed it. The API server does not record who removes a field.
func (f FieldDrift) by() string {
	switch {
	case f.Removed:
		return "removed; manager not recorded"
	case f.Manager == "":
		return "manager not recorded"
	}
	return f.Manager
}

func (f FieldDrift) String() string {
	if f.Removed {
		return fmt.Sprintf("%s: expected %s (%s)", f.Field, f.Expected, f.by())
	}
	if f.Added {
		return fmt.Sprintf("%s: expected none, is %s (added by %s)", f.Field, f.Actual, f.by())
	}
	return fmt.Sprintf("%s: expected %s, is %s (changed by %s)", f.Field, f.Expected, f.Actual, f.by())
}

// Drift compares the live object with the baseline of our last apply. wanted is
// what we would apply now: it gives the expected values, and a live value that
// equals it needs no repair, whatever the baseline says. ignore lists paths to
// leave alone, each with everything under it.
//
// A field that somebody else owns now but left at our value is no drift. A port that
// somebody has added to a Service is.
func Drift(live, wanted Object, baseline map[string]string, ignore []string) []FieldDrift {
	liveFields, wantedFields := values(live), values(wanted)
	var drifts []FieldDrift
	seen := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(baseline)) {
		if !watched(path) || Ignored(path, ignore) {
			continue
		}
		is, present := liveFields[path]
		want, asked := wantedFields[path]
		if present && (fingerprint(live, path, is) == baseline[path] || asked && (reflect.DeepEqual(is, want) || isEmptyMap(want))) {
			continue
		}
		if !present && !asked {
			continue
		}
		d := FieldDrift{Field: path, Removed: !present}
		if d.Removed {
			// One line for a removed container or variable, not one per field of it.
			d.Field = outermostMissing(path, liveFields, wantedFields)
			want, asked = wantedFields[d.Field]
		} else {
			d.Manager = managerOf(path, live.GetManagedFields())
			if path == ReplicasField && is == int64(0) {
				d.Manager = scaler(live)
			}
			d.Actual = printable(path, is)
		}
		if asked {
			d.Expected = printable(d.Field, want)
		}
		if !seen[d.Field] {
			seen[d.Field] = true
			drifts = append(drifts, d)
		}
	}
	if listsPorts(wanted) {
		drifts = append(drifts, addedDrift(live, liveFields, wantedFields, baseline, ignore)...)
	}
	return drifts
}

// isEmptyMap: of a field that we applied as {} we own that it exists; what
// others put into it is theirs.
func isEmptyMap(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

// outermostMissing is path, or the outermost field around it that is wanted and
// does not exist either.
func outermostMissing(path string, live, wanted map[string]any) string {
	outermost := path
	for parent := parentOf(path); parent != ""; parent = parentOf(parent) {
		if _, ok := live[parent]; ok {
			break
		}
		if _, ok := wanted[parent]; ok {
			outermost = parent
		}
	}
	return outermost
}

// parentOf cuts the last step off a path. A bracket may hold dots.
func parentOf(path string) string {
	if strings.HasSuffix(path, "]") {
		return path[:max(0, strings.LastIndexByte(path, '['))]
	}
	return path[:max(0, strings.LastIndexByte(path, '.'))]
}

// Ignored says that a field lies within one of the paths of ignore_drift.
func Ignored(path string, ignore []string) bool {
	return slices.ContainsFunc(ignore, func(prefix string) bool {
		// labels["a.b/c"] is labels[a.b/c]
		return Within(path, strings.ReplaceAll(strings.TrimSpace(prefix), `"`, ""))
	})
}

// ManagerOf is who has a field of an object, as [FieldDrift] says it; our own name where
// nobody else has it.
func ManagerOf(path string, obj Object) string { return managerOf(path, obj.GetManagedFields()) }

// managerOf is who, besides our own apply, has the field now: of several the
// one that wrote last. Nobody else means another run of ours.
func managerOf(path string, entries []metav1.ManagedFieldsEntry) string {
	manager, newest := release.FieldManager, metav1.Time{}
	for _, entry := range entries {
		if ours(entry) || !owns(entry, path) {
			continue
		}
		if at := entry.Time; manager == release.FieldManager || at != nil && at.After(newest.Time) {
			manager = entry.Manager
			if at != nil {
				newest = *at
			}
		}
	}
	return manager
}

func owns(entry metav1.ManagedFieldsEntry, path string) bool {
	found := false
	fieldSet(entry).Iterate(func(p fieldpath.Path) { found = found || fieldText(p) == path })
	return found
}

// printable is a value in one short line, without what may be secret. A text is itself,
// without quotes; an empty one would look like none.
func printable(path string, v any) string {
	const longest = 160
	if mayBeSecret(path) {
		return notShown
	}
	if m, ok := v.(map[string]any); ok && slices.ContainsFunc(slices.Collect(maps.Values(m)), isComposite) {
		return "(set)" // a whole container, say: its env is in it
	}
	b, err := json.Marshal(v)
	if err != nil {
		return notShown
	}
	text := []rune(string(b))
	if s, ok := v.(string); ok && s != "" {
		text = []rune(s)
	}
	if len(text) > longest {
		return string(text[:longest-1]) + "…"
	}
	return string(text)
}

func isComposite(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// mayBeSecret: people put passwords into variables, arguments, headers and files.
func mayBeSecret(path string) bool {
	for _, part := range []string{".env[", ".args", ".command", ".httpHeaders", ".postStart", ".preStop.exec", "[" + release.AnnotationSpec + "]"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return strings.HasSuffix(path, ".env") || path == "data" || Within(path, "data")
}
