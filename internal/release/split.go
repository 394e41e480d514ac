package release

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
