package provider_test

import (
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// mainRollouts are tests of main deployments that go over several clusters.
func mainRollouts() map[string]func(*testing.T, *pair) {
	return map[string]func(*testing.T, *pair){
		"a rollout goes on without one":                 rolloutGoesOn,
		"a rollout goes on without one it cannot reach": rolloutGoesOnWithoutUnreachable,
		"a rollout ends with one":                       rolloutAborts,
		"a rollout, a cluster added and dropped":        rolloutAddsAndDrops,
		"a bake fails on one cluster":                   bakeFailsOnOne,
	}
}

const continues = `rollout = { on_failure = "continue" }`

func (p *pair) split(tagEast, tagWest string) map[string]any {
	return map[string]any{"east": map[string]any{nameOf(tagEast): 100}, "west": map[string]any{nameOf(tagWest): 100}}
}

// What cannot move on one cluster is left there, told, and gone on with.
func rolloutGoesOn(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	east, west := p.east.watchMain(), p.west.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), on("east", "west"), createFirst), l.main(on("east", "west"), continues, keepPrevious(0)))
	}
	w.apply(config("v1"))
	w.wantClusters(map[string]string{"east": "finalized", "west": "finalized"})
	p.proxy.SetFault(noPatchOfMain)
	w.apply(config("v2")).warns("not today", `cluster "west"; the others went on`)
	p.east.wantMain(nameOf("v2"))
	p.west.wantMain(nameOf("v1"))
	p.west.wantCustody(nameOf("v1"), release.CustodyCondemned) // its resource is gone, and its traffic is not
	w.wantState(theMain, "status", "running", "deployment_id", l.namespace+"/"+nameOf("v2"), "split", p.split("v2", "v1"))
	w.wantClusters(map[string]string{"east": "finalized", "west": "rolled_back"})
	if message := w.clusterMessage("west"); !strings.Contains(message, "not today") {
		t.Errorf("of west it says %q", message)
	}
	// It fails again, and the state goes on telling so.
	w.apply(config("v2")).wantActions(theMain, "update")
	w.wantState(theMain, "status", "running", "split", p.split("v2", "v1"))

	p.proxy.SetFault(nil)
	w.apply(config("v2")).wantActions(theMain, "update")
	p.both(func(l *lab) {
		l.wantMain(nameOf("v2"))
		l.wantReleases(nameOf("v2"))
	})
	w.wantState(theMain, "status", "finalized", "split", p.split("v2", "v2"))
	w.wantClusters(map[string]string{"east": "finalized", "west": "finalized"})
	w.wantNoChanges()
	east.Check(t, drain)
	west.Check(t, drain)
	w.destroy()
	p.both((*lab).wantNothingLeft)
}

// A cluster that is away is left as it was.
func rolloutGoesOnWithoutUnreachable(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	east, west := p.east.watchMain(), p.west.watchMain()
	both := `for_each = toset(["v1", "v2"])`
	config := func(tag string) string {
		return l.config(l.deployment(both, `image = "demo/api:${each.key}"`, on("east", "west")),
			l.main(`deployment_id = switchback_deployment.api["`+tag+`"].id`, on("east", "west"), continues))
	}
	w.apply(config("v1"))
	p.proxy.Down(t)
	w.apply(config("v2")).warns("Cluster is unreachable", `cluster "west"; the others went on`)
	p.east.wantMain(nameOf("v2"))
	w.wantState(theMain, "status", "running", "split", p.split("v2", "v1"))
	w.wantClusters(map[string]string{"east": "finalized", "west": "failed"})
	p.proxy.Up(t)
	p.west.wantMain(nameOf("v1"))
	w.apply(config("v2"))
	p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
	w.wantNoChanges()
	east.Check(t, drain)
	west.Check(t, drain)
}

// Without a word, all stand or fall together: also in batches.
func rolloutAborts(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	east, west := p.east.watchMain(), p.west.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), on("east", "west"), createFirst),
			l.main(on("east", "west"), `rollout = { max_parallel = 1, order = ["east"], bake = "1s" }`))
	}
	w.apply(config("v1"))
	p.proxy.SetFault(noPatchOfMain)
	w.applyFails(config("v2")).tells("not today", "west")
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	w.wantState(theMain, "status", "rolled_back", "deployment_id", l.namespace+"/"+nameOf("v1"), "split", p.split("v1", "v1"))
	w.wantClusters(map[string]string{"east": "rolled_back", "west": "rolled_back"})
	p.proxy.SetFault(nil)
	w.apply(config("v2"))
	p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
	w.wantClusters(map[string]string{"east": "finalized", "west": "finalized"})
	w.wantNoChanges()
	east.Check(t, drain)
	west.Check(t, drain)
}

// Traffic moves only on the cluster that is added, and is taken away only on the
// one that is dropped.
func rolloutAddsAndDrops(t *testing.T, p *pair) {
	l, w, watch := p.east, p.east.inProcess(), p.east.watchMain()
	config := func(clusters string) string {
		return l.config(l.deployment(clusters), l.main(clusters, `rollout = { max_parallel = 1, on_failure = "continue" }`, `bake = "1s"`))
	}
	w.apply(config(on("east")))
	pods := l.wantPods(nameOf("v1"), 1)
	w.apply(config(on("east", "west")))
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	l.wantSamePods(nameOf("v1"), pods)
	w.wantClusters(map[string]string{"east": "finalized", "west": "finalized"})
	w.wantNoChanges()
	w.apply(config(on("east")))
	p.west.wantNothingLeft()
	l.wantMain(nameOf("v1"))
	w.wantClusters(map[string]string{"east": "finalized"})
	w.wantNoChanges()
	watch.Check(t, drain)
}

// One cluster's bake takes the release back on all of them.
func bakeFailsOnOne(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	east, west := p.east.watchMain(), p.west.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), on("east", "west"), replicas(3), createFirst), l.main(on("east", "west"), `bake = "9m"`))
	}
	w.apply(l.config(l.deployment(image("v1"), on("east", "west"), replicas(3), createFirst), l.main(on("east", "west"))))
	failed := p.west.whenBaking(nameOf("v2"), func() { p.west.failTwo(nameOf("v2")) })
	w.applyFails(config("v2")).tells("Deployment did not pass its bake", `cluster "west"`, "1 of its 3 pods was ready")
	failed()
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	w.wantState(theMain, "status", "rolled_back", "deployment_id", l.namespace+"/"+nameOf("v1"), "split", p.split("v1", "v1"))
	w.wantClusters(map[string]string{"east": "rolled_back", "west": "rolled_back"})
	w.applyFails(config("v2")).tells("Deployment was taken back before", "east", "west")
	p.both(func(l *lab) { l.wantMain(nameOf("v1")) })
	east.Check(t, drain)
	west.Check(t, drain)
}
