package testcli

import (
	"encoding/json"
	"strings"
)

// Message is a line that a command with -json prints.
type Message struct {
	Type       string // such as diagnostic, planned_change, apply_start
	Diagnostic Diagnostic
	Change     Change
}

// Diagnostic is an error or a warning.
type Diagnostic struct{ Severity, Summary, Detail, Address string }

// Change is what is planned for a resource. No-ops are not told.
type Change struct {
	Resource struct{ Addr string }
	Action   string // such as create, update, delete, replace
}

// ParseMessage reads a line. What comes before -json is looked at, and the
// provider's log, is plain text: false.
func ParseMessage(line []byte) (m Message, ok bool) {
	return m, json.Unmarshal(line, &m) == nil
}

// Messages are those of a command.
type Messages []Message

// Messages are what the command has said until now.
func (x *Execution) Messages() Messages { return ParseMessages(x.Output()) }

// ParseMessages reads what a command with -json prints.
func ParseMessages(output string) (all Messages) {
	for line := range strings.Lines(output) {
		if m, ok := ParseMessage([]byte(line)); ok {
			all = append(all, m)
		}
	}
	return all
}

// Diagnostics are the errors and warnings.
func (all Messages) Diagnostics() (found []Diagnostic) {
	for _, m := range all {
		if m.Type == "diagnostic" {
			found = append(found, m.Diagnostic)
		}
	}
	return found
}

// Actions are what is planned, by the resources' addresses.
func (all Messages) Actions() map[string][]string {
	planned := map[string][]string{}
	for _, m := range all {
		if m.Type == "planned_change" {
			planned[m.Change.Resource.Addr] = append(planned[m.Change.Resource.Addr], m.Change.Action)
		}
	}
	return planned
}
