//go:build bench

package bench_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
)

var (
	repetitions  = flag.Int("repetitions", 5, "how often each failure is measured")
	theirs       = flag.Int("theirs", 1, "how often each failure is shown to hashicorp/kubernetes; 0: its provider is not built")
	theirTimeout = flag.Duration("their-timeout", time.Minute, "timeouts.create of hashicorp/kubernetes")
	grace        = flag.Duration("grace", 2*time.Second, "health.fail_fast_grace, where that ends the wait")
	limit        = flag.Duration("limit", 10*time.Second, "health.progress_deadline, where that ends the wait")
	atOnce       = flag.Int("at-once", 4, "how many applies of ours go on at once; theirs as many again")
	only         = flag.String("only", "", "names of failures, separated by commas; default: all")
	page         = flag.String("page", "", "also writes the documentation's page to this file")
	results      = flag.String("results", "artifacts/diagnosis.json", "the file for what was measured")
)

// here is what it is measured with and on.
var here struct {
	machine   bench.Machine
	cli       devtools.CLI
	providers testcli.Provider // both
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	here.machine = bench.ThisMachine() // before anything that we do ourselves
	dir, err := os.MkdirTemp("", "bench-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		if err = testnode.Check(); err == nil {
			err = build(context.Background(), dir)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return testnode.Run(m)
}

// build makes the providers as they are released.
func build(ctx context.Context, dir string) error {
	o := testcli.Options{Flags: testcli.Released, Others: map[string]string{}}
	if *theirs > 0 {
		program, err := devtools.KubernetesProvider.Build(ctx, os.Stderr)
		if err != nil {
			return err
		}
		o.Others["hashicorp/kubernetes"] = program
	}
	var err1, err2 error
	here.providers, err1 = testcli.Build(ctx, dir, o)
	here.cli, err2 = testcli.CLI()
	return errors.Join(err1, err2)
}
