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
	"path/filepath"
	"testing"

	_ "github.com/switchback-dev/terraform-provider-switchback/internal/provider" // built by a command: a result that Go has cached is not one of another provider
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// These tests mostly wait for dead holders' Leases to expire: more of them at
// once than there are processors is the only way to be done soon. A -parallel
// of the command line still wins.
const parallel = "8"

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
		built, err = testcli.Build(context.Background(), filepath.Join(dir, "released"), testcli.Options{})
	}
	if err = errors.Join(err, flag.Set("test.parallel", parallel)); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		return 1
	}
	return testcluster.Run(m)
}
