package provider_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const theGroup = "switchback_deployment_group.shop"

// releaseOf is the name of the release that l.releases makes of an application.
func releaseOf(application, tag string) string {
	return release.Content{
		Application: application, Version: tag, Image: "demo/" + application + ":" + tag,
		Container: release.Container{Ports: map[string]int32{"http": 8080}}, PodSecurity: release.PodSecurityBaseline,
	}.Normalize().Name()
}

// application is a switchback_deployment under the application's name.
func (l *lab) application(name, tag string, lines ...string) string {
	return l.deploymentNamed(name, overridden([]string{
		fmt.Sprintf("application = %q", name), fmt.Sprintf("image = \"demo/%s:%s\"", name, tag), createFirst,
	}, lines)...)
}

func member(name string, lines ...string) string {
	return fmt.Sprintf("%s = { %s }", name, strings.Join(append([]string{
		fmt.Sprintf("deployment_id = switchback_deployment.%s.id", name), "traffic = { service = { ports = { http = 80 } } }",
	}, lines...), ", "))
}

func group(members []string, lines ...string) string {
	return block(`resource "switchback_deployment_group" "shop"`, overridden([]string{
		`name = "shop"`,
		"members = {\n    " + strings.Join(members, "\n    ") + "\n  }",
		`drain = "1s"`,
	}, lines))
}

// both is a configuration of api and web in one group, each at a version.
func (l *lab) both(api, web string, lines ...string) string {
	return l.config(l.application("api", api), l.application("web", web), group([]string{member("api"), member("web")}, lines...))
}

const apiThenWeb = `waves = [{ members = ["api"] }, { members = ["web"] }]`

// wantAddress fails the test unless an application's address points at a release.
func (l *lab) wantAddress(application, tag string) {
	l.t.Helper()
	svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(l.t.Context(), application, metav1.GetOptions{})
	l.must(err)
	if want := release.Selector(releaseOf(application, tag)); !maps.Equal(svc.Spec.Selector, want) {
		l.t.Errorf("the address of %s selects %v, want %v", application, svc.Spec.Selector, want)
	}
}

// wantMember fails the test unless the state of a member has these values.
func (w *workspace) wantMember(name string, want ...any) {
	w.t.Helper()
	values := w.member(name)
	if values == nil {
		return
	}
	for i := 0; i+1 < len(want); i += 2 {
		if got := values[want[i].(string)]; fmt.Sprint(got) != fmt.Sprint(want[i+1]) {
			w.t.Errorf("%s of the member %s is %v, want %v", want[i], name, got, want[i+1])
		}
	}
}

// member is a member of the group in the state; nil, and an error of the test, where it has none.
func (w *workspace) member(name string) map[string]any {
	w.t.Helper()
	attributes, _ := w.attributes(theGroup)
	members, _ := attributes["members"].(map[string]any)
	values, _ := members[name].(map[string]any)
	if values == nil {
		w.t.Errorf("the group has no member %s: %v", name, attributes)
	}
	return values
}

func (l *lab) id(application, tag string) string {
	return l.namespace + "/" + releaseOf(application, tag)
}

// through puts a proxy in front of the lab's cluster.
func (l *lab) through() *testcluster.Proxy {
	l.t.Helper()
	proxy := l.cluster.Proxy(l.t)
	l.provider = connection(proxy.KubeconfigPath)
	return proxy
}

// refusing is a fault: the address of an application cannot be changed.
func refusing(application string) func(*testcluster.Request, int) testcluster.Fault {
	return func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/"+application) {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	}
}

// moved are the applications whose addresses were written, in order.
func moved(proxy *testcluster.Proxy, applications ...string) (order []string) {
	for _, r := range proxy.Writes() {
		for _, name := range applications {
			if r.Method == http.MethodPatch && r.Status == http.StatusOK && strings.HasSuffix(r.Path, "/services/"+name) {
				order = append(order, name)
			}
		}
	}
	return order
}

func TestAccGroup(t *testing.T) {
	l := newLab(t)
	proxy := l.through()
	w := l.inProcess()
	api, web := l.cluster.WatchMain(t, l.namespace, "api"), l.cluster.WatchMain(t, l.namespace, "web")
	w.apply(l.both("v1", "v1", apiThenWeb, keepPrevious(1))).calm(theGroup)
	w.wantState(theGroup, "id", "shop", "status", "finalized", "status_reason", nil, "drift", []any{})
	w.wantMember("api", "deployment_id", l.id("api", "v1"), "status", "finalized", "previous_deployment_id", nil,
		"url", "http://api."+l.namespace+".svc:80", "split", map[string]any{"default": map[string]any{releaseOf("api", "v1"): 100}})
	w.wantNoChanges()

	proxy.Reset()
	w.apply(l.both("v2", "v2", `waves = [{ members = ["web"], bake = "1s" }, { members = ["api"], max_parallel = 1 }]`, keepPrevious(1))).calm(theGroup).wantSummary(theGroup, map[string]any{
		"waves": []any{[]any{"web"}, []any{"api"}}, "stays": []any{}, "leaves": []any{}, "text": "Moves the traffic of web, then of api.",
	})
	w.wantMember("web", "retained", []any{map[string]any{"deployment_id": l.id("web", "v1"), "state": "started", "owned": false}})
	l.wantAddress("api", "v2")
	l.wantAddress("web", "v2")
	if order := moved(proxy, "api", "web"); !slices.Equal(order, []string{"web", "api"}) {
		t.Errorf("the addresses moved in the order %v", order)
	}
	w.wantMember("web", "deployment_id", l.id("web", "v2"), "status", "finalized", "previous_deployment_id", l.id("web", "v1"))
	l.wantCustody(releaseOf("api", "v1"), release.CustodyRetained)
	w.wantNoChanges()

	told := l.config(l.data("history", "api", `application = "api"`, `operation = "promote"`), l.application("api", "v2"), l.application("web", "v2"),
		group([]string{member("api"), member("web")}, `waves = [{ members = ["web"], bake = "1s" }, { members = ["api"], max_parallel = 1 }]`, keepPrevious(1)),
		`output "groups" { value = join(",", [for e in data.switchback_history.api.entries : e.group]) }`)
	w.apply(told)
	if groups := w.do("output", "-raw", "groups"); groups != "shop,shop" {
		t.Errorf("the history has the groups %q", groups)
	}

	// Waves alone are no reason to touch a cluster.
	proxy.Reset()
	w.apply(l.both("v2", "v2", apiThenWeb, keepPrevious(1))).calm(theGroup).wantActions(theGroup, "update")
	if writes := proxy.Writes(); len(writes) > 0 {
		t.Errorf("it wrote %v", writes)
	}
	w.wantNoChanges()

	w.apply(l.both("v1", "v1", apiThenWeb, keepPrevious(0)))
	l.wantReleases(releaseOf("api", "v1"), releaseOf("web", "v1"))
	w.wantNoChanges()
	api.Check(t, drain)
	web.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}

// When one fails, all go back; the state says so; and what was configured before
// is what there is.
func TestAccGroupGoesBackTogether(t *testing.T) {
	l := newLab(t)
	proxy := l.through()
	w := l.inProcess()
	api, web := l.cluster.WatchMain(t, l.namespace, "api"), l.cluster.WatchMain(t, l.namespace, "web")
	w.apply(l.both("v1", "v1", apiThenWeb))
	proxy.SetFault(refusing("web"))
	w.applyFails(l.both("v2", "v2", apiThenWeb)).tells("not today", "Deployment group did not move as a whole", `The group "shop" is rolled_back`,
		"api ("+l.namespace+"/api) is rolled_back; traffic: "+releaseOf("api", "v1")+` on cluster "default"`)
	proxy.SetFault(nil)
	l.wantAddress("api", "v1")
	l.wantAddress("web", "v1")
	w.wantState(theGroup, "status", "rolled_back")
	w.wantMember("api", "deployment_id", l.id("api", "v1"), "status", "rolled_back")
	w.wantMember("web", "deployment_id", l.id("web", "v1"), "status", "rolled_back")
	w.write(l.both("v1", "v1", apiThenWeb)) // the new releases are there; the group has nothing to take back
	if planned := w.plan().actions[theGroup]; planned != nil {
		t.Errorf("reverting is no empty plan of the group: %v", planned)
	}
	r := w.apply(l.both("v1", "v1", apiThenWeb))
	r.warns("Deployment goes on as it was", releaseOf("api", "v1"), releaseOf("web", "v1"))
	r.silent("another Terraform state")
	r.silent("Nothing was deleted")
	w.wantNoChanges()
	w.apply(l.both("v2", "v2", apiThenWeb))
	w.wantState(theGroup, "status", "finalized", "status_reason", nil)
	w.wantNoChanges()
	api.Check(t, drain)
	web.Check(t, drain)
}

// With a smaller scope, what has moved well stays, and the state says which.
func TestAccGroupFailureScope(t *testing.T) {
	l := newLab(t)
	proxy := l.through()
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.application("api", tag), l.application("auth", tag), l.application("web", tag),
			group([]string{member("api"), member("auth", `after = ["api"]`), member("web", `after = ["auth"]`)}, `failure = { scope = "member" }`))
	}
	w.apply(config("v1"))
	proxy.SetFault(refusing("auth"))
	w.applyFails(config("v2")).tells("not today", "auth ("+l.namespace+"/auth) is rolled_back", "web ("+l.namespace+"/web) is waiting_for_instances")
	proxy.SetFault(nil)
	l.wantAddress("api", "v2")
	l.wantAddress("auth", "v1")
	l.wantAddress("web", "v1")
	w.wantMember("api", "deployment_id", l.id("api", "v2"), "status", "finalized", "previous_deployment_id", l.id("api", "v1"))
	w.wantMember("auth", "deployment_id", l.id("auth", "v1"), "status", "rolled_back")
	w.wantMember("web", "deployment_id", l.id("web", "v1"), "status", "waiting_for_instances")
	if planned := w.apply(config("v2")).actions[theGroup]; !slices.Equal(planned, []string{"update"}) {
		t.Errorf("the next apply does %v", planned)
	}
	w.wantMember("web", "deployment_id", l.id("web", "v2"), "status", "finalized")
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// A bake that fails takes everything back, and is not tried again blindly.
func TestAccGroupBake(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string, lines ...string) string {
		return l.both(tag, tag, append(lines, `waves = [{ members = ["api"] }, { members = ["web"], bake = "9m" }]`)...)
	}
	w.apply(l.both("v1", "v1", apiThenWeb))
	web := releaseOf("web", "v2")
	failed := l.whenBaking(web, func() { l.setReady(web, corev1.ConditionFalse) })
	w.applyFails(config("v2")).tells("bake", "web", `The group "shop" is rolled_back`)
	failed()
	l.wantAddress("api", "v1")
	l.wantAddress("web", "v1")
	l.setReady(web, corev1.ConditionTrue)
	w.write(config("v2"))
	w.plan().warns("The apply of this plan will be refused", "did not pass its bake", "retry_token")
	w.write(config("v2", `retry_token = "again"`))
	w.plan().silent("will be refused")
	w.applyFails(config("v2")).tells("did not pass its bake")
	l.wantAddress("api", "v1")
	w.apply(l.both("v2", "v2", apiThenWeb, `retry_token = "again"`))
	l.wantAddress("web", "v2")
	w.wantNoChanges()
}

func TestAccGroupMembersComeAndGo(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	watch := l.cluster.WatchMain(t, l.namespace, "api")
	both := l.config(l.application("api", "v1"), l.application("web", "v1"), group([]string{member("api"), member("web")}))
	one := l.config(l.application("api", "v1"), l.application("web", "v1"), group([]string{member("api")}))
	renamed := l.config(l.application("api", "v1"), l.application("web", "v1"),
		group([]string{strings.Replace(member("api"), "api = {", "backend = {", 1), member("web")}, `name = "store"`))
	w.apply(one)
	pods := l.wantPods(releaseOf("api", "v1"), 1)
	w.wantNoChanges()
	w.apply(both)
	l.wantAddress("web", "v1")
	w.wantNoChanges()
	w.apply(renamed).wantActions(theGroup, "update")
	w.wantMember("backend", "deployment_id", l.id("api", "v1"))
	w.wantState(theGroup, "name", "store", "id", "store")
	w.wantNoChanges()
	w.apply(both)
	w.apply(one)
	if _, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(t.Context(), "web", metav1.GetOptions{}); err == nil {
		t.Error("web still has its address")
	}
	w.wantNoChanges()
	l.wantSamePods(releaseOf("api", "v1"), pods)
	// -replace of a group is no outage.
	w.apply(both)
	w.apply(both, "-replace="+theGroup)
	w.wantNoChanges()
	watch.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}

func TestAccGroupOrderIsChecked(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	for name, test := range map[string]struct {
		api, web, waves string
		says            []string
	}{
		"cycle":        {`after = ["web"]`, `after = ["api"]`, "", []string{"Members cannot be put in order", "api -> web -> api"}},
		"unknown":      {`after = ["wep"]`, "", "", []string{`The group has no member "wep"`}},
		"later wave":   {`after = ["web"]`, "", apiThenWeb, []string{`"api" moves in wave 1, and cannot come after "web", which moves in wave 2`}},
		"no wave":      {"", "", `waves = [{ members = ["api"] }]`, []string{"these have none: web"}},
		"unknown wave": {"", "", `waves = [{ members = ["api", "web", "wep"] }]`, []string{`The group has no member "wep"`}},
	} {
		members := []string{}
		for member, after := range map[string]string{"api": test.api, "web": test.web} {
			members = append(members, fmt.Sprintf("%s = { deployment_id = %q, traffic = { service = { ports = { http = 80 } } }, %s }", member, l.id(member, "v1"), after))
		}
		lines := []string{}
		if test.waves != "" {
			lines = append(lines, test.waves)
		}
		t.Log(name)
		w.applyFails(l.config(group(members, lines...))).tells(test.says...)
	}
	twice := []string{}
	for _, name := range []string{"one", "two"} {
		twice = append(twice, fmt.Sprintf("%s = { deployment_id = %q, traffic = { service = { ports = { http = 80 } } } }", name, l.id("api", "v1")))
	}
	w.applyFails(l.config(group(twice))).tells("Two members of one application on one cluster", `"one" and "two"`)
	w.applyFails(l.config(group([]string{`api = { deployment_id = "nonsense", traffic = { service = { ports = { http = 80 } } } }`}))).tells("Invalid deployment id")
}

// Somebody's hand, and a rollback of one member by itself, show.
func TestAccGroupReadsTheWorld(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.apply(l.both("v1", "v1"))
	w.apply(l.both("v2", "v2"))
	l.speak().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).fine()
	w.refresh()
	w.wantState(theGroup, "status", "rolled_back", "status_reason", "api: it went back by itself to "+l.id("api", "v1"))
	w.wantMember("api", "deployment_id", l.id("api", "v1"), "status", "rolled_back")
	w.apply(l.both("v2", "v2"))
	l.wantAddress("api", "v1")
	w.wantNoChanges().warns("admin asked to go back")
	w.apply(l.both("v2", "v2", `retry_token = "again"`)).wantActions(theGroup, "update")
	l.wantAddress("api", "v2")
	w.apply(l.both("v2", "v2")) // to let go of the token tries nothing
	w.wantNoChanges()

	l.patchService("web", `{"spec":{"sessionAffinity":"ClientIP"}}`)
	w.refresh()
	if d := w.drift(theGroup); len(d) != 1 || d[0].Object != "Service/web" || d[0].Field != "spec.sessionAffinity" {
		t.Errorf("drift: %+v", d)
	}
	w.apply(l.both("v2", "v2")).wantActions(theGroup, "update")
	w.wantNoChanges()

	l.must(l.cluster.Client().CoreV1().Services(l.namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	w.apply(l.both("v2", "v2"))
	l.wantAddress("web", "v2")
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// What is not known at plan is no inconsistent result at apply: a deployment's
// id, and even which members there are.
func TestAccGroupOfWhatIsNotKnown(t *testing.T) {
	l := newLab(t)
	w := l.workspace()
	config := func(tag, names string) string {
		return l.config(
			fmt.Sprintf("resource \"terraform_data\" \"tag\" { input = %q }\n", tag),
			fmt.Sprintf("resource \"terraform_data\" \"names\" { input = %q }\n", names),
			l.application("api", "v1", `image = "demo/api:${terraform_data.tag.output}"`),
			l.application("web", "v1"),
			group(nil, `members = {
    for name in toset(split(",", terraform_data.names.output)) : name => {
      deployment_id = name == "web" ? switchback_deployment.web.id : switchback_deployment.api.id
      traffic       = { service = { ports = { http = 80 } } }
    }
  }`))
	}
	w.apply(config("v1", "api"))
	w.wantNoChanges()
	w.apply(config("v2", "api"))
	w.wantMember("api", "deployment_id", l.id("api", "v2"), "status", "finalized")
	w.wantNoChanges()
	w.apply(config("v3", "api,web"))
	l.wantAddress("api", "v3")
	l.wantAddress("web", "v1")
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// An interrupted apply takes back what has moved, and leaves a state that the
// next one goes on from.
func TestAccGroupIsInterrupted(t *testing.T) {
	l := newLab(t)
	proxy := l.through()
	w := l.inProcess()
	w.apply(l.both("v1", "v1", apiThenWeb))
	reached := make(chan struct{}, 10)
	proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/web") {
			return testcluster.Fault{}.AfterReply(func() { reached <- struct{}{} })
		}
		return testcluster.Fault{}
	})
	w.write(l.both("v2", "v2", `waves = [{ members = ["api"] }, { members = ["web"], bake = "5m" }]`))
	if code, text := w.execInterrupted(func() { <-reached }, "apply", "-auto-approve", "-input=false", "-no-color"); code == 0 || !strings.Contains(text, "interrupted") {
		t.Errorf("exit code %d\n%s", code, text)
	}
	proxy.SetFault(nil)
	l.wantAddress("api", "v1")
	l.wantAddress("web", "v1")
	w.wantState(theGroup, "status", "cancelled")
	w.wantMember("api", "deployment_id", l.id("api", "v1"), "status", "cancelled")
	w.apply(l.both("v2", "v2", apiThenWeb))
	l.wantAddress("web", "v2")
	w.wantNoChanges()
}
