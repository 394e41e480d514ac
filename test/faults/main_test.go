// Package faults_test breaks the provider from outside: a real terraform or
// tofu runs the built provider against a real API server, and processes are
// killed, signalled and cut off at every instant that matters. What must hold
// afterwards is always the same: one clean apply converges, the next plan is
// empty, nothing is orphaned or doubled, and the main address never lost its
// last ready pod.
package faults_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	_ "github.com/switchback-dev/terraform-provider-switchback/internal/provider" // built by a command: a result that Go has cached is not one of another provider
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// These tests mostly wait for dead holders' Leases to expire: more of them at
// once than there are processors is the only way to be done soon. A -parallel
// of the command line still wins.
const parallel = "8"

var (
	cli       devtools.CLI
	overrides string // directory with what stands in for an installed provider
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "faults-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		overrides = dir
		err = errors.Join(flag.Set("test.parallel", parallel), build(context.Background(), dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		return 1
	}
	return testcluster.Run(m)
}

// build makes the provider and finds the CLI. The CLI starts the provider
// through a script that writes its process id down and becomes it: that is how
// tests find the process to kill.
func build(ctx context.Context, dir string) error {
	root, err := devtools.Root()
	if err != nil {
		return err
	}
	program := filepath.Join(dir, "provider")
	command := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	command.Dir = root
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
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
