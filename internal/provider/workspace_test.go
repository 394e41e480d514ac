package provider_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/coretest"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
)

// workspace is one in which the tests run the CLI as a user does. The provider
// runs in the test process, a new one for each command.
type workspace struct {
	*testcli.Workspace
	t *testing.T

	inCore bool // what coretest knows needs no CLI, see inprocess_test.go
}

func newWorkspace(t *testing.T) *workspace {
	t.Helper()
	w := &workspace{t: t}
	w.Workspace = testcli.New(t, testcli.Served(w.serve))
	return w
}

func (l *lab) workspace() *workspace { return newWorkspace(l.t) }

// builtDir is where the provider is built for the tests that use the program.
var builtDir string

var built = sync.OnceValues(func() (testcli.Provider, error) {
	return testcli.Build(context.Background(), builtDir, testcli.Options{Flags: []string{"-ldflags", "-s -w -X main.timing=patience=20s"}}) // as timing has it
})

// useProgram makes the workspace run the provider as users do: as a program of
// its own.
func (w *workspace) useProgram() {
	w.t.Helper()
	if w.inCore {
		w.t.Fatal("a program of its own is not known here: use the CLI")
	}
	p, err := built()
	if err != nil {
		w.t.Fatal(err)
	}
	w.Provider = p
}

// result is what a command said. Texts are those of -json's messages.
type result struct {
	t      *testing.T
	what   string
	failed bool
	diags  []testcli.Diagnostic
	// actions are planned, by the resource's address; those of no-ops are left out.
	actions map[string][]string
	text    string // everything it printed
}

// apply makes the configuration true, or fails the test.
func (w *workspace) apply(config string, args ...string) *result {
	w.t.Helper()
	r := w.tryApply(config, args...)
	if r.failed {
		w.t.Fatalf("%s failed:\n%s", r.what, r.messages("error"))
	}
	return r
}

// applyFails applies what cannot work, and fails the test if it does.
func (w *workspace) applyFails(config string) *result {
	w.t.Helper()
	r := w.tryApply(config)
	if !r.failed {
		w.t.Fatalf("%s succeeded; it should have failed\n%s", r.what, r.messages(""))
	}
	return r
}

// planFails plans what cannot work, and fails the test if it does.
func (w *workspace) planFails(config string) *result {
	w.t.Helper()
	w.write(config)
	r := w.run("plan", "-json", "-input=false", "-no-color")
	if !r.failed {
		w.t.Fatalf("%s succeeded; it should have failed\n%s", r.what, r.messages(""))
	}
	return r
}

func (w *workspace) tryApply(config string, args ...string) *result {
	w.t.Helper()
	w.write(config)
	return w.run(append([]string{"apply", "-json", "-auto-approve", "-input=false", "-no-color"}, args...)...)
}

// plan plans the configuration of the last apply, or of write.
func (w *workspace) plan() *result {
	w.t.Helper()
	r := w.run("plan", "-json", "-input=false", "-no-color")
	if r.failed {
		w.t.Fatalf("%s failed:\n%s", r.what, r.messages("error"))
	}
	return r
}

// wantNoChanges fails the test unless the plan is empty.
func (w *workspace) wantNoChanges() *result {
	w.t.Helper()
	r := w.plan()
	if len(r.actions) > 0 {
		w.t.Errorf("the plan is not empty: %v\n%s", r.actions, w.explain())
	}
	return r
}

// explain is the plan as people read it, for a failed test's log.
func (w *workspace) explain() string {
	_, text := w.exec("plan", "-input=false", "-no-color")
	return text
}

// refresh writes what the clusters have into the state.
func (w *workspace) refresh() *result {
	w.t.Helper()
	r := w.run("apply", "-refresh-only", "-json", "-auto-approve", "-input=false", "-no-color")
	if r.failed {
		w.t.Fatalf("%s failed:\n%s", r.what, r.messages("error"))
	}
	return r
}

func (w *workspace) destroy(args ...string) *result {
	w.t.Helper()
	r := w.run(append([]string{"destroy", "-json", "-auto-approve", "-input=false", "-no-color"}, args...)...)
	if r.failed {
		w.t.Fatalf("%s failed:\n%s", r.what, r.messages("error"))
	}
	return r
}

// do runs any command that has no -json, or fails the test.
func (w *workspace) do(args ...string) string {
	w.t.Helper()
	code, text := w.exec(args...)
	if code != 0 {
		w.t.Fatalf("%s failed:\n%s", strings.Join(args, " "), text)
	}
	return text
}

// write writes the configuration without doing anything about it.
func (w *workspace) write(config string) { w.t.Helper(); w.Write(w.t, "main.tf", config) }

// run runs a command with -json.
func (w *workspace) run(args ...string) *result {
	w.t.Helper()
	code, text := w.exec(args...)
	said := testcli.ParseMessages(text)
	r := &result{
		t: w.t, what: strings.Join(args, " "), failed: code != 0,
		diags: said.Diagnostics(), actions: said.Actions(), text: text,
	}
	if r.failed && len(r.diags) == 0 {
		w.t.Fatalf("%s failed:\n%s", r.what, text)
	}
	return r
}

// exec runs the CLI and returns its exit code and everything it printed.
func (w *workspace) exec(args ...string) (int, string) {
	w.t.Helper()
	if w.inCore && coretest.Knows(args...) {
		return w.execInCore(args...)
	}
	x := w.Start(w.t, args...)
	return x.Code(), x.Output()
}

// execInterrupted is exec with a Ctrl-C as soon as now returns.
func (w *workspace) execInterrupted(now func(), args ...string) (int, string) {
	w.t.Helper()
	x := w.Start(w.t, args...)
	now()
	if err := x.Signal(syscall.SIGINT); err != nil {
		w.t.Fatalf("%v: %v\n%s", args, err, x.Output())
	}
	return x.Code(), x.Output()
}

// serve starts a provider for one command and returns what tells the CLI where
// it is.
func (w *workspace) serve(ctx context.Context) (string, error) {
	server, err := newProviderServer(ctx)
	if err != nil {
		return "", err
	}
	where, closed := make(chan *plugin.ReattachConfig), make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		failed <- tf6server.Serve("registry.terraform.io/hashicorp/switchback", func() tfprotov6.ProviderServer { return server },
			tf6server.WithDebug(ctx, where, closed), tf6server.WithLoggingSink(w.t), tf6server.WithGoPluginLogger(hclog.NewNullLogger()))
	}()
	select {
	case err := <-failed:
		return "", err
	case at := <-where:
		return reattach(at)
	}
}

// reattach is the value of TF_REATTACH_PROVIDERS.
func reattach(at *plugin.ReattachConfig) (string, error) {
	type addr struct{ Network, String string }
	type config struct {
		Protocol        string
		ProtocolVersion int
		Pid             int
		Test            bool
		Addr            addr
	}
	all := map[string]config{}
	for _, registry := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		for _, namespace := range []string{"hashicorp", "switchback-dev"} { // that of no required_providers, and what examples say there
			all[registry+"/"+namespace+"/switchback"] = config{string(at.Protocol), at.ProtocolVersion, at.Pid, at.Test, addr{at.Addr.Network(), at.Addr.String()}}
		}
	}
	text, err := json.Marshal(all)
	return string(text), err
}

// What a result says.

func (r *result) messages(severity string) string {
	var b strings.Builder
	for _, d := range r.diags {
		if severity == "" || d.Severity == severity {
			fmt.Fprintf(&b, "%s: %s (%s)\n%s\n\n", d.Severity, d.Summary, d.Address, d.Detail)
		}
	}
	return b.String()
}

// says fails the test unless the errors, or warnings, have all these texts.
func (r *result) says(severity string, texts ...string) {
	r.t.Helper()
	messages := r.messages(severity)
	for _, text := range texts {
		if !strings.Contains(messages, text) {
			r.t.Errorf("%s: no %s says %q:\n%s", r.what, severity, text, r.messages(""))
		}
	}
}

func (r *result) warns(texts ...string) {
	r.t.Helper()
	r.says("warning", texts...)
}

func (r *result) tells(texts ...string) *result {
	r.t.Helper()
	r.says("error", texts...)
	return r
}

// silent fails the test if a warning has this text.
func (r *result) silent(text string) {
	r.t.Helper()
	if m := r.messages("warning"); strings.Contains(m, text) {
		r.t.Errorf("%s warns of %q, which is no news:\n%s", r.what, text, m)
	}
}

// calm fails the test if there is any warning of this resource.
func (r *result) calm(address string) *result {
	r.t.Helper()
	if m := r.messages("warning"); strings.Contains(m, "("+address+")") {
		r.t.Errorf("%s warns of %s:\n%s", r.what, address, m)
	}
	return r
}

// wantActions fails the test unless exactly these were planned: pairs of
// address and action.
func (r *result) wantActions(want ...string) {
	r.t.Helper()
	var got, expected []string
	for address, actions := range r.actions {
		for _, action := range actions {
			got = append(got, address+" "+action)
		}
	}
	for i := 0; i+1 < len(want); i += 2 {
		expected = append(expected, want[i]+" "+want[i+1])
	}
	slices.Sort(got)
	slices.Sort(expected)
	if !slices.Equal(got, expected) {
		r.t.Errorf("%s planned %q, want %q", r.what, got, expected)
	}
}

// The state.

func (w *workspace) stateText() string { w.t.Helper(); return w.StateText(w.t) }

// attributes of a resource by its address; nil where the state has none. deposed
// counts the objects that wait for their destroy.
func (w *workspace) attributes(address string) (attributes map[string]any, deposed int) {
	w.t.Helper()
	for _, i := range w.State(w.t).At(address) {
		if i.Deposed != "" {
			deposed++
		} else {
			attributes = i.Attributes
		}
	}
	return attributes, deposed
}

// wantState fails the test unless the state of a resource has these values:
// pairs of attribute and value, where a nil value is null.
func (w *workspace) wantState(address string, want ...any) {
	w.t.Helper()
	attributes, _ := w.attributes(address)
	if attributes == nil {
		w.t.Errorf("the state has no %s", address)
		return
	}
	for i := 0; i+1 < len(want); i += 2 {
		name := want[i].(string)
		if got := attributes[name]; fmt.Sprint(got) != fmt.Sprint(want[i+1]) {
			w.t.Errorf("%s of %s is %v in the state, want %v", name, address, got, want[i+1])
		}
	}
}

// wantAbsent fails the test if the state has the resource.
func (w *workspace) wantAbsent(address string) {
	w.t.Helper()
	if attributes, _ := w.attributes(address); attributes != nil {
		w.t.Errorf("the state has %s: %v", address, attributes["id"])
	}
}

// driftLine is one entry of `drift`.
type driftLine struct {
	Cluster, Object, Field, Expected, Actual, Manager string
}

// drift is that attribute of a resource in the state.
func (w *workspace) drift(address string) []driftLine {
	w.t.Helper()
	return read[struct{ Drift []driftLine }](w, address).Drift
}
