package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func keepPreviousAs(count int, lines string) string {
	return fmt.Sprintf("keep_previous = { count = %d, %s }", count, lines)
}

// wantRetained fails the test unless a release is in nobody's state, with so many pods.
func (l *lab) wantRetained(name string, pods int) {
	l.t.Helper()
	l.wantCustody(name, release.CustodyRetained)
	l.wantPods(name, pods)
	if d := l.workload(name); *d.Spec.Replicas != int32(pods) {
		l.t.Errorf("%s asks for %d pods, want %d", name, *d.Spec.Replicas, pods)
	}
}

// age makes every former main have left so much earlier.
func (l *lab) age(by time.Duration) {
	l.t.Helper()
	maps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := maps.Get(l.t.Context(), "api-switchback", metav1.GetOptions{})
	l.must(err)
	main, err := release.ParseMain(cm.Data)
	l.must(err)
	for name, at := range main.Left {
		main.Left[name] = at.Add(-by)
	}
	cm.Data, err = main.Marshal()
	l.must(err)
	_, err = maps.Update(l.t.Context(), cm, metav1.UpdateOptions{})
	l.must(err)
}

const coldStart = "Going back will be a cold start"

func TestAccKeepPreviousStopped(t *testing.T) {
	everyOrder(t, func(l *lab, lifecycle ...string) {
		w, watch := l.inProcess(), l.watchMain()
		config := func(tag string) string {
			return l.config(l.deployment(append(lifecycle, image(tag), "replicas = 2")...), l.main(keepPreviousAs(1, `state = "stopped"`)))
		}
		w.apply(config("v1"))
		uid := l.workload(nameOf("v1")).UID
		w.apply(config("v2")).silent(coldStart)
		l.wantMain(nameOf("v2"))
		l.wantRetained(nameOf("v1"), 0)
		w.wantNoChanges()
		watch.Check(l.t, drain)

		w.write(config("v1"))
		plan := w.plan()
		plan.warns(coldStart, l.namespace+"/"+nameOf("v1"), `cluster "default"`)
		if len(plan.diags) != 1 {
			l.t.Errorf("the plan says %s", plan.messages(""))
		}
		w.apply(config("v1"))
		l.wantMain(nameOf("v1"))
		l.wantPods(nameOf("v1"), 2)
		l.wantRetained(nameOf("v2"), 0)
		if l.workload(nameOf("v1")).UID != uid {
			l.t.Error("going back made another Deployment")
		}
		w.wantState(theDeployment, "status", "started", "name", nameOf("v1"))
		w.wantNoChanges()
		watch.Check(l.t, drain)
		w.destroy()
		l.wantNothingLeft()
	})
}

func TestAccKeepPreviousStateChangesInPlace(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag, state string) string {
		return l.config(l.deployment(createFirst, image(tag)), l.main(keepPreviousAs(1, fmt.Sprintf("state = %q", state))))
	}
	w.apply(config("v1", "started"))
	w.apply(config("v2", "started"))
	l.wantRetained(nameOf("v1"), 1)
	w.write(config("v1", "started"))
	w.plan().silent(coldStart)
	for _, state := range []string{"stopped", "started", "stopped"} {
		w.apply(config("v2", state)).wantActions(theMain, "update")
		l.wantRetained(nameOf("v1"), map[string]int{"started": 1}[state])
		w.wantNoChanges()
	}
	l.wantMain(nameOf("v2"))
	watch.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}

// Time alone makes no plan: what has outlived its ttl goes with the next apply
// that changes main, which a replacement of main is, too.
func TestAccKeepPreviousForATime(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string, lines ...string) string {
		return l.config(l.deployment(createFirst, image(tag)), l.main(append(lines, keepPreviousAs(2, `ttl = "48h"`))...))
	}
	w.apply(config("v1"))
	w.apply(config("v2"))
	l.age(47 * time.Hour)
	w.apply(config("v3"))
	l.wantRetained(nameOf("v1"), 1)
	l.age(2 * time.Hour)
	w.wantNoChanges()
	l.wantReleases(nameOf("v1"), nameOf("v2"), nameOf("v3"))
	w.apply(config("v3", `timeouts = { update = "9m" }`, `drain = "2s"`)).wantActions(theMain, "update")
	l.wantReleases(nameOf("v2"), nameOf("v3"))
	w.wantNoChanges()

	// Whoever looks sees until when.
	w.apply(l.config(l.deployment(createFirst, image("v3")), l.main(keepPreviousAs(2, `ttl = "48h"`), `timeouts = { update = "9m" }`, `drain = "2s"`), l.data("deployments", "all")))
	shown := read[shownReleases](w, "switchback_deployments.all").Deployments
	if len(shown) != 2 || shown[0].KeptUntil != "" || !strings.HasSuffix(shown[1].KeptUntil, "Z") {
		t.Errorf("main and the one before are kept until when: %+v", shown)
	}
	l.age(48 * time.Hour)
	w.wantNoChanges()
	w.apply(config("v3", `timeouts = { update = "9m" }`, `drain = "2s"`), "-replace="+theMain)
	l.wantReleases(nameOf("v3"))
	l.wantMain(nameOf("v3"))
	w.wantNoChanges()
	watch.Check(t, drain)
}

func TestAccImportRebuildsKeepPrevious(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	for _, keep := range []string{`keep_previous = { count = 2, ttl = "48h", state = "stopped" }`, `keep_previous = { count = 0 }`, `keep_previous = { ttl = "90m" }`} {
		config := l.config(l.deployment(), l.main(keep))
		w.apply(config)
		w.do("state", "rm", theMain)
		w.do("import", theMain, l.namespace+"/api")
		w.wantNoChanges()
	}
	w.wantState(theMain, "keep_previous", map[string]any{"count": 1, "state": "started", "ttl": "1h30m"})
}

// The ways back of the guide Rolling back that are not a change of the version.

func TestAccPointerAtWhatIsRetained(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(state string, lines ...string) string {
		return l.config(l.deployment(createFirst, image("v2")), l.main(append(lines, keepPreviousAs(1, fmt.Sprintf("state = %q", state)))...))
	}
	w.apply(l.config(l.deployment(createFirst, image("v1")), l.main()))
	w.apply(config("started"))
	pods := l.wantPods(nameOf("v1"), 1)
	w.apply(config("started", l.pointAt(nameOf("v1")))).wantActions(theMain, "update")
	l.wantMain(nameOf("v1"))
	l.wantSamePods(nameOf("v1"), pods)
	l.wantPods(nameOf("v2"), 1)
	w.wantNoChanges()

	w.apply(config("stopped"))
	l.wantMain(nameOf("v2"))
	l.wantRetained(nameOf("v1"), 0)
	w.applyFails(config("stopped", l.pointAt(nameOf("v1")))).tells("Deployment cannot become main", "stopped", "Traffic was not touched")
	l.wantMain(nameOf("v2"))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v2"))
	watch.Check(t, drain)
}

func TestAccEmergencyWithKubectl(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(createFirst, image(tag)), l.main(keepPrevious(1)))
	}
	w.apply(config("v1"))
	w.apply(config("v2"))
	pods := l.wantPods(nameOf("v1"), 1)
	l.patchService("api", fmt.Sprintf(`{"spec":{"selector":{"switchback.dev/deployment":%q,"switchback.dev/role":"app"}}}`, nameOf("v1")))
	w.plan().wantActions(theMain, "update")
	w.apply(config("v1"))
	l.wantMain(nameOf("v1"))
	l.wantSamePods(nameOf("v1"), pods)
	l.wantRetained(nameOf("v2"), 1)
	w.wantNoChanges()
	w.apply(config("v3"))
	l.wantReleases(nameOf("v1"), nameOf("v3"))
	watch.Check(t, drain)
}

// A plan neither fails nor waits for long because of what it only wants to tell.
func TestAccPlanOfACreateWithoutItsCluster(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	l.provider = block(`provider "switchback"`, []string{`host = "https://127.0.0.1:1"`, `token = "t"`})
	w.write(l.config(l.deployment(), l.main()))
	began := time.Now()
	r := w.plan()
	r.silent(coldStart)
	if took := time.Since(began); took > hang {
		t.Errorf("the plan took %s", took)
	}
}
