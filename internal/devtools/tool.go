package devtools

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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
	trees   []string // directories of that module with more that goes into it
	gcflags []string // for the compiler, each for the packages that it names
	ldflags []string // for the linker
	notice  string   // what a person who waits wants to know
}

// kubernetesVersion is what the control plane says it is. The linker sets it:
// Kubernetes as a dependency does not know its own version.
const kubernetesVersion = "k8s.io/component-base/version"

// kubernetesFlags are the linker's for all of Kubernetes' programs: with the
// same ones, they share what is compiled.
var kubernetesFlags = []string{
	"-s", "-w",
	"-X", kubernetesVersion + ".gitVersion=v1.36.3",
	"-X", kubernetesVersion + ".gitMajor=1",
	"-X", kubernetesVersion + ".gitMinor=36",
	"-X", kubernetesVersion + ".gitTreeState=clean",
	"-X", kubernetesVersion + ".gitCommit=local",
	"-X", kubernetesVersion + ".buildDate=2026-01-01T00:00:00Z",
}

// compiledFast are the compiler's flags for all of Kubernetes' programs. Nobody
// debugs them, and what is generated, or is Kubernetes' own, is most of what is
// compiled and little of what costs time when they run: the libraries below do.
var compiledFast = withoutInlining("kubernetes", "api", "client-go/applyconfigurations", "client-go/informers", "client-go/kubernetes", "client-go/listers")

// withoutInlining are flags by which nothing of Kubernetes has debug information,
// and these parts of it are not optimized across functions.
func withoutInlining(parts ...string) []string {
	flags := []string{"all=-dwarf=false"}
	for _, part := range parts {
		flags = append(flags, "k8s.io/"+part+"/...=-dwarf=false -l")
	}
	return flags
}

// Devcluster is a Kubernetes control plane with simulated nodes in one process.
var Devcluster = Tool{
	Name:    "devcluster",
	dir:     "tools/devcluster",
	pkg:     ".",
	gcflags: compiledFast,
	ldflags: kubernetesFlags,
	notice:  "a Kubernetes control plane; minutes the first time, seconds after that",
}

// Devnode is the kubelet, kube-proxy and kubectl in one program.
var Devnode = Tool{
	Name:    "devnode",
	dir:     "tools/devcluster",
	pkg:     "./devnode",
	gcflags: compiledFast,
	ldflags: kubernetesFlags,
	notice:  "what runs on a Kubernetes node; a minute or two the first time, if devcluster is built",
}

// Images packs container images and serves them as a registry.
var Images = Tool{
	Name:    "images",
	dir:     "tools/images",
	pkg:     ".",
	ldflags: []string{"-s", "-w"},
	notice:  "a packer of container images, in seconds",
}

// App is the application that end-to-end tests release.
var App = Tool{
	Name:    "app",
	dir:     ".",
	pkg:     "./test/app",
	ldflags: []string{"-s", "-w"},
	notice:  "the application that tests release, in seconds",
}

// Plot draws what a load test saw.
var Plot = Tool{
	Name:    "plot",
	dir:     "tools/plot",
	pkg:     ".",
	ldflags: []string{"-s", "-w"},
	notice:  "draws what load tests saw, in seconds",
}

// OpenTofu is the CLI for acceptance tests where none is installed.
var OpenTofu = Tool{
	Name:    "tofu",
	dir:     "tools/tofu",
	pkg:     "github.com/opentofu/opentofu/cmd/tofu",
	ldflags: []string{"-s", "-w", "-X", "github.com/opentofu/opentofu/version.dev=no"},
	notice:  "OpenTofu; minutes the first time, seconds after that",
}

// KubernetesProvider is hashicorp/kubernetes, which a benchmark compares with.
var KubernetesProvider = Tool{
	Name:    "terraform-provider-kubernetes",
	dir:     "tools/kubernetesprovider",
	pkg:     "github.com/hashicorp/terraform-provider-kubernetes",
	ldflags: []string{"-s", "-w"},
	notice:  "another provider, to compare with; a minute or two the first time",
}

// Traefik is the gateway that end-to-end tests send requests through.
var Traefik = Tool{
	Name:    "traefik",
	dir:     "tools/traefik",
	pkg:     "github.com/traefik/traefik/v3/cmd/traefik",
	trees:   []string{"standins"},
	ldflags: []string{"-s", "-w"},
	notice:  "a gateway for tests; minutes the first time, seconds after that",
}

// args say to the go command what is built, and how.
func (t Tool) args() []string {
	args := []string{"-trimpath", "-buildvcs=false", "-ldflags", strings.Join(t.ldflags, " ")}
	for _, flags := range t.gcflags {
		args = append(args, "-gcflags", flags)
	}
	return append(args, t.pkg)
}

// key identifies what would be built: the module's versions, the files beside
// the program's main function and in its trees, the Go version, the platform and
// the build's arguments. A module may hold several programs, each in one directory,
// without packages of their own below it: a change to one does not rebuild the
// others.
func (t Tool) key(root, goVersion string) (string, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s %s/%s %q\n", goVersion, runtime.GOOS, runtime.GOARCH, t.args())
	files, err := t.files(os.DirFS(filepath.Join(root, filepath.FromSlash(t.dir))))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		fmt.Fprintf(hash, "%s %d\n", file.path, len(file.content))
		_, _ = hash.Write(file.content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

type sourceFile struct {
	path    string
	content []byte
}

// files are what goes into the program from its module.
func (t Tool) files(module fs.FS) ([]sourceFile, error) {
	paths := []string{"go.mod", "go.sum"}
	if t.pkg == "." || strings.HasPrefix(t.pkg, "./") {
		dir := path.Clean(t.pkg)
		entries, err := fs.ReadDir(module, dir)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			file := path.Join(dir, entry.Name())
			if entry.Type().IsRegular() && !strings.HasSuffix(file, "_test.go") && !strings.HasSuffix(file, ".md") && !slices.Contains(paths, file) {
				paths = append(paths, file)
			}
		}
	}
	for _, tree := range t.trees {
		err := fs.WalkDir(module, tree, func(file string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				paths = append(paths, file)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var files []sourceFile
	for _, file := range paths {
		content, err := fs.ReadFile(module, file)
		if errors.Is(err, fs.ErrNotExist) { // a module without dependencies has no go.sum
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, sourceFile{file, content})
	}
	return files, nil
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
