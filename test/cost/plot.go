package cost

import (
	"fmt"
	"strings"
	"time"
)

// Plot is a picture of the page: lines over the number of resources, both axes
// logarithmic.
type Plot struct {
	File, Title, Axis string

	what  string
	value func(Run) float64
}

var (
	planCPU = Plot{
		"plan-cpu.svg", "A plan without changes", "CPU seconds of the CLI and the provider", Nothing,
		func(u Run) float64 { return time.Duration(u.CPU).Seconds() },
	}
	planRequests = Plot{
		"plan-requests.svg", "A plan without changes", "requests to the API server", Nothing,
		func(u Run) float64 { return float64(u.Requests) },
	}
	createRequests = Plot{
		"create-requests.svg", "Creating them", "requests to the API server", Create,
		func(u Run) float64 { return float64(u.Requests) },
	}
)

// Plots are all of them.
var Plots = []Plot{planCPU, planRequests, createRequests}

// Points are the plot's lines as tools/plot reads them. Nothing has no place on a
// logarithmic axis.
func (r Result) Points(p Plot) string {
	var b strings.Builder
	r.each(p.what, false, func(n int, name string, row *Row) {
		if value := Figure(row, p.value); value > 0 {
			fmt.Fprintf(&b, "point,%d,%s,%g\n", n, strings.NewReplacer("`", "", "*", "").Replace(name), value)
		}
	})
	return b.String()
}

func image(at string, p Plot) string {
	return fmt.Sprintf("![%s: %s](%s/%s)\n", p.Title, p.Axis, at, p.File)
}
