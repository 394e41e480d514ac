package release

import "time"

// Part is one part of the time that a start takes.
type Part string

// Parts, in the order in which they come.
const (
	PartQueue     Part = "queue"      // a pod waits for a node
	PartBuild     Part = "build"      // the image is made
	PartImagePull Part = "image_pull" // it is fetched to the node
	PartStartup   Part = "startup"    // containers run, until the pod is ready
)

// Parts lists every Part.
func Parts() []Part { return []Part{PartQueue, PartBuild, PartImagePull, PartStartup} }

// Durations are the measured lengths of an attempt on one cluster: Total by the
// clock of who did it, the parts by the cluster's own clocks. The parts are those
// of the slowest pod, and nil where they are not known.
type Durations struct {
	Total     time.Duration  `json:"total,omitempty"`
	Queue     *time.Duration `json:"queue,omitempty"`
	Build     *time.Duration `json:"build,omitempty"`
	ImagePull *time.Duration `json:"imagePull,omitempty"`
	Startup   *time.Duration `json:"startup,omitempty"`
}

// Of is one part; nil where it is not known.
func (d Durations) Of(part Part) *time.Duration {
	switch part {
	case PartQueue:
		return d.Queue
	case PartBuild:
		return d.Build
	case PartImagePull:
		return d.ImagePull
	case PartStartup:
		return d.Startup
	}
	return nil
}

// Known is the sum of the parts that are known.
func (d Durations) Known() time.Duration {
	sum := time.Duration(0)
	for _, part := range Parts() {
		if of := d.Of(part); of != nil {
			sum += *of
		}
	}
	return sum
}

// Slowest is the part that took longest, the first of them; false where none is
// known.
func (d Durations) Slowest() (slowest Part, took time.Duration, known bool) {
	for _, part := range Parts() {
		if of := d.Of(part); of != nil && (!known || *of > took) {
			slowest, took, known = part, *of, true
		}
	}
	return slowest, took, known
}

// Round is d in whole milliseconds.
func (d Durations) Round() Durations {
	round := func(of *time.Duration) *time.Duration {
		if of == nil {
			return nil
		}
		return new(of.Round(time.Millisecond))
	}
	return Durations{d.Total.Round(time.Millisecond), round(d.Queue), round(d.Build), round(d.ImagePull), round(d.Startup)}
}
