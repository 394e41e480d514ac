//go:build bench

package cost_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
	"github.com/switchback-dev/terraform-provider-switchback/test/cost"
)

// plotsAt is where the documentation finds the plots: registries show only what has
// an address of its own.
const plotsAt = "https://raw.githubusercontent.com/switchback-dev/terraform-provider-switchback/main/test/cost/plots"

// measurement is one run of the benchmark.
type measurement struct {
	t     *testing.T
	wire  *testcluster.Proxy
	found cost.Result
}

// TestCost measures the lives of more and more resources.
func TestCost(t *testing.T) {
	if *from != "" {
		found, err := cost.Read(*from)
		if err == nil {
			err = (&measurement{t: t, found: found}).publish()
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	c := testcluster.Shared(t)
	version, err := c.Client().Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	m := &measurement{t: t, wire: c.Proxy(t), found: cost.Result{
		Machine: here.machine, CLI: cliName(), Kubernetes: version.GitVersion, Parallelism: *parallelism,
		Limit: bench.Duration(*limit), Far: bench.Duration(*far), Starts: map[string]cost.Start{},
	}}
	if *others {
		m.found.Theirs = theirVersion
	}
	m.starts()
	for n := 1; n <= *most; n *= 10 {
		if n <= *farLives {
			m.lives(n, false, false)
			m.lives(n, true, true)
		} else {
			m.lives(n, false, false, true)
		}
		m.dryRuns(n)
	}
	if err := m.publish(); err != nil {
		t.Error(err)
	}
}

func (m *measurement) starts() {
	for name, program := range here.programs {
		var s cost.Start
		for range max(5, *plans) {
			took, idle, err := start(m.t.Context(), program)
			if err != nil {
				m.t.Fatalf("%s: %v", name, err)
			}
			s.Schema, s.Idle = append(s.Schema, took), max(s.Idle, idle)
		}
		m.found.Starts[name] = s
	}
}

// lives takes so many resources of each provider through their lives, on a cluster
// that is far away or not, and plans them from each of some distances.
func (m *measurement) lives(n int, away bool, from ...bool) {
	all := m.begin(n)
	each := func(do func(*life)) {
		for _, l := range all {
			do(l)
		}
	}
	each(func(l *life) { l.apply(cost.Create, "v1", away) })
	for _, far := range from {
		for round := range *plans {
			each(func(l *life) {
				if l.name != cost.Theirs || round < *theirPlans {
					l.run(cost.Nothing, far, "plan", "-detailed-exitcode")
				}
			})
		}
	}
	each(func(l *life) { l.apply(cost.Bump, "v2", away) })
	each(func(l *life) { l.destroy(away) })
}

// dryRuns counts what the plan of a create asks.
func (m *measurement) dryRuns(n int) {
	l := m.life(subject{name: cost.Ours, configure: ours}, n)
	d := cost.DryRun{N: n}
	plan := func() []testcluster.Request {
		l.Write(m.t, "main.tf", l.configure(l.setting))
		m.wire.Reset()
		m.wire.SetFault(nil)
		if x := l.Start(m.t, "plan", "-no-color", "-input=false"); x.Code() != 0 {
			m.t.Fatal(x.Wait())
		}
		return m.wire.Requests()
	}
	with := plan()
	d.With = len(with)
	d.DryRun = len(slices.DeleteFunc(with, func(r testcluster.Request) bool { return !r.DryRun() }))
	l.asks = false
	d.Off = len(plan())
	m.found.DryRuns = append(m.found.DryRuns, d)
}

// publish writes what was found to its files, and shows it. What is not complete
// does not get into the documentation.
func (m *measurement) publish() error {
	for _, path := range []string{filepath.Dir(*results), *plots} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	}
	if err := m.found.Write(*results); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, m.found.Tables(plotsAt))
	if m.t.Failed() {
		return nil
	}
	for _, p := range cost.Plots {
		if err := m.draw(p); err != nil {
			return err
		}
	}
	if *page == "" {
		return nil
	}
	return os.WriteFile(*page, []byte(m.found.Page(plotsAt)), 0o644) //nolint:gosec // it is documentation
}

func (m *measurement) draw(p cost.Plot) error {
	program, err := devtools.Plot.Build(m.t.Context(), os.Stderr)
	if err != nil {
		return err
	}
	command := exec.CommandContext(m.t.Context(), program, "-log", "-title", p.Title, "-x", "resources", "-y", p.Axis, "-out", filepath.Join(*plots, p.File))
	command.Stdin = strings.NewReader(m.found.Points(p))
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("draw %s: %w\n%s", p.File, err, output)
	}
	return nil
}

func cliName() string {
	if here.cli.Tofu {
		return "OpenTofu " + here.cli.Version
	}
	return "Terraform " + here.cli.Version
}
