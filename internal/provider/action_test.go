package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// invoked is what an action said.
type invoked struct {
	t           *testing.T
	progress    []string
	diagnostics []*tfprotov6.Diagnostic
	planned     bool // it came as far as being invoked
}

// invoke validates, plans and invokes an action, as Terraform does.
func (p *protocol) invoke(typeName string, config data) invoked {
	p.t.Helper()
	server, ok := p.server.(tfprotov6.ActionServer)
	if !ok {
		p.t.Fatal("the provider has no actions")
	}
	schema := p.schemas.ActionSchemas[typeName]
	if schema == nil {
		p.t.Fatalf("there is no action %q", typeName)
	}
	wire := p.pack(schema.Schema.ValueType(), config)
	out := invoked{t: p.t}
	validated, err := server.ValidateActionConfig(p.t.Context(), &tfprotov6.ValidateActionConfigRequest{ActionType: typeName, Config: wire})
	if err != nil {
		p.t.Fatal(err)
	}
	if out.diagnostics = validated.Diagnostics; len(out.diagnostics) > 0 {
		return out
	}
	planned, err := server.PlanAction(p.t.Context(), &tfprotov6.PlanActionRequest{ActionType: typeName, Config: wire})
	if err != nil {
		p.t.Fatal(err)
	}
	if out.diagnostics = planned.Diagnostics; len(out.diagnostics) > 0 {
		return out
	}
	out.planned = true
	stream, err := server.InvokeAction(p.t.Context(), &tfprotov6.InvokeActionRequest{ActionType: typeName, Config: wire})
	if err != nil {
		p.t.Fatal(err)
	}
	for event := range stream.Events {
		switch e := event.Type.(type) {
		case tfprotov6.ProgressInvokeActionEventType:
			out.progress = append(out.progress, e.Message)
		case tfprotov6.CompletedInvokeActionEventType:
			out.diagnostics = append(out.diagnostics, e.Diagnostics...)
		}
	}
	for _, d := range out.diagnostics {
		if d.Attribute == nil {
			continue
		}
		if at, ok := d.Attribute.Steps()[0].(tftypes.AttributeName); !ok || !slices.ContainsFunc(schema.Schema.Block.Attributes, func(a *tfprotov6.SchemaAttribute) bool { return a.Name == string(at) }) {
			p.t.Errorf("%s has no attribute %s, at which it reports: %s", typeName, d.Attribute, d.Summary)
		}
	}
	return out
}

// fine fails the test on any diagnostic, or if progress is without these texts.
func (i invoked) fine(progress ...string) {
	i.t.Helper()
	for _, d := range i.diagnostics {
		i.t.Fatalf("%s (%s): %s", d.Summary, d.Attribute, d.Detail)
	}
	all := strings.Join(i.progress, "\n")
	for _, text := range progress {
		if !strings.Contains(all, text) {
			i.t.Errorf("no progress says %q:\n%s", text, all)
		}
	}
}

// refused fails the test unless an error has all these texts.
func (i invoked) refused(texts ...string) {
	i.t.Helper()
	wantSays(i.t, i.diagnostics, tfprotov6.DiagnosticSeverityError, texts...)
}

func TestActionsOnADeployment(t *testing.T) {
	l := newLab(t)
	w, p := l.inProcess(), l.speak()
	config := l.config(
		l.deployment(`for_each = toset(["v1", "v2"])`, `image = "demo/api:${each.key}"`, `replicas = 2`),
		l.main(`deployment_id = switchback_deployment.api["v1"].id`),
	)
	w.apply(config)
	watch := l.watchMain()
	of := func(tag string) data { return data{"deployment_id": l.namespace + "/" + nameOf(tag)} }

	p.invoke("switchback_stop", changed(of("v2"), data{"reason": "it costs"})).fine("scaling", "is stopped")
	l.wantPods(nameOf("v2"), 0)
	p.invoke("switchback_restart", of("v2")).refused("Action is not allowed", "stopped")
	// The configuration still wants it started, and who has stopped it does not.
	const v2 = `switchback_deployment.api["v2"]`
	w.wantNoChanges().warns("Deployment is stopped", "it was stopped by admin since ", "(it costs)", "kubectl switchback start "+nameOf("v2")+" --namespace "+l.namespace)
	more := strings.ReplaceAll(config, "replicas = 2", "replicas = 3")
	applied := w.apply(more)
	applied.wantActions(v2, "update", `switchback_deployment.api["v1"]`, "update")
	applied.warns("Deployment is stopped", "(it costs)")
	w.wantNoChanges()
	w.wantState(v2, "status", "stopped", "desired_state", "started", "replicas", 3)
	stopped, _ := w.attributes(v2)
	if reason, _ := stopped["status_reason"].(string); !strings.Contains(reason, "it stays so until it is started or promoted: stopped by admin") {
		t.Errorf("status_reason is %q", reason)
	}
	l.wantPods(nameOf("v2"), 0)
	w.apply(config)
	p.invoke("switchback_start", of("v2")).fine("starting 2 pods", "is started")
	l.wantPods(nameOf("v2"), 2)
	p.invoke("switchback_cancel", of("v2")).refused("Action is not allowed", "cancel")

	before := l.wantPods(nameOf("v1"), 2)
	p.invoke("switchback_stop", of("v1")).refused("cannot be stopped", "it is the main deployment")
	l.wantSamePods(nameOf("v1"), before)
	p.invoke("switchback_restart", of("v1")).fine("replacing the pods", "has been restarted")
	for _, pod := range l.wantPods(nameOf("v1"), 2) {
		if slices.Contains(before, pod) {
			t.Errorf("pod %s is the one from before the restart", pod)
		}
	}
	watch.NeverEmpty(t)
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// What was stopped at a terminal, and is then taken out of the configuration, goes as if it
// had not been: first one release, then the application.
func TestStoppedAndTakenOut(t *testing.T) {
	l := newLab(t)
	w, p := l.inProcess(), l.speak()
	of := func(versions string) string {
		return l.config(l.deployment(`for_each = toset(`+versions+`)`, `image = "demo/api:${each.key}"`), l.main(`deployment_id = switchback_deployment.api["v1"].id`))
	}
	w.apply(of(`["v1", "v2"]`))
	watch := l.watchMain()
	const v2 = `switchback_deployment.api["v2"]`
	p.invoke("switchback_stop", data{"deployment_id": l.namespace + "/" + nameOf("v2"), "reason": "it costs"}).fine("is stopped")
	w.write(of(`["v1"]`))
	w.plan().wantActions(v2, "delete")
	w.apply(of(`["v1"]`)).wantActions(v2, "delete")
	l.wantPods(nameOf("v2"), 0)
	if _, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Get(t.Context(), nameOf("v2"), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("its Deployment is left: %v", err)
	}
	l.wantPods(nameOf("v1"), 1)
	w.wantNoChanges()
	watch.NeverEmpty(t)

	p.invoke("switchback_stop", data{"namespace": l.namespace, "application": "api", "reason": "night"}).fine("it is stopped")
	w.apply(l.config()).wantActions(`switchback_deployment.api["v1"]`, "delete", "switchback_main_deployment.api", "delete")
	l.wantNothingLeft()
}

// An action that has no time left says which setting that was.
func TestActionThatTakesTooLong(t *testing.T) {
	l := newLab(t)
	w, proxy := l.inProcess(), l.cluster.Proxy(t)
	w.apply(l.config(l.deployment()))
	before := l.wantPods(nameOf("v1"), 1)
	p := l.speakThrough(proxy)
	proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/deployments/"+nameOf("v1")) {
			return testcluster.Blackhole()
		}
		return testcluster.Fault{}
	})
	p.invoke("switchback_restart", data{"deployment_id": l.namespace + "/" + nameOf("v1"), "timeout": "4s"}).refused("4s", "`timeout`")
	l.wantSamePods(nameOf("v1"), before)
}

// A start that some run is at can be cancelled by another one.
func TestActionCancel(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	starting, other := l.speakThrough(proxy), l.speak()
	applied := make(chan struct{}, 1)
	proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/deployments/"+nameOf("unready")) {
			return testcluster.Fault{}.AfterReply(func() {
				select {
				case applied <- struct{}{}:
				default:
				}
			})
		}
		return testcluster.Fault{}
	})
	cancelled := make(chan invoked)
	go func() {
		<-applied
		cancelled <- other.invoke("switchback_cancel", data{"deployment_id": l.namespace + "/" + nameOf("unready")})
	}()
	made := starting.change(t.Context(), deploymentType, l.deploymentData("unready"), nil)
	(<-cancelled).fine("asking", "is cancelled")
	starting.fine(made.diagnostics)
	wantSame(t, "status", made.state["status"], "cancelled")
	l.eventuallyPods(nameOf("unready"), 0)
}

// What cannot be meant is refused before anything is done.
func TestActionsCheckTheirConfiguration(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	p := speak(t, map[string]string{"east": l.cluster.KubeconfigPath, "west": proxy.KubeconfigPath})
	there := l.namespace + "/" + nameOf("v1")
	rollback := func(more data) data {
		config := data{"namespace": l.namespace, "application": "api"}
		for name, v := range more {
			config[name] = v
		}
		return config
	}
	for _, test := range []struct {
		action string
		config data
		says   []string
	}{
		{"switchback_stop", data{"deployment_id": "api"}, []string{"Invalid deployment id", "deployment_id"}},
		{"switchback_stop", data{"deployment_id": there, "timeout": "soon"}, []string{"Invalid duration", "timeout"}},
		{"switchback_stop", data{"deployment_id": there, "clusters": []string{"north"}}, []string{"Unknown cluster", `"east", "west"`}},
		{"switchback_stop", data{"deployment_id": there, "clusters": []string{}}, []string{"clusters"}},
		{"switchback_rollback", rollback(data{"deployment_id": l.namespace + "/web-7f3c9a1e"}), []string{"another application"}},
		{"switchback_rollback", rollback(data{"deployment_id": "elsewhere/" + nameOf("v1")}), []string{"another namespace"}},
		{"switchback_rollback", rollback(data{"clusters": []string{"north"}}), []string{"Unknown cluster"}},
		{"switchback_rollback", data{"namespace": "", "application": "api"}, []string{"namespace"}},
		{"switchback_resume", rollback(data{"deployment_id": l.namespace + "/web-7f3c9a1e"}), []string{"another application"}},
		{"switchback_resume", rollback(data{"timeout": "soon"}), []string{"Invalid duration", "timeout"}},
	} {
		i := p.invoke(test.action, test.config)
		i.refused(test.says...)
		if i.planned {
			t.Errorf("%s %v was invoked", test.action, test.config)
		}
	}
	p.invoke("switchback_start", data{"deployment_id": there}).refused("No such deployment", there)
	p.invoke("switchback_rollback", rollback(nil)).refused("There is no main deployment of " + l.namespace + "/api")
	p.invoke("switchback_resume", rollback(nil)).refused("There is no main deployment of "+l.namespace+"/api", "Nothing was written")

	// A cluster that is away may have it: it is named, or nothing is done.
	proxy.Down(t)
	p = speak(t, map[string]string{"east": l.cluster.KubeconfigPath, "west": proxy.KubeconfigPath})
	p.invoke("switchback_stop", data{"deployment_id": there}).refused("unreachable", "west", "name in `clusters`")
	p.invoke("switchback_rollback", rollback(nil)).refused("unreachable", "west")
	p.invoke("switchback_resume", rollback(nil)).refused("unreachable", "west", "name them in `clusters`")
}

func TestActionRollback(t *testing.T) {
	l := newLab(t)
	w, p := l.inProcess(), l.speak()
	watch := l.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(2)))
	}
	back := data{"namespace": l.namespace, "application": "api"}
	w.apply(config("v1"))
	p.invoke("switchback_rollback", back).refused("no deployment was main before "+nameOf("v1"), "deployment_id")
	w.apply(config("v2"))
	pods := l.wantPods(nameOf("v1"), 1)
	// Somebody changes the address: going back neither undoes nor hides it.
	l.patchService("api", `{"spec":{"sessionAffinity":"ClientIP"}}`)

	l.speak().invoke("switchback_rollback", back).fine("waiting for "+nameOf("v1"), "moving traffic from "+nameOf("v2")+" to "+nameOf("v1"), "is back on "+nameOf("v1"))
	l.wantMain(nameOf("v1"))
	l.wantSamePods(nameOf("v1"), pods)
	l.wantPods(nameOf("v2"), 1)
	w.refresh()
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"), "previous_deployment_id", l.namespace+"/"+nameOf("v2"))
	if drift := w.drift(theMain); len(drift) != 1 || drift[0].Field != "spec.sessionAffinity" {
		t.Errorf("drift is %v, want that of the session affinity alone", drift)
	}

	// The configuration still says v2: another apply, which repairs the address, leaves the
	// traffic where it is, and says who asked for that.
	w.write(config("v2"))
	w.plan().warns("Deployment was taken back before", "had all of the traffic already, and admin asked to go back", "The traffic stays with "+l.namespace+"/"+nameOf("v1"))
	w.apply(config("v2"))
	l.wantMain(nameOf("v1"))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"), "status", "finalized")
	w.wantNoChanges().warns("admin asked to go back")
	p.invoke("switchback_rollback", back).refused(nameOf("v2")+" was main before, but admin asked to go back", "deployment_id")
	again := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(2), `retry_token = "again"`))
	}
	w.apply(again("v2"))
	l.wantMain(nameOf("v2"))
	w.wantState(theMain, "refused", nil)
	w.wantNoChanges().silent("taken back before")

	// To a named one, and this time the configuration follows: nothing moves.
	w.apply(config("v3"))
	l.speak().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api", "deployment_id": l.namespace + "/" + nameOf("v1")}).fine(nameOf("v1"))
	l.wantMain(nameOf("v1"))
	w.apply(config("v1"))
	l.wantMain(nameOf("v1"))
	l.wantSamePods(nameOf("v1"), pods)
	w.wantNoChanges().silent("taken back before")

	// What is not there any more cannot be gone back to; nothing moves.
	l.speak().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api", "deployment_id": l.namespace + "/" + nameOf("v9")}).refused("no such deployment", "Traffic was not touched")
	l.wantMain(nameOf("v1"))
	watch.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}

// A switch that fails half way is taken back, and the state's owner stays.
func TestActionRollbackThatFails(t *testing.T) {
	l := newLab(t)
	w, watch, proxy := l.inProcess(), l.watchMain(), l.cluster.Proxy(t)
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(1)))
	}
	w.apply(config("v1"))
	w.apply(config("v2"))
	p := l.speakThrough(proxy)
	proxy.SetFault(noPatchOfMain)
	p.invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).refused("not today")
	l.wantMain(nameOf("v2"))
	l.wantCustody(nameOf("v1"), release.CustodyRetained)
	w.write(config("v2"))
	w.wantNoChanges()
	proxy.SetFault(nil)
	p.invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).fine()
	l.wantMain(nameOf("v1"))
	watch.Check(t, drain)
}

// What was stopped is started before any traffic moves.
func TestActionRollbackToWhatIsStopped(t *testing.T) {
	l := newLab(t)
	w, p, watch := l.inProcess(), l.speak(), l.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst, "replicas = 2"), l.main(keepPrevious(1)))
	}
	w.apply(config("v1"))
	w.apply(config("v2"))
	p.invoke("switchback_stop", data{"deployment_id": l.namespace + "/" + nameOf("v1")}).fine()
	l.wantPods(nameOf("v1"), 0)
	p.invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).fine("starting 2 pods", "is back on "+nameOf("v1"))
	l.wantMain(nameOf("v1"))
	l.wantPods(nameOf("v1"), 2)
	w.apply(config("v1"))
	w.wantNoChanges()
	watch.Check(t, drain)
}

// Somebody else's promotion came in between: what is "before" is another thing
// now, so nothing is done.
func TestActionRollbackOfWhatHasMovedMeanwhile(t *testing.T) {
	l := newLab(t)
	w, watch, proxy := l.inProcess(), l.watchMain(), l.cluster.Proxy(t)
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(2)))
	}
	w.apply(config("v1"))
	w.apply(config("v2"))
	p := l.speakThrough(proxy)
	proxy.SetFault(testcluster.OnWrite(1, testcluster.Fault{}.AfterReply(func() { // the Lease is taken
		client := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
		cm, err := client.Get(t.Context(), release.MainName("api"), metav1.GetOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		cm.Data[release.MainKey] = strings.ReplaceAll(cm.Data[release.MainKey], nameOf("v2"), nameOf("v3"))
		if _, err := client.Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
	})))
	p.invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).refused("moved meanwhile", nameOf("v2"), nameOf("v3"))
	l.wantMain(nameOf("v2"))
	watch.NeverEmpty(t)
}

// The same through a CLI that has actions; one that has none says so.
func TestAccActions(t *testing.T) {
	l := newLab(t)
	cli, err := terraformCLI()
	l.must(err)
	w := l.workspace()
	block := "action \"switchback_restart\" \"api\" {\n  config { deployment_id = switchback_deployment.api.id }\n}\n"
	if !can(t, cli, actions) {
		if r := w.tryApply(l.config(l.deployment(), block)); !r.failed {
			t.Error("this CLI has actions: correct the table of features")
		}
		return
	}
	w.apply(l.config(l.deployment(), block))
	before := l.wantPods(nameOf("v1"), 1)
	text := w.do("apply", "-auto-approve", "-input=false", "-no-color", "-invoke=action.switchback_restart.api")
	if !strings.Contains(text, "replacing the pods") {
		t.Errorf("no progress was shown:\n%s", text)
	}
	if now := l.wantPods(nameOf("v1"), 1); slices.Equal(before, now) {
		t.Error("the pods are the ones from before the restart")
	}
	w.wantNoChanges()
}
