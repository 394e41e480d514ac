package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// permission is one verb on one resource.
type permission struct{ group, resource, verb string }

// permissionsOf are those of features, each once.
func permissionsOf(features ...cluster.Feature) []permission {
	var all []permission
	for _, feature := range features {
		needs, _ := feature.Rules()
		for _, r := range needs {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					all = append(all, permission{r.Group, resource, verb})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b permission) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return slices.Compact(all)
}

// restricted is a connection through a proxy that may do so much, and nothing else.
func (l *lab) restricted(proxy *testcluster.Proxy, permissions []permission) string {
	l.t.Helper()
	return connection(l.restrictedKubeconfig(proxy, permissions))
}

// restrictedKubeconfig is the kubeconfig of such a connection.
func (l *lab) restrictedKubeconfig(proxy *testcluster.Proxy, permissions []permission) string {
	l.t.Helper()
	var rules []rbacv1.PolicyRule
	for _, p := range permissions {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{p.group}, Resources: []string{p.resource}, Verbs: []string{p.verb}})
	}
	return proxy.Through(l.t, l.cluster.RestrictedKubeconfig(l.t, l.namespace, rules))
}

// mandatory are the features that somebody who uses everything must be given.
func mandatory() []cluster.Feature {
	return slices.DeleteFunc(cluster.Features(), func(f cluster.Feature) bool {
		_, optional := f.Rules()
		return optional
	})
}

func wantNoWrites(t *testing.T, proxy *testcluster.Proxy) {
	t.Helper()
	for _, written := range proxy.Writes() {
		t.Errorf("written: %s", written.String())
	}
}

// tryDestroy destroys what is in the state, with the provider of a configuration.
func (w *workspace) tryDestroy(config string) *result {
	w.t.Helper()
	w.write(config)
	return w.run("destroy", "-json", "-auto-approve", "-input=false", "-no-color")
}

// samplesOf are permissions of features, one for each rule and resource: those of a
// feature are asked for together, which internal/cluster tests.
func samplesOf(features ...cluster.Feature) []permission {
	var samples []permission
	for _, feature := range features {
		needs, _ := feature.Rules()
		for _, r := range needs {
			for _, resource := range r.Resources {
				if p := (permission{r.Group, resource, r.Verbs[len(r.Verbs)-1]}); !slices.Contains(samples, p) {
					samples = append(samples, p)
				}
			}
		}
	}
	return samples
}

// TestAccPermissionsAreAskedForBeforeTheFirstWrite takes a permission of each
// documented rule away, and runs what needs it somewhere: a run that makes a
// deployment and promotes it, one that bumps its version, in either order, and one
// that ends all. None of them writes anything, and the error names what is missing.
func TestAccPermissionsAreAskedForBeforeTheFirstWrite(t *testing.T) {
	l := newLab(t)
	l.cluster.ExternalDNS(t)
	l.legacy()
	proxy := l.cluster.Proxy(t)
	scaled := []string{requestingCPU, `autoscaling = { min = 2, max = 3, cpu = 70 }`}
	named := dnsOf(`backend = "google"`, `targets = { default = ["203.0.113.10"] }`)
	version := func(tag string, lifecycle ...string) string {
		return l.config(l.deployment(slices.Concat(scaled, lifecycle, []string{image(tag)})...), l.main(adopting, named))
	}
	other := func() string {
		application := `application = "web"`
		return l.config(l.deployment(append(scaled, application)...), l.main(application))
	}
	w, fresh := l.inProcess(), l.inProcess()
	w.apply(version("v1", createFirst))

	// What only a main deployment's configuration says is not known to the first
	// deployment of an application: it is asked for when that is promoted.
	unknown := samplesOf(cluster.FeatureAdopt, cluster.FeatureDNS)
	all := permissionsOf(mandatory()...)
	// Routes take a cluster that knows them: see previewWithoutPermission.
	routes := samplesOf(cluster.FeatureHTTPRoute, cluster.FeatureGRPCRoute, cluster.FeatureTCPRoute, cluster.FeatureAdoptHTTPRoute, cluster.FeatureAdoptGRPCRoute, cluster.FeatureAdoptTCPRoute)
	for _, missing := range samplesOf(mandatory()...) {
		if slices.Contains(routes, missing) {
			continue
		}
		t.Run(missing.verb+" "+missing.resource, func(t *testing.T) {
			l.provider = l.restricted(proxy, slices.DeleteFunc(slices.Clone(all), func(p permission) bool { return p == missing }))
			first := func() *result { return fresh.tryApply(other()) }
			if slices.Contains(unknown, missing) {
				first = func() *result { return w.tryApply(version("v2", createFirst)) }
			}
			for what, run := range []func() *result{
				first,
				func() *result { return w.tryApply(version("v2")) },
				func() *result { return w.tryDestroy(version("v1", createFirst)) },
			} {
				proxy.Reset()
				r := run()
				if !r.failed {
					t.Fatalf("run %d: %s succeeded", what, r.what)
				}
				wantNoWrites(t, proxy)
				r.tells(missing.verb, missing.resource, l.namespace)
			}
		})
		if t.Failed() {
			return // what was written is not as the next one expects
		}
	}

	// With all of them, all of it works.
	l.provider = l.restricted(proxy, all)
	fresh.apply(other())
	fresh.destroy()
	w.apply(version("v2"))
	w.destroy()
	l.wantLegacy()
	l.wantNothingLeft()
}

// What a run needs beyond what the resource at hand does is explained.
func TestAccPermissionsForLater(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	without := func(features ...cluster.Feature) {
		l.provider = l.restricted(proxy, permissionsOf(slices.DeleteFunc(mandatory(), func(f cluster.Feature) bool { return slices.Contains(features, f) })...))
	}
	w := l.inProcess()
	without(cluster.FeatureTerminate, cluster.FeaturePromote)
	w.applyFails(l.config(l.deployment())).tells("Permissions are missing",
		`to promote: verb "watch" on endpointslices.discovery.k8s.io in namespace "`+l.namespace+`"`, `to terminate: verb "delete" on deployments.apps`,
		"What comes after this step (promote, terminate) is asked for now", "kind: Role", "system:serviceaccount:"+l.namespace)
	wantNoWrites(t, proxy)

	// The address goes first, and what it kept goes with it.
	without()
	w.apply(l.config(l.deployment(image("v1"), "replicas = 2", createFirst), l.main()))
	w.apply(l.config(l.deployment(image("v2"), createFirst), l.main()))
	without(cluster.FeatureDisrupt)
	proxy.Reset()
	for _, run := range []func() *result{
		func() *result { return w.tryDestroy(l.config(l.deployment(image("v2"), createFirst), l.main())) },
		func() *result { return w.tryApply(l.config(l.deployment(image("v3"), createFirst), l.main())) },
	} {
		run().tells(`to disrupt: verb "delete" on poddisruptionbudgets.policy`,
			fmt.Sprintf("The deployment %s/%s has a PodDisruptionBudget, which this run may have to change or remove (disrupt).", l.namespace, nameOf("v1")))
	}
	wantNoWrites(t, proxy)
	without()
	w.write(l.config(l.deployment(image("v2"), createFirst), l.main()))
	w.destroy()
	l.wantNothingLeft()
}

// A name in DNS is the main deployment's. Who may do nothing about it can make
// deployments for somebody else to promote.
func TestAccDeploymentsOfWhoMayNotTouchDNS(t *testing.T) {
	l := newLab(t)
	l.cluster.ExternalDNS(t)
	l.inProcess().apply(l.config(l.deployment(image("v1")), l.main(dnsOf(`backend = "google"`, `targets = { default = ["203.0.113.10"] }`))))
	l.provider = l.restricted(l.cluster.Proxy(t), permissionsOf(slices.DeleteFunc(mandatory(), func(f cluster.Feature) bool { return f == cluster.FeatureDNS })...))
	w := l.inProcess()
	w.apply(l.config(l.deployment(image("v2"))))
	w.wantNoChanges()
	w.destroy()
	l.wantReleases(nameOf("v1"))
}
