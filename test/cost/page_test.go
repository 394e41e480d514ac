package cost_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
	"github.com/switchback-dev/terraform-provider-switchback/test/cost"
)

// took is a run whose times are so many milliseconds, of which the provider had a
// quarter of the processors'.
func took(wall, cpu, requests int) *cost.Run {
	ms := func(n int) bench.Duration { return bench.Duration(time.Duration(n) * time.Millisecond) }
	return &cost.Run{
		Wall: ms(wall), CPU: ms(cpu), ProviderCPU: ms(cpu / 4), CLIPeak: int64(wall) << 20, ProviderPeak: 50 << 20,
		Requests: requests, Bytes: 12345, State: 67890,
	}
}

func result() cost.Result {
	r := cost.Result{
		Machine: bench.Machine{Processors: 2, Memory: 24, Load: 0.1},
		CLI:     "Terraform 1.11.4", Kubernetes: "v1.36.3", Theirs: "1.13.4",
		Parallelism: 20, Limit: bench.Duration(10 * time.Minute), Far: bench.Duration(100 * time.Millisecond),
		DryRuns: []cost.DryRun{{N: 10, With: 25, DryRun: 20, Off: 5}},
		Starts:  map[string]cost.Start{cost.Ours: {Schema: []bench.Duration{bench.Duration(90 * time.Millisecond)}, Idle: 40 << 20}},
	}
	plan := func(provider string, far bool) cost.Case {
		return cost.Case{Provider: provider, What: cost.Nothing, N: 10, Far: far}
	}
	// The machine is slower from run to run: ratios do not see it.
	for at, slow := range []int{1, 2, 4} {
		r.Add(plan(cost.Null, false), took(100*slow, 200*slow, 0))
		r.Add(plan(cost.Logicless, false), took(150*slow, 300*slow, 0))
		r.Add(plan(cost.Ours, false), took(300*slow+at, 800*slow, 4))
		r.Add(plan(cost.Ours, true), took(700*slow, 800*slow, 4))
		r.Add(plan(cost.Theirs, false), took(900*slow, 1600*slow, 40))
	}
	r.Add(cost.Case{Provider: cost.Ours, What: cost.Create, N: 10}, took(2000, 4000, 95))
	r.Add(cost.Case{Provider: cost.Theirs, What: cost.Create, N: 10}, took(4000, 4000, 120))
	r.Add(cost.Case{Provider: cost.Theirs, What: cost.Bump, N: 10, Far: true}, nil)
	return r
}

func TestPageSaysWhatWasMeasured(t *testing.T) {
	t.Parallel()
	page := result().Page("https://example.com/plots")
	for _, line := range []string{
		"up to 10 deployments",
		"hashicorp/kubernetes 1.13.4, the last release",
		"Terraform 1.11.4 and Kubernetes v1.36.3 on one machine with 2 processors and 24 GB",
		"It did nothing else.",
		"![A plan without changes: CPU seconds of the CLI and the provider](https://example.com/plots/plan-cpu.svg)",
		"| 10 | `null_resource` | 0.20 | 0.30 | 0.10 | 200 MB | 50 MB | 0 | 12.3 KB | 67.9 KB |",
		"| 10 | **this provider** | 0.60 | 1.20 | 0.40 | 601 MB | 50 MB | 4 | 12.3 KB | 67.9 KB |",
		"| 10 | this schema without logic / `null_resource` | 1.50 | 1.50 | 1.50 |",
		"| 10 | this provider / `null_resource` | 3.00 | 4.00 | 3.00 |",
		"| 10 | hashicorp/kubernetes / this provider | 3.00 | 2.00 | 3.00 |",
		"every request takes 100ms longer",
		"| 10 | **this provider** | 1.40 | 0.60 | 4 |",
		"| 10 | create | **this provider** | 2.00 | 3.00 | 1.00 | 2000 MB | 50 MB | 95 | 9.5 | 12.3 KB |",
		"| 10 | version bump, far away | hashicorp/kubernetes | more than 10m |",
		"| 10 | 25 | 20 | 5 |",
		"| **this provider** | 90 ms | 40 MB |",
	} {
		if !strings.Contains(page, line) {
			t.Errorf("the page does not say %q:\n%s", line, page)
		}
	}
	if strings.Contains(page, "without the fast path /") {
		t.Errorf("the page has a ratio of what was not measured:\n%s", page)
	}
}

func TestPlotsHaveOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"plan-cpu.svg":        "point,10,null_resource,0.4\npoint,10,this schema without logic,0.6\npoint,10,this provider,1.6\npoint,10,hashicorp/kubernetes,3.2\n",
		"plan-requests.svg":   "point,10,this provider,4\npoint,10,hashicorp/kubernetes,40\n",
		"create-requests.svg": "point,10,this provider,95\npoint,10,hashicorp/kubernetes,120\n",
	}
	for _, p := range cost.Plots {
		if got := result().Points(p); got != want[p.File] {
			t.Errorf("%s has\n%swant\n%s", p.File, got, want[p.File])
		}
	}
}

func TestWhatMetItsLimitIsNotMeasured(t *testing.T) {
	t.Parallel()
	r, c := cost.Result{}, cost.Case{Provider: cost.Ours, What: cost.Create, N: 1}
	r.Add(c, took(1, 1, 1))
	if r.Of(c) == nil || r.Over(c) {
		t.Error("what was measured is not there")
	}
	r.Add(c, nil)
	if r.Of(c) != nil || !r.Over(c) {
		t.Error("what met its limit has figures")
	}
	if got := cost.Ratio(r.Of(c), r.Of(c), func(u cost.Run) float64 { return float64(u.Wall) }); got != 0 {
		t.Errorf("the ratio of nothing is %f", got)
	}
}

func TestResultIsReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cost.json")
	if err := result().Write(path); err != nil {
		t.Fatal(err)
	}
	if again, err := cost.Read(path); err != nil || again.Page("") != result().Page("") {
		t.Errorf("what was read again is %+v, %v", again, err)
	}
}
