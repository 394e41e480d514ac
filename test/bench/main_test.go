//go:build bench

package bench_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
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
	cli       devtools.CLI
	machine   bench.Machine
	overrides string // the CLI's configuration, with both providers
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	here.machine = machine() // before anything that we do ourselves
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

// machine is what the system tells; zeros where it does not.
func machine() bench.Machine {
	m := bench.Machine{Processors: runtime.NumCPU()}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(text), &m.Load)
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		_, rest, _ := strings.Cut(string(text), "MemTotal:")
		var kib int
		_, _ = fmt.Sscan(rest, &kib)
		m.Memory = (kib + 1<<19) >> 20
	}
	return m
}

// build makes the providers as they are released.
func build(ctx context.Context, dir string) error {
	root, err := devtools.Root()
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "terraform-provider-switchback"), ".")
	command.Dir, command.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the provider: %w\n%s", err, output)
	}
	if *theirs > 0 {
		program, err := devtools.KubernetesProvider.Build(ctx, os.Stderr)
		if err != nil {
			return err
		}
		if err := os.Symlink(program, filepath.Join(dir, "terraform-provider-kubernetes")); err != nil {
			return err
		}
	}
	here.overrides = filepath.Join(dir, "cli.tfrc")
	if err := os.WriteFile(here.overrides, fmt.Appendf(nil, `provider_installation {
  dev_overrides {
    "switchback-dev/switchback" = %[1]q
    "hashicorp/kubernetes"      = %[1]q
  }
  direct {}
}
`, dir), 0o600); err != nil {
		return err
	}
	here.cli, err = devtools.TerraformCLI(ctx, os.Stderr)
	return err
}
