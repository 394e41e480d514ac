package provider_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

const examples = "../../examples"

// Every example is formatted, valid, can be applied as it stands, leaves
// nothing to do, and is destroyed without a trace.
func TestAccExamples(t *testing.T) {
	for _, dir := range exampleDirs(t) {
		t.Run(dir, func(t *testing.T) {
			l := newLab(t)
			w := l.workspace()
			if err := os.CopyFS(w.dir, os.DirFS(filepath.Join(examples, dir))); err != nil {
				t.Fatal(err)
			}
			if !declaresProvider(t, w.dir) {
				text, err := os.ReadFile(filepath.Join(examples, "provider", "provider.tf"))
				l.must(err)
				l.must(os.WriteFile(filepath.Join(w.dir, "provider.tf"), text, 0o600))
			}
			w.env = []string{"TF_VAR_kubeconfig=" + l.cluster.KubeconfigPath, "TF_VAR_namespace=" + l.namespace}
			w.do("fmt", "-check", "-diff")
			w.do("validate", "-no-color")
			w.do("apply", "-auto-approve", "-input=false", "-no-color")
			w.wantNoChanges()
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// exampleDirs are the directories with configurations.
func exampleDirs(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := fs.WalkDir(os.DirFS(examples), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if found, err := filepath.Glob(filepath.Join(examples, path, "*.tf")); err != nil || len(found) > 0 {
			dirs = append(dirs, path)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 4 {
		t.Fatalf("found only the examples %v", dirs)
	}
	return dirs
}

// declaresProvider says whether an example stands alone. The documentation of
// one resource does not repeat the provider's.
func declaresProvider(t *testing.T, dir string) bool {
	t.Helper()
	for _, name := range []string{"main.tf", "provider.tf"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}
