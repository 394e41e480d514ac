package release

import "time"

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

// Defaults of Health.
const (
	DefaultFailFastGrace       = 15 * time.Second
	DefaultCrashLimit    int32 = 3
	DefaultLogTail       int32 = 10
)
