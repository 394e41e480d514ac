package devtools

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]CLI{
		"Terraform v1.11.4\non linux_amd64\n":       {Version: "1.11.4"},
		"OpenTofu v1.12.6\non linux_amd64\n":        {Version: "1.12.6", Tofu: true},
		"Terraform v2.0.0-beta1\non darwin_arm64\n": {Version: "2.0.0-beta1"},
	} {
		if got, err := parseVersion(output); err != nil || got != want {
			t.Errorf("%q is %+v, %v, want %+v", output, got, err, want)
		}
	}
	for _, output := range []string{"", "Terraform", "Terraform v1.7.5\n", "Terraform v1.x.0\n", "Terraform v1\n", "kubectl v1.30.0\n"} {
		if got, err := parseVersion(output); err == nil {
			t.Errorf("%q is accepted as %+v", output, got)
		}
	}
}

func TestRootIsTheProvidersModule(t *testing.T) {
	t.Parallel()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, Devcluster.dir, "go.mod")); err != nil {
		t.Error(err)
	}
}

// repository is a root with one small tool.
func repository(t *testing.T) build {
	t.Helper()
	b := build{
		Tool:  Tool{Name: "hello", dir: "tools/hello", pkg: ".", notice: "a moment"},
		root:  t.TempDir(),
		cache: t.TempDir(),
		log:   &bytes.Buffer{},
	}
	b.write(t, "go.mod", "module hello\n\ngo 1.26\n")
	b.write(t, "main.go", "package main\n\nfunc main() { print(\"one\") }\n")
	return b
}

func (b build) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(b.root, filepath.FromSlash(b.dir), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBuildsOnceForTheSameSources(t *testing.T) {
	t.Parallel()
	b := repository(t)
	first, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	built, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), first).CombinedOutput()
	if err != nil || string(output) != "one" {
		t.Errorf("the program says %q, %v", output, err)
	}

	b.write(t, "main_test.go", "package main\n") // does not go into the program
	again, err := b.run(t.Context())
	if err != nil || again != first {
		t.Errorf("the second build is %s, %v, want %s", again, err, first)
	}
	if now, err := os.Stat(again); err != nil || !os.SameFile(now, built) {
		t.Errorf("it was built again: %v", err)
	}

	b.write(t, "main.go", "package main\n\nfunc main() { print(\"two\") }\n")
	if changed, err := b.run(t.Context()); err != nil || changed == first {
		t.Errorf("after a change: %s, %v", changed, err)
	}
}

func TestAProgramIsRebuiltForItsOwnSourcesOnly(t *testing.T) {
	t.Parallel()
	one := repository(t)
	other := one
	other.pkg = "./second"
	one.write(t, "second/main.go", "package main\n\nfunc main() {}\n")
	keys := func() [2]string {
		t.Helper()
		first, err1 := one.key(one.root, "go")
		second, err2 := other.key(one.root, "go")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		return [2]string{first, second}
	}
	before := keys()
	one.write(t, "second/main.go", "package main\n\nfunc main() { print() }\n")
	if after := keys(); after[0] != before[0] || after[1] == before[1] {
		t.Errorf("a change to the second program changes %q to %q", before, after)
	}
	before = keys()
	one.write(t, "data.yaml", "embedded: true\n")
	if after := keys(); after[0] == before[0] || after[1] != before[1] {
		t.Errorf("a change to the first program changes %q to %q", before, after)
	}
	before = keys()
	one.write(t, "go.mod", "module hello\n\ngo 1.26.0\n")
	if after := keys(); after[0] == before[0] || after[1] == before[1] {
		t.Errorf("a change to the module changes %q to %q", before, after)
	}
	one.trees = []string{"more"}
	one.write(t, "more/deep/part.go", "package deep\n")
	before = keys()
	one.write(t, "more/deep/part.go", "package deep // other\n")
	if after := keys(); after[0] == before[0] || after[1] != before[1] {
		t.Errorf("a change to the first program's tree changes %q to %q", before, after)
	}
}

func TestBuildFailureShowsTheCompilersMessage(t *testing.T) {
	t.Parallel()
	b := repository(t)
	b.write(t, "main.go", "package main\n\nfunc main() { undefinedFunction() }\n")
	_, err := b.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "undefined: undefinedFunction") {
		t.Errorf("the error is %v", err)
	}
	left, err := filepath.Glob(filepath.Join(b.cache, "hello-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("a failed build left %v, %v", left, err)
	}
}

func TestOldBuildsAreRemoved(t *testing.T) {
	t.Parallel()
	b := repository(t)
	age := time.Now().Add(-keepUnused - time.Hour)
	old, other := filepath.Join(b.cache, "hello-0123456789abcdef"), filepath.Join(b.cache, "other-0123456789abcdef")
	for _, path := range []string{old, other} {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, age, age)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old build is still there: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("another tool's build: %v", err)
	}
}

func TestLockIsExclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	waited := false
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path, func() { waited = true }); !errors.Is(err, context.DeadlineExceeded) || !waited {
		t.Errorf("a second lock: %v, and waiting was told: %t", err, waited)
	}
	unlock()
	again, err := lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestEnvironmentNamesTheCLI(t *testing.T) {
	t.Setenv("TF_CLI_CONFIG_FILE", filepath.Join(t.TempDir(), "missing"))
	env := CLI{Path: "/bin/tofu", Tofu: true}.Environment()
	for key, want := range map[string]string{
		TerraformPathEnv:       "/bin/tofu",
		"TF_CLI_CONFIG_FILE":   os.DevNull,
		"TF_ACC_PROVIDER_HOST": "registry.opentofu.org",
	} {
		if env[key] != want {
			t.Errorf("%s is %q, want %q", key, env[key], want)
		}
	}
	if _, set := (CLI{Path: "/bin/terraform"}).Environment()["TF_ACC_PROVIDER_HOST"]; set {
		t.Error("Terraform gets OpenTofu's registry")
	}
}
