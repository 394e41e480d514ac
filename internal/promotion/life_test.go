package promotion_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestLife does random things to an application, with crashes, lost states and
// people's hands in between, and lets the functions of this package, and of package release, decide:
//
//  1. What carries traffic keeps its pods, whatever is asked for.
//  2. A name means one content.
//  3. Only who holds a release can delete it, and what is in a state is never
//     collected.
//  4. After every promotion that was not killed, the state says where the
//     traffic goes.
func TestLife(t *testing.T) {
	const enough = 1000 // runs in which everything must have happened
	tally, runs := map[string]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		w := newWorld(tally)
		step := func(do func()) func(*rapid.T) {
			return func(t *rapid.T) { w.T = t; do() }
		}
		t.Repeat(map[string]func(*rapid.T){
			"deploy":                 step(w.deploy),
			"deploy something else":  step(w.deploy),
			"go on with a create":    step(w.goOn),
			"delete":                 step(w.delete),
			"delete something else":  step(w.delete),
			"promote":                step(w.promote),
			"go on with a promotion": step(w.promoteOn),
			"and on":                 step(w.promoteOn),
			"unmain":                 step(w.unmain),
			"stop, start or restart": step(w.verb),
			"refresh":                step(w.refresh),
			"meddle":                 step(w.meddle),
			"lose":                   step(w.lose),
			"":                       step(w.check),
		})
	})
	if t.Failed() || runs < enough {
		return // fewer were asked for
	}
	expected := []string{
		"promoted", "a promotion failed", "a bake begins again", "a bake that was cut off is replaced", "a promotion was killed", "a late switch arrived", "collected", "retained by a promotion",
		"retained, stopped", "main is deleted", "mark main is refused", "stop", "start", "restart", "stop is refused", "delete a record",
		"create succeeds", "create fails", "create is interrupted", "create is killed",
	}
	for _, s := range release.ClaimSteps() {
		expected = append(expected, "claim: "+string(s))
	}
	for _, d := range []release.Disposal{release.DisposeGone, release.DisposeStale, release.DisposeCondemn, release.DisposeRetain, release.DisposeRemove} {
		expected = append(expected, "dispose: "+string(d))
	}
	happened(t, tally, expected...)
}

// TestPromotions does random things to one application's address only, with three
// releases that are up: promotions that fail at every step, are killed, called off and
// taken over, and people's hands in between. What TestLife asks holds here, too, and:
//
//  1. Whatever was left open, a promotion that nothing goes wrong with comes to an end.
//  2. What a promotion may still go back to keeps its pods.
//  3. Going back makes the pointer what it was.
func TestPromotions(t *testing.T) {
	const enough = 1000
	tally, runs := map[string]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		w := newWorld(tally)
		w.T = t
		for _, hash := range contents[:3] {
			w.start(hash)
		}
		step := func(do func()) func(*rapid.T) {
			return func(t *rapid.T) { w.T = t; do(); w.keepsTheWayBack() }
		}
		t.Repeat(map[string]func(*rapid.T){
			"promote":                step(w.promote),
			"promote something else": step(w.promote),
			"go on with a promotion": step(w.promoteOn),
			"and on":                 step(w.promoteOn),
			"refresh":                step(w.refresh),
			"delete":                 step(func() { w.seldom(); w.delete() }),
			"move the address":       step(func() { w.seldom(); w.touchAddress(pick(w, "to", w.up())) }),
			"unmain":                 step(func() { w.seldom(); w.unmain() }),
			"":                       step(w.check),
		})
		w.T = t
		w.comesToAnEnd()
	})
	if t.Failed() || runs < enough {
		return
	}
	happened(t, tally, "promoted", "a promotion failed", "a promotion was killed", "a bake begins again", "a bake that began again fails",
		"a bake that was cut off is replaced", "a way back is ended", "killed on the way back", "what did not pass its bake is refused")
}

// happened fails where something did not happen in any run: it would prove nothing.
func happened(t *testing.T, tally map[string]int, expected ...string) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(tally)) {
		t.Logf("%6d %s", tally[what], what)
	}
	for _, what := range expected {
		if tally[what] == 0 {
			t.Errorf("in no run: %s", what)
		}
	}
}
