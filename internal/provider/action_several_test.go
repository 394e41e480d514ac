package provider_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// ended are the applications that progress says to have ended so, in order.
func (i invoked) ended(how string) (names []string) {
	for _, line := range i.progress {
		if name, found := strings.CutSuffix(line, ": "+how); found && !strings.Contains(name, ":") {
			names = append(names, name)
		}
	}
	return names
}

// errors are how many there are.
func (i invoked) errors() (n int) {
	for _, d := range i.diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			n++
		}
	}
	return n
}

// warns fails the test on any error, or unless a warning has all these texts.
func (i invoked) warns(texts ...string) {
	i.t.Helper()
	if text := said(i.diagnostics, tfprotov6.DiagnosticSeverityError); text != "" {
		i.t.Error(text)
	}
	wantSays(i.t, i.diagnostics, tfprotov6.DiagnosticSeverityWarning, texts...)
}

const ofDev = `environment = "dev"`

// alone is an application with a main deployment of its own.
func (l *lab) alone(name string, lines ...string) string {
	main := []string{fmt.Sprintf("application = %q", name), fmt.Sprintf("deployment_id = switchback_deployment.%s.id", name)}
	return l.application(name, "v1", lines...) + "\n" + l.mainNamed(name, main...)
}

// TestActionsOnAnEnvironment: a dev environment is stopped at night, those first that others
// of their group come before, and started in the morning, the other way round; what is of no
// such environment stays as it is.
func TestActionsOnAnEnvironment(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.application("api", tag, ofDev), l.application("web", tag, ofDev), l.alone("batch"),
			group([]string{member("api"), member("web")}, `waves = [{ members = ["web"] }, { members = ["api"] }]`, keepPrevious(1)))
	}
	w.apply(config("v1"))
	pods := func(tag string, n int) {
		t.Helper()
		for _, name := range []string{"api", "web"} {
			l.wantPods(releaseOf(name, tag), n)
		}
		l.wantPods(releaseOf("batch", "v1"), 1)
	}
	on := func(more data) data { return changed(data{"namespace": l.namespace, "environment": "dev"}, more) }
	act := func(action string, more data) invoked { t.Helper(); return l.speak().invoke(action, on(more)) }
	in := func(i invoked, how string, names ...string) {
		t.Helper()
		i.fine()
		if got := i.ended(how); !slices.Equal(got, names) {
			t.Errorf("%q are %v, want %v:\n%s", how, got, names, strings.Join(i.progress, "\n"))
		}
	}

	in(act("switchback_stop", data{"reason": "night"}), "it is stopped", "api", "web")
	pods("v1", 0)
	w.refresh()
	w.wantNoChanges().warns("Application is stopped", "stopped by admin", "(night)", "switchback_start")
	w.apply(config("v1"))
	pods("v1", 0)
	in(act("switchback_start", data{"reason": "morning"}), "it is started", "web", "api")
	pods("v1", 1)
	w.refresh()
	w.wantNoChanges().silent("Application is stopped")

	// By its name, and by labels.
	before := l.wantPods(releaseOf("api", "v1"), 1)
	p := l.speak()
	in(p.invoke("switchback_restart", data{"namespace": l.namespace, "selector": release.LabelApplication + " in (web, batch), " + release.LabelEnvironment}), "it has been restarted", "web")
	l.wantSamePods(releaseOf("api", "v1"), before)
	p.invoke("switchback_stop", data{"namespace": l.namespace, "application": "api"}).fine("it is stopped")
	l.wantPods(releaseOf("api", "v1"), 0)
	p.invoke("switchback_restart", data{"namespace": l.namespace, "application": "api"}).refused("Action is not allowed")
	p.invoke("switchback_start", data{"namespace": l.namespace, "application": "api"}).fine("it is started")
	pods("v1", 1)

	// Whoever moves traffic does the same.
	w.apply(config("v2"))
	i := act("switchback_rollback", data{"reason": "5xx"})
	i.fine("api: "+l.namespace+"/api is back on "+releaseOf("api", "v1"), "web: "+l.namespace+"/web is back on "+releaseOf("web", "v1"))
	l.wantAddress("api", "v1")
	l.wantAddress("web", "v1")
	if api, web := slices.IndexFunc(i.progress, prefixed("api: ")), slices.IndexFunc(i.progress, prefixed("web: ")); api > web {
		t.Errorf("web goes back before what comes after it:\n%s", strings.Join(i.progress, "\n"))
	}
	in(act("switchback_retry", nil), "what was refused may be tried once more: the next apply of it does", "web", "api")
	i = act("switchback_retry", nil)
	i.warns(`Nothing is refused (application "api")`, `Nothing is refused (application "web")`)
	in(invoked{t: t, progress: i.progress}, "there was nothing to do", "web", "api")
	act("switchback_resume", nil).warns(`Nothing is paused (application "api")`, `Nothing is paused (application "web")`)
	for _, action := range []string{"hold", "abort", "promote"} {
		i := act("switchback_"+action, nil)
		i.refused(`(application "api")`, `(application "web")`)
		if i.errors() != 2 {
			t.Errorf("%s: %d errors", action, i.errors())
		}
	}

	// Another environment has the traffic of batch, which stays as it is.
	w.apply(config("v2") + l.deploymentNamed("tried", `application = "batch"`, `image = "demo/batch:v2"`, `environment = "test"`))
	i = p.invoke("switchback_stop", data{"namespace": l.namespace, "environment": "test"})
	i.warns("Application of another environment", l.namespace+"/batch is left alone", `environment "test"`, "Name it")
	if len(i.progress) > 0 {
		t.Errorf("it did something: %v", i.progress)
	}
	l.wantPods(releaseOf("batch", "v1"), 1)
	l.wantPods(releaseOf("batch", "v2"), 1)

	i = p.invoke("switchback_stop", data{"namespace": l.namespace, "environment": "prod", "selector": "team=search"})
	i.warns("No application matches", `environment "prod"`, `"team=search"`, "nothing was done")
	if len(i.progress) > 0 {
		t.Errorf("it did something: %v", i.progress)
	}
}

func prefixed(prefix string) func(string) bool {
	return func(line string) bool { return strings.HasPrefix(line, prefix) }
}

// TestActionsOnSeveralGoOn: one that is refused, or fails, does not keep the others from being
// done, and is named.
func TestActionsOnSeveralGoOn(t *testing.T) {
	l := newLab(t)
	w, proxy := l.inProcess(), l.cluster.Proxy(t)
	w.apply(l.config(l.alone("api", ofDev), l.alone("web", ofDev), l.application("batch", "v1", ofDev)))
	p := l.speakThrough(proxy)
	proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/deployments/"+releaseOf("web", "v1")) {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	})
	night := data{"namespace": l.namespace, "selector": release.LabelEnvironment + "=dev"}
	i := p.invoke("switchback_stop", night)
	i.refused(`(application "web")`, "not today", `No main deployment (application "batch")`)
	for _, line := range []string{"web: failed: ", "batch: refused: No main deployment", "api: it is stopped"} {
		if !slices.ContainsFunc(i.progress, prefixed(line)) {
			t.Errorf("no line %q: %v", line, i.progress)
		}
	}
	if i.errors() != 2 {
		t.Errorf("%d errors", i.errors())
	}
	l.wantPods(releaseOf("api", "v1"), 0)
	l.wantPods(releaseOf("web", "v1"), 1)
	l.wantPods(releaseOf("batch", "v1"), 1)

	// Nothing is in its way any more: what is stopped stays so.
	proxy.SetFault(nil)
	p.invoke("switchback_stop", night).refused(`No main deployment (application "batch")`)
	l.wantPods(releaseOf("api", "v1"), 0)
	l.wantPods(releaseOf("web", "v1"), 0)

	// Where it cannot be told who is meant, nothing is done.
	p = speak(t, map[string]string{"east": l.cluster.KubeconfigPath, "west": proxy.KubeconfigPath})
	proxy.Down(t)
	i = p.invoke("switchback_start", night)
	i.refused("unreachable", "which applications of namespace", `cluster "west"`, "nothing was done", "name in `clusters`")
	if len(i.progress) > 0 || i.errors() != 1 {
		t.Errorf("it says %v, with %d errors", i.progress, i.errors())
	}
	l.wantPods(releaseOf("api", "v1"), 0)
	i = p.invoke("switchback_start", changed(night, data{"clusters": []string{"east"}}))
	i.refused(`No main deployment (application "batch")`)
	if got := i.ended("it is started"); !slices.Equal(got, []string{"api", "web"}) {
		t.Errorf("started are %v", got)
	}
	l.wantPods(releaseOf("api", "v1"), 1)
	l.wantPods(releaseOf("web", "v1"), 1)
}

// TestActionsOnSeveralAskFirst: whether all of it may be done is asked before the first write.
func TestActionsOnSeveralAskFirst(t *testing.T) {
	l := newLab(t)
	l.legacy()
	w, proxy := l.inProcess(), l.cluster.Proxy(t)
	w.apply(l.config(l.application("api", "v1", ofDev), l.main(adopting), l.alone("web", ofDev)))
	may := permissionsOf(cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeaturePromote, cluster.FeatureTerminate, cluster.FeatureLock)
	proxy.Reset()
	i := speak(t, map[string]string{"default": l.restrictedKubeconfig(proxy, may)}).invoke("switchback_stop", data{"namespace": l.namespace, "environment": "dev"})
	i.refused(`Permissions are missing (application "api")`, "adopt")
	if got := i.ended("it is stopped"); !slices.Equal(got, []string{"web"}) || i.errors() != 1 {
		t.Errorf("stopped are %v, with %d errors", got, i.errors())
	}
	l.wantPods(releaseOf("web", "v1"), 0)
	l.wantPods(releaseOf("api", "v1"), 1)
	asked, written := 0, 0
	for _, r := range proxy.Requests() {
		switch {
		case strings.Contains(r.Path, "/selfsubjectaccessreviews"):
			asked = r.Index
		case r.WriteIndex == 1:
			written = r.Index
		}
	}
	if asked == 0 || written < asked {
		t.Errorf("the last question is request %d, the first write request %d", asked, written)
	}
}

// TestActionsSayWhatTheyAreAbout: in one way, which a plan checks, where it is wrong.
func TestActionsSayWhatTheyAreAbout(t *testing.T) {
	l := newLab(t)
	p := l.speak()
	in, there := l.namespace, l.namespace+"/"+nameOf("v1")
	one := data{"namespace": in, "application": "api"}
	for _, test := range []struct {
		config data
		at     string // the attribute
		says   string

		traffic, lifecycle bool // whom it concerns
	}{
		{data{"namespace": in}, "application", "No application", true, true},
		{changed(one, data{"environment": "dev"}), "environment", "One application, or several", true, true},
		{changed(one, data{"selector": "team=payments"}), "selector", "One application, or several", true, true},
		{data{"namespace": in, "selector": "team payments"}, "selector", "Invalid selector", true, true},
		{data{"namespace": in, "selector": " "}, "selector", "Invalid selector", true, true},
		{data{"namespace": in, "environment": ""}, "environment", "environment", true, true},
		{data{"namespace": in, "environment": "dev", "deployment_id": there}, "deployment_id", "Deployment of one application", true, false},
		{data{}, "deployment_id", "No deployment and no application", false, true},
		{data{"environment": "dev"}, "namespace", "No namespace", false, true},
		{data{"application": "api"}, "namespace", "No namespace", false, true},
		{data{"deployment_id": there, "namespace": in}, "namespace", "One deployment, or applications", false, true},
		{data{"deployment_id": there, "application": "api"}, "application", "One deployment, or applications", false, true},
		{data{"deployment_id": there, "environment": "dev"}, "environment", "One deployment, or applications", false, true},
		{data{"deployment_id": there, "selector": "team=payments"}, "selector", "One deployment, or applications", false, true},
	} {
		var actions []string
		if test.lifecycle {
			actions = append(actions, "stop", "start", "restart")
		}
		if test.traffic {
			actions = append(actions, "rollback", "resume")
			if test.config["deployment_id"] == nil {
				actions = append(actions, "hold", "abort", "retry", "promote")
			}
		}
		for _, action := range actions {
			i := p.invoke("switchback_"+action, test.config)
			i.refused(test.says, fmt.Sprintf("AttributeName(%q)", test.at))
			if i.planned || i.errors() != 1 {
				t.Errorf("%s %v: it was planned (%t), with %d errors", action, test.config, i.planned, i.errors())
			}
		}
	}
}
