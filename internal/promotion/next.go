package promotion

import (
	"slices"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Outcome is how the step that is being done has ended.
type Outcome string

// Outcomes of a step.
const (
	Pending     Outcome = "pending"     // it has not: it is the next one
	Failed      Outcome = "failed"      // it could not be done
	Interrupted Outcome = "interrupted" // whoever runs it has called it off
	Breached    Outcome = "breached"    // the release does not do its work
	Asked       Outcome = "asked"       // somebody asks to go back
	Unwatched   Outcome = "unwatched"   // whether it does could not be watched to the end
	Lost        Outcome = "lost"        // somebody else has taken over
)

// Decision is what follows.
type Decision string

// Decisions, the weakest first: of several clusters that stand or fall together, the
// strongest counts for all.
const (
	Finish Decision = "finish" // all steps are done
	Skip   Decision = "skip"   // this step has nothing to do here
	Do     Decision = "do"     // this step
	Halt   Decision = "halt"   // it stays as it is; the next run goes on from there
	Refuse Decision = "refuse" // it does not begin
	Return Decision = "return" // the traffic goes back to where it was
	Yield  Decision = "yield"  // what becomes of it is up to whoever has taken over
)

var strength = []Decision{Finish, Skip, Do, Halt, Refuse, Return, Yield}

// Strongest is the decision that counts for all.
func Strongest(all ...Decision) Decision {
	strongest := Finish
	for _, d := range all {
		if slices.Index(strength, d) > slices.Index(strength, strongest) {
			strongest = d
		}
	}
	return strongest
}

// Next decides what follows on a cluster where a promotion has come so far.
func Next(s Start, p *release.Progress, o Outcome) Decision {
	switch step := p.Step(); {
	case o == Lost:
		return Yield
	case p.Direction == release.DirectionBack:
		return Return
	case o == Pending && s.Refused && p.At == 0:
		return Refuse
	case step.Kind == "":
		return Finish
	case o == Pending && !applies(s, p, step):
		return Skip
	case o == Pending:
		return Do
	default:
		return failed(s, step, o)
	}
}

// applies says that a step has something to do on the cluster.
func applies(s Start, p *release.Progress, step release.Step) bool {
	switch step.Kind {
	case release.StepStart:
		return s.Wakes
	case release.StepRestore:
		return s.Restores
	case release.StepReady:
		return !s.There // going nowhere needs no more than what serves now
	case release.StepPause:
		return s.Shares && !s.Idle && !s.Skips && p.At >= s.Resumes && p.At != s.Passed
	case release.StepAnalyse:
		return s.Course.Moves() && !s.Idle && !s.Baked
	case release.StepCommit:
		return p.Before != nil
	case release.StepRename:
		return p.Renames != "" || len(p.Leaves) > 0
	case release.StepShift: // the last one makes the address what is asked for, too
		return step.Weight == 100 || s.Shares && !s.There && !s.Skips && p.At >= s.Resumes
	case release.StepStop, release.StepCollect:
	}
	return true
}

// failed is what follows a step that did not succeed. Until the commit, what has been
// moved goes back: at once where the release fails, and never because nobody could
// watch it.
func failed(s Start, step release.Step, o Outcome) Decision {
	switch step.Kind {
	case release.StepStart, release.StepRestore, release.StepReady: // this run has moved nothing
		if s.Course == Resumes && o != Interrupted {
			return Return // else one cluster would keep what another one cannot get
		}
	case release.StepShift, release.StepPause: // whatever it is: nobody watches the release any more
		return Return
	case release.StepAnalyse:
		if o == Breached || o == Asked {
			return Return
		}
	case release.StepCommit, release.StepRename, release.StepStop, release.StepCollect:
	}
	return Halt
}
