package release

// Status is where a release is in its life, as users see it.
type Status string

// Every status of a release that exists today.
const (
	StatusStarting       Status = "starting"        // objects are being made, pods are coming up
	StatusStarted        Status = "started"         // healthy on every cluster
	StatusTerminating    Status = "terminating"     // being removed
	StatusStartError     Status = "start_error"     // did not become healthy
	StatusTerminateError Status = "terminate_error" // could not be removed
	StatusCancelled      Status = "cancelled"       // interrupted; the next apply resumes it
)

// Statuses lists every Status.
func Statuses() []Status {
	return []Status{
		StatusStarting, StatusStarted, StatusTerminating,
		StatusStartError, StatusTerminateError, StatusCancelled,
	}
}

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
