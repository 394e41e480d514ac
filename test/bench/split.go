package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// Split is what was found of a gateway: how soon a weight that is written to a route is
// in effect.
type Split struct {
	Machine    Machine `json:"machine"`
	Kubernetes string  `json:"kubernetes"`
	Shifts     []Shift `json:"shifts"`
	Requests   int     `json:"requests"` // while it was measured
	Failed     int     `json:"failed"`
}

// Shift is one change of a route from one release to another. Its times count from the
// answer to the write.
type Shift struct {
	Accepted Duration `json:"accepted"` // a watch has the status that says so
	Effect   Duration `json:"effect"`   // the first request began after which the former release answers none
}

// Table says it as a table of the documentation.
func (s Split) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured with Kubernetes %s and a Traefik on one machine with %d processors and %d GB. %s\n"+
		"Of %d requests in %d shifts, %d failed.\n\n| from the write until | p50 | p95 | slowest |\n| --- | --- | --- | --- |\n",
		s.Kubernetes, s.Machine.Processors, s.Machine.Memory, s.Machine.Busy(), s.Requests, len(s.Shifts), s.Failed)
	for _, row := range []struct {
		what string
		of   func(Shift) Duration
	}{
		{"every parent has accepted it", func(s Shift) Duration { return s.Accepted }},
		{"all requests go by it", func(s Shift) Duration { return s.Effect }},
	} {
		var all []time.Duration
		for _, shift := range s.Shifts {
			all = append(all, time.Duration(row.of(shift)))
		}
		fmt.Fprintf(&b, "| %s | %s ms | %s ms | %s ms |\n", row.what, milliseconds(Percentile(50, all)), milliseconds(Percentile(95, all)), milliseconds(Percentile(100, all)))
	}
	return b.String()
}

// Write writes what was found to a file.
func (s Split) Write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // anybody may read it
}
