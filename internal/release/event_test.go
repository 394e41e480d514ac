package release_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestEventReasons(t *testing.T) {
	reasons := release.EventReasons()
	for _, row := range release.Events() {
		text := string(row.Reason)
		if !unicode.IsUpper(rune(text[0])) || strings.ContainsAny(text, " _-") {
			t.Errorf("%s is not CamelCase", row.Reason)
		}
		if row.On == "" || !strings.HasSuffix(row.Meaning, ".") {
			t.Errorf("%+v", row)
		}
	}
	if sorted := slices.Sorted(slices.Values(reasons)); len(slices.Compact(sorted)) != len(reasons) {
		t.Error("a reason is there twice")
	}
	for _, operation := range release.Operations() {
		for _, outcome := range release.Outcomes() {
			if reason := (release.Entry{Operation: operation, Outcome: outcome}).EventReason(); !slices.Contains(reasons, reason) {
				t.Errorf("%s %s is told as %q, which is not listed", operation, outcome, reason)
			}
		}
	}
}

func TestPhaseNames(t *testing.T) {
	for _, name := range release.PhaseNames() {
		if name == "" || !strings.HasSuffix(name.Meaning(), ".") {
			t.Errorf("%q means %q", name, name.Meaning())
		}
	}
	if release.PhaseName("nap").Meaning() != "" {
		t.Error("an unknown phase has a meaning")
	}
}
