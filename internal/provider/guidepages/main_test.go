package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is checked in is what the tables say.
func TestPagesAreUpToDate(t *testing.T) {
	for name, page := range pages {
		checkedIn, err := os.ReadFile("../../../templates/guides/" + name + ".md.tmpl")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(checkedIn), page()); d != "" {
			t.Errorf("run make docs: %s (-checked in +from the tables):\n%s", name, d)
		}
		if strings.Contains(page(), "{{") {
			t.Errorf("%s: the generator would take it for a template's action", name)
		}
	}
}
