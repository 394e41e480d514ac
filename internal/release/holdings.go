package release

import (
	"maps"
	"slices"
)

// Holdings are what an application has on one cluster that not every application
// has: what is done with it takes permissions of their own.
type Holdings struct {
	companions map[string][]Companion // by release
	main       *Main
}

// HoldingsOf takes them from what is written down of an application: its pointer,
// nil where it has none, and its releases by name.
func HoldingsOf(main *Main, records map[string]*Record) Holdings {
	h := Holdings{companions: map[string][]Companion{}, main: main}
	for name, record := range records {
		if made := record.made(); len(made) > 0 {
			h.companions[name] = made
		}
	}
	return h
}

// made are the companions that there have been. A record that was lost and made
// again expects all there may be, also those that nobody has asked for.
func (r *Record) made() []Companion {
	return slices.DeleteFunc(slices.Clone(r.Companions), func(c Companion) bool { return r.Baseline[string(c)] == nil })
}

// Having is the first release by name that has such a companion; empty where none
// has. Only, where it is not empty, is the only one that counts.
func (h Holdings) Having(c Companion, only string) string {
	for _, name := range slices.Sorted(maps.Keys(h.companions)) {
		if (only == "" || name == only) && slices.Contains(h.companions[name], c) {
			return name
		}
	}
	return ""
}

// Main says that the application's pointer names the release.
func (h Holdings) Main(name string) bool { return h.main != nil && h.main.Names(name) }

// Adopted says that the application's address is somebody else's Service.
func (h Holdings) Adopted() bool { return h.main != nil && h.main.Adopted != nil }

// Named says that external-dns is asked, or has been, for a name of the
// application.
func (h Holdings) Named() bool {
	return h.main != nil && h.main.DNS != nil && (h.main.DNS.Spec.Endpoints || h.main.DNS.Object)
}
