package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
)

// TestEveryFieldIsDescribed: what is printed as data is what the page says.
func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	seen := 0
	var look func(reflect.Type)
	look = func(of reflect.Type) {
		for _, f := range fields(of) {
			seen++
			if f.Tag.Get("is") == "" || f.Tag.Get("json") == "" {
				t.Errorf("%s.%s does not say what it is", of.Name(), f.Name)
			}
			if below := made(f.Type); below != nil {
				look(below)
			}
		}
	}
	for _, kind := range terminal.Kinds() {
		look(reflect.TypeOf(kind))
	}
	if seen < 50 {
		t.Errorf("only %d fields were looked at", seen)
	}
	for _, text := range []string{"### kubectl switchback get\n", "`-o, --output`", "`--contexts`", "| `candidate` |", "| 3 |", "| `releases` |"} {
		if !strings.Contains(page(), text) {
			t.Errorf("the page has no %q", text)
		}
	}
}
