package release

// Status is where a release is in its life, as users see it.
type Status string

// Every status of a release that exists today.
const (
	StatusStarting       Status = "starting"    // objects are being made, pods are coming up
	StatusStarted        Status = "started"     // healthy on every cluster
	StatusStopped        Status = "stopped"     // scaled to zero
	StatusTerminating    Status = "terminating" // being removed
	StatusTerminated     Status = "terminated"  // gone
	StatusStartError     Status = "start_error" // did not become healthy
	StatusStopError      Status = "stop_error"
	StatusTerminateError Status = "terminate_error" // could not be removed
	StatusCancelled      Status = "cancelled"       // interrupted; the next apply resumes it
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
