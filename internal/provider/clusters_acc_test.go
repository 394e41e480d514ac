package provider_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// pair is a test's namespace on each of two clusters, "east" and "west".
type pair struct {
	t          *testing.T
	east, west *lab
	proxy      *testcluster.Proxy // in front of west
}

// onPair gives the test the same namespace on both clusters.
func onPair(t *testing.T, east, west *testcluster.Cluster) *pair {
	t.Helper()
	t.Parallel()
	p := &pair{t: t, east: labOn(t, east), proxy: west.Proxy(t)}
	p.west = &lab{t: t, cluster: west, namespace: p.east.namespace}
	p.west.makeNamespace()
	p.east.provider = block(`provider "switchback"`, []string{fmt.Sprintf("clusters = {\n    east = { config_path = %q }\n    west = { config_path = %q }\n  }", east.KubeconfigPath, p.proxy.KubeconfigPath)})
	return p
}

// both runs a check on both clusters.
func (p *pair) both(check func(l *lab)) {
	p.t.Helper()
	check(p.east)
	check(p.west)
}

func on(clusters ...string) string {
	return fmt.Sprintf("clusters = [\"%s\"]", strings.Join(clusters, `", "`))
}

// The second cluster is expensive: all tests of several clusters share it.
func TestAccSeveralClusters(t *testing.T) {
	t.Parallel()
	west := testcluster.Clusters(t, 2)[1]
	tests := map[string]func(t *testing.T, p *pair){
		"create and switch on both":                 switchOnBoth,
		"add a cluster":                             addCluster,
		"drop a cluster from both resources":        dropCluster,
		"one fails":                                 oneFails,
		"the switch fails on one":                   oneSwitchFails,
		"one is unreachable":                        oneUnreachable,
		"one does not answer":                       oneSilent,
		"clusters must be named":                    clustersMustBeNamed,
		"import finds both, and never a subset":     importOnBoth,
		"somebody moves the traffic on one of them": disagreement,
		"an action goes back on both":               goBackOnBoth,
		"one name for both":                         oneName,
		"one name for both load balancers":          oneNameOfLoadBalancers,
		"one name of a simple policy":               oneSimpleName,
		"one name goes on without a cluster":        oneNameWithoutOneCluster,
		"an environment over both":                  environmentOverBoth,
		"a group goes from one to the other":        groupOverClusters,
		"a group's import finds both":               groupImportedOnBoth,
	}
	maps.Copy(tests, mainRollouts())
	t.Run("with east and west", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, onPair(t, testcluster.Shared(t), west)) })
		}
	})
}

func switchOnBoth(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	east, west := p.east.watchMain(), p.west.watchMain()
	config := func(tag string, keep int) string {
		return l.config(l.deployment(image(tag), on("east", "west"), createFirst), l.main(on("east", "west"), keepPrevious(keep)))
	}
	w.apply(config("v1", 1))
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	eastPods, westPods := p.east.wantPods(nameOf("v1"), 1), p.west.wantPods(nameOf("v1"), 1)
	w.apply(config("v2", 1))
	p.both(func(l *lab) {
		l.wantMain(nameOf("v2"))
		l.wantCustody(nameOf("v1"), release.CustodyRetained)
	})
	w.wantState(theMain, "split", map[string]any{"east": map[string]any{nameOf("v2"): 100}, "west": map[string]any{nameOf("v2"): 100}})
	w.wantNoChanges()
	w.apply(config("v1", 1))
	p.east.wantSamePods(nameOf("v1"), eastPods)
	p.west.wantSamePods(nameOf("v1"), westPods)
	w.apply(config("v3", 0))
	p.both(func(l *lab) { l.wantReleases(nameOf("v3")) })
	w.wantNoChanges()
	east.Check(t, drain)
	west.Check(t, drain)
	w.destroy()
	p.both((*lab).wantNothingLeft)
}

func addCluster(t *testing.T, p *pair) {
	l, w, watch := p.east, p.east.inProcess(), p.east.watchMain()
	config := func(clusters string) string { return l.config(l.deployment(clusters), l.main(clusters)) }
	w.apply(config(on("east")))
	pods := l.wantPods(nameOf("v1"), 1)
	p.west.wantReleases()
	r := w.apply(config(on("east", "west")))
	r.wantActions(theDeployment, "update", theMain, "update")
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	l.wantSamePods(nameOf("v1"), pods)
	w.wantNoChanges()
	watch.Check(t, drain)
}

func dropCluster(t *testing.T, p *pair) {
	l, w, watch := p.east, p.east.inProcess(), p.east.watchMain()
	config := func(tag, clusters string) string {
		return l.config(l.deployment(image(tag), clusters, createFirst), l.main(clusters))
	}
	w.apply(config("v1", on("east", "west")))
	w.apply(config("v2", on("east", "west")))
	w.apply(config("v2", on("east")))
	p.west.wantNothingLeft()
	l.wantMain(nameOf("v2"))
	l.wantReleases(nameOf("v1"), nameOf("v2"))
	w.wantNoChanges()
	watch.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}

// An image that cannot start on one cluster starts on neither.
func oneFails(_ *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), on("east", "west"), createFirst), l.main(on("east", "west")))
	}
	w.apply(config("v1"))
	p.west.forbidPods()
	w.applyFails(config("v2")).tells("west", nameOf("v2"), "Traffic: unchanged, 100 % on "+nameOf("v1"))
	p.both(func(l *lab) {
		l.wantMain(nameOf("v1"))
		l.wantPods(nameOf("v1"), 1)
		l.eventuallyPods(nameOf("v2"), 0)
	})
	w.write(config("v1"))
	w.wantNoChanges()
}

// A switch that fails on one cluster is undone on the other.
func oneSwitchFails(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	east, west := p.east.watchMain(), p.west.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), on("east", "west"), createFirst), l.main(on("east", "west")))
	}
	w.apply(config("v1"))
	p.proxy.SetFault(noPatchOfMain)
	w.applyFails(config("v2")).tells("not today", "west")
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	p.proxy.SetFault(nil)
	w.apply(config("v2"))
	p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
	w.wantNoChanges()
	east.Check(t, drain)
	west.Check(t, drain)
}

func oneUnreachable(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	east, west := p.east.watchMain(), p.west.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), on("east", "west"), createFirst), l.main(on("east", "west")))
	}
	w.apply(config("v1"))
	w.refresh() // the deployment has seen its promotion, too
	before := resourcesOf(w.stateText())

	p.proxy.Down(t)
	w.wantNoChanges().warns("Cluster is unreachable", "west", "nothing was concluded from the silence")
	w.refresh()
	if after := resourcesOf(w.stateText()); before != after {
		t.Errorf("the state changed:\n%s\nand was:\n%s", after, before)
	}
	w.applyFails(config("v2")).tells("Cluster is unreachable", "west")
	p.east.wantMain(nameOf("v1"))
	p.east.wantReleases(nameOf("v1"))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	if r := w.run("destroy", "-json", "-auto-approve", "-input=false"); !r.failed {
		t.Error("a destroy succeeded that could not reach a cluster")
	}
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	p.east.wantMain(nameOf("v1"))

	p.proxy.Up(t)
	w.apply(config("v2"))
	p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
	w.wantNoChanges()
	east.Check(t, drain)
	west.Check(t, drain)
	w.destroy()
	p.both((*lab).wantNothingLeft)
}

// A cluster that takes connections and never answers is as unreachable as one
// that refuses them, and is not waited for beyond the operation's time.
func oneSilent(_ *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	config := func(tag string, lines ...string) string {
		return l.config(l.deployment(append(lines, image(tag), on("east", "west"), createFirst)...), l.main(on("east", "west")))
	}
	w.apply(config("v1"))
	p.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault { return testcluster.Blackhole() })
	w.write(config("v1"))
	w.wantNoChanges().warns("Cluster is unreachable", "west")
	w.applyFails(config("v2", `timeouts = { create = "8s" }`)).tells("west")
	p.east.wantMain(nameOf("v1"))
	p.proxy.SetFault(nil)
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	w.write(config("v1"))
	w.wantNoChanges()
}

func clustersMustBeNamed(_ *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	w.applyFails(l.config(l.deployment())).tells("Clusters must be named", `"east", "west"`)
	w.applyFails(l.config(l.deployment(on("north")))).tells("Unknown cluster", "north", `"east", "west"`)
}

func importOnBoth(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	config := l.config(l.deployment(on("east", "west")), l.main(on("east", "west")))
	w.apply(config)
	w.do("state", "rm", theDeployment, theMain)
	p.proxy.Down(t)
	if code, text := w.exec("import", "-input=false", "-no-color", theDeployment, l.namespace+"/"+nameOf("v1")); code == 0 || !strings.Contains(text, "unreachable") {
		t.Errorf("an import that could not see every cluster: exit code %d\n%s", code, text)
	}
	p.proxy.Up(t)
	w.do("import", "-input=false", "-no-color", theDeployment, l.namespace+"/"+nameOf("v1"))
	w.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	w.wantNoChanges()
}

func disagreement(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	config := l.config(
		l.deployment(`for_each = toset(["v1", "v2"])`, `image = "demo/api:${each.key}"`, on("east", "west")),
		l.main(`deployment_id = switchback_deployment.api["v1"].id`, on("east", "west")),
	)
	w.apply(config)
	p.west.patchService("api", `{"spec":{"selector":{"`+release.LabelDeployment+`":"`+nameOf("v2")+`"}}}`)
	w.refresh()
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	if len(w.drift(theMain)) == 0 {
		t.Error("no drift tells that the clusters disagree")
	}
	w.apply(config).wantActions(theMain, "update")
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	w.wantNoChanges()
}

// All clusters go back, or none; those that are not alike are told apart.
func goBackOnBoth(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	east, west := p.east.watchMain(), p.west.watchMain()
	connected := func() *protocol {
		return speak(t, map[string]string{"east": p.east.cluster.KubeconfigPath, "west": p.proxy.KubeconfigPath})
	}
	back := data{"namespace": l.namespace, "application": "api"}
	config := func(tag, token string) string {
		return l.config(l.deployment(image(tag), on("east", "west"), createFirst), l.main(on("east", "west"), keepPrevious(1), fmt.Sprintf("retry_token = %q", token)))
	}
	w.apply(config("v1", "a"))
	w.apply(config("v2", "a"))

	p.proxy.SetFault(noPatchOfMain)
	connected().invoke("switchback_rollback", back).refused("not today", "west")
	p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
	p.proxy.SetFault(nil)
	connected().invoke("switchback_rollback", back).fine("east: moving traffic", "west: moving traffic")
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	w.apply(config("v2", "a"))
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	w.apply(config("v2", "b"))

	p.west.patchService("api", `{"spec":{"sessionAffinity":"ClientIP"}}`)
	connected().invoke("switchback_rollback", back).refused("Clusters are not alike", "east", "west")
	p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
	connected().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api", "clusters": []string{"west"}}).fine()
	p.east.wantMain(nameOf("v2"))
	p.west.wantMain(nameOf("v1"))
	w.write(config("v2", "b")) // not what one cluster alone has left
	w.plan().warns("The apply of this plan will be refused", "west", "admin asked to go back")
	w.applyFails(config("v2", "b")).tells("Deployment was taken back before", "west")
	p.east.wantMain(nameOf("v2"))
	p.west.wantMain(nameOf("v1"))
	w.apply(config("v2", "c"))
	p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
	w.wantNoChanges()
	east.Check(t, drain)
	west.Check(t, drain)
}
