package terminal_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestGet: what lives, as a table and as data.
func TestGet(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	here := []string{"--kubeconfig", testcluster.Shared(t).KubeconfigPath, "-n", s.namespace}
	get := func(args ...string) said {
		t.Helper()
		return run(t, append(append([]string{"get"}, here...), args...)...)
	}
	empty := get()
	empty.wants(t, terminal.ExitDone, "No applications found in "+s.namespace+" namespace.")
	if empty.out != "" {
		t.Errorf("what is piped is not empty: %q", empty.out)
	}
	get("-o", "json").wants(t, terminal.ExitDone, `"items": []`)
	get("api").wants(t, terminal.ExitFailed, `application "api" not found in namespace "`+s.namespace+`". It has none.`)

	for _, version := range []string{"v1", "v2"} {
		s.deploy(version)
		s.promote(version)
	}
	s.deploy("v3")
	list := get()
	list.wants(t, terminal.ExitDone, "NAME STATUS VERSION TRAFFIC PROMOTION PROMOTED\napi ready v2 "+s.name("v2")+" finalized ")
	get("-o", "wide").wants(t, terminal.ExitDone, "CLUSTERS RUNNING PROBLEMS", s.name("v3")+","+s.name("v2"))
	get("--no-headers").wants(t, terminal.ExitDone, "api ready v2")
	for _, match := range []string{"-lteam=payments", "--environment=production", "-A"} {
		get(match).wants(t, terminal.ExitDone, "api ready v2 "+s.name("v2"))
	}
	for _, match := range []string{"-lteam=search", "--environment=staging"} {
		get(match).wants(t, terminal.ExitDone, "No applications found")
	}
	get("apo").wants(t, terminal.ExitFailed, `application "apo" not found`, "It has: api.")

	get("api").wants(t, terminal.ExitDone, "NAME ROLE VERSION STATUS TRAFFIC PODS AGE\n",
		s.name("v3")+" new v3 started 0% 1/1 ", s.name("v2")+" main v2 started 100% 1/1 ", s.name("v1")+" previous v1 ")
	var app terminal.Application
	decode(t, get("api", "-o", "yaml"), &app)
	if app.APIVersion != "cli.switchback.dev/v1" || app.Kind != "Application" || app.Name != "api" || app.Main != s.name("v2") || len(app.Releases) != 3 || len(app.Problems) != 0 {
		t.Errorf("it is %+v", app)
	}
	if r := app.Releases[1]; r.Name != s.name("v2") || r.Role != terminal.RoleMain || r.Share != 100 || r.Ready != 1 || r.Pods != 1 || r.Environment != "production" || r.CreatedAt == nil || r.CreatedBy == "" {
		t.Errorf("its main is %+v", r)
	}

	s.engineFails("demo/missing:v4", "v4")
	failed := get("api")
	failed.wants(t, terminal.ExitDone, " failed v4 start_error 0% 0/0 ", "\napi is ready: api-", "is start_error: ")
	if plain := get("api", "--no-headers"); strings.Contains(plain.out, "api is ready") || strings.Contains(plain.out, "ROLE") {
		t.Errorf("lines about the table are in\n%s", plain.out)
	}
}

// engineFails lets the create of a version fail.
func (s *shop) engineFails(image, version string) {
	s.t.Helper()
	if _, err := s.engine.Deploy(s.t.Context(), s.on, s.spec(version, image)); err == nil {
		s.t.Fatalf("%s starts", image)
	}
}

// decode reads what a command has written as data.
func decode(t *testing.T, s said, into any) {
	t.Helper()
	s.wants(t, terminal.ExitDone)
	if err := yaml.UnmarshalStrict([]byte(s.out), into); err != nil { // JSON, too
		t.Fatalf("%v in\n%s", err, s.out)
	}
}

// TestGetACanary: while two versions share the traffic, each is told with its share.
func TestGetACanary(t *testing.T) {
	t.Parallel()
	s := canary(t)
	here := []string{"--kubeconfig", testcluster.Shared(t).KubeconfigPath, "-n", s.namespace}
	run(t, append(here, "get")...).wants(t, terminal.ExitDone, fmt.Sprintf("api waiting <none> %s 75%%, %s 25%% paused ", s.name("v1"), s.name("v2")))
	run(t, append(here, "get", "api")...).wants(t, terminal.ExitDone, s.name("v2")+" candidate v2 started 25% 1/1 ", s.name("v1")+" main v1 started 75% 1/1 ",
		"api is waiting: the main deployment is paused: "+s.name("v2")+" has 25 % of the traffic until somebody lets it go on")
	var app terminal.Application
	decode(t, run(t, append(here, "get", "api", "-o", "json")...), &app)
	if p := app.Addresses[0].Promotion; p == nil || !p.Paused || p.To != s.name("v2") || p.Steps[p.Step-1] != "pause manual" {
		t.Errorf("its promotion is %+v", p)
	}
}

// TestGetOfSeveralClusters: each is called by its context, and one that cannot be read is
// told and not taken for an empty one.
func TestGetOfSeveralClusters(t *testing.T) {
	t.Parallel()
	both := testcluster.Clusters(t, 2)
	namespace := both[0].Namespace(t)
	both[1].NamespaceNamed(t, namespace)
	proxy := both[1].Proxy(t)
	s := shopOn(t, namespace, map[string]string{"eu": both[0].KubeconfigPath, "us": both[1].KubeconfigPath})
	s.deploy("v1")
	s.promote("v1")
	config := testcluster.Contexts(t, namespace, map[string]string{"eu": both[0].KubeconfigPath, "us": proxy.KubeconfigPath})
	get := func(args ...string) said {
		t.Helper()
		return run(t, append([]string{"get", "--kubeconfig", config}, args...)...)
	}
	get("api", "--contexts", "us,eu").wants(t, terminal.ExitDone, "CLUSTER NAME ROLE", "eu "+s.name("v1")+" main v1", "us "+s.name("v1")+" main v1")
	get("-o", "wide", "--contexts", "us,eu,eu").wants(t, terminal.ExitDone, "api ready v1 "+s.name("v1")+" finalized ", " eu,us ")
	get("--context", "us").wants(t, terminal.ExitDone, "api ready v1")
	get("--context", "ap").wants(t, terminal.ExitFailed, `the kubeconfig has no context "ap". It has: eu, us.`)

	proxy.Down(t)
	part := get("--contexts", "us,eu", "-o", "json")
	part.wants(t, terminal.ExitIncomplete, `Error: cluster "us" cannot be reached`)
	var list terminal.ApplicationList
	if err := json.Unmarshal([]byte(part.out), &list); err != nil || len(list.Items) != 1 || len(list.Unread) != 1 || list.Unread[0].Cluster != "us" {
		t.Errorf("%v: without us, it is %+v", err, list)
	}
	get("api", "--contexts", "us,eu").wants(t, terminal.ExitIncomplete, "eu "+s.name("v1")+" main v1", `Error: cluster "us" cannot be reached`)
	alone := get("--context", "us")
	alone.wants(t, terminal.ExitFailed, `Error: cluster "us" cannot be reached`)
	if strings.Contains(alone.out+alone.err, "No applications") {
		t.Errorf("it is taken for an empty one: %s", alone.err)
	}
}

// TestGetWithoutPermission: what may not be read is no empty list, and the message says
// what is missing.
func TestGetWithoutPermission(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	namespace := c.Namespace(t)
	config := c.RestrictedKubeconfig(t, namespace, []rbacv1.PolicyRule{
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"services", "configmaps"}, Verbs: []string{"get", "list", "watch"}},
	})
	run(t, "get", "--kubeconfig", config).wants(t, terminal.ExitDone, "No applications found in "+namespace+" namespace.")
	run(t, "get", "--kubeconfig", config, "-A").wants(t, terminal.ExitFailed, "configmaps", "forbidden")
	run(t, "get", "--kubeconfig", config, "-n", "kube-system").wants(t, terminal.ExitFailed, "configmaps", "forbidden")
}
