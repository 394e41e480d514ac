package release

import "time"

// Phase is one step of an attempt. At is for people: no decision compares it
// with another machine's clock.
type Phase struct {
	Name PhaseName `json:"name"`
	At   time.Time `json:"at"`
}

// PhaseName says which step it is.
type PhaseName string

// Every PhaseName. An attempt begins with one of the first seven.
const (
	PhaseClaimed   PhaseName = "claimed"
	PhaseResumed   PhaseName = "resumed"
	PhaseStart     PhaseName = "start"
	PhaseStop      PhaseName = "stop"
	PhaseRestart   PhaseName = "restart"
	PhaseCancel    PhaseName = "cancel"
	PhaseStarting  PhaseName = "starting"
	PhaseApplied   PhaseName = "applied"
	PhaseHealthy   PhaseName = "healthy"
	PhasePaused    PhaseName = "paused"
	PhaseRolled    PhaseName = "rolled"
	PhaseRestarted PhaseName = "restarted"
	PhaseBaked     PhaseName = "baked"
	PhaseStopping  PhaseName = "stopping"
	PhaseStopped   PhaseName = "stopped"
)

// phaseTable is what phases mean, roughly in their order.
var phaseTable = []struct {
	name    PhaseName
	meaning string
}{
	{PhaseClaimed, "The record is ours: a create begins, of what is new or was there before."},
	{PhaseResumed, "The same, for a change of what is in the state."},
	{PhaseStart, "The action `switchback_start` begins."},
	{PhaseStop, "The action `switchback_stop` begins."},
	{PhaseRestart, "The action `switchback_restart` begins."},
	{PhaseCancel, "The action `switchback_cancel` ends what a dead run has left."},
	{PhaseStarting, "What is kept for going back is started again."},
	{PhaseApplied, "Its objects are written."},
	{PhaseHealthy, "All its pods are ready."},
	{PhasePaused, "As many pods have the new content as a stop of `rolling_update.pause_at` asks for, and are ready."},
	{PhaseRolled, "All its pods have the new content and are ready, and the old ones are gone."},
	{PhaseRestarted, "All its pods have been replaced."},
	{PhaseBaked, "It stayed healthy for as long as `rollout.bake` asks."},
	{PhaseStopping, "It is being scaled to zero."},
	{PhaseStopped, "It has no pods any more."},
}

// PhaseNames lists every PhaseName.
func PhaseNames() []PhaseName {
	all := make([]PhaseName, len(phaseTable))
	for i, row := range phaseTable {
		all[i] = row.name
	}
	return all
}

// Meaning is one sentence about the phase; empty for one that is not known.
func (n PhaseName) Meaning() string {
	for _, row := range phaseTable {
		if row.name == n {
			return row.meaning
		}
	}
	return ""
}
