package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestGuideToWatching: the guide has each reason of an Event and each phase, with
// what the tables say of them.
func TestGuideToWatching(t *testing.T) {
	t.Parallel()
	root, err := devtools.Root()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, "templates", "guides", "watching-a-release.md"))
	if err != nil {
		t.Fatal(err)
	}
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
		if !strings.Contains(string(content), row) {
			t.Errorf("the guide has no row\n%s", row)
		}
	}
	if n := strings.Count(string(content), "\n| `"); n != len(rows)+2+countFields {
		t.Errorf("the guide has %d rows, want %d", n, len(rows)+2+countFields)
	}
}

// countFields are the rows of the table of fields, which are the log's own.
const countFields = 8
