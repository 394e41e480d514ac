package testcli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// stateFile is where the CLI keeps the state.
const stateFile = "terraform.tfstate"

// State is what is known of resources and data sources.
type State struct{ Resources []Resource }

// Resource is a block of the configuration.
type Resource struct {
	Mode       string // managed or data
	Type, Name string
	Instances  []Instance
}

// Instance is one object of a block.
type Instance struct {
	Key        any    `json:"index_key"` // of for_each or count; nil: there is neither
	Status     string // tainted; empty: it is not
	Deposed    string // key of an object that waits for its destroy; empty: it is the current one
	Attributes map[string]any
}

// StateText is the state as it is written; empty: there is none.
func (w *Workspace) StateText(t testing.TB) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(w.Dir, stateFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(content)
}

// State is the state; empty: there is none.
func (w *Workspace) State(t testing.TB) (s State) {
	t.Helper()
	if text := w.StateText(t); text != "" {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("read the state: %v", err)
		}
	}
	return s
}

// At are the instances at an address, such as switchback_deployment.api or
// switchback_deployment.api["east"]: the current one, and those that are deposed.
// The address of a data source does not begin with data.
func (s State) At(address string) (found []Instance) {
	for _, r := range s.Resources {
		for _, i := range r.Instances {
			if r.Type+"."+r.Name+i.index() == address {
				found = append(found, i)
			}
		}
	}
	return found
}

// index is the end of the instance's address.
func (i Instance) index() string {
	switch key := i.Key.(type) {
	case nil:
		return ""
	case string:
		return fmt.Sprintf("[%q]", key)
	default:
		return fmt.Sprintf("[%v]", key)
	}
}

// Text is an attribute that is a text; empty where it is null, or none.
func (i Instance) Text(attribute string) string {
	text, _ := i.Attributes[attribute].(string)
	return text
}

// Decode reads the attributes into what has fields for them.
func (i Instance) Decode(into any) error {
	text, err := json.Marshal(i.Attributes)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
