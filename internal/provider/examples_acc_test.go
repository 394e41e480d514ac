package provider_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
			if strings.HasPrefix(dir, "actions") && !w.knows(actions) {
				return
			}
			if identity := filepath.Join(w.dir, "import-by-identity.tf"); exists(identity) {
				// There is nothing to import before the example is applied.
				w.knows(importByIdentity)
				l.must(os.Remove(identity))
			}
			w.do("validate", "-no-color")
			w.do("apply", "-auto-approve", "-input=false", "-no-color")
			w.wantNoChanges()
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// Queries are no configuration: they stand in files of their own. What they
// ask for need not be there.
func TestAccExamplesOfQueries(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "list-resources", "*", "*.tfquery.hcl"))
	if err != nil || len(files) < 2 {
		t.Fatalf("found only the queries %v: %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			l := newLab(t)
			w := l.workspace()
			for _, from := range []string{file, filepath.Join(examples, "provider", "provider.tf")} {
				text, err := os.ReadFile(from)
				l.must(err)
				l.must(os.WriteFile(filepath.Join(w.dir, filepath.Base(from)), text, 0o600))
			}
			w.env = []string{"TF_VAR_kubeconfig=" + l.cluster.KubeconfigPath}
			cli, err := terraformCLI()
			l.must(err)
			if code, text := w.exec("query", "-no-color"); (code == 0) != can(t, cli, queries) {
				t.Errorf("exit code %d\n%s", code, text)
			}
		})
	}
}

// knows says whether the CLI at hand has the feature that the workspace's
// configuration needs. It fails the test unless the CLI thinks so too.
func (w *workspace) knows(f feature) bool {
	w.t.Helper()
	cli, err := terraformCLI()
	if err != nil {
		w.t.Fatal(err)
	}
	knows := can(w.t, cli, f)
	if code, text := w.exec("validate", "-no-color"); (code == 0) != knows {
		w.t.Errorf("%s: exit code %d, though the table of features says %v\n%s", f, code, knows, text)
	}
	return knows
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
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
	return exists(filepath.Join(dir, "main.tf")) || exists(filepath.Join(dir, "provider.tf"))
}
