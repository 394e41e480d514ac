package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
)

// Goal is what 95 % of the reports are to be within, beyond what is waited on
// purpose.
const Goal = 300 * time.Millisecond

// Result is what one run of the benchmark found.
type Result struct {
	Machine    Machine   `json:"machine"`
	CLI        string    `json:"cli"`        // such as Terraform 1.11.4
	Kubernetes string    `json:"kubernetes"` // such as v1.36.3
	Theirs     string    `json:"theirs"`     // the other provider's version
	Grace      Duration  `json:"grace"`      // health.fail_fast_grace, for certain causes
	Limit      Duration  `json:"limit"`      // health.progress_deadline, for patient causes
	Timeout    Duration  `json:"timeout"`    // the other provider's
	Failures   []Failure `json:"failures"`
}

// Failure is one thing that goes wrong, and what the providers made of it.
type Failure struct {
	Name   string    `json:"name"`
	What   string    `json:"what"`  // goes wrong
	Knows  string    `json:"knows"` // the cluster's write that decides it
	Class  string    `json:"class"`
	Cause  string    `json:"cause"` // as this provider reports it
	Ours   []Attempt `json:"ours"`
	Theirs []Attempt `json:"theirs"`
}

// Attempt is one apply. Its times count from when the CLI asked the provider to
// create.
type Attempt struct {
	Known    Duration `json:"known"`    // the cluster's write was seen
	Waited   Duration `json:"waited"`   // on purpose, from Known to Due
	Due      Duration `json:"due"`      // when the grace, or the limit, was over
	Returned Duration `json:"returned"` // the provider had failed
	Reported Duration `json:"reported"` // the CLI printed the error
	Message  string   `json:"message"`
}

// Beyond is how much later than due it was reported.
func (a Attempt) Beyond() time.Duration { return time.Duration(a.Reported - a.Due) }

// Duration is milliseconds in JSON.
type Duration time.Duration

// MarshalJSON has fractions of a millisecond, of which there is no use, cut off.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).Milliseconds())
}

// UnmarshalJSON reads milliseconds.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var milliseconds int64
	if err := json.Unmarshal(text, &milliseconds); err != nil {
		return fmt.Errorf("not milliseconds: %w", err)
	}
	*d = Duration(time.Duration(milliseconds) * time.Millisecond)
	return nil
}

// Write writes the result to a file.
func (r Result) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // anybody may read it
}

// Percentile is the smallest of the values that p percent of them are not
// above; 0 where there are none.
func Percentile(p int, values []time.Duration) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (p*len(sorted)+99)/100-1)]
}

// beyond are the delays of attempts.
func beyond(attempts []Attempt) []time.Duration {
	return of(attempts, Attempt.Beyond)
}

func of(attempts []Attempt, value func(Attempt) time.Duration) []time.Duration {
	var all []time.Duration
	for _, a := range attempts {
		all = append(all, value(a))
	}
	return all
}
