package release

import (
	"encoding/json"
	"fmt"
	"time"
)

// RecordSchema is the version of Record's JSON form. Readers accept older ones.
const RecordSchema = 1

// rollSchema is that of a record with a Roll: who does not know what that is takes what is
// paused for what failed, and must refuse it.
const rollSchema = 2

// Record is what must be remembered of a release on one cluster: who answers
// for it, how far it came, what we applied. It lives in the ConfigMap named
// like the release. It holds no env values and no pod template.
type Record struct {
	Schema  int    `json:"schema"`
	Hash    string `json:"hash"`    // full content hash
	Version string `json:"version"` // as the user typed it

	Owner string `json:"owner"` // the token of the claim that holds it
	// ClaimedAt is since when it does, by the API server's clock.
	ClaimedAt time.Time `json:"claimedAt,omitzero"`

	Custody Custody `json:"custody"`
	Status  Status  `json:"status"`
	Reason  string  `json:"reason,omitempty"`

	// Run and Beat are set while a process works on the release. A beat that
	// does not change for HeartbeatExpiry on the reader's own clock is dead.
	Run    string `json:"run,omitempty"`
	Holder string `json:"holder,omitempty"` // who that is, in words
	Beat   int64  `json:"beat,omitempty"`

	// CancelRequested says who asked the process that is starting the release to
	// give up. It finds this at its next write, and lets go.
	CancelRequested string `json:"cancelRequested,omitempty"`

	// Entry is the ID of the history's entry of the attempt under way, and
	// Operation what it is called there. Whoever goes on with it after a kill
	// writes the same one.
	Entry     string    `json:"entry,omitempty"`
	Operation Operation `json:"operation,omitempty"`

	CreatedBy string    `json:"createdBy,omitempty"`
	Phases    []Phase   `json:"phases,omitempty"` // of the last attempt
	Durations Durations `json:"durations,omitzero"`
	// Waited is how long its user waited for the last attempt on all clusters, of
	// which Durations are this one's.
	Waited   time.Duration `json:"waited,omitempty"`
	Baseline Baseline      `json:"baseline,omitempty"`

	// Health is what the last operation went by. It is for those who have no
	// configuration at hand: an import, or an action on the release.
	Health Health `json:"health,omitzero"`

	// Rollout is what the last operation was to go over the clusters by; nil where
	// nothing was said. It is for an import.
	Rollout *Rollout `json:"rollout,omitempty"`

	// IgnoreServices are the Services that lead to its pods and are no traffic, as
	// its user says.
	IgnoreServices []string `json:"ignoreServices,omitempty"`

	// AllowSelectedBy are the Services that may select its pods before it is main.
	AllowSelectedBy []string `json:"allowSelectedBy,omitempty"`

	// Disruption is what its user says of the budget for disruptions, for an import.
	Disruption *Disruption `json:"disruptionBudget,omitempty"`

	// Preview is what its user says of its own address, for an import.
	Preview *Preview `json:"preview,omitempty"`

	// WithMain says that it has no pods because its application is stopped: it is
	// started again together with that.
	WithMain bool `json:"stoppedWithMain,omitempty"`

	// Halt is why else it has no pods.
	Halt

	// OnFailure is what becomes of it where it fails as main, or on its way there. Empty
	// was written by a provider that did nothing then: it is left as it is.
	OnFailure OnFailure `json:"onFailure,omitempty"`

	// Nameless says that its pods do not carry LabelName, because somebody else
	// selects by it. It is decided when the release is created, and kept.
	Nameless bool `json:"nameless,omitempty"`

	// Roll is how far a change of content in place has come that stops on its way; nil
	// where none is under way.
	Roll *Roll `json:"roll,omitempty"`

	// Companions are those that may exist: written before one is made, and taken
	// out after one is removed. So nobody needs to look for the others, nor to be
	// allowed to.
	Companions []Companion `json:"companions,omitempty"`
}

// Baseline is what the API server answered to our own apply: object ("Deployment",
// "Service", or a Companion) -> field path -> short keyed hash of the value. Drift is an owned
// field whose live hash differs, or that we own no longer.
type Baseline map[string]map[string]string

// The heartbeat of a process that works on a release, and of the holder of an
// application's Lease.
const (
	HeartbeatEvery  = 4 * time.Second
	HeartbeatExpiry = 15 * time.Second
)

// RecordKey is the key of the JSON in a record's ConfigMap.
const RecordKey = "record.json"

// Desired is the state that the release was last asked for by itself.
func (r *Record) Desired() DesiredState {
	if r.WithMain || r.Halted() {
		return DesiredStarted
	}
	return r.Status.Desired()
}

// Halted says that it has no pods, or is losing them, because of its Halt.
func (r *Record) Halted() bool { return r.Halt != Halt{} && !r.Status.Up() }

// StoppedReason is why it has no pods although it shall have some; empty where it shall not.
func (r *Record) StoppedReason() string { return r.Halt.ReasonOf(r.WithMain) }

// Busy says that some process is, or was when it died, at work on the release.
func (r *Record) Busy() bool { return r.Run != "" }

// Marshal gives the ConfigMap's data.
func (r *Record) Marshal() (map[string]string, error) {
	written := *r
	if written.Schema = RecordSchema; r.Roll != nil {
		written.Schema = rollSchema
	}
	return marshal(RecordKey, &written)
}

// ParseRecord reads a record's ConfigMap data. What somebody asks there of a change that
// waits is so from then on: whoever writes the record next writes that down.
func ParseRecord(data map[string]string) (*Record, error) {
	r, err := parse[Record](RecordKey, data, rollSchema, func(r *Record) int { return r.Schema })
	if err == nil && RequestIn(data).ResumesRoll(r.Roll) {
		r.Roll.Resumed = true
	}
	return r, err
}

func marshal(key string, v any) (map[string]string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return map[string]string{key: string(b)}, nil
}

func parse[T any](key string, data map[string]string, newest int, schema func(*T) int) (*T, error) {
	text, ok := data[key]
	if !ok {
		return nil, fmt.Errorf("it has no key %q", key)
	}
	v := new(T)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return nil, fmt.Errorf("its %s cannot be read: %w", key, err)
	}
	if s := schema(v); s > newest {
		return nil, &NewerSchemaError{Key: key, Schema: s, Known: newest}
	}
	return v, nil
}
