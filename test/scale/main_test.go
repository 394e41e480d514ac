//go:build scale

// Package scale_test measures what one run costs over many clusters: a real CLI
// and the built provider against many simulated control planes. It is no test of
// speed, which is the machine's, and fails only where something is wrong:
// make scale.
package scale_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

var (
	clusters     = flag.Int("clusters", 2, "how many clusters; each takes about half a gigabyte")
	applications = flag.Int("applications", 5, "how many applications, all of them on every cluster")
	delay        = flag.Duration("delay", 0, "how much longer every request takes, as if the clusters were far away")
	plans        = flag.Int("plans", 5, "how often a plan is measured")

	cli       devtools.CLI
	overrides string // directory with what stands in for an installed provider
)

// providersEnv names the file in which provider processes write their ids.
const providersEnv = "SWITCHBACK_TEST_PROVIDERS"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "scale-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		overrides, err = dir, build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		return 1
	}
	return testcluster.Run(m)
}

// build makes the provider as it is released, and a script that the CLI starts
// in its place, which writes its process id down and becomes it.
func build(ctx context.Context, dir string) error {
	root, err := devtools.Root()
	if err != nil {
		return err
	}
	program := filepath.Join(dir, "provider")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	command.Dir, command.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the provider: %w\n%s", err, output)
	}
	script := fmt.Sprintf("#!/bin/sh\necho $$ >>\"$%s\"\nexec '%s' \"$@\"\n", providersEnv, program)
	if err := os.WriteFile(filepath.Join(dir, "terraform-provider-switchback"), []byte(script), 0o700); err != nil {
		return err
	}
	cli, err = devtools.TerraformCLI(ctx, os.Stderr)
	return err
}
