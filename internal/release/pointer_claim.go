package release

import "fmt"

// PointerClaim is who wants to move an application's address.
type PointerClaim struct {
	Owner string // the state's token; empty: it has none yet, as on create
	Group string // the group's name; empty: a main deployment of its own
	To    string // the release that shall be main
}

// PointerStep is what a claim may do about an application's address on one
// cluster.
type PointerStep string

// Pointer steps.
const (
	PointerFree         PointerStep = "free"          // nobody's
	PointerOurs         PointerStep = "ours"          // held by this very claim
	PointerTakeOver     PointerStep = "take_over"     // somebody's, and may be taken over
	PointerTakeBack     PointerStep = "take_back"     // held as it was before this claim: it is from a backup
	PointerRefuseStale  PointerStep = "refuse_stale"  // claimed by somebody else since
	PointerRefuseOwned  PointerStep = "refuse_owned"  // a main deployment's that wants something else
	PointerRefuseMember PointerStep = "refuse_member" // a group's
)

// PointerSteps lists every PointerStep.
func PointerSteps() []PointerStep {
	return []PointerStep{PointerFree, PointerOurs, PointerTakeOver, PointerTakeBack, PointerRefuseStale, PointerRefuseOwned, PointerRefuseMember}
}

// DecidePointer decides what a claim may do about an address. What points where
// it is wanted, or is unfinished, is taken over by who has no token yet. But
// what a group has not finished is the group's: nobody else can know what
// belongs together. Whoever claimed it later than it says to be held is not
// refused: it says so in a backup. main is nil where there is no address.
func DecidePointer(main *Main, claim PointerClaim) PointerStep {
	if main == nil || main.Owner == "" {
		return PointerFree
	}
	foreign := main.Group != "" && main.Group != claim.Group
	unfinished, there := main.Progress != nil, main.Deployment == claim.To
	switch {
	case claim.Owner == "" && main.Deployment == "" && !unfinished:
		return PointerFree // it points nowhere
	case claim.Owner == "" && (unfinished && !foreign || there && !unfinished):
		return PointerTakeOver
	case claim.Owner != "" && claim.Owner == main.Owner && (main.Group == "" || claim.Group != ""):
		return PointerOurs // a group may be renamed
	case main.OutOfDate(claim.Owner):
		return PointerTakeBack
	case foreign, main.Group != "" && claim.Owner == "":
		return PointerRefuseMember
	case claim.Owner != "":
		return PointerRefuseStale
	default:
		return PointerRefuseOwned
	}
}

// GroupOwnedError says that an application's address belongs to a group.
type GroupOwnedError struct {
	Cluster    string
	ID         string // namespace/application
	Group      string
	Deployment string // where it points
	Unfinished bool   // the group has not finished moving it
}

func (e *GroupOwnedError) Error() string {
	does := ""
	if e.Unfinished {
		does = ", which has not finished moving it"
	}
	return fmt.Sprintf("the address of %s on cluster %q, which points at %s, belongs to the group %q%s", e.ID, e.Cluster, OrNothing(e.Deployment), e.Group, does)
}
