package rollout

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// placement is a promotion on one cluster.
type placement struct {
	cluster Cluster
	router  *traffic.Service
	route   *traffic.Gateway // nil: the address has no route
	asks    *release.Route   // the route that is asked for, with what it led to before; nil: none

	seen  release.Main     // the pointer, as it was found
	found traffic.Observed // the address, as it was found
	saw   promotion.Seen   // what package promotion knows of both
	start promotion.Start  // what follows from these

	live     *corev1.ConfigMap // the application's, as it was written last; nil: there is none yet
	main     release.Main      // the pointer, as it is written next
	progress release.Progress
	stage    promotion.Stage

	scaled  []string       // of both releases, those that have an autoscaler; nil: not known
	kept    int32          // pods that the former release had when floors were last raised
	whole   bool           // the release was found to have all of its pods
	version string         // of the release, where known
	health  release.Health // what it asks for

	unended bool // its release is given up, and the run was called off before it had ended

	fate   fate
	status release.MainStatus
	split  release.Split // who gets the traffic, as last seen; nil: it was not seen
	err    error         // what went wrong here

	entry  *release.Entry // of the history; nil where no traffic moves
	act    *release.Entry // the same, of what somebody asked of the promotion: it is written with the next step
	events eventQueue     // what Events tell of it
}

// fate is what has become of a promotion on one cluster.
type fate int

const (
	goesOn   fate = iota // the promotion goes on with it
	left                 // the promotion goes on without it
	returned             // its traffic is back where it was
	stays                // its traffic should go back, and nothing can take it
)

// begins notes how the promotion begins.
func (pl *placement) begins(start promotion.Start) {
	pl.start, pl.progress, pl.stage, pl.main = start, start.Progress, start.Stage, start.Main
}

// moves says that the promotion moves the cluster's traffic, or has.
func (pl *placement) moves() bool { return pl.start.Course.Moves() }

// reached notes how much of the promotion may have been done.
func (pl *placement) reached(stage promotion.Stage) { pl.stage = max(pl.stage, stage) }

// from is which release had the traffic; empty: none.
func (pl *placement) from() string { return pl.progress.From }

// side is who had it, as a split names it: a release, or what an adopted rule led to
// before; empty: nobody.
func (pl *placement) side() string { return pl.progress.Side() }

// takesRest says that the release which is to have all of the traffic has a share of it
// already, and is the one that had all of it before: it goes back.
func (pl *placement) takesRest() bool {
	share := pl.split[pl.from()]
	return pl.route != nil && pl.from() == pl.progress.To && share > 0 && share < 100
}

// theirs says that somebody else had it: what an adopted rule led to before.
func (pl *placement) theirs() bool { return pl.progress.From == "" && pl.progress.Theirs != "" }

// theirSide is who that is, as a split names it; empty where a release had it, or nobody.
func (pl *placement) theirSide() string {
	if !pl.theirs() {
		return ""
	}
	return pl.progress.Theirs
}
