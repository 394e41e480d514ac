package faults_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
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
	adopts  bool // the address is a Service that was there before

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
				if (at.k+i)%2 == 1 {
					continue
				}
				t.Run(at.name, func(t *testing.T) {
					t.Parallel()
					kill := (*execution).killProviders
					if at.k/2%2 == 0 {
						kill = (*execution).killAll
					}
					cutOff(t, v, at.k, true, kill)
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
				t.Run(at.name, func(t *testing.T) {
					t.Parallel()
					cutOff(t, v, at.k, false, (*execution).interrupt)
				})
			}
		})
	}
}

// step is one of a verb's writes.
type step struct {
	k    int // among those that count; the first is 1
	name string
}

// counts says that a write is one of the verb's own: not an Event, which nothing
// reads, not a heartbeat, of which a slow run has more, and not one that is made
// again because the cluster's controllers came first.
func (w *workspace) counts(r *testcluster.Request) bool {
	if !r.Write() || strings.HasSuffix(r.Path, "/events") {
		return false
	}
	requests := w.proxy.Requests()
	if heartbeat(r, requests) {
		return false
	}
	for _, before := range slices.Backward(requests) {
		if before.Index < r.Index && before.Method == r.Method && before.Path == r.Path {
			return before.Status != http.StatusConflict
		}
	}
	return true
}

// counted are the writes that count since the proxy's last reset.
func (w *workspace) counted() []testcluster.Request {
	return slices.DeleteFunc(w.proxy.Writes(), func(r testcluster.Request) bool { return !w.counts(&r) })
}

// cutOff ends a verb after its k-th write, and makes sure that the next run goes on.
func cutOff(t *testing.T, v verb, k int, lost bool, end func(*execution) error) {
	t.Helper()
	w := newWorkspace(t).hasty()
	main := w.cluster.WatchMain(t, w.namespace, application)
	names := v.starts(w)
	if v.copied() && slices.ContainsFunc(v.before, func(c config) bool { return !c.noMain }) {
		ready(t, main, 2)
	}

	var fault testcluster.Fault
	if lost {
		fault = testcluster.LostReply()
	}
	hit, started := make(chan struct{}), make(chan *execution, 1)
	w.proxy.Reset()
	w.proxy.SetFault(testcluster.OnNth(k, w.counts, fault.BeforeReply(func() {
		close(hit) // first: the run may have ended before end returns
		if err := end(<-started); err != nil {
			t.Errorf("end the run: %v", err)
		}
	})))
	before, moments := len(w.history()), len(main.History())
	x := v.start(w)
	started <- x
	x.reach(fmt.Sprintf("write %d", k), hit)
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
	if !v.destroy {
		w.nothingIsPlanned()
		names[v.do.version] = w.name()
		if got, want := w.main().attribute(t, "deployment_id"), w.namespace+"/"+names[cmp.Or(v.do.serving, v.do.version)]; got != want {
			t.Errorf("deployment_id is %s, want %s", got, want)
		}
	}
	w.check(v.want(names))
	if v.inPlace != "" {
		w.changedOnce(v, before, ended)
		w.stayedWhole(v, main, moments)
		return
	}
	if !v.destroy {
		deploys := 1
		if v.adopts {
			deploys = 0 // it is there already
		}
		w.rememberedOnce(before, deploys)
	}
	if v.adopts {
		w.checkAdopted(v.want(names))
		main.Check(t, drain)
		return
	}
	// An address that was interrupted before its first promotion was done is
	// taken back, and never was main's.
	if first := len(v.before) == 0 && !lost; !v.destroy && !first {
		main.Check(t, drain)
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
