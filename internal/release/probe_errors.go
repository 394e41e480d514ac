package release

import (
	"fmt"
	"time"
)

// ProbeError says that an address did not answer as it should, after traffic had moved.
type ProbeError struct {
	Cluster string
	ID      ID     // the release that has got traffic
	Percent int    // of the traffic
	URL     string // as it may be shown
	Status  int    // that was asked for
	Within  time.Duration
	Last    error // what came in place of it
}

func (e *ProbeError) Error() string {
	return fmt.Sprintf("after %s had got %d %% of the traffic on cluster %q, %s was asked from where Terraform runs, for %s, and never answered with the status %d: at last, %s",
		e.ID, e.Percent, e.Cluster, e.URL, DurationText(e.Within), e.Status, e.Last)
}

func (e *ProbeError) Unwrap() error { return e.Last }
