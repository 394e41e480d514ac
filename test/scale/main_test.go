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
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

var (
	clusters     = flag.Int("clusters", 2, "how many clusters; each takes about half a gigabyte")
	applications = flag.Int("applications", 5, "how many applications, all of them on every cluster")
	delay        = flag.Duration("delay", 0, "how much longer every request takes, as if the clusters were far away")
	plans        = flag.Int("plans", 5, "how often a plan is measured")
)

// built is the provider as it is released.
var built testcli.Provider

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "scale-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		built, err = testcli.Build(context.Background(), dir, testcli.Options{Flags: testcli.Released})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		return 1
	}
	return testcluster.Run(m)
}
