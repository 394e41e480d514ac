// Package faults_test breaks the provider from outside: a real terraform or
// tofu runs the built provider against a real API server, and processes are
// killed, signalled and cut off at every instant that matters. What must hold
// afterwards is always the same: one clean apply converges, the next plan is
// empty, nothing is orphaned or doubled, and the main address never lost its
// last ready pod.
package faults_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/switchback-dev/terraform-provider-switchback/internal/provider" // built by a command: a result that Go has cached is not one of another provider
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// built is the provider of workspaces, in programs.
var (
	built    testcli.Provider
	programs string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "faults-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		programs = dir
		built, err = testcli.Build(context.Background(), filepath.Join(dir, "released"), testcli.Options{Flags: []string{"-ldflags", "-s -w"}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		return 1
	}
	return testcluster.Run(m)
}
