package group

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Result is what became of a group.
type Result struct {
	Owner   string
	Status  release.MainStatus
	Reason  string
	Members map[string]rollout.Promoted // one that has Moved stays where it was asked to be
	Notices []rollout.Notice
}

// Standing is where a member is when a group has failed.
type Standing struct {
	Member  string
	ID      string // namespace/application
	Status  release.MainStatus
	Traffic map[string]string // the release that has it, by cluster; empty where it cannot be told
}

func (s Standing) String() string {
	var where []string
	for _, cluster := range slices.Sorted(maps.Keys(s.Traffic)) {
		where = append(where, fmt.Sprintf("%s on cluster %q", cmp.Or(s.Traffic[cluster], "nobody, or cannot be told"), cluster))
	}
	if len(where) == 0 {
		where = []string{"not touched"}
	}
	return fmt.Sprintf("%s (%s) is %s; traffic: %s", s.Member, s.ID, s.Status, strings.Join(where, ", "))
}

// Error says why a group did not move as it was asked to, and where every
// member is now.
type Error struct {
	Group    string
	Status   release.MainStatus
	Failed   map[string]error // by member
	Standing []Standing       // of every member, by name
	Err      error            // why it was interrupted; nil where it was not
	Refused  error            // why that was no cancel
}

func (e *Error) Error() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(e.Failed)) {
		lines = append(lines, fmt.Sprintf("%s: %v", name, e.Failed[name]))
	}
	return strings.Join(append(lines, e.Where()), "\n")
}

// Where tells what became of the group, a line for each member.
func (e *Error) Where() string {
	text := fmt.Sprintf("the group %q is %s", e.Group, e.Status)
	if e.Err != nil {
		text += fmt.Sprintf(", because it was interrupted: %v", e.Err)
	}
	if e.Refused != nil {
		text += fmt.Sprintf(". It went back rather than being cancelled: %v", e.Refused)
	}
	if e.Status == release.MainRollingBack {
		text += ". What had a share of the traffic was told to give it back, and the run ended without waiting for that. The next apply sees to it, and goes on"
	}
	text += "\n"
	for _, s := range e.Standing {
		text += "\n  " + s.String()
	}
	return text
}

// Unwrap are the members' errors.
func (e *Error) Unwrap() []error {
	errs := []error{e.Err}
	for _, name := range slices.Sorted(maps.Keys(e.Failed)) {
		errs = append(errs, e.Failed[name])
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// failure is the error of the run so far; nil where nobody has failed. What an
// interruption has ended has not failed by itself.
func (r *run) failure(ctx context.Context) error {
	e := &Error{Group: r.req.Name, Failed: map[string]error{}, Refused: r.refused}
	for name, m := range r.members {
		if m.err != nil {
			e.Failed[name] = m.err
		}
	}
	if len(e.Failed) == 0 {
		return nil
	}
	if ownership.Interrupted(ctx) {
		e.Err = context.Cause(ctx)
		maps.DeleteFunc(e.Failed, func(_ string, err error) bool {
			return errors.Is(err, context.Canceled)
		})
	}
	return e
}

// result is what became of every member, and of the group.
func (r *run) result(ctx context.Context, err error) (Result, error) {
	done := Result{Owner: r.owner, Members: map[string]rollout.Promoted{}}
	var statuses []release.MainStatus
	var standing []Standing
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		m := r.members[name]
		now := m.Done()
		now.Status = r.statusOf(m, now)
		done.Notices = append(done.Notices, now.Notices...)
		statuses = append(statuses, now.Status)
		req := m.Request()
		if err != nil {
			at := Standing{Member: name, ID: req.Service.Namespace + "/" + req.Service.Application, Status: now.Status, Traffic: m.Where(ctx)}
			now.Moved = len(at.Traffic) > 0 && m.begun() && !slices.ContainsFunc(slices.Collect(maps.Values(at.Traffic)), func(to string) bool { return to != req.To })
			standing = append(standing, at)
		}
		done.Members[name] = now
	}
	done.Status = release.GroupStatus(statuses...)
	if failed := new(Error); errors.As(err, &failed) {
		failed.Status, failed.Standing = done.Status, standing
	}
	if r.paused {
		done.Reason = r.waitsFor()
	}
	if err != nil {
		first, _, _ := strings.Cut(mask.Redact(err.Error()), "\n")
		done.Reason = first // it is kept in the state
	}
	return done, err
}

// statusOf is a member's status as part of the group.
func (r *run) statusOf(m *member, done rollout.Promoted) release.MainStatus {
	back := m.place == returned && done.Status == release.MainRolledBack
	switch {
	case back && !m.moves() && m.err == nil:
		return release.MainFinalized // it was where it is wanted, and is
	case back && r.cancelled:
		return release.MainCancelled
	case !m.begun() && done.Status == release.MainWaiting && !m.moves() && !slices.Contains(m.Courses(), promotion.Finishes):
		return release.MainFinalized
	}
	return done.Status
}
