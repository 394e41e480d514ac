package testcli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

// CLI is the terraform or tofu of all tests. It is found, or built, once.
func CLI() (devtools.CLI, error) { return cli() }

var cli = sync.OnceValues(func() (devtools.CLI, error) { return devtools.TerraformCLI(context.Background(), os.Stderr) })

// addresses are what configurations call the provider. The second one is what
// they mean that name no source.
var addresses = []string{"switchback-dev/switchback", "hashicorp/switchback"}

// Provider is how commands come by the provider. The zero value is none.
type Provider struct {
	config string // path of the CLI configuration; empty: none
	serve  func(context.Context) (string, error)
}

// Served is a provider in the test process. For each command, serve starts one
// that lives as long as its context, and returns the value for TF_REATTACH_PROVIDERS.
func Served(serve func(context.Context) (reattach string, err error)) Provider {
	return Provider{serve: serve}
}

// Options say what is built.
type Options struct {
	Flags  []string          // of go build, such as -tags
	Built  string            // path of a provider that is there already, and taken in place of this one
	Others map[string]string // programs of further providers, by address, such as hashicorp/kubernetes
}

// Released are the flags of go build for a provider like those that are released.
var Released = []string{"-trimpath", "-ldflags", "-s -w"}

// idsEnv names the file in which provider processes write their ids.
const idsEnv = "SWITCHBACK_TEST_PROVIDERS"

// Build builds the provider into a directory. The CLI starts it, as it does the
// others, through a script that writes its process id down and becomes it: that is
// how an [Execution] finds the process. What is slow is done here, not in a test: the CLI, too, is
// there afterwards.
func Build(ctx context.Context, dir string, o Options) (Provider, error) {
	root, err := devtools.Root()
	if err != nil {
		return Provider{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Provider{}, err
	}
	program := o.Built
	if program == "" {
		program = filepath.Join(dir, "provider")
		command := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", program}, o.Flags, []string{"."})...)
		command.Dir, command.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if output, err := command.CombinedOutput(); err != nil {
			return Provider{}, fmt.Errorf("build the provider: %w\n%s", err, output)
		}
	}
	programs := maps.Clone(o.Others)
	if programs == nil {
		programs = map[string]string{}
	}
	programs[addresses[0]] = program
	for address, program := range programs {
		script := fmt.Sprintf("#!/bin/sh\necho $$ >>\"$%s\"\nexec '%s' \"$@\"\n", idsEnv, program)
		if err := os.WriteFile(filepath.Join(dir, "terraform-provider-"+path.Base(address)), []byte(script), 0o700); err != nil {
			return Provider{}, err
		}
	}
	p := Provider{config: filepath.Join(dir, "cli.tfrc")}
	if err := os.WriteFile(p.config, []byte(overrides(dir, slices.Concat(addresses, slices.Sorted(maps.Keys(o.Others))))), 0o600); err != nil {
		return Provider{}, err
	}
	_, err = CLI()
	return p, err
}

// overrides is a CLI configuration by which providers are taken from a directory.
func overrides(dir string, addresses []string) string {
	var b strings.Builder
	b.WriteString("provider_installation {\n  dev_overrides {\n")
	for _, address := range addresses {
		fmt.Fprintf(&b, "    %q = %q\n", address, dir)
	}
	b.WriteString("  }\n  direct {}\n}\n")
	return b.String()
}

// environment is that of a command: the test's own, with what leads to the
// provider and with more. Settings of whoever runs the tests must not get in:
// they would make it another command, or show the provider another cluster.
func (p Provider) environment(ctx context.Context, more ...string) ([]string, error) {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "TF_") || strings.HasPrefix(v, "KUBE") })
	env = append(env, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE="+cmp.Or(p.config, os.DevNull))
	if p.serve != nil {
		reattach, err := p.serve(ctx)
		if err != nil {
			return nil, fmt.Errorf("serve the provider: %w", err)
		}
		env = append(env, "TF_REATTACH_PROVIDERS="+reattach)
	}
	return append(env, more...), nil
}
