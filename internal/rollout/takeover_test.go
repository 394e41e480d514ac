package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// takenVerb is a verb whose process is put to sleep at each of its writes, while
// another one takes over what it was at work on.
type takenVerb struct {
	killedVerb
	other func(context.Context, *process) error // what the other one may do instead of the same; nil: nothing
	fails bool                                  // it does, undisturbed: its clean-up is what is put to sleep
	asks  bool                                  // it asks others for what it is: it is right to find it done, and tells so
	moves bool                                  // it moves main: it holds the Lease, and no record
	alike bool                                  // the next one of these does much the same: they take turns
	begin func(*testing.T) *life                // default: single
}

// takenVerbs are those that are killed after every write, and more.
func takenVerbs(t *testing.T) []takenVerb {
	t.Helper()
	terminate := func(version string) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error { return p.terminate(ctx, version) }
	}
	promote := func(version string, keep release.Keep) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error {
			_, err := p.promoteKeeping(ctx, version, keep)
			return err
		}
	}
	create := func(version string, change func(*release.Spec)) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error {
			delete(p.owners, version) // a create has no token
			return p.create(ctx, p.desired(version, change))
		}
	}
	update := func(change func(*release.Spec)) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error { return p.update(ctx, p.desired("v3", change), false) }
	}
	rolling := func(version string, change func(*release.Spec)) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error { return p.update(ctx, p.rolling(version, change), false) }
	}
	interrupted := func(ctx context.Context, p *process) error {
		if err := interruptedStart(ctx, p); err != nil {
			return err
		}
		p.owners["v3"] = p.record("v3").Owner
		return nil
	}
	condemned := func(ctx context.Context, p *process) error {
		if err := p.terminate(ctx, "v1"); err == nil || !strings.Contains(err.Error(), "still carries traffic") {
			return fmt.Errorf("v1 was not condemned: %w", err)
		}
		return nil
	}
	served := func(t *testing.T) *life { return inPlace(t).life }
	one := release.Keep{Count: 1}
	routed := func(t *testing.T) *life {
		l, _ := onRoute(t, withRoutes(t))
		l.proxy.Reset()
		return l
	}
	share := func(version string) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error {
			_, err := p.sharing(ctx, version, steps(10, 50), nil)
			return err
		}
	}
	var all, whole []takenVerb
	for _, v := range killedVerbs() {
		taken := takenVerb{killedVerb: v, alike: true, asks: v.name == "cancel"}
		if v.whole {
			whole = append(whole, taken) // the place of a verb says how it is taken over
			continue
		}
		if v.on == "" {
			taken.other = terminate("v2")
		}
		all = append(all, taken)
	}
	return slices.Concat(all, []takenVerb{
		{killedVerb: killedVerb{name: "create", do: create("v3", nil), on: "v3"}, other: create("v3", stopped)},
		{killedVerb: killedVerb{name: "create that fails", do: create("v3", broken), on: "v3"}, fails: true},
		{killedVerb: killedVerb{name: "resume", before: interrupted, do: update(nil), on: "v3"}, other: create("v3", nil)},
		{killedVerb: killedVerb{name: "change in place", do: rolling("v2", nil), on: "v1"}, begin: served, other: rolling("v1", nil)},
		{killedVerb: killedVerb{name: "change in place that fails", do: rolling("v2", broken), on: "v1"}, begin: served, other: rolling("v3", nil), fails: true},
		{killedVerb: killedVerb{name: "remove", do: terminate("v2")}, other: create("v2", nil)},
		{killedVerb: killedVerb{name: "first main", before: func(ctx context.Context, p *process) error {
			err := p.unmain(ctx)
			p.main = ""
			return err
		}, do: promote("v2", one)}, moves: true},
		{killedVerb: killedVerb{name: "promote", before: create("v3", nil), do: promote("v2", one)}, moves: true, other: promote("v3", one)},
		{killedVerb: killedVerb{name: "promote and collect", before: condemned, do: promote("v2", release.Keep{})}, moves: true, other: promote("v1", one)},
		{killedVerb: killedVerb{name: "promote and park", before: condemned, do: promote("v2", release.Keep{Count: 1, State: release.DesiredStopped})}, moves: true, other: promote("v1", one)},
		{killedVerb: killedVerb{name: "remove the address", do: func(ctx context.Context, p *process) error { return p.unmain(ctx) }}, moves: true, other: promote("v2", one)},
	}, whole, []takenVerb{
		{killedVerb: killedVerb{name: "promote by shares", before: create("v3", nil), do: share("v2")}, begin: routed, moves: true, other: share("v3")},
	})
}

// TestWhoHasLostAtEveryWriteStops puts a process to sleep at each of its writes: its
// requests stay on the wire, and its heartbeats with them. Another one takes
// over what it was at work on, does the same or something else, and ends. Then
// the first one wakes: it writes nothing more, its error is true, and the world
// is as the other one left it.
func TestWhoHasLostAtEveryWriteStops(t *testing.T) {
	t.Parallel()
	for i, v := range takenVerbs(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			writes, done := v.writes(t)
			for k := range writes {
				if !testcluster.AllPoints() && !firstOrLast(writes, k) {
					continue
				}
				// Every second write, which the next verb makes up for: what finds out is the same
				// code for all of them. Each way at every third.
				way := i + k
				if v.alike || !testcluster.AllPoints() {
					if way%2 == 1 {
						continue
					}
					way /= 2
				}
				n := &nap{k: k + 1, done: k+1 >= done}
				switch way % 3 {
				case 0:
					n.before = true
				case 1:
					n.other = v.other != nil
				}
				n.lost = !n.before && k > 0 && way/3%2 == 1
				t.Run(n.String(), func(t *testing.T) {
					t.Parallel()
					v.takenOver(t, n)
				})
			}
		})
	}
}

// TestWhoSleepsWhileItMakesARecordStops puts a create to sleep for longer than a
// request may take: its record is made, but it asks for that again when it wakes. The
// record that it finds is that of whoever took it for dead.
func TestWhoSleepsWhileItMakesARecordStops(t *testing.T) {
	t.Parallel()
	for _, v := range takenVerbs(t) {
		if v.name == "create" && v.on == "v3" {
			v.takenOver(t, &nap{k: 1, lost: true})
		}
	}
}

// ready brings a life to the verb's starting point.
func (v takenVerb) ready(t *testing.T) *life {
	t.Helper()
	begin := v.begin
	if begin == nil {
		begin = single
	}
	l := begin(t)
	if v.before != nil {
		must(t, l.apply(t.Context(), t, v.before))
	}
	l.proxy.Reset()
	return l
}

// firstOrLast says that a write is the first of those to its object, or the last.
// Who has lost finds it out in the same place of the code at each of them.
func firstOrLast(writes []string, k int) bool {
	return !slices.Contains(writes[:k], writes[k]) || !slices.Contains(writes[k+1:], writes[k])
}

// writes are those of its own that an undisturbed run makes, and after how many of
// them only its Lease is left to let go of.
func (v takenVerb) writes(t *testing.T) (all []string, done int) {
	t.Helper()
	l := v.ready(t)
	n := &nap{}
	l.proxy.SetFault(n.fault)
	if err := v.do(t.Context(), l.sleeper(t)); (err != nil) != v.fails {
		t.Fatalf("undisturbed: %v", err)
	}
	if n.n < 3 {
		t.Errorf("it has only %d writes", n.n)
	}
	return n.all, n.theirs
}

// sleepersExpiry is how long a sleeper shows no sign of life before it is dead. It
// does not ask whether it was taken over before half of that is over.
const sleepersExpiry = 4 * time.Second

// sleeper is a process that shows signs of life as long as it is awake.
func (l *life) sleeper(t *testing.T) *process {
	t.Helper()
	p := l.process(t)
	timing := faultyTiming()
	timing.Beat, timing.Expiry, timing.Settle = 250*time.Millisecond, sleepersExpiry, 30*time.Second
	p.engine = rollout.New(timing)
	return p
}

// nap is when a process sleeps: from its k-th write on.
type nap struct {
	k      int
	done   bool // it has nothing more to do then but to let go
	before bool // that write has not reached the API server; else its reply has not reached the process
	lost   bool // and never will: it asks again when it wakes
	other  bool // the one that takes over does something else

	mu     sync.Mutex
	n      int
	all    []string          // what they write
	theirs int               // of n, the last that is not about a Lease
	last   map[string]string // of each record, less its heartbeat
	what   testcluster.Request
	fell   bool
	since  time.Time     // when it has fallen asleep
	sleeps chan struct{} // closed when it has fallen asleep
	wakes  chan struct{} // closed when it is woken
}

func (n *nap) String() string {
	switch {
	case n.before:
		return fmt.Sprintf("before write %d", n.k)
	case n.other && n.lost:
		return fmt.Sprintf("after write %d, for something else, whose reply is lost", n.k)
	case n.lost:
		return fmt.Sprintf("after write %d, whose reply is lost", n.k)
	case n.other:
		return fmt.Sprintf("after write %d, for something else", n.k)
	}
	return fmt.Sprintf("after write %d", n.k)
}

// fault is for the wire of the one that sleeps.
func (n *nap) fault(r *testcluster.Request, _ int) testcluster.Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fell {
		n.mu.Unlock()
		<-n.wakes
		n.mu.Lock()
		return testcluster.Fault{}
	}
	if !ownWrite(r) || n.beats(r) {
		return testcluster.Fault{}
	}
	n.all = append(n.all, r.Method+" "+r.Path)
	if n.n++; !strings.Contains(r.Path, "/leases/") {
		n.theirs = n.n
	}
	if n.n != n.k {
		return testcluster.Fault{}
	}
	n.what = *r
	// Who has not begun when he falls asleep has nothing that could be lost. Labels
	// for kubectl have no precondition: those on their way arrive, and the next
	// ones set them right.
	if n.k == 1 || r.Method == http.MethodPost || strings.Contains(r.Path, "/leases/") || r.Query.Get("fieldManager") == "switchback-labels" {
		n.before = false
	}
	if n.before {
		n.fell, n.since = true, time.Now()
		close(n.sleeps)
		n.mu.Unlock()
		<-n.wakes
		n.mu.Lock()
		return testcluster.Fault{}
	}
	var reply testcluster.Fault
	if n.lost {
		reply = testcluster.LostReply()
	}
	return reply.BeforeReply(func() {
		n.mu.Lock()
		n.fell, n.since = true, time.Now()
		n.mu.Unlock()
		close(n.sleeps)
		<-n.wakes
	})
}

// beats says that a write does no more than show that its process lives.
func (n *nap) beats(r *testcluster.Request) bool {
	if r.Renewal() {
		return true
	}
	record := recordIn(r)
	if record == nil {
		return false
	}
	said := fmt.Sprint(record.Run, record.Owner, record.Custody, record.Status, record.Hash)
	if n.last == nil {
		n.last = map[string]string{}
	}
	same := n.last[r.Path] == said
	n.last[r.Path] = said
	return same
}

// recordIn is the record that a request writes; nil where it writes none.
func recordIn(r *testcluster.Request) *release.Record {
	var patch []struct {
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if r.Method != http.MethodPatch || !strings.Contains(r.Path, "/configmaps/") || json.Unmarshal(r.Body, &patch) != nil {
		return nil
	}
	for _, op := range patch {
		var data map[string]string
		if op.Path != "/data" || json.Unmarshal(op.Value, &data) != nil {
			continue
		}
		if record, err := release.ParseRecord(data); err == nil {
			return record
		}
	}
	return nil
}

func (v takenVerb) takenOver(t *testing.T, n *nap) {
	t.Helper()
	l := v.ready(t)
	other := *l
	other.proxy, other.owners = l.cluster.Proxy(t), maps.Clone(l.owners)

	n.sleeps, n.wakes = make(chan struct{}), make(chan struct{})
	wake := sync.OnceFunc(func() { close(n.wakes) })
	defer wake()
	l.proxy.SetFault(n.fault)
	ended := make(chan error, 1)
	go func() { ended <- v.do(t.Context(), l.sleeper(t)) }()
	select {
	case <-n.sleeps:
	case err := <-ended:
		if n.n < n.k { // what meets a conflict in one run need not in another
			return
		}
		t.Fatalf("it ended before it slept: %v", err)
	}

	over := n.done || v.over(l)
	take, fails := v.do, v.fails
	if n.other {
		take, fails = v.other, false
	}
	err := take(t.Context(), other.sleeper(t))
	if err != nil && n.other { // what has begun cannot always be turned round
		err, fails = v.do(t.Context(), other.sleeper(t)), v.fails
	}
	if err != nil && !fails {
		wake()
		t.Logf("the first one: %v", <-ended)
		t.Fatalf("asleep at %s, the other one: %v\n%s", n.what.String(), err, other.log())
	}
	<-time.After(sleepersExpiry/2 - time.Since(n.since)) // an update by the same state does not wait for it to be dead
	left, asked := l.world(t), len(l.proxy.Requests())
	wake()
	err = <-ended

	var taken *release.TakenOverError
	var unreachable *cluster.UnreachableError
	switch {
	case errors.Is(err, ownership.ErrLockLost), errors.As(err, &taken):
	case n.lost && errors.As(err, &unreachable): // it slept for longer than anything is asked again
	case over && !n.before && (err != nil) == v.fails: // it was over when it fell asleep
	case err != nil && n.other && v.name == "remove" && strings.Contains(err.Error(), "claimed by another Terraform state or resource"): // it was made anew meanwhile
	case err == nil && v.asks:
	case err == nil && n.k == 1 && strings.Contains(n.what.Path, "/leases/"): // it had begun nothing, and finds it done
	case err == nil && strings.Contains(n.what.Path, "/leases/") && strings.Contains(string(n.what.Body), `"holderIdentity":""`): // it was letting go
	case err == nil && (n.what.Method == http.MethodDelete || v.name == "remove" && !n.other): // what it was to remove is gone, whoever did it
	default:
		t.Errorf("asleep at %s, it ends with: %v", n.what.String(), err)
	}
	if err != nil && strings.Contains(err.Error(), "othing was changed") {
		t.Errorf("asleep at %s, it says: %v", n.what.String(), err)
	}
	for _, r := range l.proxy.Requests()[asked:] {
		undoes := (n.before || n.lost) && r.Path == n.what.Path // what was on its way when it fell asleep, or is sent once more; the world is compared
		lease := strings.Contains(r.Path, "/leases/")           // may be let go of where nobody needed it meanwhile: the world is compared
		told := v.asks && strings.Contains(string(r.Body), "history.json")
		if r.Write() && r.Status >= 200 && r.Status < 300 && !strings.HasSuffix(r.Path, "/events") && !undoes && !lease && !told {
			t.Errorf("asleep at %s, it has woken and written %s\n%s", n.what.String(), r.String(), r.Body)
		}
	}
	for name, is := range l.world(t) {
		told := v.asks && name == "ConfigMap/api-switchback" // has the history
		if was := left[name]; is != was && !told {
			t.Errorf("asleep at %s, it has changed %s:\n  %s\nwas\n  %s", n.what.String(), name, is, was)
		}
		delete(left, name)
	}
	for name := range left {
		t.Errorf("asleep at %s, it has removed %s", n.what.String(), name)
	}
}

// over says that nobody is at work on the release that the verb is about, or on the
// address that it moves to v2 or removes.
func (v takenVerb) over(l *life) bool {
	if v.moves {
		cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), "api-switchback", metav1.GetOptions{})
		removes := v.name == "remove the address"
		if err != nil {
			return removes && apierrors.IsNotFound(err)
		}
		main, err := release.MainOf(cm.Data)
		if main == nil {
			return removes && err == nil
		}
		return main.Progress == nil && main.Deployment == l.name("v2")
	}
	version := v.on
	if version == "" {
		version = "v2"
	}
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), l.name(version), metav1.GetOptions{})
	if err != nil {
		return apierrors.IsNotFound(err)
	}
	record, err := release.ParseRecord(cm.Data)
	return err == nil && !record.Busy()
}

// world is everything of the application that its controllers do not write.
func (l *life) world(t *testing.T) map[string]string {
	t.Helper()
	client, ctx, options := l.cluster.Client(), t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector}
	deployments, err1 := client.AppsV1().Deployments(l.namespace).List(ctx, options)
	services, err2 := client.CoreV1().Services(l.namespace).List(ctx, options)
	configMaps, err3 := client.CoreV1().ConfigMaps(l.namespace).List(ctx, options)
	leases, err4 := client.CoordinationV1().Leases(l.namespace).List(ctx, options)
	must(t, err1, err2, err3, err4)
	found := map[string]string{}
	add := func(kind string, meta *metav1.ObjectMeta, content any) {
		if meta.DeletionTimestamp != nil {
			return
		}
		notes := maps.Clone(meta.Annotations)
		delete(notes, "deployment.kubernetes.io/revision")
		text, err := json.Marshal(map[string]any{"uid": meta.UID, "labels": meta.Labels, "annotations": notes, "content": content})
		must(t, err)
		found[kind+"/"+meta.Name] = string(text)
	}
	for i := range deployments.Items {
		add("Deployment", &deployments.Items[i].ObjectMeta, deployments.Items[i].Spec)
	}
	for i := range services.Items {
		add("Service", &services.Items[i].ObjectMeta, services.Items[i].Spec)
	}
	for i := range configMaps.Items {
		add("ConfigMap", &configMaps.Items[i].ObjectMeta, configMaps.Items[i].Data)
	}
	for _, route := range l.routes(t) {
		add("HTTPRoute", &route.ObjectMeta, route.Spec)
	}
	for i := range leases.Items {
		add("Lease", &leases.Items[i].ObjectMeta, leases.Items[i].Spec.LeaseTransitions) // how often it was taken
	}
	return found
}
