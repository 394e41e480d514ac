package faults_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// verb is something that a user does, from a starting point.
type verb struct {
	name    string
	before  []config // applied to get to the starting point
	do      config
	destroy bool
	adopts  bool                 // the address is a Service that was there before
	on      *testcluster.Cluster // one that knows routes; nil: the shared one

	// inPlace is what the history calls a change of what is there already; empty:
	// traffic moves. Replaces says that the change gives main new pods.
	inPlace  release.Operation
	replaces bool

	// want is what stands afterwards; names are those of the releases by version.
	want func(names map[string]string) standing
}

func verbs() []verb {
	v1, v2 := config{version: "v1", keep: 1}, config{version: "v2", keep: 1}
	last := func(version string, retained ...string) func(map[string]string) standing {
		return func(names map[string]string) standing {
			s := standing{main: names[version], releases: []string{names[version]}}
			for _, r := range retained {
				s.releases = append(s.releases, names[r])
			}
			return s
		}
	}
	v1Alone, v2Alone := v1, v2
	v1Alone.keep, v2Alone.keep = 0, 0
	return append(verbsInPlace(), []verb{
		{name: "create", do: v1, want: last("v1")},
		{name: "bump", before: []config{v1}, do: v2, want: last("v2", "v1")},
		{name: "back", before: []config{v1, v2}, do: v1, want: last("v1", "v2")},
		{name: "bump keeping none", before: []config{v1Alone}, do: v2Alone, want: last("v2")},
		{name: "destroy", before: []config{v1, v2}, destroy: true, want: func(map[string]string) standing { return standing{} }},
	}...)
}

// workspace is one on the verb's cluster.
func (v verb) workspace(t *testing.T) *workspace {
	t.Helper()
	if v.on == nil {
		return newWorkspace(t)
	}
	w := newWorkspaceIn(t, v.on, v.on.Namespace(t))
	v.on.DataPlane(t, w.namespace, "httproutes")
	return w
}

// begin brings a workspace to the verb's starting point, and returns the
// releases' names by version.
func (v verb) begin(w *workspace) map[string]string {
	w.t.Helper()
	if v.adopts {
		w.legacy = w.cluster.Legacy(w.t, w.namespace, application, "demo/legacy:v0")
	}
	names := map[string]string{}
	for _, c := range v.before {
		w.apply(c)
		names[c.version] = w.name()
		if c.serving != "" {
			names[c.serving] = strings.TrimPrefix(w.main().attribute(w.t, "deployment_id"), w.namespace+"/")
		}
	}
	return names
}

func (v verb) start(w *workspace) *execution {
	w.t.Helper()
	if v.destroy {
		return w.start("destroy", "-auto-approve", "-no-color", "-input=false")
	}
	return w.startApply(v.do)
}

// TestKilledAfterManyWrites kills the provider, or the CLI with it, when a write
// is done that it does not know of yet. Every write has its kill in the engine's
// tests; what a CLI keeps of a run that was killed depends on which resource it
// was at. So each verb has every second write here: the odd ones or the even ones.
func TestKilledAfterManyWrites(t *testing.T) {
	t.Parallel()
	for i, v := range verbs() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for _, at := range v.point(t).steps {
				if (at.place+i)%2 == 1 {
					continue
				}
				t.Run(at.String(), func(t *testing.T) {
					t.Parallel()
					kill := (*execution).killProviders
					if at.place/2%2 == 0 {
						kill = (*execution).killAll
					}
					cutOff(t, v, at, true, kill)
				})
			}
		})
	}
}

// anonymous is a path without what differs from run to run.
func anonymous(path, namespace string) string {
	_, rest, _ := strings.Cut(path, namespace+"/")
	return strings.ReplaceAll(rest, "/", " ")
}

// TestInterruptedAfterManyWrites is a Ctrl-C when a write is done whose reply is
// on its way: the run ends soon, and the next one goes on. The verbs left out
// here do nothing that these do not, and what a Ctrl-C meets changes less often
// than every second write.
func TestInterruptedAfterManyWrites(t *testing.T) {
	t.Parallel()
	for _, v := range verbs() {
		if v.name != "create" && v.name != "bump keeping none" && v.name != "destroy" {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for i, at := range v.point(t).steps {
				if i%2 == 1 {
					continue
				}
				t.Run(at.String(), func(t *testing.T) {
					t.Parallel()
					cutOff(t, v, at, false, (*execution).interrupt)
				})
			}
		})
	}
}

// step is one of a verb's writes. It is known by what it writes, not by how many there
// were before it: another run may have one more.
type step struct {
	place int // in the run that they were counted in; the first is 1
	what  string
	nth   int // of what; the first is 1
}

// String names it in the place that it had.
func (s step) String() string {
	if s.nth == 1 {
		return fmt.Sprintf("%02d %s", s.place, s.what)
	}
	return fmt.Sprintf("%02d %s %d", s.place, s.what, s.nth)
}

// what a request writes, without what differs from run to run.
func (w *workspace) what(r *testcluster.Request) string {
	return r.Method + " " + anonymous(r.Target(), w.namespace)
}

// at lets a fault happen to one of a verb's writes.
func (w *workspace) at(s step, fault testcluster.Fault) {
	w.proxy.SetFault(w.onceAt(s, fault))
}

func (w *workspace) onceAt(s step, fault testcluster.Fault) func(*testcluster.Request, int) testcluster.Fault {
	return testcluster.OnNth(s.nth, func(r *testcluster.Request) bool { return w.counts(r) && w.what(r) == s.what }, fault)
}

// counts says that a write is one of the verb's own: not an Event, which nothing
// reads, not a heartbeat, of which a slow run has more, and not one that is made
// again because the cluster's controllers came first, or because a server failed.
func (w *workspace) counts(r *testcluster.Request) bool {
	if !r.Write() || strings.HasSuffix(r.Path, "/events") {
		return false
	}
	requests := w.proxy.Requests()
	beats := func(r *testcluster.Request) bool { return heartbeat(r, requests) }
	return !beats(r) && !testcluster.Repeats(r, requests, beats)
}

// steps are the writes that count since the proxy's last reset.
func (w *workspace) steps() (all []step) {
	nth := map[string]int{}
	for _, r := range w.proxy.Writes() {
		if w.counts(&r) {
			what := w.what(&r)
			nth[what]++
			all = append(all, step{len(all) + 1, what, nth[what]})
		}
	}
	return all
}

// TestStepsAreThoseOfEveryRun counts the writes of a run with a server that is busy at
// each of them, and to whose heartbeats somebody else's label comes first: they are
// those of a run without. What a test is cut off at would else not be in its run.
func TestStepsAreThoseOfEveryRun(t *testing.T) {
	t.Parallel()
	v := verbs()[slices.IndexFunc(verbs(), func(v verb) bool { return v.name == "create" })]
	want := v.point(t).steps
	w := newWorkspace(t).hasty()
	v.starts(w)
	w.proxy.Reset()
	var mu sync.Mutex
	met := map[string]bool{}
	w.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		what := w.what(r) + string(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if !r.Write() || met[what] {
			return testcluster.Fault{}
		}
		met[what] = true
		if heartbeat(r, w.proxy.Requests()) {
			return testcluster.Conflict()
		}
		return testcluster.Unavailable()
	})
	if x := v.start(w); x.wait() != 0 {
		t.Fatalf("with a busy server:\n%s", x.text())
	}
	if got := w.steps(); !slices.Equal(got, want) {
		t.Errorf("its writes are %v, want %v, of:\n%s", got, want, lines(w.proxy.Writes()))
	}
}

// cutOff ends a verb after one of its writes, and makes sure that the next run goes on.
func cutOff(t *testing.T, v verb, at step, lost bool, end func(*execution) error) *occasion {
	t.Helper()
	o := v.begun(t)
	w := o.w
	var fault testcluster.Fault
	if lost {
		fault = testcluster.LostReply()
	}
	hit, started := make(chan struct{}), make(chan *execution, 1)
	w.at(at, fault.BeforeReply(func() {
		close(hit) // first: the run may have ended before end returns
		if err := end(<-started); err != nil {
			t.Errorf("end the run: %v", err)
		}
	}))
	x := v.start(w)
	started <- x
	x.reach("write "+at.String(), hit)
	// A run that was interrupted after its last write has nothing left to fail.
	if code := x.wait(); code == 0 && lost {
		t.Fatalf("a killed run succeeded:\n%s", x.text())
	}
	w.proxy.SetFault(nil)
	standing := w.objects()
	ended := v.inPlace != "" && w.finished()

	next := v.start(w)
	if next.wait() != 0 {
		t.Fatalf("cut off with %v standing, the next run does not go on:\n%s\nThe one before said:\n%s", standing, next.text(), x.text())
	}
	o.check(ended, len(v.before) == 0 && !lost)
	return o
}

// occasion is a run of a verb in a workspace that was at its starting point.
type occasion struct {
	v       verb
	w       *workspace
	main    *testcluster.MainWatch
	names   map[string]string // of the releases, by version
	entries int               // of the history, before
	moments int               // of main's history, before
}

// begun has a workspace at the verb's starting point, where requests count from now on.
func (v verb) begun(t *testing.T) *occasion {
	t.Helper()
	w := v.workspace(t).hasty()
	o := &occasion{v: v, w: w, main: w.cluster.WatchMain(t, w.namespace, application)}
	o.names = v.starts(w)
	if v.copied() && slices.ContainsFunc(v.before, func(c config) bool { return !c.noMain }) {
		ready(t, o.main, 2)
	}
	w.proxy.Reset()
	o.entries, o.moments = len(w.history()), len(o.main.History())
	return o
}

// check fails the test unless everything is as after an undisturbed run. ended says that
// a change in place had ended before the run that went on; first, that an address was
// interrupted before its first promotion was done: it is taken back, and never was main's.
func (o *occasion) check(ended, first bool) {
	w, v, names := o.w, o.v, o.names
	w.t.Helper()
	if !v.destroy {
		w.nothingIsPlanned()
		names[v.do.version] = w.name()
		if got, want := w.main().attribute(w.t, "deployment_id"), w.namespace+"/"+names[cmp.Or(v.do.serving, v.do.version)]; got != want {
			w.t.Errorf("deployment_id is %s, want %s", got, want)
		}
	}
	w.check(v.want(names))
	if v.inPlace != "" {
		w.changedOnce(v, o.entries, ended)
		w.stayedWhole(v, o.main, o.moments)
		return
	}
	if !v.destroy {
		deploys := 1
		if v.adopts {
			deploys = 0 // it is there already
		}
		w.rememberedOnce(o.entries, deploys)
	}
	if v.adopts {
		w.checkAdopted(v.want(names))
		o.main.Check(w.t, drain)
		return
	}
	if !v.destroy && !first {
		o.main.Check(w.t, drain)
	}
}

// history is the application's.
func (w *workspace) history() []release.Entry {
	w.t.Helper()
	cm, err := w.cluster.Client().CoreV1().ConfigMaps(w.namespace).Get(w.t.Context(), application+"-switchback", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	h, err := release.ParseHistory(cm.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	return h.Entries
}

// rememberedOnce fails the test if an operation that was cut off and begun again
// is in the history twice, or if the one that everybody sees is not there.
func (w *workspace) rememberedOnce(before, deploys int) {
	w.t.Helper()
	entries := w.history()[before:]
	times, moved := map[string]int{}, 0
	for _, e := range entries {
		if e.Outcome != release.OutcomeSucceeded {
			continue
		}
		times[string(e.Operation)+" "+e.Deployment]++
		if (e.Operation == release.OperationPromote || e.Operation == release.OperationRollback) && e.Deployment == w.name() {
			moved++
		}
	}
	for what, n := range times {
		if n > 1 {
			w.t.Errorf("%s is in the history %d times: %+v", what, n, entries)
		}
	}
	if moved != 1 || times["deploy "+w.name()] != deploys {
		w.t.Errorf("the history has %v", times)
	}
}
