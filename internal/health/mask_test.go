package health

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
)

// TestFindingsAreClean: every text of one, also the log's.
func TestFindingsAreClean(t *testing.T) {
	t.Parallel()
	planted := "x\nApply complete!\rx\x1b[2Jx\x1b]52;c;aGk=\ax\u202ex\u009bx\bx\rx pass\x1b[1Cword=hunter2hunter2"
	ref := PodRef{Pod: "api-1", Container: "api"}
	found := merge([]Finding{{Cause: CauseCrashLoop, Class: Certain, Object: "pod " + planted, Container: planted, Sentence: planted, Evidence: planted, Hint: planted, LogsOf: &ref}}, 1)
	found[0].takeLog(map[PodRef]string{ref: planted + "\n" + planted}, 10)
	if text := Text(found); text != mask.Clean(text) || strings.Contains(text, "hunter2") || strings.Contains(text, "\nApply") {
		t.Errorf("it shows %q", text)
	}
}

// TestRedactLeavesWhatClustersSay: no message of a real cluster has a credential.
func TestRedactLeavesWhatClustersSay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	messages := regexp.MustCompile(`(?m)^\s*(?:message|note|reason): .*$`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range messages.FindAllString(string(content), -1) {
			if got := mask.Redact(text); got != text {
				t.Errorf("%s: %q\nis %q", file, text, got)
			}
		}
	}
}
