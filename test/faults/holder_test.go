package faults_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// said is what a command said, without the CLI's line breaks and frames.
func (x *execution) said() string {
	return strings.Join(strings.Fields(strings.ReplaceAll(x.text(), "│", " ")), " ")
}

// fails checks that a command fails and says something that matches each pattern.
func (x *execution) fails(patterns ...string) {
	x.w.t.Helper()
	if code := x.wait(); code == 0 {
		x.w.t.Errorf("it succeeded:\n%s", x.text())
	}
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(x.said()) {
			x.w.t.Errorf("it does not say %q:\n%s", p, x.text())
		}
	}
}

// holderOf is who holds the application's Lease.
func (w *workspace) holderOf() string {
	w.t.Helper()
	lease, err := w.cluster.Client().CoordinationV1().Leases(w.namespace).Get(w.t.Context(), application+"-switchback", metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		w.t.Fatalf("nobody holds the Lease: %+v, %v", lease.Spec, err)
	}
	return *lease.Spec.HolderIdentity
}

// TestTwoRunsOnOneApplication: who comes second waits for the Lease, and says
// whom it waited for when its time is over.
func TestTwoRunsOnOneApplication(t *testing.T) {
	t.Parallel()
	a := newWorkspace(t)
	watched := a.cluster.WatchMain(t, a.namespace, application)
	a.apply(config{version: "v1", keep: 1})
	v1 := a.name()
	b := newWorkspaceIn(t, a.cluster, a.namespace)
	b.apply(config{version: "v9", noMain: true, timeouts: within("delete", firstLimit)})

	goOn := make(chan struct{})
	switching := a.when(http.MethodPatch, mainService, testcluster.Fault{}.BeforeReply(func() { <-goOn }))
	first := a.startApply(config{version: "v2", keep: 1})
	first.reach("the switch", switching)
	holder := a.holderOf()

	destroy := []string{"destroy", "-auto-approve", "-no-color", "-input=false"}
	b.runsOut(func(limit time.Duration) *execution {
		if limit > firstLimit {
			b.givesTime("delete", firstLimit, limit)
		}
		return b.start(destroy...)
	}, "Application is locked", "is being changed by "+regexp.QuoteMeta(holder), "within %s, which is `timeouts.delete`")
	if got := a.holderOf(); got != holder {
		t.Errorf("the Lease went from %s to %s", holder, got)
	}

	b.apply(config{version: "v9", noMain: true}) // with the usual time
	b.proxy.Reset()
	second := b.start(destroy...)
	looks := 0
	eventually(t, "the second run to wait for the Lease", func() error {
		looks = 0
		for _, r := range b.proxy.Requests() {
			if r.Method == http.MethodGet && strings.Contains(r.Path, "/leases/") {
				looks++
			}
			if r.Write() {
				t.Fatalf("without the Lease it writes %s", r.String())
			}
		}
		if looks < 2 {
			return fmt.Errorf("it has looked %d times", looks)
		}
		return nil
	})
	close(goOn)
	for name, x := range map[string]*execution{"first": first, "second": second} {
		if x.wait() != 0 {
			t.Errorf("the %s run:\n%s", name, x.text())
		}
	}
	a.planIsEmpty()
	a.check(standing{releases: []string{v1, a.name()}, main: a.name()})

	// The address is another state's: refused, whoever holds the Lease.
	c := newWorkspaceIn(t, a.cluster, a.namespace)
	c.startApply(config{version: "v3"}).fails("Application already has a main deployment", "terraform import <address> "+a.namespace+"/"+application)
	if svc, err := a.cluster.Client().CoreV1().Services(a.namespace).Get(t.Context(), application, metav1.GetOptions{}); err != nil ||
		svc.Spec.Selector["switchback.dev/deployment"] != a.name() {
		t.Errorf("the refused run moved main: %v, %v", svc.Spec.Selector, err)
	}
	watched.NeverEmpty(t)
}

// TestDeadHolderOfTheLease: another state's run takes over what a dead process
// holds, and what it left unfinished is finished by its own.
func TestDeadHolderOfTheLease(t *testing.T) {
	t.Parallel()
	a := newWorkspace(t)
	watched := a.cluster.WatchMain(t, a.namespace, application)
	a.apply(config{version: "v1", keep: 1})
	v1 := a.name()
	b := newWorkspaceIn(t, a.cluster, a.namespace)
	b.apply(config{version: "v9", noMain: true})

	switching := a.when(http.MethodPatch, mainService, testcluster.LostReply())
	first := a.startApply(config{version: "v2", keep: 1})
	first.reach("the switch", switching)
	if err := first.killAll(); err != nil {
		t.Fatal(err)
	}
	first.wait()
	dead := a.holderOf()

	second := b.start("destroy", "-auto-approve", "-no-color", "-input=false")
	if second.wait() != 0 {
		t.Fatalf("after the death of %s:\n%s", dead, second.text())
	}
	a.apply(config{version: "v2", keep: 1})
	a.planIsEmpty()
	a.check(standing{releases: []string{v1, a.name()}, main: a.name()})
	watched.Check(t, drain)
}

// TestTwoRunsCreateOneRelease: the second waits while the first lives, names it
// when its own time is over, and takes over from it when it is dead.
func TestTwoRunsCreateOneRelease(t *testing.T) {
	t.Parallel()
	a := newWorkspace(t)
	c := unready
	c.noMain = true
	first := a.startApply(c)
	first.waiting()

	b := newWorkspaceIn(t, a.cluster, a.namespace)
	short := c
	b.runsOut(func(limit time.Duration) *execution {
		short.timeouts = within("create", limit)
		return b.startApply(short)
	}, "Deployment is being worked on", `is being worked on by process \d+ on `, "within %s, which is `timeouts.create`")
	if len(b.state("switchback_deployment")) != 0 {
		t.Error("it is in the state of the run that did not get it")
	}
	if err := first.killAll(); err != nil {
		t.Fatal(err)
	}
	first.wait()

	second := b.startApply(c)
	second.makeReady()
	if second.wait() != 0 {
		t.Fatalf("after the first one's death:\n%s", second.text())
	}
	b.planIsEmpty()
	b.check(standing{releases: []string{b.name()}})
}
