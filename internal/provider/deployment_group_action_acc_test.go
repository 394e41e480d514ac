package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const (
	rollbackGroup = "switchback_rollback_group"
	cancelGroup   = "switchback_cancel_group"
)

// The last move of a group is undone as a whole, in its order the other way round, and
// the next plan says so.
func TestAccGroupIsRolledBack(t *testing.T) {
	l := newLab(t)
	proxy := l.through()
	w := l.inProcess()
	api, web := l.cluster.WatchMain(t, l.namespace, "api"), l.cluster.WatchMain(t, l.namespace, "web")
	config := func(api, web string, lines ...string) string {
		return l.both(api, web, append(lines, apiThenWeb, `keep_previous = { count = 2 }`)...)
	}
	back := func() invoked {
		return l.speakThrough(proxy).invoke(rollbackGroup, data{"namespace": l.namespace, "name": "shop"})
	}
	w.apply(config("v1", "v1"))
	back().refused("Nothing to go back to by itself", "no deployment was main before")
	w.apply(config("v2", "v2"))

	proxy.Reset()
	back().fine("api: default: moving traffic from "+releaseOf("api", "v2")+" to "+releaseOf("api", "v1"),
		`the group "shop" is back: api on `+releaseOf("api", "v1")+", web on "+releaseOf("web", "v1"))
	if order := moved(proxy, "api", "web"); !slices.Equal(order, []string{"web", "api"}) {
		t.Errorf("the addresses moved in the order %v", order)
	}
	w.refresh()
	w.wantState(theGroup, "status", "rolled_back")
	w.wantMember("web", "deployment_id", l.id("web", "v1"), "status", "rolled_back")
	w.apply(config("v2", "v2", `drain = "2s"`)).wantActions(theGroup, "update") // something else changes
	w.wantState(theGroup, "drain", "2s", "status", "finalized")
	l.wantAddress("api", "v1")
	l.wantAddress("web", "v1")
	w.wantNoChanges().warns("had all of the traffic already, and admin asked to go back", "The traffic stays with "+l.id("api", "v1"))
	w.apply(config("v2", "v2", `retry_token = "once"`)).wantActions(theGroup, "update")
	l.wantAddress("api", "v2")
	w.wantNoChanges().silent("asked to go back")

	// Who stood in the last move stays.
	w.apply(config("v3", "v2"))
	back().fine(`the group "shop" is back: api on ` + releaseOf("api", "v2"))
	l.wantAddress("api", "v2")
	l.wantAddress("web", "v2")
	w.apply(config("v2", "v2"))
	w.wantNoChanges().silent("asked to go back")

	// What was left is no way back. All, or none.
	back().refused(releaseOf("api", "v3") + " was main before, but admin asked to go back")
	w.apply(config("v3", "v3", `retry_token = "twice"`))
	proxy.SetFault(refusing("api"))
	back().refused("not today", "Deployment group did not go back as a whole", "web ("+l.namespace+"/web)")
	proxy.SetFault(nil)
	l.wantAddress("api", "v3")
	l.wantAddress("web", "v3")
	api.Check(t, drain)
	web.Check(t, drain)
}

// What nobody knows to go back to is told.
func TestAccGroupThatCannotGoBack(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	of := data{"namespace": l.namespace, "name": "shop"}
	l.speak().invoke(rollbackGroup, of).refused("No such deployment group")
	l.speak().invoke(cancelGroup, of).refused("No such deployment group")
	w.apply(l.both("v1", "v1"))
	w.apply(l.both("v2", "v2"))
	l.speak().invoke(cancelGroup, of).refused("Group has no way back by itself", "nothing of it is moving")
	l.forgetsAsked("api", "web")
	l.speak().invoke(rollbackGroup, of).refused("Group has no way back by itself", "earlier version of the provider", "switchback_rollback")
	l.wantAddress("api", "v2")
	l.speak().invoke(rollbackGroup, data{"namespace": "", "name": "Shop"}).refused("namespace", "name")
}

// What a run that died has left in the middle is given up: between two waves by a
// rollback, in the last one by a cancel, too.
func TestAccGroupIsCancelled(t *testing.T) {
	l := newLab(t)
	proxy := l.through()
	w := l.inProcess()
	of := data{"namespace": l.namespace, "name": "shop"}
	dies := func(after string, lines ...string) {
		t.Helper()
		death := proxy.DiesAfter(1, func(r *testcluster.Request) bool {
			return r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/"+after)
		}, func() {})
		proxy.SetFault(death.Fault)
		w.applyFails(l.both("v2", "v2", append(lines, apiThenWeb)...))
		proxy.SetFault(nil)
		l.wantAddress(after, "v2")
	}
	w.apply(l.both("v1", "v1", apiThenWeb))
	dies("api")
	l.speak().invoke(cancelGroup, of).refused("Action is not allowed", "every member is running or past it", "web is waiting_for_instances")
	l.wantAddress("api", "v2")
	l.speak().invoke(rollbackGroup, of).fine()
	l.wantAddress("api", "v1")
	l.wantAddress("web", "v1")

	dies("web", `retry_token = "again"`)
	l.speak().invoke(cancelGroup, of).fine(`the group "shop" is back`)
	l.wantAddress("api", "v1")
	l.wantAddress("web", "v1")
	w.write(l.both("v2", "v2", apiThenWeb))
	w.plan().warns("admin asked to go back")
	w.apply(l.both("v2", "v2", apiThenWeb, `retry_token = "once more"`))
	l.wantAddress("web", "v2")
	w.wantNoChanges()
}
