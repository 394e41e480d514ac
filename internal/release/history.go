package release

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// HistorySchema is the version of History's JSON form. Readers accept older ones.
const HistorySchema = 1

// HistoryKey is the key of the JSON in an application's ConfigMap. Main has
// another one, so that neither disturbs the other.
const HistoryKey = "history.json"

// Bounds of a History. Every refresh reads those of all applications.
const (
	HistoryEntries = 50
	HistoryBytes   = 16 << 10

	reasonLimit = 400 // bytes of an entry's reason
)

// Operation is what was done to an application or to one of its releases.
type Operation string

// Operations.
const (
	OperationDeploy     Operation = "deploy"      // a release was created, or adopted
	OperationUpdate     Operation = "update"      // a release was changed in place
	OperationPromote    Operation = "promote"     // the application's address was moved
	OperationRollback   Operation = "rollback"    // the same, to where it was before
	OperationStop       Operation = "stop"        // a release was scaled to zero
	OperationStart      Operation = "start"       // and back
	OperationRestart    Operation = "restart"     // its pods were replaced
	OperationCancel     Operation = "cancel"      // what was under way was ended
	OperationTerminate  Operation = "terminate"   // a release was removed, as asked for
	OperationRetain     Operation = "retain"      // no longer in a state; kept for going back
	OperationCondemn    Operation = "condemn"     // no longer in a state, but it carries traffic
	OperationCollect    Operation = "collect"     // removed, because nobody needed it any more
	OperationRemoveMain Operation = "remove_main" // the application's address was removed
	OperationResume     Operation = "resume"      // somebody lets a promotion, or a change in place, go on from its pause
	OperationHold       Operation = "hold"        // somebody holds a promotion where it is
	OperationSkip       Operation = "skip"        // somebody lets a promotion skip the shares and pauses that are left
	OperationRetry      Operation = "retry"       // somebody lets a release be tried once more that was left
)

// Operations lists every Operation.
func Operations() []Operation {
	return []Operation{
		OperationDeploy, OperationUpdate, OperationPromote, OperationRollback, OperationStop, OperationStart, OperationRestart,
		OperationCancel, OperationTerminate, OperationRetain, OperationCondemn, OperationCollect, OperationRemoveMain, OperationResume, OperationHold, OperationSkip, OperationRetry,
	}
}

// Outcome is how an operation ended.
type Outcome string

// Outcomes.
const (
	OutcomeSucceeded Outcome = "succeeded"
	OutcomeFailed    Outcome = "failed"
	OutcomeCancelled Outcome = "cancelled" // interrupted
)

// Outcomes lists every Outcome.
func Outcomes() []Outcome { return []Outcome{OutcomeSucceeded, OutcomeFailed, OutcomeCancelled} }

// Entry is one line of an application's history. It is for people: no decision
// is taken on it.
type Entry struct {
	ID   string    `json:"id"`   // of the operation: written twice, it is one entry
	Time time.Time `json:"time"` // when it ended, by the clock of who did it

	Operation  Operation `json:"operation"`
	Deployment string    `json:"deployment,omitempty"` // the release's name
	Version    string    `json:"version,omitempty"`    // of that release, where known
	From       string    `json:"from,omitempty"`       // promote, rollback, remove_main: who had the traffic
	To         string    `json:"to,omitempty"`         // and who has been meant to get it
	Theirs     string    `json:"theirs,omitempty"`     // which of both is no release, but what an adopted rule led to before
	Group      string    `json:"group,omitempty"`      // the group that it was part of

	By       string        `json:"by,omitempty"` // who the cluster took us for
	Outcome  Outcome       `json:"outcome"`
	Reason   string        `json:"reason,omitempty"` // one line; callers have it redacted
	Duration time.Duration `json:"duration,omitempty"`
	Run      Run           `json:"run,omitzero"`

	// Durations are those of the start that the operation was, on this cluster;
	// zero where it has started no pods, or did not succeed.
	Durations Durations `json:"durations,omitzero"`
}

// History is what was done to an application on one cluster, the oldest first.
type History struct {
	Schema  int     `json:"schema"`
	Entries []Entry `json:"entries"`
}

// With is the history with more entries. One whose ID is there already takes
// that one's place: an append whose reply was lost, or an operation that went on
// after a kill. The oldest leave when there are too many, or too long ones.
func (h History) With(entries ...Entry) History {
	all := slices.Clone(h.Entries)
	for _, entry := range entries {
		entry.Reason, entry.Time = oneLine(entry.Reason, reasonLimit), entry.Time.UTC().Truncate(time.Second)
		entry.Duration, entry.Durations = entry.Duration.Round(time.Millisecond), entry.Durations.Round()
		if at := slices.IndexFunc(all, func(e Entry) bool { return e.ID == entry.ID }); at >= 0 {
			all[at] = entry
		} else {
			all = append(all, entry)
		}
	}
	return History{Schema: HistorySchema, Entries: newest(all)}
}

// newest are the last entries that fit.
func newest(entries []Entry) []Entry {
	size := 0
	for i, entry := range slices.Backward(entries) {
		text, err := json.Marshal(entry)
		size += len(text) + 1
		if err != nil || size > HistoryBytes || len(entries)-i > HistoryEntries {
			return entries[i+1:]
		}
	}
	return entries
}

// AppendHistory is a ConfigMap's data with more entries in its history; all
// other keys stay as they are. A history that a newer provider wrote is left
// alone. One that cannot be read begins anew: it is for people, and must not stop
// anything.
func AppendHistory(data map[string]string, entries ...Entry) map[string]string {
	if len(entries) == 0 {
		return data
	}
	h, err := ParseHistory(data)
	if newer := new(NewerSchemaError); errors.As(err, &newer) {
		return data
	}
	text, err := json.Marshal(h.With(entries...))
	if err != nil {
		return data
	}
	data = maps.Clone(data)
	if data == nil {
		data = map[string]string{}
	}
	data[HistoryKey] = string(text)
	return data
}

// ParseHistory reads an application's ConfigMap data. One without a history has
// an empty one.
func ParseHistory(data map[string]string) (History, error) {
	if _, ok := data[HistoryKey]; !ok {
		return History{Schema: HistorySchema}, nil
	}
	h, err := parse[History](HistoryKey, data, HistorySchema, func(h *History) int { return h.Schema })
	if err != nil {
		return History{Schema: HistorySchema}, err
	}
	return *h, nil
}

// Sentence says what the entry says, for an Event.
func (e Entry) Sentence() string {
	var b strings.Builder
	b.WriteString(e.what())
	switch e.Outcome {
	case OutcomeSucceeded:
		b.WriteString(" succeeded")
	case OutcomeFailed:
		b.WriteString(" failed")
	case OutcomeCancelled:
		b.WriteString(" was interrupted")
	}
	if e.Duration > 0 {
		fmt.Fprintf(&b, " after %s", e.Duration.Round(100*time.Millisecond))
	}
	if e.Reason != "" {
		b.WriteString(": " + oneLine(e.Reason, reasonLimit))
	}
	if run := e.Run.String(); run != "" {
		b.WriteString(" (" + run + ")")
	}
	return b.String()
}

func (e Entry) what() string {
	subject := e.Deployment
	if e.Version != "" && subject != "" {
		subject += " (version " + e.Version + ")"
	}
	switch e.Operation {
	case OperationPromote, OperationRollback:
		with := ""
		if e.Group != "" {
			with = fmt.Sprintf(" with the group %q", e.Group)
		}
		return fmt.Sprintf("%s from %s to %s%s", e.Operation, OrNothing(cmp.Or(e.From, e.Theirs)), OrNothing(cmp.Or(e.To, e.Theirs)), with)
	case OperationRemoveMain:
		return fmt.Sprintf("removal of the main address, which led to %s,", e.From)
	case OperationResume:
		if e.To == "" {
			return fmt.Sprintf("letting the change of %s go on, by %s,", e.Deployment, cmp.Or(e.By, "somebody"))
		}
		return fmt.Sprintf("letting the promotion from %s to %s go on, by %s,", OrNothing(e.From), OrNothing(e.To), cmp.Or(e.By, "somebody"))
	case OperationHold:
		return fmt.Sprintf("holding the promotion from %s to %s, by %s,", OrNothing(e.From), OrNothing(e.To), cmp.Or(e.By, "somebody"))
	case OperationSkip:
		return fmt.Sprintf("skipping what is left of the promotion from %s to %s, by %s,", OrNothing(e.From), OrNothing(e.To), cmp.Or(e.By, "somebody"))
	case OperationRetry:
		return fmt.Sprintf("letting %s be tried once more, by %s,", e.Deployment, cmp.Or(e.By, "somebody"))
	case OperationDeploy, OperationUpdate, OperationStop, OperationStart, OperationRestart, OperationCancel, OperationTerminate, OperationRetain, OperationCondemn, OperationCollect:
	}
	return fmt.Sprintf("%s of %s", e.Operation, subject)
}

// Warns says whether the entry's Event is a warning.
func (e Entry) Warns() bool { return e.Outcome != OutcomeSucceeded || e.Operation == OperationCondemn }

// oneLine is text without control characters and line breaks, cut to so many
// bytes.
func oneLine(text string, limit int) string {
	text = strings.ToValidUTF8(text, "")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit-len("…")], "") + "…"
	}
	return text
}
