package release

// Found is what stands under a release's name on one cluster when a Create
// asks for it.
type Found struct {
	Record *Record // nil: nothing there

	InPlace     bool // other content under the same name is an older or newer state of it
	ClaimedHere bool // an earlier claim of this same run holds it
	HolderDead  bool // the heartbeat was watched and did not move for HeartbeatExpiry
	Carries     bool // traffic goes to it
	Healthy     bool // all its pods are ready
}

// ClaimStep is what a Create does about what it found.
type ClaimStep string

// Claim steps.
const (
	ClaimCreate          ClaimStep = "create"            // nothing there: make the record
	ClaimAdopt           ClaimStep = "adopt"             // take the record over
	ClaimAdoptAndTell    ClaimStep = "adopt and tell"    // the same, with a warning: somebody else may hold it in a state
	ClaimWait            ClaimStep = "wait"              // somebody is at work on it
	ClaimRefuseTwin      ClaimStep = "refuse: twin"      // two resources of this run ask for one release
	ClaimRefuseCollision ClaimStep = "refuse: collision" // same name, other content
	ClaimRefuseUnhealthy ClaimStep = "refuse: unhealthy" // carries traffic, owned, and not well
)

// ClaimSteps lists every ClaimStep.
func ClaimSteps() []ClaimStep {
	return []ClaimStep{
		ClaimCreate, ClaimAdopt, ClaimAdoptAndTell, ClaimWait,
		ClaimRefuseTwin, ClaimRefuseCollision, ClaimRefuseUnhealthy,
	}
}

// Claim decides how a Create of content with this full hash takes ownership.
func Claim(f Found, hash string) ClaimStep {
	r := f.Record
	switch {
	case r == nil:
		return ClaimCreate
	case r.Hash != hash && !f.InPlace:
		return ClaimRefuseCollision
	case f.ClaimedHere:
		return ClaimRefuseTwin
	case r.Busy() && !f.HolderDead:
		return ClaimWait
	}
	finished := r.Custody == CustodyOwned && r.Status.Finished() && !r.Busy()
	switch {
	case !finished:
		// Retained, condemned, abandoned, failed, cancelled, or left by the dead.
		return ClaimAdopt
	case f.Carries && !f.Healthy:
		// Taking it over means touching it; what serves and is ill is its owner's to mend.
		return ClaimRefuseUnhealthy
	default:
		return ClaimAdoptAndTell
	}
}
