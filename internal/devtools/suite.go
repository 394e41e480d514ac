package devtools

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// suites are the parts of continuous integration that take long, and the paths
// that they are about: where none of them has changed since a suite was green,
// it would show nothing new.
var suites = map[string][]string{
	"images":   {"tools/images"},
	"policy":   {"tools/policy", "examples/pipeline"},
	"opentofu": {"tools/tofu", "go.mod", "internal/devtools", "internal/testcluster/cmd/testrun"},
}

// Suite is a part of continuous integration that is run where it is due.
type Suite struct {
	name  string
	paths []string
	root  string
	green string // the file with the commit at which it was green last
}

// NewSuite is the suite with a name of the table.
func NewSuite(name string) (Suite, error) {
	paths, ok := suites[name]
	if !ok {
		return Suite{}, fmt.Errorf("unknown suite %q", name)
	}
	root, err := Root()
	if err != nil {
		return Suite{}, err
	}
	cache, err := os.UserCacheDir()
	return Suite{name: name, paths: paths, root: root, green: filepath.Join(cache, "switchback", "green", name)}, err
}

// Due tells whether the suite has to run, and why or why not. Whenever that
// cannot be told, it has to.
func (s Suite) Due(ctx context.Context) (due bool, why string) {
	content, err := os.ReadFile(s.green)
	if errors.Is(err, fs.ErrNotExist) {
		return true, "it was never green here"
	}
	commit := strings.TrimSpace(string(content))
	if err != nil || commit == "" {
		return true, fmt.Sprintf("%s cannot be read", s.green)
	}
	if _, err := s.git(ctx, "rev-parse", "--verify", "--quiet", commit+"^{commit}"); err != nil {
		return true, fmt.Sprintf("the commit %s, at which it was green last, is not in this repository", commit)
	}
	changed, err := s.git(ctx, append([]string{"diff", "--name-only", commit, "--"}, s.paths...)...)
	if err == nil && len(changed) == 0 {
		changed, err = s.untracked(ctx)
	}
	switch {
	case err != nil:
		return true, fmt.Sprintf("git cannot tell what has changed since %s: %v", commit, err)
	case len(changed) > 0:
		return true, fmt.Sprintf("%s has changed since it was green, at %s", changed[0], commit)
	}
	return false, fmt.Sprintf("nothing has changed in %s since it was green, at %s", strings.Join(s.paths, ", "), commit)
}

// Passed remembers that the suite is green as the checkout is. What is not
// committed has no name that could be remembered.
func (s Suite) Passed(ctx context.Context) error {
	changed, err := s.git(ctx, append([]string{"diff", "--name-only", "HEAD", "--"}, s.paths...)...)
	if err != nil {
		return err
	}
	untracked, err := s.untracked(ctx)
	if changed = append(changed, untracked...); err != nil || len(changed) > 0 {
		return errors.Join(err, os.RemoveAll(s.green))
	}
	commit, err := s.git(ctx, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.green), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.green, []byte(commit[0]+"\n"), 0o600)
}

func (s Suite) untracked(ctx context.Context) ([]string, error) {
	return s.git(ctx, append([]string{"ls-files", "--others", "--exclude-standard", "--"}, s.paths...)...)
}

// git runs it at the repository's root, and returns the lines that it writes.
func (s Suite) git(ctx context.Context, args ...string) ([]string, error) {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = s.root
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return slices.DeleteFunc(strings.Split(string(output), "\n"), func(line string) bool { return line == "" }), nil
}
