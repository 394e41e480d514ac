package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Every status that there is, every action, and every word that means one of them
// is on the page, and every arrow leads from one status to another. What is only
// planned is not.
func TestStatusesAreWhole(t *testing.T) {
	text := statuses()
	wanted := []string{}
	means := map[string]bool{}
	wanted = append(wanted, rowsOf(t, text, release.DeploymentLifecycle(), means)...)
	wanted = append(wanted, rowsOf(t, text, release.MainLifecycle(), means)...)
	for _, a := range release.Actions() {
		wanted = append(wanted, fmt.Sprintf("| %s | %s |", a, a.Meaning()))
	}
	for _, k := range release.Kinds() {
		wanted = append(wanted, fmt.Sprintf("| %s | %s |", k, kinds[k]))
	}
	for _, v := range release.Vocabularies() {
		wanted = append(wanted, "### "+titles[v]+"\n")
		for _, word := range v.Words() {
			if means[word] {
				wanted = append(wanted, "| "+word+" |")
			}
		}
	}
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	diagrams := strings.Split(text, "```")
	if len(diagrams) != 5 {
		t.Fatalf("there are %d diagrams, want 2", len(diagrams)/2)
	}
	checkDiagram(t, diagrams[1], release.DeploymentLifecycle().Shown())
	checkDiagram(t, diagrams[3], release.MainLifecycle().Shown())
}

// rowsOf are the rows of what there is, and notes which words mean it. It fails the
// test for what is only planned.
func rowsOf[S ~string](t *testing.T, text string, l release.Lifecycle[S], means map[string]bool) (rows []string) {
	t.Helper()
	for _, stage := range l {
		switch {
		case !stage.Planned:
			rows = append(rows, fmt.Sprintf("| `%s` |", stage.Status))
			for _, word := range stage.Elsewhere {
				means[word] = true
			}
		case strings.Contains(text, string(stage.Status)):
			t.Errorf("%s is on the page, though no version leads there", stage.Status)
		}
	}
	return rows
}

// checkDiagram makes sure that the diagram has exactly the table's transitions.
func checkDiagram[S ~string](t *testing.T, diagram string, l release.Lifecycle[S]) {
	t.Helper()
	drawn := map[[2]S]bool{}
	for line := range strings.Lines(diagram) {
		line = strings.TrimSpace(line)
		if from, to, ok := strings.Cut(line, " --> "); ok && from != "[*]" && to != "[*]" {
			drawn[[2]S{S(from), S(to)}] = true
		}
		if rest, ok := strings.CutPrefix(line, "note right of "); ok {
			to, _, _ := strings.Cut(rest, " :")
			for _, stage := range l {
				if stage.Status != S(to) && len(stage.Next) > 0 {
					drawn[[2]S{stage.Status, S(to)}] = true
				}
			}
		}
	}
	for _, from := range l.Statuses() {
		for _, to := range l.Statuses() {
			if from != to && l.CanBecome(from, to) != drawn[[2]S{from, to}] {
				t.Errorf("%s --> %s is drawn: %t", from, to, drawn[[2]S{from, to}])
			}
		}
	}
}
