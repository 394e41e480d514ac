package release

// Status is where a release is in its life, as users see it. What each one means
// and allows is in the table in lifecycle.go.
type Status string

// Every status of a release.
const (
	StatusAwaitingApproval Status = "awaiting_approval"
	StatusApprovalDenied   Status = "approval_denied"
	StatusQueued           Status = "queued"
	StatusBuilding         Status = "building"
	StatusBuildError       Status = "build_error"
	StatusStarting         Status = "starting"
	StatusStarted          Status = "started"
	StatusStartError       Status = "start_error"
	StatusDegraded         Status = "degraded"
	StatusRestarting       Status = "restarting"
	StatusPaused           Status = "paused"
	StatusStopping         Status = "stopping"
	StatusStopped          Status = "stopped"
	StatusStopError        Status = "stop_error"
	StatusCancelled        Status = "cancelled"
	StatusTerminating      Status = "terminating"
	StatusTerminated       Status = "terminated"
	StatusTerminateError   Status = "terminate_error"
)

// Custody says who answers for a release: a Terraform state, or the
// application itself until the next promotion.
type Custody string

// Custodies.
const (
	CustodyClaimed     Custody = "claimed"     // being created: in no state yet
	CustodyOwned       Custody = "owned"       // in somebody's Terraform state
	CustodyRetained    Custody = "retained"    // in nobody's state; kept for going back
	CustodyCondemned   Custody = "condemned"   // its resource is gone, but it carries traffic
	CustodyAbandoned   Custody = "abandoned"   // a create that failed
	CustodyTerminating Custody = "terminating" // being removed
)

// Custodies lists every Custody.
func Custodies() []Custody {
	return []Custody{CustodyClaimed, CustodyOwned, CustodyRetained, CustodyCondemned, CustodyAbandoned, CustodyTerminating}
}
