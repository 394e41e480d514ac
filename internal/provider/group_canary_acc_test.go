package provider_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// onRoute is a member with a route.
func onRoute(name string) string {
	traffic := `traffic = { service = { ports = { http = 80 } }, gateway = { parent_refs = [{ name = "public" }], settle = "0s" } }`
	return fmt.Sprintf("%s = { deployment_id = switchback_deployment.%s.id, %s }", name, name, traffic)
}

// groupByShares is a group of api and auth, which have routes, and of web, which has none.
func (l *lab) groupByShares(api, auth, web string, lines ...string) string {
	return l.config(l.application("api", api), l.application("auth", auth), l.application("web", web),
		group([]string{onRoute("api"), onRoute("auth"), member("web")}, append([]string{keepPrevious(1)}, lines...)...))
}

// wantShare fails the test unless a member of the state is so far on its way from v1.
func (w *workspace) wantShare(name, version, status string, share int) {
	w.t.Helper()
	split := shares(releaseOf(name, "v1"), 100-share, releaseOf(name, version), share)
	switch share {
	case 0:
		split = shares(releaseOf(name, "v1"), 100)
	case 100:
		split = shares(releaseOf(name, version), 100)
	}
	w.wantMember(name, "split", split, "status", status)
}

// groupCanary: a group that is paused is settled, as a whole, until what it says is done
// for one of its members.
func (l *lab) groupCanary() {
	w := l.inProcess()
	config := func(version string, lines ...string) string {
		return l.groupByShares(version, version, version, append([]string{canaryOf(`{ weight = 10, pause = "1s", gate = "manual" }, { weight = 50 }`)}, lines...)...)
	}
	w.apply(config("v1"))
	w.wantState(theGroup, "status", "finalized")
	w.wantNoChanges()
	imported := l.inProcess()
	l.importGroup(imported, config("v1"), "v1")
	imported.do("import", "-input=false", "-no-color", "switchback_deployment.auth", l.id("auth", "v1"))
	imported.wantNoChanges()
	w.write(config("v2"))
	w.plan().wantSummary(theGroup, map[string]any{
		"waves": []any{[]any{"api", "auth", "web"}},
		"text":  "Those of a wave that can share their traffic get 10 %, 50 % of it first, each share together; the others move when these get all.",
	})
	for i := range 2 { // the second changes nothing
		if r := w.apply(config("v2")); i == 0 {
			r.warns("Promotion is paused", "kubectl patch configmap")
		}
		w.wantState(theGroup, "status", "paused")
		w.wantShare("api", "v2", "paused", 10)
		w.wantShare("auth", "v2", "paused", 10)
		w.wantShare("web", "v2", "paused", 0)
		w.wantMember("web", "deployment_id", l.id("web", "v2"))
		w.wantNoChanges()
	}
	state, _ := w.attributes(theGroup)
	was := state["status_reason"].(string)
	w.refresh()
	w.wantState(theGroup, "status_reason", was)
	w.apply(config("v2", `drain = "2s"`)) // something else changes, and it waits on
	w.wantState(theGroup, "status", "paused", "status_reason", was)
	l.letGoOn(was, "api")
	w.refresh()
	w.wantState(theGroup, "status", "running")
	w.apply(config("v2", `drain = "2s"`))
	w.wantState(theGroup, "status", "finalized", "status_reason", nil)
	for _, name := range []string{"api", "auth", "web"} {
		w.wantShare(name, "v2", "finalized", 100)
		l.wantAddress(name, "v2")
	}
	w.wantNoChanges()
	w.apply(config("v1")) // back, in one step
	w.wantState(theGroup, "status", "finalized")
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// groupScales: new versions of those members that have a route start with the pods of their
// share, once the group has said so in the cluster.
func (l *lab) groupScales() {
	w := l.inProcess()
	config := func(version string, lines ...string) string {
		text := l.groupByShares(version, version, version, canaryOf(`{ weight = 25 }`, lines...))
		return strings.ReplaceAll(text, createFirst, createFirst+"\n"+replicas(4))
	}
	scales, held := "scale_with_weight = true", "max_weight = 25"
	w.apply(config("v1"))
	w.apply(config("v1", scales)).wantActions(theGroup, "update")
	w.wantState(theGroup, "status", "finalized")
	w.wantNoChanges()
	more := strings.ReplaceAll(config("v2", scales), "{ weight = 25 }", "{ weight = 25, replicas = 5 }")
	w.planFails(more).tells("Step takes more pods than there are", "canary.steps[0] waits for 5 ready pods", l.id("api", "v2")+" has 4 at most", l.id("auth", "v2")+" has 4 at most").silent(l.id("web", "v2") + " has")
	w.apply(config("v2", scales, held))
	w.wantState(theGroup, "status", "paused")
	for name, pods := range map[string]int32{"api": 1, "auth": 1, "web": 4} {
		l.wantReplicas(releaseOf(name, "v2"), pods)
	}
	w.wantNoChanges()
	w.apply(config("v2", scales))
	w.wantState(theGroup, "status", "finalized")
	for _, name := range []string{"api", "auth", "web"} {
		l.wantReplicas(releaseOf(name, "v2"), 4)
	}
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// letGoOn runs what a status_reason says for one of the applications.
func (l *lab) letGoOn(reason, application string) {
	l.t.Helper()
	if !strings.HasPrefix(reason, application+": ") || !strings.Contains(reason, "kubectl patch configmap "+application+"-switchback --namespace "+l.namespace) {
		l.t.Fatalf("status_reason is %q", reason)
	}
	_, patch, _ := strings.Cut(reason, "--patch '")
	patch, _, _ = strings.Cut(patch, "'")
	_, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Patch(l.t.Context(), application+"-switchback", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	l.must(err)
}

// groupIsHeld at `max_weight`, is taken back by a configuration, and by an action.
func (l *lab) groupIsHeld() {
	w := l.inProcess()
	config := func(version, most string, lines ...string) string {
		return l.groupByShares(version, version, version, append([]string{canaryOf(`{ weight = 10 }, { weight = 50 }`, "max_weight = "+most), `waves = [{ members = ["api", "web"] }, { members = ["auth"] }]`}, lines...)...)
	}
	w.apply(config("v1", "10"))
	w.apply(config("v2", "10"))
	w.wantState(theGroup, "status", "paused")
	w.wantNoChanges()
	w.apply(config("v2", "50"))
	w.wantShare("api", "v2", "paused", 50)
	w.wantShare("auth", "v2", "paused", 0)
	w.wantNoChanges()
	w.apply(config("v1", "50")) // nobody has moved
	w.wantState(theGroup, "status", "finalized")
	for _, name := range []string{"api", "auth", "web"} {
		w.wantShare(name, "v1", "finalized", 100)
	}
	w.wantNoChanges()
	w.apply(config("v2", "50"))
	w.wantState(theGroup, "status", "paused")
	l.speak().invoke("switchback_rollback_group", data{"namespace": l.namespace, "name": "shop"}).fine()
	w.refresh()
	for _, name := range []string{"api", "auth", "web"} {
		w.wantMember(name, "split", shares(releaseOf(name, "v1"), 100), "deployment_id", l.id(name, "v1"))
	}
	w.write(config("v2", "50"))
	r := w.wantNoChanges()
	r.warns("had 50 % of the traffic already, and admin asked to go back", "The traffic stays with "+l.id("api", "v1"))
	r.warns(`one that somebody has taken back is asked for of the member "api"`, "The traffic of this member stays with "+l.id("auth", "v1"), l.id("web", "v1"))
	if texts := r.messages("warning"); strings.Contains(texts, "had all of the traffic") || strings.Count(texts, "asked to go back") > 1 {
		l.t.Errorf("of who waited with nothing, it says\n%s", texts)
	}
	w.write(config("v2", "50", `failure = { scope = "member" }`)) // each for itself
	r = w.plan()
	r.warns("The traffic stays with " + l.id("api", "v1"))
	r.silent("move together")
	w.apply(config("v2", "100", `drain = "2s"`)).wantActions(theGroup, "update") // something else changes
	w.wantState(theGroup, "drain", "2s")
	for _, name := range []string{"api", "auth", "web"} {
		w.wantMember(name, "split", shares(releaseOf(name, "v1"), 100), "deployment_id", l.id(name, "v1"))
	}
	w.wantNoChanges().warns("admin asked to go back")
	w.apply(config("v2", "100", `retry_token = "again"`))
	w.wantState(theGroup, "status", "finalized")
	w.wantNoChanges()
}

// groupThatFails gives the shares of all back.
func (l *lab) groupThatFails() {
	w := l.inProcess()
	config := func(version string) string {
		return l.config(l.application("api", version, replicas(3)), l.application("auth", version), l.application("web", version),
			group([]string{onRoute("api"), onRoute("auth"), member("web")}, keepPrevious(1), canaryOf(`{ weight = 10, pause = "9m" }`)))
	}
	w.apply(config("v1"))
	v2 := releaseOf("api", "v2")
	failed := l.whenShare(v2, 10, func() { l.failTwo(v2) })
	w.applyFails(config("v2")).tells("had had 10 % of the traffic", "Traffic: back where it was")
	failed()
	w.wantState(theGroup, "status", "rolled_back")
	for _, name := range []string{"api", "auth", "web"} {
		w.wantMember(name, "split", shares(releaseOf(name, "v1"), 100), "deployment_id", l.id(name, "v1"))
	}
	w.apply(config("v1"))
	w.wantNoChanges()
}

// TestAccGroupCanaryIsAsked: what cannot be meant is an error of the plan.
func TestAccGroupCanaryIsAsked(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	tcp := strings.ReplaceAll(onRoute("api"), `settle = "0s"`, `settle = "0s", kind = "TCPRoute"`)
	for _, tt := range []struct {
		members []string
		canary  string
		tells   []string
	}{
		{[]string{member("api"), member("web")}, canaryOf(`{ weight = 10 }`), []string{"Nothing can share the traffic", "every member"}},
		{[]string{onRoute("api"), member("web")}, canaryOf(`{ weight = 10 }, { weight = 5 }`), []string{"Shares do not grow", "5 % follows 10 %"}},
		{[]string{tcp, member("web")}, canaryOf(`{ weight = 10 }`, `match = [{ header = { name = "x", exact = "1" } }]`), []string{"Match of another kind of route", `member "api"`}},
	} {
		w.applyFails(l.config(l.application("api", "v1"), l.application("web", "v1"), group(tt.members, tt.canary))).tells(tt.tells...)
	}
	l.wantNothingLeft()
}
