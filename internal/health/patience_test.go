package health

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPatience(t *testing.T) {
	const grace = 10 * time.Second
	a, b := Place{"pod a", "api"}, Place{"pod b", "api"}
	type look struct {
		at       int // seconds
		certain  []Place
		repeated bool
		over     bool
		left     int
	}
	for name, looks := range map[string][]look{
		"lasts":             {{0, []Place{a}, false, false, 10}, {4, []Place{a}, false, false, 6}, {10, []Place{a}, false, true, 0}},
		"a flap":            {{0, []Place{a}, false, false, 10}, {9, nil, false, false, 0}, {10, []Place{a}, false, false, 10}, {19, []Place{a}, false, false, 1}},
		"one after another": {{0, []Place{a}, false, false, 10}, {8, []Place{a, b}, false, false, 2}, {9, []Place{b}, false, false, 9}, {17, []Place{b}, false, false, 1}, {18, []Place{b}, false, true, 0}},
		"repeated":          {{0, nil, true, true, 0}},
		"repeated beside":   {{0, []Place{a}, true, true, 0}},
		"nothing":           {{0, nil, false, false, 0}, {100, nil, false, false, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var p Patience
			start := time.Now()
			for _, l := range looks {
				v := Verdict{State: Progressing, Certain: l.certain}
				if len(l.certain) > 0 {
					v.State = Failed
				}
				if l.repeated {
					v.State, v.Findings = Failed, []Finding{{Class: Certain}, {Class: Repeated}}
				}
				over, left := p.Judge(v, grace, start.Add(time.Duration(l.at)*time.Second))
				if over != l.over || left != time.Duration(l.left)*time.Second {
					t.Errorf("after %ds: %v, %s; want %v, %ds", l.at, over, left, l.over, l.left)
				}
			}
		})
	}
}

// Whatever comes and goes: it is over exactly where some place has been certain
// at every look for the grace.
func TestPatienceNeedsTheWholeGrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := []Place{{"pod a", "api"}, {"pod a", "proxy"}, {"pod b", "api"}, {"workload w", ""}}
		grace := time.Duration(rapid.IntRange(0, 20).Draw(t, "grace")) * time.Second
		now, since := time.Now(), map[Place]time.Time{}
		var p Patience
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "pause")) * time.Second)
			certain := rapid.SliceOfDistinct(rapid.SampledFrom(places), rapid.ID).Draw(t, "certain")
			want, still := false, map[Place]time.Time{}
			for _, at := range certain {
				still[at] = now
				if began, ok := since[at]; ok {
					still[at] = began
				}
				want = want || now.Sub(still[at]) >= grace
			}
			since = still
			state := Progressing
			if len(certain) > 0 {
				state = Failed
			}
			over, left := p.Judge(Verdict{State: state, Certain: certain}, grace, now)
			if over != want || (!over && len(certain) > 0 && left <= 0) {
				t.Fatalf("%v certain for %v of %s: %v, %s", certain, since, grace, over, left)
			}
		}
	})
}
