package release

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Back is where one member of a group goes back to.
type Back struct {
	To  string            // the release; or, with Theirs, the one that is taken back
	Was map[string]string // by cluster, what is main, or may be by then

	// Theirs is what has the traffic of an adopted rule again, of which To is the first
	// release; empty: To is a former main.
	Theirs string
}

// MoveOf names one move of a group: by the release that it asks for of each member. So
// a run that goes on with what another one has left makes the same move.
func MoveOf(to map[string]string) string {
	h := sha256.New()
	for _, member := range slices.Sorted(maps.Keys(to)) {
		fmt.Fprintf(h, "%s=%s\n", member, to[member])
	}
	return hex.EncodeToString(h.Sum(nil))[:HashLength]
}

// GroupBack decides who of a group goes back when nobody says, and to what. While the
// group moves, that is everybody whom the move is about, to where they were. After
// that, it is everybody whom its last move has moved: whoever stood stays. For example:
// web and api went to v2 together, and then api alone to v3. Only api goes back.
//
// It refuses while a run lets go of the old sides, and what it would have to guess.
func GroupBack(group string, asked *GroupAsked, members map[string][]MainOn) (map[string]Back, error) {
	standing := groupStanding(asked, members)
	if err := CheckGroup(ActionRollBack, group, standing); err != nil {
		return nil, err
	}
	if back, err := openBack(asked, standing, members); len(back) > 0 || err != nil {
		return back, err
	}
	last := lastMove(members)
	if last == "" {
		return nil, &GroupBackError{Group: group, Reason: "nothing tells what its last move has moved: that was made by an earlier version of the provider, or by none of a group"}
	}
	back := map[string]Back{}
	for name, on := range members {
		if !slices.ContainsFunc(on, func(m MainOn) bool { return m.Main.Move == last }) {
			continue
		}
		to, err := GoBack(asked.id(name), on)
		if err != nil {
			return nil, err
		}
		back[name] = Back{To: to, Was: standingOn(on, "")}
	}
	return back, nil
}

// GroupCancel decides who goes back when the move of a group is given up. It refuses
// where nothing moves, and while somebody has yet to begin.
func GroupCancel(group string, asked *GroupAsked, members map[string][]MainOn) (map[string]Back, error) {
	standing := groupStanding(asked, members)
	for _, action := range []Action{ActionCancel, ActionRollBack} {
		if err := CheckGroup(action, group, standing); err != nil {
			return nil, err
		}
	}
	back, err := openBack(asked, standing, members)
	if err == nil && len(back) == 0 {
		err = &GroupBackError{Group: group, Reason: "nothing of it is moving"}
	}
	return back, err
}

// openBack is where those go that a move which is not over is about; empty where there
// is none.
func openBack(asked *GroupAsked, standing map[string]MainStatus, members map[string][]MainOn) (map[string]Back, error) {
	back := map[string]Back{}
	moves := false
	for name, on := range members {
		to := map[backTo]bool{}
		for _, m := range on {
			from, p := m.Main.Deployment, m.Main.Progress
			if p != nil {
				from, moves = p.From, true
			}
			switch {
			case from != "":
				to[backTo{to: from}] = true
			case p != nil && p.Undoable(p.To):
				to[backTo{p.To, p.Theirs}] = true
			default:
				return nil, &GoBackError{Cluster: m.Cluster, ID: asked.id(name), Reason: "nothing was main before it began to move"}
			}
		}
		if len(to) > 1 {
			return nil, &GoBackError{Cluster: on[0].Cluster, ID: asked.id(name), Reason: "its clusters were not alike before it began to move"}
		}
		if standing[name] != MainFinalized {
			for where := range to {
				back[name] = Back{To: where.to, Theirs: where.theirs, Was: standingOn(on, asked.to(name))}
			}
		}
	}
	if !moves {
		return nil, nil
	}
	return back, nil
}

// backTo is To and Theirs of a Back.
type backTo struct{ to, theirs string }

// standingOn is what is main on each cluster, or will be once a live run has come to it:
// where it goes, or to, where that run has yet to begin.
func standingOn(on []MainOn, to string) map[string]string {
	was := map[string]string{}
	for _, m := range on {
		was[m.Cluster] = cmp.Or(to, m.Main.Deployment)
		if m.Main.Progress != nil {
			was[m.Cluster] = m.Main.Progress.To
		}
	}
	return was
}

// groupStanding are the members' statuses. One that is watched, and may go back, is
// running; so is nobody any more once one of them has let go of its old side.
func groupStanding(asked *GroupAsked, members map[string][]MainOn) map[string]MainStatus {
	standing, past := map[string]MainStatus{}, false
	for name, on := range members {
		standing[name] = MainFinalized
		for _, m := range on {
			p := m.Main.Progress
			switch {
			case p == nil && asked.to(name) != "" && asked.to(name) != m.Main.Deployment && standing[name] == MainFinalized:
				standing[name] = MainWaiting
			case p == nil:
			case p.Open():
				standing[name] = MainRunning
			default:
				standing[name], past = MainFinalizing, true
			}
		}
	}
	for name, status := range standing {
		if past && status == MainRunning {
			standing[name] = MainFinalizing
		}
		if status == MainWaiting && !moving(members) {
			standing[name] = MainFinalized // it was taken back, or moved by itself
		}
	}
	return standing
}

// moving says that a move is not over.
func moving(members map[string][]MainOn) bool {
	for _, on := range members {
		if slices.ContainsFunc(on, func(m MainOn) bool { return m.Main.Progress != nil }) {
			return true
		}
	}
	return false
}

// lastMove is the newest of the group's moves that members are at. What was moved by
// itself since counts for nobody.
func lastMove(members map[string][]MainOn) (move string) {
	var newest time.Time
	for _, name := range slices.Sorted(maps.Keys(members)) {
		for _, m := range members[name] {
			if m.Main.Move != "" && (move == "" || m.Main.PromotedAt.After(newest)) {
				move, newest = m.Main.Move, m.Main.PromotedAt
			}
		}
	}
	return move
}

// to is what was last asked of a member; empty where nobody knows.
func (g *GroupAsked) to(member string) string {
	if g == nil {
		return ""
	}
	return g.Members[member].To
}

// id is the member's application as namespace/application, or its name where nobody knows.
func (g *GroupAsked) id(member string) string {
	if g == nil {
		return member
	}
	return cmp.Or(g.Members[member].ID, member)
}

// BackPlan is the order in which members go back to former mains: the last to move first.
// Nothing bakes, and nobody waits for those that stay.
func (g *GroupAsked) BackPlan(back map[string]Back) (GroupPlan, error) {
	after, waves := map[string][]string{}, []WaveSpec{}
	back = maps.Clone(back)
	maps.DeleteFunc(back, func(_ string, to Back) bool { return to.Theirs != "" })
	here := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, goes := back[name]; return !goes })
	}
	for name := range back {
		after[name] = nil
		if g != nil {
			after[name] = here(g.Members[name].After)
		}
	}
	if g != nil {
		for _, wave := range g.Waves {
			if names := here(wave.Members); len(names) > 0 {
				waves = append(waves, WaveSpec{Members: names})
			}
		}
	}
	plan, faults := PlanGroup(after, waves)
	if len(faults) > 0 {
		return GroupPlan{}, fmt.Errorf("the order of the group cannot be told any more: %s", faults[0].Reason)
	}
	slices.Reverse(plan.Waves)
	for i := range plan.Waves {
		slices.Reverse(plan.Waves[i].Batches)
	}
	plan.After = nil
	return plan, nil
}

// GroupBackError says why it cannot be told what going back would be.
type GroupBackError struct {
	Group  string
	Reason string
}

func (e *GroupBackError) Error() string {
	return fmt.Sprintf("the group %q: %s", e.Group, e.Reason)
}
