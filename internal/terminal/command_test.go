package terminal_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestUsage: a wrong command line says what is right, and no cluster is asked.
func TestUsage(t *testing.T) {
	t.Parallel()
	proxy := testcluster.Shared(t).Proxy(t)
	for _, tc := range []struct {
		args, says string
	}{
		{"gte", `there is no command "gte": ` + "`kubectl switchback --help` lists them. Did you mean get?"},
		{"get a b", "one application at a time, please"},
		{"get api -A", "exclude each other"},
		{"get -o xml", `there is no output format "xml": say json, yaml, wide`},
		{"get -l =", "="},
		{"get --nope", "unknown flag: --nope: see `kubectl switchback get --help`"},
		{"get --request-timeout soon", `--request-timeout "soon" is no duration`},
		{"get --context a --contexts b", "--context and --contexts exclude each other"},
		{"history", "name an application: `kubectl switchback history NAME`"},
		{"history a b", "one application at a time, please: there are 2 names (a, b)"},
		{"history api --operation destroy", `there is no operation "destroy". There are: deploy, `},
		{"rollback", "name an application or one of its releases: `kubectl switchback rollback NAME`"},
		{"rollback api -l team=payments", "exclude each other"},
		{"rollback --environment dev --to api-0b8e4d27", "--to names a release of one application"},
		{"restart api -o wide", `there is no output format "wide": say json, yaml`},
		{"stop api --timeout 0s", "--timeout 0s: it must be more than nothing"},
		{"history api --limit -1", "--limit -1: it must be 1 or more"},
	} {
		said := run(t, append(strings.Fields(tc.args), "--kubeconfig", proxy.KubeconfigPath)...)
		said.wants(t, terminal.ExitUsage, "Error: ", tc.says)
		if said.out != "" {
			t.Errorf("%s wrote %q", tc.args, said.out)
		}
	}
	if asked := proxy.Requests(); len(asked) > 0 {
		t.Errorf("the cluster was asked: %v", asked)
	}
}

// emptyKubeconfig is the path of one that names no cluster.
func emptyKubeconfig(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/config"
	if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNoCluster: nothing is guessed where nothing is named, not even localhost.
func TestNoCluster(t *testing.T) {
	t.Parallel()
	path := emptyKubeconfig(t)
	run(t, "get", "--kubeconfig", path).wants(t, terminal.ExitFailed, "no cluster is named", "--kubeconfig", "KUBECONFIG")
	none := testcluster.Contexts(t, "shop", map[string]string{"eu": testcluster.Shared(t).KubeconfigPath})
	run(t, "get", "--kubeconfig", none).wants(t, terminal.ExitFailed, "the kubeconfig has no current context: name one with --context. It has: eu.")
	run(t, "get", "--kubeconfig", path+"2").wants(t, terminal.ExitFailed, "config2: no such file")
}

// TestNoTokenInAPod: a pod that has no token of a service account asks nobody, either.
func TestNoTokenInAPod(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "6443")
	run(t, "get", "--kubeconfig", emptyKubeconfig(t)).wants(t, terminal.ExitFailed, "no cluster is named", "this pod has no token of a service account", "automountServiceAccountToken")
}

// TestCompletion offers what may stand there: applications, releases behind the name of one,
// groups, environments, namespaces; and contexts behind those that are typed already.
func TestCompletion(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy("v1")
	config := testcluster.Contexts(t, s.namespace, map[string]string{"eu": testcluster.Shared(t).KubeconfigPath, "us": testcluster.Shared(t).KubeconfigPath})
	run(t, "__complete", "get", "--kubeconfig", config, "--context", "eu", "").wants(t, terminal.ExitDone, "api\n")
	run(t, "__complete", "history", "--kubeconfig", config, "--contexts", "eu,u").wants(t, terminal.ExitDone, "eu,us\n")
	s.member = rollout.Member{Group: "shop", Name: "api"}
	s.promote("v1")
	s.deploy("v2")
	v1, v2 := s.name("v1"), s.name("v2")
	for args, offers := range map[string]string{
		"get api":                    "", // it takes one
		"stop":                       "api\n",
		"stop api-":                  "api\n" + min(v1, v2) + "\n" + max(v1, v2) + "\n",
		"rollback api-":              "api\n",
		"rollback api --to ":         min(v1, v2) + "\n" + max(v1, v2) + "\n",
		"watch":                      "api\n",
		"watch api ":                 "",
		"watch --group ":             "shop\n",
		"stop --environment ":        "production\n",
		"get --environment ":         "production\n",
		"diagnose " + v1[:len(v1)-1]: "api\n" + min(v1, v2) + "\n" + max(v1, v2) + "\n",
	} {
		words := append([]string{"__complete"}, strings.Split(args, " ")...)
		if !strings.Contains(args, " ") || args == "get api" {
			words = append(words, "")
		}
		words = slices.Insert(words, 2, "--kubeconfig", config, "--context", "eu")
		if said := run(t, words...); said.out != offers+":4\n" {
			t.Errorf("%s: it offers\n%s", args, said.out)
		}
	}
	run(t, "__complete", "get", "--kubeconfig", config, "--context", "eu", "-n", "").wants(t, terminal.ExitDone, s.namespace+"\n")
}
