package release_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestPlanGroup(t *testing.T) {
	t.Parallel()
	type after = map[string][]string
	wave := func(parallel int, members ...string) release.WaveSpec {
		return release.WaveSpec{Members: members, MaxParallel: parallel, Bake: time.Minute}
	}
	for name, test := range map[string]struct {
		after  after
		waves  []release.WaveSpec
		want   string // waves by |, batches by spaces, members by ,
		faults []string
	}{
		"all at once":          {after: after{"web": nil, "api": nil}, want: "api,web"},
		"after":                {after: after{"web": {"api"}, "api": nil, "db": nil}, want: "api,db web"},
		"waves":                {after: after{"web": nil, "api": nil}, waves: []release.WaveSpec{wave(0, "web"), wave(0, "api")}, want: "web | api"},
		"one at a time":        {after: after{"c": nil, "b": nil, "a": nil}, waves: []release.WaveSpec{wave(1, "c", "b", "a")}, want: "a b c"},
		"two at a time":        {after: after{"c": nil, "b": nil, "a": {"c"}}, waves: []release.WaveSpec{wave(2, "c", "b", "a")}, want: "b,c a"},
		"after an earlier one": {after: after{"web": {"api"}, "api": nil}, waves: []release.WaveSpec{wave(0, "api"), wave(0, "web")}, want: "api | web"},
		"after itself":         {after: after{"api": {"api"}}, faults: []string{"-1 api api: members wait for each other, so that none of them could move: api -> api"}},
		"cycle": {after: after{"web": {"api"}, "api": {"web"}},
			faults: []string{"-1 api web: members wait for each other, so that none of them could move: api -> web -> api"}},
		"long cycle": {after: after{"a": {"d"}, "d": {"c"}, "c": {"b"}, "b": {"d"}, "e": {"a"}},
			faults: []string{"-1 b d: members wait for each other, so that none of them could move: b -> d -> c -> b"}},
		"after nobody": {after: after{"web": {"apy"}, "api": nil}, faults: []string{`-1 web apy: the group has no member "apy": its members are api, web`}},
		"after a later one": {after: after{"web": {"api"}, "api": nil}, waves: []release.WaveSpec{wave(0, "web"), wave(0, "api")},
			faults: []string{`-1 web api: "web" moves in wave 1, and cannot come after "api", which moves in wave 2`}},
		"in no wave": {after: after{"web": nil, "api": nil, "db": nil}, waves: []release.WaveSpec{wave(0, "api")},
			faults: []string{"-1  : every member needs a wave where there are any, and these have none: db, web"}},
		"twice":   {after: after{"api": nil}, waves: []release.WaveSpec{wave(0, "api"), wave(0, "api")}, faults: []string{`1  api: "api" is in wave 1 already: a member moves once`}},
		"unknown": {after: after{"api": nil}, waves: []release.WaveSpec{wave(0, "api", "apy")}, faults: []string{`0  apy: the group has no member "apy": its members are api`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, faults := release.PlanGroup(test.after, test.waves)
			var got []string
			for _, f := range faults {
				got = append(got, fmt.Sprintf("%d %s %s: %s", f.Wave, f.Member, f.Name, f.Reason))
			}
			if d := cmp.Diff(test.faults, got); d != "" {
				t.Errorf("faults (-want +got):\n%s", d)
			}
			if text := planText(plan); text != test.want {
				t.Errorf("%q, want %q", text, test.want)
			}
		})
	}
}

func planText(plan release.GroupPlan) string {
	var waves []string
	for _, wave := range plan.Waves {
		waves = append(waves, batchesText(wave.Batches))
	}
	return strings.Join(waves, " | ")
}

func batchesText(batches [][]string) string {
	var texts []string
	for _, batch := range batches {
		texts = append(texts, strings.Join(batch, ","))
	}
	return strings.Join(texts, " ")
}

// aPlan draws a group with an order: members come only after smaller ones, so
// that there is one.
func aPlan(t *rapid.T) ([]string, release.GroupPlan, []release.WaveSpec) {
	var names []string
	after := map[string][]string{}
	waves := make([]release.WaveSpec, rapid.IntRange(1, 3).Draw(t, "waves"))
	at := 0
	for i := range rapid.IntRange(1, 7).Draw(t, "members") {
		name := string(rune('a' + i))
		after[name] = nil
		for _, other := range names {
			if rapid.IntRange(0, 3).Draw(t, "after") == 0 {
				after[name] = append(after[name], other)
			}
		}
		names = append(names, name)
		at = rapid.IntRange(at, len(waves)-1).Draw(t, "wave")
		waves[at].Members = append(waves[at].Members, name)
	}
	for i := range waves {
		waves[i].MaxParallel = rapid.IntRange(0, 3).Draw(t, "parallel")
	}
	plan, faults := release.PlanGroup(after, waves)
	if len(faults) > 0 {
		t.Fatalf("%v %v: %v", after, waves, faults)
	}
	return names, plan, waves
}

func TestPlansKeepTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names, plan, waves := aPlan(t)
		var moved []string
		for i, wave := range plan.Waves {
			for _, batch := range wave.Batches {
				if most := waves[i].MaxParallel; len(batch) == 0 || most > 0 && len(batch) > most {
					t.Fatalf("a batch of %d in %s, with at most %d", len(batch), planText(plan), most)
				}
				for _, name := range batch {
					if !slices.Contains(waves[i].Members, name) {
						t.Fatalf("%s is not of wave %d: %s", name, i, planText(plan))
					}
					for _, other := range plan.After[name] {
						if !slices.Contains(moved, other) {
							t.Fatalf("%s moves before %s: %s", name, other, planText(plan))
						}
					}
				}
				moved = append(moved, batch...)
			}
		}
		slices.Sort(moved)
		if !slices.Equal(moved, names) {
			t.Fatalf("%v move, of %v", moved, names)
		}
	})
}

func TestRetreat(t *testing.T) {
	t.Parallel()
	plan, faults := release.PlanGroup(
		map[string][]string{"a": nil, "b": {"a"}, "c": nil, "d": {"c"}, "e": {"d"}, "f": nil},
		[]release.WaveSpec{{Members: []string{"a", "b"}}, {Members: []string{"c", "d", "f"}}, {Members: []string{"e"}}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	moved := [][]string{{"a"}, {"b"}, {"c", "f"}}
	for _, test := range []struct {
		scope      release.FailureScope
		back, skip string
	}{
		{release.ScopeGroup, "c,f b a", "d e"},
		{release.ScopeWave, "c,f", "d e"},
		{release.ScopeMember, "c", "d e"},
	} {
		r := plan.Retreat(test.scope, 1, moved, []string{"c"})
		if back, skip := batchesText(r.Back), strings.Join(r.Skip, " "); back != test.back || skip != test.skip {
			t.Errorf("%s: back %q, want %q; skip %q, want %q", test.scope, back, test.back, skip, test.skip)
		}
	}
	if r := plan.Retreat(release.ScopeMember, 1, moved, []string{"f"}); batchesText(r.Back) != "f" || len(r.Skip) > 0 {
		t.Errorf("nobody comes after f: %+v", r)
	}
}

// Whatever fails, and whenever: nobody goes back who has not moved, whoever
// failed does, the last to move is the first to go back, and nobody begins whose
// condition was lost.
func TestRetreatsInReverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		_, plan, _ := aPlan(t)
		scope := rapid.SampledFrom(release.FailureScopes()).Draw(t, "scope")
		wave := rapid.IntRange(0, len(plan.Waves)-1).Draw(t, "at")
		var moved [][]string
		for i := range wave {
			moved = append(moved, plan.Waves[i].Batches...)
		}
		n := rapid.IntRange(0, len(plan.Waves[wave].Batches)).Draw(t, "batches")
		moved = append(moved, plan.Waves[wave].Batches[:n]...)
		var failed []string
		if n > 0 {
			failed = []string{rapid.SampledFrom(slices.Concat(plan.Waves[wave].Batches[:n]...)).Draw(t, "failed")}
		}

		r := plan.Retreat(scope, wave, moved, failed)
		began, back := slices.Concat(moved...), slices.Concat(r.Back...)
		position := func(name string) int {
			return slices.IndexFunc(moved, func(batch []string) bool { return slices.Contains(batch, name) })
		}
		for i, name := range back {
			if !slices.Contains(began, name) {
				t.Fatalf("%s goes back and never moved", name)
			}
			if i > 0 && position(back[i-1]) < position(name) {
				t.Fatalf("%s goes back before %s, which moved after it", back[i-1], name)
			}
		}
		for _, name := range failed {
			if !slices.Contains(back, name) {
				t.Fatalf("%s failed and stays", name)
			}
		}
		if scope == release.ScopeGroup && len(back) != len(began) {
			t.Fatalf("of %v only %v go back", began, back)
		}
		for _, name := range r.Skip {
			if slices.Contains(began, name) {
				t.Fatalf("%s has begun already", name)
			}
		}
		for _, w := range plan.Waves {
			for _, name := range w.Members() {
				lost := slices.ContainsFunc(plan.After[name], func(other string) bool {
					return slices.Contains(failed, other) || slices.Contains(r.Skip, other)
				})
				if lost && !slices.Contains(began, name) && !slices.Contains(r.Skip, name) {
					t.Fatalf("%s begins although what it comes after did not stay", name)
				}
			}
		}
	})
}
