// Package internal_test holds the rules about who may import what. They are
// the architecture: a file that breaks one is in the wrong place.
package internal_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const modulePath = "github.com/switchback-dev/terraform-provider-switchback"

// layers is the one direction imports point in: a package may import those of
// a later line, not its neighbours or those above.
var layers = [][]string{
	{"provider", "terminal"},
	{"group"},
	{"rollout"},
	{"observe"},
	{"ownership", "diagnose"},
	{"workload", "health", "logs", "traffic", "fleet", "promotion", "analysis", "policy", "source"},
	{"release"},
	{"mask", "wait"},
}

// rooms are the layers below provider, in the same way; "" is provider itself. The
// nouns are one line: they do not know each other. What two of them need goes below
// them.
var rooms = [][]string{
	{""},
	{"deployment", "maindeployment", "deploymentgroup", "environment", "events", "history", "logs", "diagnosis"},
	{"address"},
	{"session"},
	{"explain"},
	{"attrs"},
	{"fastpath"},
}

// beside are the directories below provider that are no rooms of it: commands, and
// what only tests use.
var beside = []string{"coretest", "floor", "guidepages", "plantest", "schemajson"}

// pure are the packages that compute and do nothing else: no I/O, no clock
// that ticks in a context, no process.
var pure = []string{"release", "promotion", "workload", "health", "logs", "policy", "mask"}

// impure are the standard library's ways to the world. A name covers what is
// below it.
var impure = []string{"context", "database", "log", "math/rand", "net", "os", "plugin", "syscall", "testing"}

// computing are those below them that only compute.
var computing = []string{"net/netip"}

// vague are package names that say nothing about what is inside.
var vague = []string{"common", "helper", "helpers", "misc", "shared", "util", "utils"}

// source is a parsed Go file.
type source struct {
	dir  string // its package, as below internal/; the path elsewhere
	test bool
}

// top is the package that owns the file: provider for provider/docs.
func (s source) top() string {
	first, _, _ := strings.Cut(s.dir, "/")
	return first
}

// unshipped tells whether the file is no part of the provider: the end-to-end
// tests and the demonstration.
func (s source) unshipped() bool { return s.top() == "test" || s.top() == "demo" }

// rule returns what is wrong with an import, or an empty string.
type rule func(s source, imported string) string

var rules = []rule{terraformOnlyInProvider, clientGoOnlyInCluster, layersPointDown, clusterOnlyAtTheTop, terminalAlone, testPackagesOnlyInTests, pureStaysPure, roomsPointDown}

func terraformOnlyInProvider(s source, imported string) string {
	if strings.HasPrefix(imported, "github.com/hashicorp/terraform-") && s.top() != "provider" && s.dir != "." {
		return "only provider knows Terraform"
	}
	return ""
}

func clientGoOnlyInCluster(s source, imported string) string {
	allowed := s.top() == "cluster" || s.top() == "testcluster" || s.top() == "testnode" || s.unshipped()
	if within(imported, "k8s.io/client-go") && !allowed {
		return "only cluster, testcluster and testnode know client-go"
	}
	return ""
}

func layersPointDown(s source, imported string) string {
	to, ok := internalPackage(imported)
	if !ok || to == s.top() {
		return ""
	}
	from, target := layerOf(s.top()), layerOf(to)
	switch {
	case from < 0 || target < 0 || from < target:
		return ""
	case from == target:
		return "packages of one layer do not know each other"
	default:
		return "imports point down: " + order()
	}
}

func clusterOnlyAtTheTop(s source, imported string) string {
	at := []string{"cluster", "provider", "terminal"}
	if to, ok := internalPackage(imported); ok && to == "cluster" && !s.test && !s.unshipped() && !slices.Contains(at, s.top()) {
		return "a cluster is reached through an interface that its user declares; only provider and terminal put cluster behind it"
	}
	return ""
}

// ofTerminals is what kubectl's plugin is made of.
var ofTerminals = []string{"k8s.io/cli-runtime", "github.com/spf13", "charm.land", "github.com/charmbracelet", "golang.org/x/term"}

// terminalAlone keeps what kubectl's plugin is made of out of the provider.
func terminalAlone(s source, imported string) string {
	if s.top() == "terminal" || s.top() == "cmd" {
		return ""
	}
	if to, ok := internalPackage(imported); ok && to == "terminal" || slices.ContainsFunc(ofTerminals, func(tree string) bool { return within(imported, tree) }) {
		return "only terminal and its command know kubectl's flags and printers, and what a screen takes"
	}
	return ""
}

func testPackagesOnlyInTests(s source, imported string) string {
	to, ok := internalPackage(imported)
	if !ok || s.test || strings.HasSuffix(s.dir, "test") || s.unshipped() {
		return ""
	}
	switch {
	case to == "testcluster" && s.top() != "testcluster",
		to == "testnode" && s.top() != "testnode",
		to == "testcli" && s.top() != "testcli",
		to == "devtools" && !slices.Contains([]string{"testcluster", "testnode", "testcli", "devtools"}, s.top()):
		return "only tests use this package"
	}
	return ""
}

func pureStaysPure(s source, imported string) string {
	if s.test || !slices.Contains(pure, s.top()) {
		return ""
	}
	for _, name := range impure {
		if within(imported, name) && !slices.Contains(computing, imported) {
			return s.top() + " is pure: it computes, and does no I/O"
		}
	}
	return ""
}

func roomsPointDown(s source, imported string) string {
	if s.test || s.top() != "provider" {
		return ""
	}
	from := roomOf(strings.TrimPrefix(s.dir, "provider"))
	if slices.Contains(beside, from) {
		return ""
	}
	if within(imported, modulePath+"/internal/cluster") && from != "" && from != "session" && from != "explain" {
		return "only session has connections; a noun has the session"
	}
	path, ok := strings.CutPrefix(imported, modulePath+"/internal/provider")
	if !ok {
		return ""
	}
	to := roomOf(path)
	a, b := lineOf(rooms, from), lineOf(rooms, to)
	switch {
	case slices.Contains(beside, to):
		return "only tests and commands use this package"
	case a < 0 || b < 0:
		return "a directory below provider has its line among the rooms"
	case from == to || a < b:
		return ""
	case a == b:
		return "nouns do not know each other: what two of them need goes below them"
	}
	return "imports point down: provider, the nouns, address, session, explain, attrs, fastpath"
}

// roomOf is the directory below provider that a path, such as /deployment, is in.
func roomOf(path string) string {
	room, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return room
}

// internalPackage is the top package below internal/ that an import names.
func internalPackage(imported string) (string, bool) {
	rest, ok := strings.CutPrefix(imported, modulePath+"/internal/")
	first, _, _ := strings.Cut(rest, "/")
	return first, ok
}

func layerOf(name string) int { return lineOf(layers, name) }

func lineOf(lines [][]string, name string) int {
	return slices.IndexFunc(lines, func(line []string) bool { return slices.Contains(line, name) })
}

// order is the layers in words: "provider, group, {workload, health}, release".
func order() string {
	var names []string
	for _, layer := range layers {
		name := strings.Join(layer, ", ")
		if len(layer) > 1 {
			name = "{" + name + "}"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func within(imported, tree string) bool {
	return imported == tree || strings.HasPrefix(imported, tree+"/")
}

// violations checks all Go files of the provider's module. Modules of their
// own, as below tools/, are not its business.
func violations(tree fs.FS) ([]string, error) {
	var found []string
	err := fs.WalkDir(tree, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if _, err := fs.Stat(tree, path.Join(file, "go.mod")); err == nil && file != "." {
				return fs.SkipDir
			}
			if name := entry.Name(); file != "." && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(file) != ".go" {
			return nil
		}
		content, err := fs.ReadFile(tree, file)
		if err != nil {
			return err
		}
		of, err := fileViolations(file, content)
		found = append(found, of...)
		return err
	})
	return found, err
}

func fileViolations(file string, content []byte) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, content, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	s := source{dir: strings.TrimPrefix(path.Dir(file), "internal/"), test: strings.HasSuffix(file, "_test.go")}
	var found []string
	name := strings.TrimSuffix(parsed.Name.Name, "_test")
	if slices.Contains(vague, name) || slices.Contains(vague, path.Base(s.dir)) {
		found = append(found, fmt.Sprintf("%s: a package named %s says nothing about what is inside", file, name))
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		for _, broken := range rules {
			if why := broken(s, imported); why != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", file, imported, why))
			}
		}
	}
	return found, nil
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	found, err := violations(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// TestImportRulesCanFail shows each rule a file that breaks it, and one that
// nearly does.
func TestImportRulesCanFail(t *testing.T) {
	t.Parallel()
	const ours = modulePath + "/internal/"
	for _, tc := range []struct {
		file, imported string
		allowed        bool
	}{
		{"internal/rollout/x.go", "github.com/hashicorp/terraform-plugin-framework/types", false},
		{"internal/rollout/x_test.go", "github.com/hashicorp/terraform-plugin-testing/helper/resource", false},
		{"internal/provider/x.go", "github.com/hashicorp/terraform-plugin-framework/types", true},
		{"internal/provider/docs/x.go", "github.com/hashicorp/terraform-plugin-go/tfprotov6", true},
		{"main.go", "github.com/hashicorp/terraform-plugin-framework/providerserver", true},

		{"internal/provider/x.go", "k8s.io/client-go/rest", false},
		{"internal/rollout/x_test.go", "k8s.io/client-go", false},
		{"internal/cluster/x.go", "k8s.io/client-go/rest", true},
		{"internal/rollout/x.go", "k8s.io/api/core/v1", true},

		{"internal/release/x.go", ours + "workload", false},
		{"internal/workload/x.go", ours + "health", false},
		{"internal/traffic/gateway/x.go", ours + "rollout", false},
		{"internal/rollout/x_test.go", ours + "provider", false},
		{"internal/traffic/routertest/x.go", ours + "traffic", true},
		{"internal/provider/x.go", ours + "release", true},
		{"internal/group/x.go", ours + "rollout", true},
		{"internal/cluster/x.go", ours + "rollout", true},

		{"internal/rollout/x.go", ours + "cluster", false},
		{"main.go", ours + "cluster", false},
		{"internal/rollout/x_test.go", ours + "cluster", true},
		{"internal/provider/x.go", ours + "cluster", true},

		{"internal/terminal/x.go", ours + "cluster", true},
		{"internal/terminal/x.go", ours + "observe", true},
		{"internal/terminal/x.go", ours + "provider/attrs", false},
		{"internal/terminal/x.go", "k8s.io/client-go/rest", false},
		{"internal/terminal/x.go", "k8s.io/cli-runtime/pkg/printers", true},
		{"cmd/plugin/x.go", ours + "terminal", true},
		{"cmd/plugin/x.go", ours + "cluster", false},
		{"internal/provider/x.go", ours + "terminal", false},
		{"internal/cluster/x.go", "k8s.io/cli-runtime/pkg/genericclioptions", false},
		{"internal/terminal/x.go", "charm.land/bubbletea/v2", true},
		{"internal/observe/x.go", "charm.land/bubbletea/v2", false},
		{"internal/logs/x.go", "github.com/charmbracelet/x/ansi", false},
		{"main.go", ours + "terminal", false},
		{"main.go", "github.com/spf13/cobra", false},

		{"internal/provider/x.go", ours + "testcluster", false},
		{"main.go", ours + "devtools", false},
		{"internal/provider/x_test.go", ours + "testcluster", true},
		{"internal/traffic/routertest/x.go", ours + "testcluster", true},
		{"internal/testcluster/x.go", ours + "devtools", true},
		{"internal/provider/x.go", ours + "testnode", false},
		{"internal/testnode/cmd/cluster/x.go", ours + "testnode", true},
		{"internal/testnode/x.go", ours + "devtools", true},
		{"internal/provider/x.go", ours + "testcli", false},
		{"internal/provider/x_test.go", ours + "testcli", true},
		{"internal/testcli/x.go", ours + "devtools", true},
		{"internal/testcli/x.go", "github.com/hashicorp/terraform-plugin-go/tfprotov6", false},
		{"internal/testnode/x.go", "k8s.io/client-go/kubernetes", true},
		{"demo/x.go", ours + "devtools", true},

		{"internal/release/x.go", "net/http", false},
		{"internal/workload/x.go", "os", false},
		{"internal/health/x.go", "context", false},
		{"internal/policy/x.go", "math/rand/v2", false},
		{"internal/logs/x.go", "os", false},
		{"internal/logs/x.go", ours + "health", false},
		{"internal/rollout/x.go", ours + "logs", true},
		{"internal/health/x_test.go", "os", true},
		{"internal/release/x.go", "time", true},
		{"internal/rollout/x.go", "context", true},

		{"internal/provider/deployment/x.go", ours + "provider/maindeployment", false},
		{"internal/provider/address/x.go", ours + "provider/maindeployment", false},
		{"internal/provider/attrs/x.go", ours + "provider/session", false},
		{"internal/provider/attrs/x.go", ours + "provider", false},
		{"internal/provider/novelty/x.go", ours + "provider/attrs", false},
		{"internal/provider/deployment/x.go", ours + "provider/plantest", false},
		{"internal/provider/deployment/x.go", ours + "cluster", false},
		{"internal/provider/deployment/x_test.go", ours + "provider/plantest", true},
		{"internal/provider/deployment/x.go", ours + "provider/address", true},
		{"internal/provider/session/x.go", ours + "cluster", true},
		{"internal/provider/x.go", ours + "provider/deployment", true},
		{"internal/provider/schemajson/x.go", ours + "provider", true},

		{"internal/utils/x.go", "fmt", false},
		{"internal/provider/common/x.go", "fmt", false},

		{"tools/devcluster/x.go", "k8s.io/client-go/rest", true}, // a module of its own
		{"internal/release/testdata/x.go", "os", true},
	} {
		tree := fstest.MapFS{
			"go.mod":                  {Data: []byte("module " + modulePath)},
			"tools/devcluster/go.mod": {Data: []byte("module x")},
			tc.file:                   {Data: fmt.Appendf(nil, "package %s\n\nimport _ %q\n", strings.ReplaceAll(path.Base(path.Dir(tc.file)), ".", "main"), tc.imported)},
		}
		found, err := violations(tree)
		if err != nil {
			t.Fatal(err)
		}
		if tc.allowed != (len(found) == 0) {
			t.Errorf("%s importing %s: allowed=%t, but found %q", tc.file, tc.imported, tc.allowed, found)
		}
	}
}
