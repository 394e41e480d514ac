package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

// workspace is a directory with a configuration, in which a Terraform or an
// OpenTofu runs with the provider of this checkout.
type workspace struct {
	cli  devtools.CLI
	name string // terraform or tofu
	dir  string
	env  []string
}

// The examples that are shown.
const (
	quickstart    = "examples/quickstart"
	canaryExample = "examples/canary"
)

const providerVersion = "0.1.0" // any: it is the only one in the mirror

// newWorkspace builds the provider, copies an example's configuration, and initialises.
func newWorkspace(ctx context.Context, cli devtools.CLI, dir, example string, variables map[string]any) (*workspace, error) {
	root, err := devtools.Root()
	if err != nil {
		return nil, err
	}
	w := &workspace{cli: cli, name: "terraform", dir: filepath.Join(dir, "configuration")}
	if cli.Tofu {
		w.name = "tofu"
	}
	mirror := filepath.Join(dir, "providers")
	if err := buildProvider(ctx, root, mirror); err != nil {
		return nil, err
	}
	if err := os.CopyFS(w.dir, os.DirFS(filepath.Join(root, filepath.FromSlash(example)))); err != nil {
		return nil, err
	}
	if example == canaryExample {
		if err := os.WriteFile(filepath.Join(w.dir, "node_override.tf"), []byte(onTheNode), 0o600); err != nil {
			return nil, err
		}
	}
	// So that the same commands can be typed by hand.
	values, err := json.MarshalIndent(variables, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(w.dir, "terraform.tfvars.json"), values, 0o600); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "cli.tfrc")
	installation := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	if err := os.WriteFile(config, []byte(installation), 0o600); err != nil {
		return nil, err
	}
	// Settings of the reader's own must not get in: workspaces, arguments, values.
	w.env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "TF_") })
	w.env = append(w.env, "TF_CLI_CONFIG_FILE="+config, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1")
	err = w.run(ctx, nil, "init", "-input=false")
	return w, err
}

// buildProvider puts this checkout's provider where both CLIs' registries are
// mirrored.
func buildProvider(ctx context.Context, root, mirror string) error {
	for i, registry := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		dir := filepath.Join(mirror, registry, "switchback-dev", "switchback", providerVersion, runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		program := filepath.Join(dir, "terraform-provider-switchback_v"+providerVersion)
		if runtime.GOOS == "windows" {
			program += ".exe"
		}
		if i == 0 {
			say("Building the provider …")
		}
		build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-X main.version="+providerVersion, "-o", program, ".") // the second time it is in Go's cache
		build.Dir = root
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, output)
		}
	}
	return nil
}

// lines chooses what is shown of a command's output; nil shows nothing, unless
// the command fails.
type lines func(string) bool

func all(string) bool { return true }

// What matters of a plan: which resources, and whose id is whose.
var outline = regexp.MustCompile(`^(  # |Plan: |No changes|    *[-+~] (id|deployment_id|replicas) +=)`)

func outlined(line string) bool { return outline.MatchString(line) }

// What matters of a destroy.
var progress = regexp.MustCompile(`^(switchback_|Destroy complete|Error|Warning|│|╷|╵)`)

func destroyed(line string) bool { return progress.MatchString(line) }

// run runs a command and shows what show chooses of it.
func (w *workspace) run(ctx context.Context, show lines, args ...string) error {
	if show != nil {
		say("    $ %s %s", w.name, strings.Join(args, " "))
	}
	command := exec.CommandContext(ctx, w.cli.Path, append(args, "-no-color")...)
	command.Dir, command.Env = w.dir, w.env
	// On Ctrl-C the terminal tells Terraform too: let it end by itself.
	command.Cancel = func() error { return nil }
	command.WaitDelay = 15 * time.Second
	output, input := io.Pipe()
	command.Stdout, command.Stderr = input, input
	if err := command.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		err := command.Wait()
		_ = input.Close()
		done <- err
	}()
	var everything strings.Builder
	scanner := bufio.NewScanner(output)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		everything.WriteString(line + "\n")
		if show != nil && show(line) {
			say("    %s", line)
		}
	}
	if err := <-done; err != nil {
		if show == nil {
			say("%s", everything.String())
		}
		return &commandError{args: w.name + " " + args[0], err: err, output: everything.String()}
	}
	return nil
}

// commandError is a command that ended with an error, and what it said.
type commandError struct {
	args, output string
	err          error
}

func (e *commandError) Error() string { return fmt.Sprintf("%s: %v", e.args, e.err) }

func (e *commandError) Unwrap() error { return e.err }

// release plans and applies a version: the plan in outline, the apply in full.
func (w *workspace) release(ctx context.Context, version string) error {
	return w.planAndApply(ctx, version, outlined)
}

func (w *workspace) planAndApply(ctx context.Context, version string, show lines) error {
	if err := w.run(ctx, show, "plan", "-var", "app_version="+version, "-out", "next.tfplan"); err != nil {
		return err
	}
	return w.run(ctx, all, "apply", "next.tfplan")
}

// unchanged makes sure that a plan wants no resource changed. (Outputs may
// change: a failed apply leaves them at what was planned.)
func (w *workspace) unchanged(ctx context.Context, version string) error {
	var changes []string
	err := w.run(ctx, func(line string) bool {
		if strings.HasPrefix(line, "  # ") {
			changes = append(changes, line)
		}
		return quiet.MatchString(line)
	}, "plan", "-var", "app_version="+version)
	if err == nil && len(changes) > 0 {
		return fmt.Errorf("the plan should change no resource, but it says:\n%s", strings.Join(changes, "\n"))
	}
	return err
}

// What matters of a plan that changes nothing, or outputs alone.
var quiet = regexp.MustCompile(`^(No changes|Changes to Outputs|  # |  [-+~] |You can apply|state, without)`)
