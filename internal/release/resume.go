package release

import (
	"fmt"
	"time"
)

// Resumption is what becomes of a wish that a promotion, or a change in place, goes on from
// its pause.
type Resumption string

// What becomes of it.
const (
	ResumptionNone  Resumption = "none"  // nothing is paused
	ResumptionAsked Resumption = "asked" // somebody has said so already
	ResumptionDue   Resumption = "due"   // it is to be asked for
)

// Resume decides what becomes of the wish that an application's promotion on a cluster
// goes on. to, where it is not empty, is the release that it must be to: what was meant
// for an earlier promotion lets no other one go on.
func Resume(cluster, id string, main *Main, asked *Request, to string) (Resumption, error) {
	if main == nil || main.Progress == nil {
		return ResumptionNone, nil
	}
	open := main.Progress
	refuse := func(format string, a ...any) (Resumption, error) {
		return ResumptionNone, &ResumeError{Cluster: cluster, ID: id, Reason: fmt.Sprintf(format, a...)}
	}
	switch {
	case to != "" && open.To != to:
		return refuse("the promotion that is under way there is one to %s, not to %s", open.To, to)
	case open.Held != nil:
		return ResumptionDue, nil
	case !open.Paused || open.Step().Kind != StepPause:
		return ResumptionNone, nil
	case open.Step().Gate == GateMaxWeight:
		return refuse("%s, the most that canary.max_weight allows. Only a higher canary.max_weight, and an apply, let it go on", open.Has())
	case open.Step().Gate == GateGroup:
		return refuse("%s, and waits for the other members of its group. Let the one go on that the status_reason of the group names", open.Has())
	case asked.Asks(RequestResume, open):
		return ResumptionAsked, nil
	}
	return ResumptionDue, nil
}

// ResumeRoll decides what becomes of the wish that a change of a release's content goes on
// from the stop that it is in. One whose pause is over goes on already.
func ResumeRoll(r *Record, now time.Time) Resumption {
	switch {
	case !r.Paused():
		return ResumptionNone
	case !r.Roll.Waits(now):
		return ResumptionAsked
	}
	return ResumptionDue
}

// LetGoOn is the change once somebody has let it go on from the stop that it is in.
func (r *Roll) LetGoOn() *Roll {
	next := *r
	next.Resumed = true
	return &next
}

// ResumeError says why a promotion, or a change in place, is not let go on from its pause.
type ResumeError struct {
	Cluster string
	ID      string // namespace/application
	Reason  string
}

func (e *ResumeError) Error() string {
	return fmt.Sprintf("the application %s on cluster %q was not let go on: %s", e.ID, e.Cluster, e.Reason)
}
