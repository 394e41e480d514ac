package release

import (
	"strings"
	"time"
)

// Health is when the pods of a release count as healthy, and when waiting for
// them ends. What is nil or zero takes its default. It shapes no pod, so that it
// changes in place.
type Health struct {
	// ProgressDeadline is how long the pods may take until a cause that may heal
	// counts as a failure; 0: as long as the operation may take.
	ProgressDeadline time.Duration `json:"progressDeadline,omitempty"`
	// FailFastGrace is how long a certain cause must last; nil: DefaultFailFastGrace.
	FailFastGrace *time.Duration `json:"failFastGrace,omitempty"`
	// CrashLimit is how many restarts of a container are a failure; 0: DefaultCrashLimit.
	CrashLimit int32 `json:"crashLimit,omitempty"`
	// MinReady is how long a pod must have been ready before it counts.
	MinReady time.Duration `json:"minReady,omitempty"`
	// LogTail is how many lines of a failed container's log an error shows; 0:
	// none, nil: DefaultLogTail.
	LogTail *int32 `json:"logTail,omitempty"`
}

// MaxLogTail is the most lines of a log that an error shows.
const MaxLogTail int32 = 200

// Defaults of Health.
const (
	DefaultFailFastGrace       = 15 * time.Second
	DefaultCrashLimit    int32 = 3
	DefaultLogTail       int32 = 10
)

// Grace is how long a certain cause must last; usual is what that is for those who
// do not say.
func (h Health) Grace(usual time.Duration) time.Duration {
	if h.FailFastGrace != nil {
		return *h.FailFastGrace
	}
	return usual
}

// Lines is how many lines of a log an error shows.
func (h Health) Lines() int32 {
	if h.LogTail != nil {
		return *h.LogTail
	}
	return DefaultLogTail
}

// DurationText is a length of time as people write it: 48h, not 48h0m0s.
func DurationText(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
