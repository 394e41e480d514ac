package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// groupState is the group in the state, but for what a plan once said.
func (w *workspace) groupState() map[string]any {
	w.t.Helper()
	attributes, _ := w.attributes(theGroup)
	delete(attributes, "plan_summary")
	members, _ := attributes["members"].(map[string]any)
	for _, member := range members {
		delete(member.(map[string]any), "plan_summary")
	}
	return attributes
}

// wantImported fails the test unless a group was imported as it is.
func wantImported(t *testing.T, is, imported map[string]any) {
	t.Helper()
	if len(is) == 0 || !sameJSON(t, is, imported) {
		t.Errorf("imported was\n%v\nof\n%v", imported, is)
	}
}

// everything is a group with every attribute that can be configured.
func (l *lab) everything(tag string) string {
	return l.config(l.application("api", tag), l.application("web", tag), group(
		[]string{
			member("api", `keep_previous = { count = 2, ttl = "48h", state = "stopped" }`, `drain = "2s"`),
			member("web", `after = ["api"]`, on("default")),
		},
		on("default"), `waves = [{ members = ["api"], bake = "1000ms" }, { members = ["web"], max_parallel = 1 }]`, `failure = { scope = "wave" }`,
		`retry_token = "again"`, keepPrevious(3)))
}

const (
	groupType       = "switchback_deployment_group"
	severityError   = tfprotov6.DiagnosticSeverityError
	severityWarning = tfprotov6.DiagnosticSeverityWarning
)

// importGroup imports the group, and its deployments, into an empty workspace.
func (l *lab) importGroup(w *workspace, config, tag string) {
	l.t.Helper()
	w.write(config)
	for _, name := range []string{"api", "web"} {
		w.do("import", "-input=false", "-no-color", "switchback_deployment."+name, l.id(name, tag))
	}
	w.do("import", "-input=false", "-no-color", theGroup, l.namespace+"/shop")
}

// An import rebuilds all of a group, and what is imported moves on.
func TestAccGroupIsImported(t *testing.T) {
	l := newLab(t)
	w, other := l.inProcess(), l.inProcess()
	w.apply(l.everything("v1"))
	l.importGroup(other, l.everything("v1"), "v1")
	other.wantNoChanges()
	wantImported(t, w.groupState(), other.groupState())
	second := strings.ReplaceAll(l.everything("v2"), `, bake = "1000ms"`, "")
	other.apply(second)
	l.wantAddress("api", "v2")
	l.wantAddress("web", "v2")
	other.wantNoChanges()
	again := l.inProcess()
	l.importGroup(again, second, "v2")
	again.wantNoChanges()
	again.destroy()
	l.wantNothingLeft()
}

// An import block makes the configuration that it is then planned with.
func TestAccGroupConfigurationIsGenerated(t *testing.T) {
	l := newLab(t)
	l.inProcess().apply(l.everything("v1"))
	w := l.workspace()
	w.write(l.config(fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", theGroup, l.namespace+"/shop")))
	w.do("plan", "-input=false", "-no-color", "-generate-config-out=generated.tf")
	generated, err := os.ReadFile(filepath.Join(w.Dir, "generated.tf"))
	l.must(err)
	for _, want := range []string{`retry_token`, `"again"`, l.id("api", "v1"), `"48h"`, `"wave"`, `max_parallel = 1`} {
		if !strings.Contains(string(generated), want) {
			t.Errorf("the configuration has no %s:\n%s", want, generated)
		}
	}
	w.do("apply", "-auto-approve", "-input=false", "-no-color")
	w.wantNoChanges()
}

// The identity is that of the first namespace of the members, by which alone a group
// is imported; and of a name that two states use, neither is.
func TestGroupIdentity(t *testing.T) {
	l := newLab(t)
	p := l.speak()
	deploy := func(application string) {
		d := l.deploymentData("v1")
		d["application"], d["image"] = application, "demo/"+application+":v1"
		p.fine(p.change(t.Context(), deploymentType, d, nil).diagnostics)
	}
	of := func(names ...string) data {
		members := data{}
		for _, name := range names {
			members[name] = data{"deployment_id": l.id(name, "v1"), "traffic": data{"service": data{"ports": data{"http": 80}, "type": "ClusterIP", "session_affinity": "None"}}}
		}
		return data{"name": "shop", "members": members, "drain": "1s", "failure": data{"scope": "group"}, "keep_previous": data{"count": 1, "state": "started"}}
	}
	for _, name := range []string{"api", "web"} {
		deploy(name)
	}
	made := p.change(t.Context(), groupType, of("api"), nil)
	p.fine(made.diagnostics)
	identity := data{"namespace": l.namespace, "name": "shop"}
	wantSame(t, "identity after create", made.identity, identity)
	byID, byIdentity := p.importBy(groupType, l.namespace+"/shop", nil), p.importBy(groupType, "", identity)
	p.fine(append(byID.diagnostics, byIdentity.diagnostics...))
	wantSame(t, "identity after an import", byID.identity, identity)
	wantSame(t, "state after an import by identity", byIdentity.state, byID.state)
	wantSame(t, "id", byID.state["id"], "shop")
	renamed := of("api")
	renamed["name"] = "store"
	moved := l.speak().change(t.Context(), groupType, renamed, made.state)
	p.fine(moved.diagnostics)
	wantSame(t, "identity after another name", moved.identity, data{"namespace": l.namespace, "name": "store"})
	p = l.speak()
	p.fine(p.change(t.Context(), groupType, of("api"), moved.state).diagnostics)

	if gone := p.importBy(groupType, l.namespace+"/none", nil); gone.state != nil || len(gone.diagnostics) > 0 {
		t.Errorf("what is not there was imported: %v, %v", gone.state, gone.diagnostics)
	}
	for _, id := range []string{"shop", "a/b/c", ""} {
		wantSays(t, p.importBy(groupType, id, data{"namespace": "", "name": "shop"}).diagnostics, severityError, "namespace/name")
	}
	p.fine(p.change(t.Context(), groupType, of("web"), nil).diagnostics)
	wantSays(t, p.importBy(groupType, l.namespace+"/shop", nil).diagnostics, severityError, "Group cannot be imported", `api on cluster "default"`, `web on cluster "default"`)
}

// How a change goes over the clusters, how long it is watched and the token that lets
// it be tried again come back with an import, for those that have no group, too.
func TestAccImportKnowsHowItMoves(t *testing.T) {
	l := newLab(t)
	config := l.config(
		l.deployment(`rollout = { max_parallel = 1, order = ["default"], on_failure = "continue", quorum = 1 }`),
		l.main(`bake = "1000ms"`, `retry_token = ""`, `rollout = { on_failure = "abort" }`))
	l.inProcess().apply(config)
	w := l.inProcess()
	w.write(config)
	w.do("import", "-input=false", "-no-color", theDeployment, l.namespace+"/"+nameOf("v1"))
	w.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	w.wantNoChanges()
	w.wantState(theMain, "bake", "1000ms", "retry_token", "")
	// An action has no configuration, and leaves it as it is.
	l.speak().invoke("switchback_restart", data{"deployment_id": l.namespace + "/" + nameOf("v1")}).fine()
	again := l.inProcess()
	again.write(config)
	again.do("import", "-input=false", "-no-color", theDeployment, l.namespace+"/"+nameOf("v1"))
	again.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	again.wantNoChanges()

	plain := l.config(l.deployment(image("v2")), l.main())
	w.apply(plain)
	last := l.inProcess()
	last.write(plain)
	last.do("import", "-input=false", "-no-color", theDeployment, l.namespace+"/"+nameOf("v2"))
	last.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	last.wantNoChanges()
}

// Members in several namespaces are found by what each remembers of the others.
func TestAccGroupOfSeveralNamespacesIsImported(t *testing.T) {
	l := newLab(t)
	other := &lab{t: t, cluster: l.cluster, namespace: l.cluster.Namespace(t), provider: l.provider}
	if other.namespace < l.namespace {
		l, other = other, l
	}
	w := l.inProcess()
	config := l.config(
		l.application("api", "v1"),
		other.application("web", "v1"),
		group([]string{member("api"), member("web")}, apiThenWeb),
	)
	w.apply(config)
	p := l.speak()
	wantSays(t, p.importBy(groupType, other.namespace+"/shop", nil).diagnostics, severityError, "Group has another import id", l.namespace+"/shop")
	imported := l.inProcess()
	imported.write(config)
	imported.do("import", "-input=false", "-no-color", "switchback_deployment.api", l.id("api", "v1"))
	imported.do("import", "-input=false", "-no-color", "switchback_deployment.web", other.id("web", "v1"))
	imported.do("import", "-input=false", "-no-color", theGroup, l.namespace+"/shop")
	imported.wantNoChanges()
}

// What an interrupted run has left is imported as unfinished, and goes on.
func TestAccGroupIsImportedUnfinished(t *testing.T) {
	l := newLab(t)
	proxy := l.through()
	w := l.inProcess()
	w.apply(l.both("v1", "v1", apiThenWeb, `retry_token = "one"`))
	config := l.both("v2", "v2", apiThenWeb, `retry_token = "two"`)
	// What goes back is asked for again as it was.
	proxy.SetFault(refusing("web"))
	w.applyFails(config)
	proxy.SetFault(nil)
	back := l.inProcess()
	l.importGroup(back, l.both("v1", "v1", apiThenWeb, `retry_token = "one"`), "v1")
	back.wantNoChanges()

	death := proxy.DiesAfter(1, func(r *testcluster.Request) bool {
		return r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/api")
	}, func() {})
	proxy.SetFault(death.Fault)
	w.applyFails(config)
	proxy.SetFault(nil)
	l.wantAddress("api", "v2")
	l.wantAddress("web", "v1")

	other := l.inProcess()
	other.write(config)
	other.do("import", "-input=false", "-no-color", theGroup, l.namespace+"/shop")
	other.wantState(theGroup, "status", "running", "retry_token", "two")
	other.wantMember("api", "deployment_id", l.id("api", "v2"), "status", "running")
	other.wantMember("web", "deployment_id", l.id("web", "v1"), "status", "finalized")
	for _, name := range []string{"api", "web"} {
		other.do("import", "-input=false", "-no-color", "switchback_deployment."+name, l.id(name, "v2"))
	}
	other.apply(config).wantActions(theGroup, "update")
	l.wantAddress("web", "v2")
	other.wantNoChanges()
}

// forgetsAsked makes the cluster as a provider left it that did not note what it was
// asked.
func (l *lab) forgetsAsked(applications ...string) {
	l.t.Helper()
	client := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	for _, name := range applications {
		cm, err := client.Get(l.t.Context(), release.MainName(name), metav1.GetOptions{})
		l.must(err)
		var main map[string]any
		l.must(json.Unmarshal([]byte(cm.Data[release.MainKey]), &main))
		if main["asked"] == nil {
			l.t.Fatalf("nothing is remembered of %s: %v", name, main)
		}
		delete(main, "asked")
		delete(main, "move")
		text, err := json.Marshal(main)
		l.must(err)
		cm.Data[release.MainKey] = string(text)
		_, err = client.Update(l.t.Context(), cm, metav1.UpdateOptions{})
		l.must(err)
	}
}

// A group that an earlier build has made is imported as far as the cluster tells, and
// says so. The next apply makes that good without moving anything.
func TestAccGroupOfAnEarlierBuildIsImported(t *testing.T) {
	l := newLab(t)
	proxy := l.through()
	w := l.inProcess()
	config := l.both("v1", "v1", apiThenWeb, `retry_token = "again"`)
	w.apply(config)
	l.forgetsAsked("api", "web")
	w.wantNoChanges()
	other := l.inProcess()
	l.importGroup(other, config, "v1")
	wantSays(t, l.speak().importBy(groupType, l.namespace+"/shop", nil).diagnostics, severityWarning, "Group is imported in part", "waves", "retry_token")
	other.wantState(theGroup, "waves", nil, "retry_token", nil, "status", "finalized", "drain", "1s")
	proxy.Reset()
	other.apply(config).wantActions(theGroup, "update")
	other.wantNoChanges()
	if order := moved(proxy, "api", "web"); len(order) > 0 {
		t.Errorf("traffic was moved: %v", order)
	}
	// Something that reaches the cluster notes it.
	other.apply(l.both("v2", "v2", apiThenWeb, `retry_token = "again"`))
	third := l.inProcess()
	l.importGroup(third, l.both("v2", "v2", apiThenWeb, `retry_token = "again"`), "v2")
	third.wantNoChanges()
}
