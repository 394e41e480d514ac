package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// Every cause and every class is on the page once, each heading once.
func TestTroubleshootingIsWhole(t *testing.T) {
	text := troubleshooting()
	wanted := []string{}
	for _, cause := range health.Causes() {
		wanted = append(wanted, fmt.Sprintf("| `%s` |", cause))
	}
	for _, class := range health.Classes() {
		wanted = append(wanted, fmt.Sprintf("\n| %s | %s |", class, classMeaning[class]))
		if classMeaning[class] == "" {
			t.Errorf("%s has no meaning", class)
		}
	}
	for _, e := range health.Catalogue() {
		wanted = append(wanted, "\n### "+e.About+"\n")
		if e.Meaning == "" || e.Try == "" || strings.HasSuffix(e.Try, ".") || !strings.HasSuffix(e.Meaning, ".") {
			t.Errorf("incomplete: %+v", e)
		}
	}
	for _, want := range wanted {
		if n := strings.Count(text, want); n != 1 {
			t.Errorf("it has %q %d times", want, n)
		}
	}
}
