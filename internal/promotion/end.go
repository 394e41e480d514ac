package promotion

import "github.com/switchback-dev/terraform-provider-switchback/internal/release"

// Ending is one look, on one cluster, at an address that is to end.
type Ending struct {
	Main      *release.Main // what is remembered of it; nil: nothing
	Successor bool          // another main deployment of the application takes it over
	Adopted   bool          // it is somebody else's
	Leads     bool          // an adopted one leads to a release
	TakesBack bool          // what an adopted one led to before can have the traffic again
}

// EndStep is one thing that is done to end an address.
type EndStep string

// Steps.
const (
	EndDisown   EndStep = "disown"    // whoever comes next takes it over as it is
	EndRemove   EndStep = "remove"    // it goes
	EndHandBack EndStep = "hand back" // it leads again where it led before it was adopted
	EndDrain    EndStep = "drain"     // requests that are under way come to their end
	EndLetGo    EndStep = "let go"    // its fields are nobody's
	EndRetire   EndStep = "retire"    // nothing is main any more, nor kept for going back
	EndKeep     EndStep = "keep"      // nothing is kept but what it leads to
	EndCollect  EndStep = "collect"   // what nobody needs any more goes
	EndLeave    EndStep = "leave"     // it stays as it is, nobody's
	EndForget   EndStep = "forget"    // nothing is remembered of it
)

// End lists the steps that end an address. None of them is written down as done: each
// finds out whether it is, and a run that was cut off begins anew. For example: an
// adopted Service was handed back, and the run was killed while it drained. The next one
// finds that the Service leads to no release, and goes on with the drain.
func End(seen Ending) []EndStep {
	var steps []EndStep
	switch {
	case seen.Successor:
		return []EndStep{EndDisown}
	case !seen.Adopted:
		steps = []EndStep{EndRemove}
	case seen.Leads && !seen.TakesBack:
		return []EndStep{EndLetGo, EndKeep, EndCollect, EndLeave}
	case seen.Leads:
		steps = []EndStep{EndHandBack, EndDrain, EndLetGo}
	case seen.Main != nil && seen.Main.Deployment != "":
		steps = []EndStep{EndDrain, EndLetGo}
	default:
		steps = []EndStep{EndLetGo}
	}
	return append(steps, EndRetire, EndCollect, EndForget)
}
