//go:build e2e

// Package e2e_test tests on a real cluster: containers that run, probes that
// probe, and traffic that goes through kube-proxy. It needs root on Linux:
// make e2e.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// holdEnv makes the test's program one that starts a cluster, prints its
// directory and does nothing more: a process for a test to kill.
const holdEnv = "SWITCHBACK_E2E_HOLD"

func TestMain(m *testing.M) {
	if err := testnode.Check(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	if os.Getenv(holdEnv) != "" {
		os.Exit(hold())
	}
	os.Exit(testnode.Run(m))
}

func hold() int {
	c, err := testnode.Up(context.Background(), testnode.Options{}, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, c.Dir)
	select {} // until killed
}
