package testcli

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Workspace is a directory with one configuration and one state, in which
// commands run.
type Workspace struct {
	Dir      string
	Provider Provider
	Env      []string      // NAME=value, for every command
	Bound    time.Duration // how long a command may take; 0: the constant Bound

	// Line, if there is one, hears every line of every command as it is printed,
	// and the command waits for it.
	Line func(line []byte)
}

// New is a workspace in a directory that goes with the test.
func New(t testing.TB, p Provider) *Workspace {
	t.Helper()
	return &Workspace{Dir: t.TempDir(), Provider: p}
}

// Write writes a file into the directory.
func (w *Workspace) Write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.Dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
