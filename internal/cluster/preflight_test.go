package cluster

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func rulesOf(features ...Feature) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, f := range features {
		needed, _ := f.Rules()
		for _, r := range needed {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: r.Resources, Verbs: r.Verbs})
		}
	}
	return rules
}

func TestPreflightOncePerNamespace(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			p, err := w.Preflight(t.Context(), w.namespace, Features())
			if err != nil || len(p.Lacking) != 0 || !strings.HasPrefix(p.Version, "v1.") {
				t.Errorf("%v %v", p, err)
			}
		})
	}
	group.Wait()
	if _, err := w.Preflight(t.Context(), w.namespace, []Feature{FeatureRefresh}); err != nil {
		t.Error(err)
	}
	// The namespace and the rules; an administrator has no gaps to ask about.
	if n := len(w.proxy.Requests()); n != 2 {
		t.Errorf("%d requests:\n%s", n, strings.Join(lines(w.proxy.Requests()), "\n"))
	}
}

func TestPreflightNamesEveryMissingPermission(t *testing.T) {
	t.Parallel()
	namespace := testcluster.Shared(t).Namespace(t)
	required := []Feature{FeatureRefresh, FeatureDeploy, FeatureAutoscale, FeatureDisrupt, FeaturePromote, FeatureAdopt, FeatureDNS, FeatureHTTPRoute, FeatureGRPCRoute, FeatureTCPRoute, FeatureAdoptHTTPRoute, FeatureAdoptGRPCRoute, FeatureAdoptTCPRoute, FeatureTerminate, FeatureLock}
	all := rulesOf(required...)

	t.Run("all there", func(t *testing.T) {
		t.Parallel()
		w := restricted(t, namespace, all)
		p, err := w.Preflight(t.Context(), namespace, Features())
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Lacking) == 0 || p.Lacking[0].Feature != FeatureDiagnose {
			t.Errorf("optional features that are missing are not told: %v", p.Lacking)
		}
	})
	// Take one (resource, verb) away at a time, wherever it is granted.
	for _, missing := range []struct{ group, resource, verb string }{
		{"apps", "deployments", "list"}, {"apps", "deployments", "patch"}, {"apps", "deployments", "delete"},
		{"", "services", "watch"}, {"", "services", "patch"}, {"", "configmaps", "create"}, {"", "namespaces", "get"},
		{"discovery.k8s.io", "endpointslices", "watch"}, {"coordination.k8s.io", "leases", "update"},
		{"autoscaling", "horizontalpodautoscalers", "patch"}, {"policy", "poddisruptionbudgets", "create"},
		{"externaldns.k8s.io", "dnsendpoints", "patch"},
	} {
		t.Run(missing.verb+" "+missing.resource, func(t *testing.T) {
			t.Parallel()
			var rules []rbacv1.PolicyRule
			for _, rule := range all {
				for _, resource := range rule.Resources {
					kept := rbacv1.PolicyRule{APIGroups: rule.APIGroups, Resources: []string{resource}}
					for _, verb := range rule.Verbs {
						if rule.APIGroups[0] != missing.group || resource != missing.resource || verb != missing.verb {
							kept.Verbs = append(kept.Verbs, verb)
						}
					}
					if len(kept.Verbs) > 0 {
						rules = append(rules, kept)
					}
				}
			}
			w := restricted(t, namespace, rules)
			_, err := w.Preflight(t.Context(), namespace, required)
			var lacking *MissingPermissionsError
			if !errors.As(err, &lacking) {
				t.Fatalf("got %v", err)
			}
			for _, g := range lacking.Gaps {
				if g.Verb != missing.verb || g.Resource != missing.resource || g.Group != missing.group || g.Namespace != namespace {
					t.Errorf("not missing: %s", g)
				}
			}
			for _, want := range []string{`"` + missing.verb + `"`, missing.resource, namespace, "system:serviceaccount:" + namespace, "prod"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %v", want, err)
				}
			}
			var role rbacv1.Role
			if err := yaml.UnmarshalStrict([]byte(lacking.Role()), &role); err != nil || role.Kind != "Role" || role.Namespace != namespace || len(role.Rules) != 1 ||
				role.Rules[0].Resources[0] != missing.resource || role.Rules[0].Verbs[0] != missing.verb || role.Rules[0].APIGroups[0] != missing.group {
				t.Errorf("%v in:\n%s", err, lacking.Role())
			}
			for _, r := range w.proxy.Writes() {
				t.Errorf("written: %s", r.String())
			}
		})
	}
}

// Each permission that is taken away is seen to be missing, and no other, by every
// feature that needs it.
func TestEveryPermissionCounts(t *testing.T) {
	t.Parallel()
	all := map[Gap]bool{}
	for _, f := range Features() {
		for _, g := range unlisted(nil, "shop", f) {
			all[g.alone()] = true
		}
	}
	for missing := range all {
		var rules authorizationv1.SubjectRulesReviewStatus
		for g := range all {
			if g != missing {
				rules.ResourceRules = append(rules.ResourceRules, authorizationv1.ResourceRule{APIGroups: []string{g.Group}, Resources: []string{g.Resource}, Verbs: []string{g.Verb}})
			}
		}
		needed := 0
		for _, f := range Features() {
			for _, g := range unlisted(&rules, "shop", f) {
				if needed++; g.alone() != missing {
					t.Errorf("%s is missing, and %s is said to be", missing, g)
				}
			}
		}
		if needed == 0 {
			t.Errorf("%s is missing, and nobody sees it", missing)
		}
	}
}

// The rules are asked for once, whatever is needed later in the run.
func TestPreflightKnowsTheRules(t *testing.T) {
	t.Parallel()
	namespace := testcluster.Shared(t).Namespace(t)
	w := restricted(t, namespace, rulesOf(FeatureRefresh, FeatureDeploy, FeaturePromote))
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.proxy.Reset()
	for _, features := range [][]Feature{{FeatureRefresh}, {FeatureDeploy}, {FeatureRefresh, FeaturePromote}} {
		if _, err := w.Preflight(t.Context(), namespace, features); err != nil {
			t.Fatal(err)
		}
	}
	asked := lines(w.proxy.Requests())
	if _, err := w.Preflight(t.Context(), namespace, []Feature{FeatureLock}); err == nil {
		t.Error("what is not in the rules is allowed")
	}
	if len(asked) != 2 {
		t.Errorf("it asked:\n%s", strings.Join(asked, "\n"))
	}
}

// What is asked beside is needed by whoever may do some of it.
func TestPreflightBeside(t *testing.T) {
	t.Parallel()
	namespace := testcluster.Shared(t).Namespace(t)
	base := rulesOf(FeatureRefresh)
	t.Run("nothing of it", func(t *testing.T) {
		t.Parallel()
		w := restricted(t, namespace, base)
		if err := w.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.proxy.Reset()
		for range 2 {
			if _, err := w.Preflight(t.Context(), namespace, []Feature{FeatureRefresh}, FeatureDNS); err != nil {
				t.Fatal(err)
			}
		}
		// The namespace, the rules, and each of its six permissions.
		if asked := w.proxy.Requests(); len(asked) != 2+6 {
			t.Errorf("it asked:\n%s", strings.Join(lines(asked), "\n"))
		}
		var lacking *MissingPermissionsError
		if _, err := w.Preflight(t.Context(), namespace, []Feature{FeatureDNS}, FeatureDNS); !errors.As(err, &lacking) || len(lacking.Gaps) != 6 {
			t.Errorf("who needs it is told %v", err)
		}
	})
	t.Run("some of it", func(t *testing.T) {
		t.Parallel()
		some := rulesOf(FeatureDNS)
		some[0].Verbs = []string{"get", "list", "watch"}
		w := restricted(t, namespace, append(some, base...))
		var lacking *MissingPermissionsError
		if _, err := w.Preflight(t.Context(), namespace, []Feature{FeatureRefresh}, FeatureDNS); !errors.As(err, &lacking) || len(lacking.Gaps) != 3 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("all of it", func(t *testing.T) {
		t.Parallel()
		w := restricted(t, namespace, append(rulesOf(FeatureDNS), base...))
		if _, err := w.Preflight(t.Context(), namespace, []Feature{FeatureRefresh}, FeatureDNS); err != nil {
			t.Error(err)
		}
	})
}

// What was missing and has been granted is found without a new run.
func TestPreflightFailureIsNotRemembered(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	var missing *NamespaceError
	name := w.namespace + "-later"
	if _, err := w.Preflight(t.Context(), name, []Feature{FeatureRefresh}); !errors.As(err, &missing) || missing.Terminating {
		t.Fatalf("got %v", err)
	}
	namespace := testcluster.Shared(t).Namespace(t)
	if _, err := w.Preflight(t.Context(), namespace, []Feature{FeatureRefresh}); err != nil {
		t.Error(err)
	}
}

func TestPreflightTerminatingNamespace(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	w := wire(t, c.Namespace(t))
	stuck := configMap(w.namespace, "stuck")
	stuck.Finalizers = []string{"example.com/wait"}
	if err := w.Create(t.Context(), stuck); err != nil {
		t.Fatal(err)
	}
	namespaces := c.Client().CoreV1().Namespaces()
	if err := namespaces.Delete(t.Context(), w.namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Preflight(t.Context(), w.namespace, []Feature{FeatureRefresh})
	var terminating *NamespaceError
	if !errors.As(err, &terminating) || !terminating.Terminating || !strings.Contains(err.Error(), w.namespace) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Client().CoreV1().ConfigMaps(w.namespace).Patch(t.Context(), "stuck", "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Error(err)
	}
}

func TestExpectedUID(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	system, err := c.Client().CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	proxy := c.Proxy(t)
	right := connect(t, Config{ConfigPath: proxy.KubeconfigPath, ExpectedUID: string(system.UID)})
	if err := right.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(proxy.Requests()); n != 2 {
		t.Errorf("%d requests: %v", n, lines(proxy.Requests()))
	}
	proxy.Reset()
	wrong := connect(t, Config{ConfigPath: proxy.KubeconfigPath, ExpectedUID: "11111111-2222-3333-4444-555555555555"})
	for range 3 {
		err := wrong.Create(t.Context(), configMap(c.Namespace(t), "x"))
		var mismatch *WrongClusterError
		if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), string(system.UID)) || !strings.Contains(err.Error(), "11111111-2222") {
			t.Errorf("got %v", err)
		}
	}
	if n := len(proxy.Requests()); n != 2 || len(proxy.Writes()) != 0 {
		t.Errorf("%d requests: %v", n, lines(proxy.Requests()))
	}

	// Who may not read that namespace is told so; nothing is assumed.
	namespace := c.Namespace(t)
	blind := connect(t, Config{ConfigPath: c.RestrictedKubeconfig(t, namespace, nil), ExpectedUID: string(system.UID)})
	var lacking *MissingPermissionsError
	if err := blind.Check(t.Context()); !errors.As(err, &lacking) || !strings.Contains(err.Error(), "kube-system") {
		t.Errorf("got %v", err)
	}
}

func TestTooOld(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"major":"1","minor":"29+","gitVersion":"v1.29.4-eks-1"}`))
	}))
	t.Cleanup(server.Close)
	c := connect(t, Config{Host: server.URL, Token: "t", ClusterCACertificate: pemOf(server.Certificate())})
	var old *TooOldError
	if err := c.Check(t.Context()); !errors.As(err, &old) || !strings.Contains(err.Error(), "v1.29.4-eks-1") || !strings.Contains(err.Error(), "1.30") {
		t.Errorf("got %v", err)
	}
	for minor, want := range map[string]bool{"29": true, "30": false, "36+": false, "": false} {
		if got := older(&version.Info{Major: "1", Minor: minor}); got != want {
			t.Errorf("1.%s: older = %t", minor, got)
		}
	}
}

// A page of some portal is not an API server.
func TestNotAnAPIServer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("<html>please log in</html>"))
	}))
	t.Cleanup(server.Close)
	c := connect(t, Config{Host: server.URL, Token: "t", ClusterCACertificate: pemOf(server.Certificate())})
	if err := c.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "not that of a Kubernetes API server") {
		t.Errorf("got %v", err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// TestARoleReplacesNoOther: who applies what one error says, and then what the next
// one says, has both.
func TestARoleReplacesNoOther(t *testing.T) {
	t.Parallel()
	named := func(gaps ...Gap) string {
		var role rbacv1.Role
		if err := yaml.UnmarshalStrict([]byte((&MissingPermissionsError{Namespace: "shop", Gaps: gaps}).Role()), &role); err != nil {
			t.Fatal(err)
		}
		return role.Name
	}
	services, slices := Gap{Verb: "list", Resource: "services"}, Gap{Verb: "list", Group: "discovery.k8s.io", Resource: "endpointslices"}
	if one, other := named(services), named(slices); one == other || one != named(services) || named(services, slices) == one {
		t.Errorf("they are called %s and %s", one, other)
	}
}
