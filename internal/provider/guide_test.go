package provider_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestGuideToWatching: the guide has each reason of an Event and each phase, with
// what the tables say of them.
func TestGuideToWatching(t *testing.T) {
	t.Parallel()
	content := page(t, "templates/guides/watching-a-release.md")
	ofOperation := map[release.EventReason]bool{}
	for _, o := range release.Operations() {
		ofOperation[o.Failed()], ofOperation[o.Cancelled()] = true, true
	}
	var rows []string
	for _, row := range release.Events() {
		kind := "Normal"
		switch {
		case ofOperation[row.Reason]:
			continue // told of in two rows for all
		case row.Warning == "always":
			kind = "Warning"
		case row.Warning != "":
			kind = "Normal; Warning " + row.Warning
		}
		rows = append(rows, "| `"+string(row.Reason)+"` | "+row.On+" | "+kind+" | "+row.Meaning+" |\n")
	}
	for _, name := range release.PhaseNames() {
		rows = append(rows, "| `"+string(name)+"` | "+name.Meaning()+" |\n")
	}
	for _, row := range rows {
		if !strings.Contains(content, row) {
			t.Errorf("the guide has no row\n%s", row)
		}
	}
	if n := strings.Count(content, "\n| `"); n != len(rows)+2+countFields {
		t.Errorf("the guide has %d rows, want %d", n, len(rows)+2+countFields)
	}
}

// countFields are the rows of the table of fields, which are the log's own.
const countFields = 8

// page is a file of the repository.
func page(t *testing.T, name string) string {
	t.Helper()
	root, err := devtools.Root()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestGuidesToSteps: both pages about a version bump have every step that a promotion
// may have, in its order in the one for users, and the guide to canaries what a step
// may wait for.
func TestGuidesToSteps(t *testing.T) {
	t.Parallel()
	left := page(t, "templates/guides/how-a-version-bump-works.md")
	code := page(t, "internal/README.md")
	for _, kind := range release.StepKinds() {
		name := string(kind)
		var found bool
		if _, left, found = strings.Cut(left, ". **"+strings.ToUpper(name[:1])+name[1:]+".** "); !found {
			t.Errorf("the guide has no step %s, or not after the one before it", name)
		}
		if !regexp.MustCompile(`\n   \| ([a-z]+, )*` + name + `(, [a-z]+)* \| `).MatchString(code) {
			t.Errorf("the page on the code has no step %s", name)
		}
	}
	canary := page(t, "templates/guides/canary.md.tmpl")
	for _, gate := range release.Gates() {
		if !strings.Contains(canary, "\n| `gate = \""+string(gate)+"\"` | ") {
			t.Errorf("the guide to canaries has no gate %s", gate)
		}
	}
	for _, policy := range release.AbandonPolicies() {
		if !strings.Contains(canary, "\n| `\""+string(policy)+"\"`") {
			t.Errorf("the guide to canaries does not say what on_abandon = %q does", policy)
		}
	}
}

// TestGuidesAreWhole: what a guide refers to is there, and no conflict of a merge was
// left in one.
func TestGuidesAreWhole(t *testing.T) {
	t.Parallel()
	root, err := devtools.Root()
	if err != nil {
		t.Fatal(err)
	}
	guides, err := filepath.Glob(filepath.Join(root, "docs", "guides", "*.md"))
	if err != nil || len(guides) < 20 {
		t.Fatalf("found only %v: %v", guides, err)
	}
	marks := regexp.MustCompile(`(?m)^(<{7}|={7}|>{7})( |$)`)
	links := regexp.MustCompile(`\]\(([^)#:]+\.md)(#[^)]*)?\)`)
	for _, file := range guides {
		content := page(t, "docs/guides/"+filepath.Base(file))
		if mark := marks.FindString(content); mark != "" {
			t.Errorf("%s has the mark %q of a merge", filepath.Base(file), mark)
		}
		for _, link := range links.FindAllStringSubmatch(content, -1) {
			if !exists(filepath.Join(filepath.Dir(file), filepath.FromSlash(link[1]))) {
				t.Errorf("%s refers to %s, which is not there", filepath.Base(file), link[1])
			}
		}
	}
}
