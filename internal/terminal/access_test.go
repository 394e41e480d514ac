package terminal_test

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestAccess: what a credential may do is what its roles say, and what is missing is listed.
func TestAccess(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	namespace := c.Namespace(t)
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}}}
	needed, _ := cluster.FeatureRefresh.Rules()
	for _, r := range needed {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: r.Resources, Verbs: r.Verbs})
	}
	config := c.RestrictedKubeconfig(t, namespace, rules)
	access := func(args ...string) said {
		t.Helper()
		return run(t, append([]string{"access", "--kubeconfig", config}, args...)...)
	}
	all := access()
	all.wants(t, terminal.ExitDone, "ROLE ALLOWED MISSING\nrefresh yes <none>\ndeploy no create deployments.apps, patch deployments.apps, ",
		"adopt yes <none>", "diagnose no get events, list events, watch events, ", "\ntell no ")
	if n := strings.Count(all.out, "\n"); n != len(cluster.Features())+1 {
		t.Errorf("there are %d lines", n)
	}
	access("refresh").wants(t, terminal.ExitDone, "refresh yes")
	access("refresh", "lock").wants(t, terminal.ExitNo, "lock no get leases.coordination.k8s.io, ")
	access("everything").wants(t, terminal.ExitUsage, `there is no role "everything". There are: refresh, deploy, `)
	var list terminal.AccessList
	decode(t, run(t, "access", "--kubeconfig", c.KubeconfigPath, "-n", namespace, "-o", "json"), &list)
	for _, item := range list.Items {
		if !item.Allowed || item.User == "" {
			t.Errorf("of an administrator it says %+v", item)
		}
	}
}

// TestWhoSteersNeedNotSeeTheRoute: hold, resume and retry take what SECURITY.md says. What
// looks at the address takes the route's role, too, and says once what is missing.
func TestWhoSteersNeedNotSeeTheRoute(t *testing.T) {
	t.Parallel()
	s := canary(t)
	s.app, s.owner, s.routed = "web", "", false
	s.deploy("v1")
	s.promote("v1")
	s.app = "api"
	c := testcluster.Shared(t)
	var rules []rbacv1.PolicyRule
	for _, role := range []cluster.Feature{cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeatureLock} {
		needed, _ := role.Rules()
		for _, r := range needed {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: r.Resources, Verbs: r.Verbs})
		}
	}
	config := c.RestrictedKubeconfig(t, s.namespace, rules)
	do := func(args ...string) said { t.Helper(); return run(t, append(args, "--kubeconfig", config)...) }
	do("hold", "api", "--yes").wants(t, terminal.ExitDone, "it is held where it is")
	do("resume", "api", "--yes").wants(t, terminal.ExitDone, "is not held any more")
	do("retry", "api", "--yes").wants(t, terminal.ExitDone, "nothing is refused")
	list := do("get")
	list.wants(t, terminal.ExitIncomplete, "api unknown ", "web ready v1", "httproutes", "forbidden", "\nWhat you may do there, and what each role lacks: kubectl switchback access\n")
	if n := strings.Count(list.err, "Error: "); n != 1 {
		t.Errorf("it is told %d times:\n%s", n, list.err)
	}
}
