package rollout

import (
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// copies is of how many percent of the requests the release gets a copy on a cluster, by
// the last shift that is done.
func (pl *placement) copies() int { return pl.progress.Mirror(pl.progress.At) }

// has says what of the traffic a release has there, as last seen.
func (pl *placement) has(name string) string {
	if copies := pl.copies(); copies > 0 {
		return name + " gets " + release.CopiesText(copies)
	}
	return name + " has " + shareText(pl.share(name), 0)
}

// watchedWith is what the release is watched with.
func (pl *placement) watchedWith() string {
	if copies := pl.copies(); copies > 0 {
		return "with " + release.CopiesText(copies)
	}
	return "with the traffic on it"
}

// takes says how many pods a shift takes.
func takes(step release.Step, pods int) string {
	if step.Mirror > 0 {
		return fmt.Sprintf("%s take %d, as many as answer those now", release.CopiesText(step.Mirror), pods)
	}
	return fmt.Sprintf("%d %% of the traffic takes %d, as many as serve it now", step.Weight, pods)
}

// settingOf is where a user says how many.
func settingOf(step release.Step) string {
	if step.Mirror > 0 {
		return "canary.mirror.replicas"
	}
	return "canary.steps[].replicas"
}
