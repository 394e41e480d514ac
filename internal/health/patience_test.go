package health

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPatience(t *testing.T) {
	const grace = 10 * time.Second
	a, b, slow := Place{"pod a", "api", 0}, Place{"pod b", "api", 0}, Place{"pod a", "api", 30 * time.Second}
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
		"one that is slow":  {{0, []Place{slow}, false, false, 30}, {29, []Place{slow}, false, false, 1}, {30, []Place{slow}, false, true, 0}},
		"a slow one first":  {{0, []Place{slow}, false, false, 30}, {5, []Place{slow, b}, false, false, 10}, {6, []Place{slow}, false, false, 24}},
		"slow, then sure":   {{0, []Place{slow}, false, false, 30}, {20, []Place{a}, false, false, 10}, {30, []Place{a}, false, true, 0}},
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

// What a place asks for may be bounded; the grace is not.
func TestPatienceHasALimit(t *testing.T) {
	v, start := Verdict{State: Failed, Certain: []Place{{"pod a", "api", time.Hour}}}, time.Now()
	for grace, want := range map[time.Duration]time.Duration{time.Second: 3 * time.Second, 10 * time.Second: 10 * time.Second} {
		p := Patience{Most: 3 * time.Second}
		if over, left := p.Judge(v, grace, start); over || left != want {
			t.Errorf("with a grace of %s: %v, %s", grace, over, left)
		}
		if over, _ := p.Judge(v, grace, start.Add(want)); !over {
			t.Errorf("with a grace of %s it is not over", grace)
		}
	}
}

// Whatever comes and goes: it is over exactly where some place has been certain
// at every look for the grace, or for its own time where that is longer.
func TestPatienceNeedsTheWholeGrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := []Place{{"pod a", "api", 0}, {"pod a", "proxy", 15 * time.Second}, {"pod b", "api", 0}, {"workload w", "", time.Second}}
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
				want = want || now.Sub(still[at]) >= max(grace, at.Patience)
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
