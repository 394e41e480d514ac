package provider_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

// workspace is one directory with one configuration and one state, in which
// the tests run the CLI as a user does. The provider runs in the test process,
// a new one for each command.
type workspace struct {
	t   *testing.T
	dir string

	// configFile is a CLI configuration that says where the provider's program
	// is; empty: the provider runs in the test process.
	configFile string
	env        []string
}

func newWorkspace(t *testing.T) *workspace {
	t.Helper()
	return &workspace{t: t, dir: t.TempDir()}
}

func (l *lab) workspace() *workspace { return newWorkspace(l.t) }

// result is what a command said. Texts are those of -json's messages.
type result struct {
	t      *testing.T
	what   string
	failed bool
	diags  []diagnostic
	// actions are planned, by the resource's address; those of no-ops are left out.
	actions map[string][]string
	text    string // everything it printed
}

type diagnostic struct {
	Severity, Summary, Detail, Address string
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
func (w *workspace) write(config string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "main.tf"), []byte(config), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// run runs a command with -json.
func (w *workspace) run(args ...string) *result {
	w.t.Helper()
	code, text := w.exec(args...)
	r := &result{t: w.t, what: strings.Join(args, " "), failed: code != 0, actions: map[string][]string{}, text: text}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var message struct {
			Type       string
			Diagnostic diagnostic
			Change     struct {
				Resource struct{ Addr string }
				Action   string
			}
		}
		if json.Unmarshal(lines.Bytes(), &message) != nil {
			// Before -json is looked at, and from the provider's log: plain text.
			continue
		}
		switch message.Type {
		case "diagnostic":
			r.diags = append(r.diags, message.Diagnostic)
		case "planned_change":
			r.actions[message.Change.Resource.Addr] = append(r.actions[message.Change.Resource.Addr], message.Change.Action)
		}
	}
	if r.failed && len(r.diags) == 0 {
		w.t.Fatalf("%s failed:\n%s", r.what, text)
	}
	return r
}

// exec runs the CLI and returns its exit code and everything it printed.
func (w *workspace) exec(args ...string) (int, string) {
	w.t.Helper()
	return w.execInterrupted(nil, args...)
}

// execInterrupted is exec with a Ctrl-C as soon as now returns; nil means none.
func (w *workspace) execInterrupted(now func(), args ...string) (int, string) {
	w.t.Helper()
	cli, err := terraformCLI()
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.t.Context())
	defer stop()
	command := exec.CommandContext(ctx, cli.Path, args...)
	command.Dir = w.dir
	command.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "KUBE") || strings.HasPrefix(v, "TF_LOG")
	}), "TF_IN_AUTOMATION=1")
	command.Env = append(command.Env, w.env...)
	if w.configFile == "" {
		command.Env = append(command.Env, "TF_REATTACH_PROVIDERS="+w.serve(ctx))
	} else {
		command.Env = append(command.Env, "TF_CLI_CONFIG_FILE="+w.configFile)
	}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err = command.Start()
	if err == nil && now != nil {
		now()
		err = command.Process.Signal(os.Interrupt)
	}
	if err == nil {
		err = command.Wait()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return command.ProcessState.ExitCode(), output.String()
}

// serve starts a provider for one command and returns what tells the CLI where
// it is.
func (w *workspace) serve(ctx context.Context) string {
	w.t.Helper()
	server, err := newProviderServer()
	if err != nil {
		w.t.Fatal(err)
	}
	where, closed := make(chan *plugin.ReattachConfig), make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		failed <- tf6server.Serve("registry.terraform.io/hashicorp/switchback", func() tfprotov6.ProviderServer { return server },
			tf6server.WithDebug(ctx, where, closed), tf6server.WithLoggingSink(w.t), tf6server.WithGoPluginLogger(hclog.NewNullLogger()))
	}()
	select {
	case err := <-failed:
		w.t.Fatalf("start the provider: %v", err)
	case at := <-where:
		type addr struct{ Network, String string }
		type reattach struct {
			Protocol        string
			ProtocolVersion int
			Pid             int
			Test            bool
			Addr            addr
		}
		config := reattach{string(at.Protocol), at.ProtocolVersion, at.Pid, at.Test, addr{at.Addr.Network(), at.Addr.String()}}
		text, err := json.Marshal(map[string]reattach{
			"registry.terraform.io/hashicorp/switchback": config,
			"registry.opentofu.org/hashicorp/switchback": config,
			// What examples say in required_providers.
			"registry.terraform.io/switchback-dev/switchback": config,
			"registry.opentofu.org/switchback-dev/switchback": config,
		})
		if err != nil {
			w.t.Fatal(err)
		}
		return string(text)
	}
	return ""
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

type stateFile struct {
	Resources []struct {
		Type, Name string
		Instances  []struct {
			IndexKey   any `json:"index_key"`
			Deposed    string
			Status     string
			Attributes map[string]any
		}
	}
}

func (w *workspace) stateText() string {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join(w.dir, "terraform.tfstate"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(content)
}

// attributes of a resource by its address; nil where the state has none. deposed
// counts the objects that wait for their destroy.
func (w *workspace) attributes(address string) (attributes map[string]any, deposed int) {
	w.t.Helper()
	var state stateFile
	text := w.stateText()
	if text == "" {
		return nil, 0
	}
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		w.t.Fatal(err)
	}
	for _, r := range state.Resources {
		for _, instance := range r.Instances {
			at := r.Type + "." + r.Name
			if instance.IndexKey != nil {
				at += fmt.Sprintf("[%q]", instance.IndexKey)
			}
			switch {
			case at != address:
			case instance.Deposed != "":
				deposed++
			default:
				attributes = instance.Attributes
			}
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
	attributes, _ := w.attributes(address)
	text, err := json.Marshal(attributes["drift"])
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []driftLine
	if err := json.Unmarshal(text, &lines); err != nil {
		w.t.Fatal(err)
	}
	return lines
}
