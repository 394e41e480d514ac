package devtools

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSuiteIsDueWhereItsPathsChanged(t *testing.T) {
	t.Parallel()
	s := Suite{name: "heavy", paths: []string{"heavy", "go.mod"}, root: t.TempDir(), green: filepath.Join(t.TempDir(), "green", "heavy")}
	git := func(args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		command.Dir = s.root
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, output)
		}
	}
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(s.root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	commit := func() {
		t.Helper()
		git("add", "--all")
		git("commit", "--quiet", "--message", "x")
	}
	want := func(due bool, why string) {
		t.Helper()
		if got, said := s.Due(t.Context()); got != due || !strings.Contains(said, why) {
			t.Errorf("due: %t, %s; want %t, …%s…", got, said, due, why)
		}
	}
	passed := func() {
		t.Helper()
		if err := s.Passed(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "--quiet")
	write("heavy/a", "1")
	write("light/b", "1")
	commit()
	want(true, "never green")
	passed()
	want(false, "nothing has changed in heavy, go.mod since it was green, at ")
	write("light/b", "2")
	commit()
	want(false, "nothing has changed")
	write("heavy/a", "2")
	want(true, "heavy/a has changed") // and is not committed
	passed()
	want(true, "never green") // so that nothing is remembered
	commit()
	want(true, "never green")
	passed()
	want(false, "nothing has changed")
	write("heavy/new", "1")
	want(true, "heavy/new has changed")
	write("go.mod", "x")
	commit()
	want(true, "go.mod has changed")
	if err := os.WriteFile(s.green, []byte(strings.Repeat("0", 40)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(true, "is not in this repository")
}

// TestSuitesAreAboutPathsThatExist: what was renamed would never be due again.
func TestSuitesAreAboutPathsThatExist(t *testing.T) {
	t.Parallel()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, paths := range suites {
		for _, path := range paths {
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
