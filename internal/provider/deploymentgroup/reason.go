package deploymentgroup

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// reason is why a group's status is what it is: by the first of its members that tells
// most. What is left to do comes before a pause, and who is in a pause of its own before
// who waits for others.
type reason struct {
	text string
	rank int // 0: nobody has anything to say
}

// add takes in what one member has to say.
func (r *reason) add(name string, status, why types.String, observed []observe.Main) {
	if why.IsNull() {
		return
	}
	text, rank := name+": "+why.ValueString(), 3
	if status.ValueString() == string(release.MainPaused) {
		text, rank = release.GroupPauseText(name, why.ValueString()), 2
		open := func(o observe.Main) bool { return o.Main != nil && o.Main.Progress != nil }
		if i := slices.IndexFunc(observed, open); i >= 0 && observed[i].Main.Progress.Holds() {
			text, rank = name+": "+why.ValueString(), 1
		}
	}
	if rank > r.rank {
		r.text, r.rank = text, rank
	}
}

// value is the attribute.
func (r *reason) value() types.String { return attrs.TextOrNull(r.text) }
