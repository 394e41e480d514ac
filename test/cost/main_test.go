//go:build bench

package cost_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
	"github.com/switchback-dev/terraform-provider-switchback/test/cost"
)

var (
	most        = flag.Int("resources", 100, "measures 1, 10, 100, … resources, up to so many")
	plans       = flag.Int("plans", 3, "how often a plan is measured")
	limit       = flag.Duration("limit", 10*time.Minute, "how long a command may take")
	far         = flag.Duration("far", 100*time.Millisecond, "how much longer a request takes to a cluster that is far away")
	farLives    = flag.Int("far-lives", 10, "up to so many resources are created and changed on one that is far away")
	parallelism = flag.Int("parallelism", 20, "-parallelism of applies")
	others      = flag.Bool("others", true, "measures hashicorp/kubernetes, too, whose provider is built")
	theirPlans  = flag.Int("their-plans", 1, "how often a plan of hashicorp/kubernetes is measured, which takes long")
	from        = flag.String("from", "", "measures nothing, and makes page and plots of this file")
	page        = flag.String("page", "", "also writes the documentation's page to this file")
	plots       = flag.String("plots", "artifacts", "the directory for the plots")
	results     = flag.String("results", "artifacts/cost.json", "the file for what was measured")
)

// theirVersion is in tools/kubernetesprovider.
const theirVersion = "1.13.4"

// here is what it is measured with and on.
var here struct {
	machine  bench.Machine
	cli      devtools.CLI
	programs map[string]string           // of providers, by name
	by       map[string]testcli.Provider // the same as commands have them
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if *from != "" {
		return m.Run()
	}
	here.machine = bench.ThisMachine() // before anything that we do ourselves
	dir, err := os.MkdirTemp("", "cost-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		return 1
	}
	return testcluster.Run(m)
}

// build makes the providers as they are released.
func build(ctx context.Context, dir string) error {
	root, err := devtools.Root()
	if err != nil {
		return err
	}
	here.programs, here.by = map[string]string{}, map[string]testcli.Provider{}
	for name, path := range map[string]string{cost.Ours: ".", cost.Logicless: "./internal/provider/floor/logicless", cost.Null: "./internal/provider/floor/null"} {
		program := filepath.Join(dir, name)
		command := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", program}, testcli.Released, []string{path})...)
		command.Dir, command.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", path, err, output)
		}
		here.programs[name] = program
	}
	elsewhere := map[string]string{"hashicorp/null": here.programs[cost.Null]}
	if *others {
		if here.programs[cost.Theirs], err = devtools.KubernetesProvider.Build(ctx, os.Stderr); err != nil {
			return err
		}
		elsewhere["hashicorp/kubernetes"] = here.programs[cost.Theirs]
	}
	ours, err1 := testcli.Build(ctx, filepath.Join(dir, "ours"), testcli.Options{Built: here.programs[cost.Ours], Others: elsewhere})
	logicless, err2 := testcli.Build(ctx, filepath.Join(dir, "without-logic"), testcli.Options{Built: here.programs[cost.Logicless]})
	here.by = map[string]testcli.Provider{cost.Null: ours, cost.Logicless: logicless, cost.Ours: ours, cost.Slow: ours, cost.Theirs: ours}
	var err3 error
	here.cli, err3 = testcli.CLI()
	return errors.Join(err1, err2, err3)
}
