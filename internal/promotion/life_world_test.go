package promotion_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// world is one application on one cluster, and the Terraform states that know
// of it. What happens in it is decided by the functions of package release
// alone, called as the engine calls them; what must never happen is judged by
// what traffic and pods really do.
type world struct {
	*rapid.T

	records  map[string]*release.Record
	pods     map[string]pods
	main     *release.Main
	selector string // what the main address selects; empty: there is no address
	byHand   string // what a Service that somebody made selects

	states  []*state // each is a switchback_deployment
	pointer *pointer // the switchback_main_deployment

	creates   []*create     // under way
	promotion *running      // under way: it holds the Lease
	was       *release.Main // the pointer before the promotion that is open; nil: not known
	arriving  string        // a killed process's switch that is still on its way …
	arrivesIn int           // … for so many steps

	now     time.Time // by the API server's clock
	serial  int
	dead    map[string]bool // runs that were killed
	claimed map[string]bool // run and name: what each run has claimed
	tally   map[string]int  // what happened, to show that it does
}

// pods are a release's workload.
type pods struct {
	hash string // the content that they run
	up   bool
}

// state is a deployment in somebody's Terraform state.
type state struct{ name, token string }

// pointer is a main deployment in somebody's Terraform state.
type pointer struct{ token, deployment string }

// application is the one that everything here is about.
const application = "api"

// contents are full hashes. The last two collide in what names show of them.
var contents = []string{"aaaaaaaa1", "bbbbbbbb1", "cccccccc1", "dddddddd1", "dddddddd2"}

func newWorld(tally map[string]int) *world {
	return &world{
		records: map[string]*release.Record{}, pods: map[string]pods{},
		now:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		dead: map[string]bool{}, claimed: map[string]bool{}, tally: tally,
	}
}

// fresh is a new token, or a new run.
func (w *world) fresh(kind string) string {
	w.serial++
	return fmt.Sprint(kind, w.serial)
}

func (w *world) count(what string) { w.tally[what]++ }

// pick draws one of the values; the step is skipped where there is none.
func pick[T any](w *world, label string, from []T) T {
	if len(from) == 0 {
		w.Skip("no " + label)
	}
	return from[rapid.IntRange(0, len(from)-1).Draw(w.T, label)]
}

// seldom skips the step, most of the time.
func (w *world) seldom() {
	if rapid.IntRange(0, 5).Draw(w.T, "seldom") > 0 {
		w.Skip("seldom")
	}
}

// oftenDone draws an outcome; the first is drawn half of the time.
func (w *world) oftenDone(label string, done string, others ...string) string {
	if rapid.Bool().Draw(w.T, label+" done") {
		return done
	}
	return pick(w, label, others)
}

// serves says that traffic goes to the release, or is remembered to.
func (w *world) serves(name string) bool {
	return w.selector == name || w.byHand == name || w.main != nil && w.main.Deployment == name
}

// carries is what the engine finds out before it hurts a release.
func (w *world) carries(name string) bool {
	return w.serves(name) || w.main != nil && w.main.Names(name)
}

func (w *world) record(name string) *release.Record {
	if r := w.records[name]; r != nil {
		return r
	}
	return &release.Record{}
}

// write changes a record; its status must be one that may come next.
func (w *world) write(name string, change func(*release.Record)) {
	w.Helper()
	next := *w.record(name)
	from := next.Status
	change(&next)
	if !release.CanBecome(from, next.Status) {
		w.Fatalf("%s: %q became %q", name, from, next.Status)
	}
	w.records[name] = &next
}

// forget deletes a record.
func (w *world) forget(name string) { delete(w.records, name) }

// apply makes a release's pods. Its name must not have meant another content.
func (w *world) apply(name, hash string) {
	w.Helper()
	if p, there := w.pods[name]; there && p.hash != hash {
		w.Fatalf("%s ran %s and now %s", name, p.hash, hash)
	}
	if name != release.NameOf(application, hash) {
		w.Fatalf("%s is not the name of %s", name, hash)
	}
	w.pods[name] = pods{hash: hash, up: true}
}

// hurt is called with every release that is about to lose its pods.
func (w *world) hurt(name, by string) {
	w.Helper()
	if w.serves(name) && w.pods[name].up {
		w.Fatalf("%s carries traffic, and %s", name, by)
	}
}

func (w *world) scaleDown(name, by string) {
	w.Helper()
	w.hurt(name, by+" stopped it")
	if p, there := w.pods[name]; there {
		p.up = false
		w.pods[name] = p
	}
}

// cut is how far something comes before its process is killed.
const (
	cutNowhere = "nowhere"
	cutRecord  = "after the record"
	cutPods    = "after the pods"
)

// remove takes a release away, its record last. It says whether it was done.
func (w *world) remove(name, by, cut string) bool {
	w.Helper()
	if w.records[name] != nil {
		run := w.fresh("run")
		w.write(name, func(r *release.Record) {
			r.Custody, r.Status, r.Run = release.CustodyTerminating, release.StatusTerminating, run
		})
		w.dead[run] = cut != cutNowhere
	}
	if cut == cutRecord {
		return false
	}
	w.hurt(name, by+" removed it")
	delete(w.pods, name)
	if cut == cutPods {
		return false
	}
	w.forget(name)
	return true
}

// holder is who has a release in a state that can change it.
func (w *world) holder(name string) *state {
	i := slices.IndexFunc(w.states, func(s *state) bool {
		return s.name == name && s.token != "" && s.token == w.record(name).Owner
	})
	if i < 0 {
		return nil
	}
	return w.states[i]
}

func (w *world) drop(s *state) {
	w.states = slices.DeleteFunc(w.states, func(other *state) bool { return other == s })
}

// up are the releases whose pods are up, by name.
func (w *world) up() []string {
	var names []string
	for name, p := range w.pods {
		if p.up {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// start makes a release that is up, and in a state.
func (w *world) start(hash string) {
	name := release.NameOf(application, hash)
	s := &state{name: name, token: w.fresh("token")}
	w.states = append(w.states, s)
	w.records[name] = &release.Record{Hash: hash, Owner: s.token, Custody: release.CustodyOwned, Status: release.StatusStarted}
	w.pods[name] = pods{hash: hash, up: true}
}

// check is what must hold after every step.
func (w *world) check() {
	w.Helper()
	if w.arriving != "" {
		if w.arrivesIn--; w.arrivesIn <= 0 {
			w.selector, w.arriving = w.arriving, ""
			w.count("a late switch arrived")
		}
	}
	for _, name := range []string{w.selector, w.byHand} {
		if name != "" && !w.pods[name].up {
			w.Fatalf("traffic goes to %s, which has no pods", name)
		}
	}
	owners := map[string]string{}
	for name, r := range w.records {
		if name != release.NameOf(application, r.Hash) {
			w.Fatalf("%s has the record of %s", name, r.Hash)
		}
		if p, there := w.pods[name]; there && p.hash != r.Hash {
			w.Fatalf("%s runs %s, and its record says %s", name, p.hash, r.Hash)
		}
		owners[r.Owner] = name
	}
	if len(owners) != len(w.records) {
		w.Fatalf("one token holds two releases: %v", owners)
	}
	for i, s := range w.states {
		for _, other := range w.states[i+1:] {
			if s.token != "" && s.token == other.token {
				w.Fatalf("%s is in two states with the same token", s.name)
			}
		}
	}
}
