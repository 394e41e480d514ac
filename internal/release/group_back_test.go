package release

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// members of a group that was asked to have api and web at v2.
var bothAtV2 = &GroupAsked{
	Members: map[string]MemberAsked{"api": {ID: "shop/api", To: "v2"}, "web": {ID: "shop/web", To: "v2", After: []string{"api"}}},
	Waves:   []WaveAsked{{Members: []string{"api"}}, {Members: []string{"web"}}},
}

func standsAt(main, move string, at int, previous ...string) []MainOn {
	return []MainOn{{Cluster: "a", Traffic: main, Main: Main{Deployment: main, Move: move, Previous: previous, PromotedAt: time.Unix(int64(at), 0)}}}
}

// midway is a member in the middle of its move: it may go back until it is past that.
func midway(from string, past bool) []MainOn {
	p := &Progress{From: from, To: "v2", Steps: []Step{{Kind: StepReady}, {Kind: StepShift, Weight: 100}, {Kind: StepCommit}, {Kind: StepCollect}}, At: 2, Direction: DirectionForward, Before: &Main{Deployment: from}}
	if past {
		p.At, p.Before = 3, nil
	}
	return []MainOn{{Cluster: "a", Traffic: "v2", Main: Main{Deployment: "v2", Previous: []string{from}, Progress: p}}}
}

// firstOf is a member whose first release shares the traffic of an adopted rule.
func firstOf(theirs string) []MainOn {
	first := midway("", false)
	first[0].Main.Progress.Theirs, first[0].Main.Deployment, first[0].Main.Previous = theirs, "", nil
	return first
}

// TestGroupBack: who goes back, and to what; and what keeps the group from it.
func TestGroupBack(t *testing.T) {
	together := MoveOf(map[string]string{"api": "v2", "web": "v2"})
	for name, tt := range map[string]struct {
		asked    *GroupAsked
		members  map[string][]MainOn
		want     map[string]string // by member
		says     string
		cancels  map[string]string // the same of a cancel
		saysThen string
	}{
		"all that have moved together": {
			members: map[string][]MainOn{"api": standsAt("v2", together, 1, "v1"), "web": standsAt("v2", together, 2, "v1")},
			want:    map[string]string{"api": "v1", "web": "v1"}, saysThen: "nothing of it is moving",
		},
		"who stood stays": {
			members: map[string][]MainOn{"api": standsAt("v3", "later", 9, "v2"), "web": standsAt("v2", together, 2, "v1")},
			want:    map[string]string{"api": "v2"}, saysThen: "nothing of it is moving",
		},
		"what went back by itself is back": {
			members: map[string][]MainOn{"api": standsAt("v1", "", 9, "v2"), "web": standsAt("v2", together, 2, "v1")},
			want:    map[string]string{"web": "v1"}, saysThen: "nothing of it is moving",
		},
		"the first time": {
			members: map[string][]MainOn{"api": standsAt("v2", together, 1), "web": standsAt("v2", together, 2)},
			says:    "no deployment was main before v2", saysThen: "nothing of it is moving",
		},
		"of an earlier provider": {
			asked: &GroupAsked{}, members: map[string][]MainOn{"api": standsAt("v2", "", 1, "v1")},
			says: "earlier version of the provider", saysThen: "nothing of it is moving",
		},
		"while it is watched": {
			members: map[string][]MainOn{"api": midway("v1", false), "web": midway("v0", false)},
			want:    map[string]string{"api": "v1", "web": "v0"}, cancels: map[string]string{"api": "v1", "web": "v0"},
		},
		"between two waves": {
			members: map[string][]MainOn{"api": midway("v1", false), "web": standsAt("v1", "earlier", 1, "v0")},
			want:    map[string]string{"api": "v1", "web": "v1"}, saysThen: "web is waiting_for_instances",
		},
		"in the middle, and one stands": {
			members: map[string][]MainOn{"api": midway("v1", false), "web": standsAt("v2", "earlier", 1, "v0")},
			want:    map[string]string{"api": "v1"}, cancels: map[string]string{"api": "v1"},
		},
		"past that": {
			members: map[string][]MainOn{"api": midway("v1", true), "web": midway("v1", false)},
			says:    "which is finalizing: what is left of it is to let go", saysThen: "which is finalizing: what is left of it is to let go",
		},
		"in the middle of the first time": {
			members: map[string][]MainOn{"api": midway("", false), "web": midway("v1", false)},
			says:    "nothing was main before it began to move", saysThen: "nothing was main before it began to move",
		},
		"the first behind an adopted rule, beside another": {
			members: map[string][]MainOn{"api": firstOf("old"), "web": midway("v1", false)},
			want:    map[string]string{"api": "v2 to old", "web": "v1"}, cancels: map[string]string{"api": "v2 to old", "web": "v1"},
		},
		"behind rules that led elsewhere": {
			members: map[string][]MainOn{"api": append(firstOf("old"), firstOf("older")...)},
			says:    "its clusters were not alike", saysThen: "its clusters were not alike",
		},
		"in the middle, from different ones": {
			members: map[string][]MainOn{"api": append(midway("v1", false), midway("v0", false)...)},
			says:    "its clusters were not alike", saysThen: "its clusters were not alike",
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := tt.asked
			if asked == nil {
				asked = bothAtV2
			}
			got, err := GroupBack("shop", asked, tt.members)
			wantBack(t, "back", got, err, tt.want, tt.says)
			got, err = GroupCancel("shop", asked, tt.members)
			wantBack(t, "cancel", got, err, tt.cancels, tt.saysThen)
		})
	}
}

func wantBack(t *testing.T, what string, got map[string]Back, err error, want map[string]string, says string) {
	t.Helper()
	to := map[string]string{}
	for name, b := range got {
		if to[name] = b.To; b.Theirs != "" {
			to[name] += " to " + b.Theirs
		}
	}
	if !maps.Equal(to, want) {
		t.Errorf("%s: %v, want %v (%v)", what, to, want, err)
	}
	if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("%s: error %v, want %q", what, err, says)
	}
	var action *GroupActionError
	if errors.As(err, &action) && action.Group != "shop" {
		t.Errorf("%s: %+v", what, action)
	}
}

// TestGroupBackAllowsForALiveRun: what such a run may have moved by the time that it has
// let go is what was decided on.
func TestGroupBackAllowsForALiveRun(t *testing.T) {
	got, err := GroupBack("shop", bothAtV2, map[string][]MainOn{"api": midway("v1", false), "web": standsAt("v1", "", 1)})
	if err != nil || got["api"].Was["a"] != "v2" || got["web"].Was["a"] != "v2" || got["web"].To != "v1" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestBackPlan: the last to move goes first, and who stays keeps nobody waiting.
func TestBackPlan(t *testing.T) {
	all := map[string]Back{"api": {}, "web": {}}
	for name, tt := range map[string]struct {
		asked *GroupAsked
		back  map[string]Back
		want  string
	}{
		"waves":         {bothAtV2, all, "web | api"},
		"one of them":   {bothAtV2, map[string]Back{"web": {}}, "web"},
		"after":         {&GroupAsked{Members: bothAtV2.Members}, all, "web | api"},
		"nothing known": {nil, all, "api web"},
		"to a rule's":   {bothAtV2, map[string]Back{"api": {To: "v2", Theirs: "old"}, "web": {To: "v1"}}, "web"},
		"only to those": {bothAtV2, map[string]Back{"api": {To: "v2", Theirs: "old"}}, ""},
	} {
		plan, err := tt.asked.BackPlan(tt.back)
		var order []string
		for _, wave := range plan.Waves {
			for _, batch := range wave.Batches {
				order = append(order, strings.Join(slices.Sorted(slices.Values(batch)), " "))
			}
		}
		if got := strings.Join(order, " | "); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
	circle := &GroupAsked{Members: map[string]MemberAsked{"api": {After: []string{"web"}}, "web": {After: []string{"api"}}}}
	if _, err := circle.BackPlan(all); err == nil || !strings.Contains(err.Error(), "wait for each other") {
		t.Errorf("a circle: %v", err)
	}
}
