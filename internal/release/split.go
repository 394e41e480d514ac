package release

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Split is who gets the traffic of one address: release name -> percent. An
// address that selects no release of ours has an empty split.
type Split map[string]int

// Stable is the one release that has all the traffic, and false where there is
// none such.
func (s Split) Stable() (string, bool) {
	if len(s) != 1 {
		return "", false
	}
	for name, percent := range s {
		return name, percent == 100
	}
	return "", false
}

// String is the split in words, the greatest share first, such as "api-1 90%, api-2 10%"; one
// that has everything is its name.
func (s Split) String() string {
	names := slices.SortedFunc(maps.Keys(s), func(a, b string) int { return cmp.Or(cmp.Compare(s[b], s[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		if s[name] < 100 {
			names[i] = fmt.Sprintf("%s %d%%", name, s[name])
		}
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}
