package release_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// aGroup draws the statuses of a group's members.
func aGroup(t *rapid.T) []release.MainStatus {
	return rapid.SliceOfN(rapid.SampledFrom(release.MainStatuses()), 1, 6).Draw(t, "members")
}

func TestGroupStatus(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := aGroup(t)
		status := release.GroupStatus(members...)
		if !slices.Contains(release.MainStatuses(), status) {
			t.Fatalf("%v gives %q, which is no status", members, status)
		}

		shuffled := slices.Clone(members)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if again := release.GroupStatus(shuffled...); again != status {
			t.Fatalf("%v gives %s, and in another order %s", members, status, again)
		}

		every := func(is func(release.MainStatus) bool) bool {
			return !slices.ContainsFunc(members, func(s release.MainStatus) bool { return !is(s) })
		}
		finalized := every(func(s release.MainStatus) bool { return s == release.MainFinalized })
		if (status == release.MainFinalized) != finalized {
			t.Fatalf("%v gives %s", members, status)
		}
		if status == release.MainCancelled && !every(release.MainStatus.Begun) {
			t.Fatalf("%v is cancelled, but not every member has begun", members)
		}
		if status == release.MainFinalizing && !every(func(s release.MainStatus) bool { return s == release.MainFinalizing || s == release.MainFinalized }) {
			t.Fatalf("%v is finalizing, but not every member is", members)
		}

		// One member that goes its own way shows.
		for i := range members {
			for _, own := range []release.MainStatus{release.MainCancelled, release.MainRolledBack, release.MainFailed} {
				changed := slices.Clone(members)
				changed[i] = own
				after := release.GroupStatus(changed...)
				if own == release.MainFailed && after != own {
					t.Fatalf("%v has a member that failed and is %s", changed, after)
				}
				if after == release.MainFinalized || after == release.MainFinalizing || after == release.MainRunning || after == release.MainWaiting || after == release.MainAwaitingApproval {
					t.Fatalf("%v gives %s, as if nothing had happened", changed, after)
				}
			}
		}
	})
}

// A group of one is what its member is: no rule bends that, except that what has
// not begun cannot be.
func TestGroupOfOne(t *testing.T) {
	t.Parallel()
	for _, status := range release.MainStatuses() {
		for n := 1; n <= 3; n++ {
			if got := release.GroupStatus(slices.Repeat([]release.MainStatus{status}, n)...); got != status {
				t.Errorf("%d × %s is %s", n, status, got)
			}
		}
	}
	if got := release.GroupStatus(); got != release.MainFinalized {
		t.Errorf("no members: %s", got)
	}
}

func TestGroupStatusOfMixed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		members string
		want    release.MainStatus
	}{
		{"finalized finalizing", release.MainFinalizing},
		{"finalized waiting_for_instances", release.MainWaiting}, // a member that was added
		{"finalizing waiting_for_instances", release.MainRunning},
		{"running waiting_for_instances", release.MainRunning},
		{"finalized running", release.MainRunning},
		{"awaiting_approval waiting_for_instances", release.MainAwaitingApproval},
		{"finalized rolled_back", release.MainRolledBack},
		{"finalized paused", release.MainPaused}, // who stands, and who moves
		{"paused running", release.MainRunning},  // one of them may go on
		{"finalizing paused", release.MainRunning},
		{"rolling_back rolled_back", release.MainRollingBack},
		{"cancelled running", release.MainCancelled},
		{"cancelled waiting_for_instances", release.MainCancelling},
		{"cancelled rolled_back", release.MainRolledBack},
		{"rolled_back failed", release.MainFailed},
		{"approval_denied cancelled", release.MainApprovalDenied},
		{"running a_word_of_tomorrow", release.MainRunning},
		{"finalized a_word_of_tomorrow", release.MainRunning},
	} {
		var members []release.MainStatus
		for word := range strings.FieldsSeq(test.members) {
			members = append(members, release.MainStatus(word))
		}
		if got := release.GroupStatus(members...); got != test.want {
			t.Errorf("%s: %s, want %s", test.members, got, test.want)
		}
	}
}

func TestGroupActions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := map[string]release.MainStatus{}
		var late []string
		for i, status := range aGroup(t) {
			name := fmt.Sprintf("member-%d", i)
			members[name] = status
			if !status.Begun() {
				late = append(late, name)
			}
		}
		statuses := []release.MainStatus{}
		for _, s := range members {
			statuses = append(statuses, s)
		}

		var refused *release.GroupActionError
		err := release.CheckGroup(release.ActionCancel, "shop", members)
		if errors.As(err, &refused) != (len(late) > 0) {
			t.Fatalf("cancel %v: %v", members, err)
		}
		for _, name := range late {
			if !strings.Contains(err.Error(), name+" is "+string(members[name])) {
				t.Fatalf("%q does not name %s", err, name)
			}
		}
		err = release.CheckGroup(release.ActionRollBack, "shop", members)
		if (err != nil) != (release.GroupStatus(statuses...) == release.MainFinalizing) {
			t.Fatalf("roll back %v: %v", members, err)
		}
		for _, action := range release.Actions() {
			err := release.CheckGroup(action, "shop", members)
			switch action {
			case release.ActionMarkMain, release.ActionTerminate:
				if err != nil {
					t.Fatal(err)
				}
			case release.ActionCancel, release.ActionRollBack:
			case release.ActionDeploy, release.ActionRedeploy, release.ActionStop, release.ActionStart, release.ActionRestart, release.ActionForget:
				if err == nil {
					t.Fatalf("a group can be asked to %s", action)
				}
			}
		}
	})
}
