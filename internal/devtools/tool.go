package devtools

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// mainModule names the repository in its go.mod file.
const mainModule = "module github.com/switchback-dev/terraform-provider-switchback"

// Tool is a program that is built from a module of this repository.
type Tool struct {
	Name    string   // the program's name
	dir     string   // its module, below the repository's root
	pkg     string   // what to build
	ldflags []string // for the linker
	notice  string   // what a person who waits wants to know
}

// kubernetesVersion is what the control plane says it is. The linker sets it:
// Kubernetes as a dependency does not know its own version.
const kubernetesVersion = "k8s.io/component-base/version"

// Devcluster is a Kubernetes control plane with simulated nodes in one process.
var Devcluster = Tool{
	Name: "devcluster",
	dir:  "tools/devcluster",
	pkg:  ".",
	ldflags: []string{
		"-s", "-w",
		"-X", kubernetesVersion + ".gitVersion=v1.36.3",
		"-X", kubernetesVersion + ".gitMajor=1",
		"-X", kubernetesVersion + ".gitMinor=36",
		"-X", kubernetesVersion + ".gitTreeState=clean",
		"-X", kubernetesVersion + ".gitCommit=local",
		"-X", kubernetesVersion + ".buildDate=2026-01-01T00:00:00Z",
	},
	notice: "a Kubernetes control plane; about 7 minutes the first time on 2 cores, seconds after that",
}

// OpenTofu is the CLI for acceptance tests where none is installed.
var OpenTofu = Tool{
	Name:    "tofu",
	dir:     "tools/tofu",
	pkg:     "github.com/opentofu/opentofu/cmd/tofu",
	ldflags: []string{"-s", "-w", "-X", "github.com/opentofu/opentofu/version.dev=no"},
	notice:  "about 5 minutes the first time on 2 cores, seconds after that",
}

// args are the arguments of go build, apart from the output.
func (t Tool) args() []string {
	return []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", strings.Join(t.ldflags, " "), t.pkg}
}

// key identifies what would be built: the module's files, the Go version, the
// platform and the build's arguments.
func (t Tool) key(root, goVersion string) (string, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s %s/%s %q\n", goVersion, runtime.GOOS, runtime.GOARCH, t.args())
	module := os.DirFS(filepath.Join(root, filepath.FromSlash(t.dir)))
	err := fs.WalkDir(module, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".md") {
			return err
		}
		content, err := fs.ReadFile(module, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s %d\n", path, len(content))
		_, err = hash.Write(content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:16], err
}

// Root is the repository's root: the directory above the current one that
// holds the provider's module. (Tests run in their package's directory.)
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && slices.Contains(strings.Split(strings.ReplaceAll(string(content), "\r", ""), "\n"), mainModule) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the current directory is not inside the provider's repository")
		}
		dir = parent
	}
}
