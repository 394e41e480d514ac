package provider_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/coretest"
)

// A workspace in this process is for the semantics of plans, states and
// diagnostics: it speaks to the provider as Terraform does, and takes
// milliseconds. What coretest does not know, such as taint or output, and what is
// interrupted, runs through the CLI all the same, on the same state.

func newInProcess(t *testing.T) *workspace {
	t.Helper()
	w := newWorkspace(t)
	w.inCore = true
	return w
}

func (l *lab) inProcess() *workspace { return newInProcess(l.t) }

// throughCLI is the same directory with everything run by the CLI.
func (w *workspace) throughCLI() *workspace {
	other := *w
	other.inCore = false
	return &other
}

// execInCore runs a command that coretest knows.
func (w *workspace) execInCore(args ...string) (int, string) {
	w.t.Helper()
	if len(w.Env) > 0 {
		w.t.Fatal("an environment of its own is not known here: use the CLI")
	}
	cli, err := terraformCLI()
	if err != nil {
		w.t.Fatal(err)
	}
	core := coretest.Core{Address: "registry.terraform.io/hashicorp/switchback", Serve: newProviderServer}
	if cli.Tofu {
		core.Address = "registry.opentofu.org/hashicorp/switchback"
	}
	code, text, err := core.Run(w.t.Context(), w.Dir, args...)
	if err != nil {
		w.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return code, text
}

// plannedValue is what a command in this process has planned for a resource's
// attribute, and whether that is known.
func (r *result) plannedValue(address, attribute string) (value any, known bool) {
	r.t.Helper()
	for _, m := range r.messagesOf("planned_change") {
		if m.Change.Resource.Addr != address || m.Change.Action == "delete" {
			continue
		}
		value, known = m.Change.After[attribute]
		if !known && !slices.Contains(m.Change.Unknown, attribute) {
			break
		}
		return value, known
	}
	r.t.Fatalf("%s planned nothing for %s of %s", r.what, attribute, address)
	return nil, false
}

// wantPlanned fails the test unless an attribute is planned to be this; nil
// stands for what is known after the apply.
func (r *result) wantPlanned(address, attribute string, want any) {
	r.t.Helper()
	got, known := r.plannedValue(address, attribute)
	if known != (want != nil) || known && fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%s of %s is planned %v (known: %t), want %v", attribute, address, got, known, want)
	}
}

// wantPlannedOutput is the same of an output.
func (r *result) wantPlannedOutput(name string, want any) {
	r.t.Helper()
	said := r.messagesOf("outputs")
	if len(said) == 0 {
		r.t.Fatalf("%s has no outputs", r.what)
	}
	output, there := said[0].Planned[name]
	if !there || output.Unknown != (want == nil) || !output.Unknown && fmt.Sprint(output.Value) != fmt.Sprint(want) {
		r.t.Errorf("the output %s is planned %+v, want %v", name, output, want)
	}
}

type coreMessage struct {
	Type   string
	Change struct {
		Resource struct{ Addr string }
		Action   string
		After    map[string]any
		Unknown  []string
	}
	Planned map[string]struct {
		Value   any
		Unknown bool
	}
}

func (r *result) messagesOf(kind string) (found []coreMessage) {
	r.t.Helper()
	lines := bufio.NewScanner(strings.NewReader(r.text))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var m coreMessage
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			r.t.Fatalf("%s: %v", lines.Text(), err)
		}
		if m.Type == kind {
			found = append(found, m)
		}
	}
	return found
}
