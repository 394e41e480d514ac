package cost

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"

	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
)

// The providers that are compared.
const (
	Null      = "null"               // the least that the CLI needs for so many resources
	Logicless = "logicless"          // the least that it needs for resources of this shape
	Ours      = "switchback"         //
	Slow      = "switchback, slowly" // without its fast path
	Theirs    = "kubernetes"         //
)

// Names are what the page calls the providers, in its order.
var Names = []struct{ Provider, Text string }{
	{Null, "`null_resource`"},
	{Logicless, "this schema without logic"},
	{Ours, "**this provider**"},
	{Slow, "the same without its fast path"},
	{Theirs, "hashicorp/kubernetes"},
}

// What is done to the resources.
const (
	Create  = "create"
	Nothing = "plan without changes"
	Bump    = "version bump"
	Destroy = "destroy"
)

// Result is what one run of the benchmark found.
type Result struct {
	Machine     bench.Machine    `json:"machine"`
	CLI         string           `json:"cli"`         // such as Terraform 1.11.4
	Kubernetes  string           `json:"kubernetes"`  // such as v1.36.3
	Theirs      string           `json:"theirs"`      // the other provider's version; empty: it was not measured
	Parallelism int              `json:"parallelism"` // of applies
	Limit       bench.Duration   `json:"limit"`       // of a command
	Far         bench.Duration   `json:"far"`         // how much longer a request takes to a cluster that is far away
	Rows        []Row            `json:"rows"`
	DryRuns     []DryRun         `json:"dry_runs"`
	Starts      map[string]Start `json:"starts"` // by provider
}

// Case is one thing that was measured.
type Case struct {
	Provider string `json:"provider"`
	What     string `json:"what"`
	N        int    `json:"n"`   // resources of each kind
	Far      bool   `json:"far"` // the cluster is far away
}

// Row is what was measured of a case. Runs of one number, of different providers,
// followed each other.
type Row struct {
	Case
	Runs []Run `json:"runs"`
	Over bool  `json:"over"` // it took longer than the limit
}

// Run is one command.
type Run struct {
	Wall         bench.Duration `json:"wall"`
	CPU          bench.Duration `json:"cpu"` // of the CLI and the provider
	ProviderCPU  bench.Duration `json:"provider_cpu"`
	CLIPeak      int64          `json:"cli_peak"` // bytes
	ProviderPeak int64          `json:"provider_peak"`
	Requests     int            `json:"requests"` // to the API server
	Bytes        int64          `json:"bytes"`    // over the wire, both ways
	State        int64          `json:"state"`    // bytes of its file, afterwards
}

// DryRun is what the plan of a create asks of the API server.
type DryRun struct {
	N      int `json:"n"`
	With   int `json:"with"`    // all requests, with server_dry_run
	DryRun int `json:"dry_run"` // those of them that are dry runs
	Off    int `json:"off"`     // all requests, without
}

// Start is a provider that has nothing to do yet.
type Start struct {
	Schema []bench.Duration `json:"schema"` // from its start until it has sent its schema
	Idle   int64            `json:"idle"`   // bytes of memory after that
}

// Of is the row of a case; nil: it was not measured, or not to its end.
func (r Result) Of(c Case) *Row {
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Case == c && !row.Over && len(row.Runs) > 0 {
			return row
		}
	}
	return nil
}

// Over says that a case took longer than the limit.
func (r Result) Over(c Case) bool {
	return slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Case == c && row.Over })
}

// Sizes are how many resources were measured.
func (r Result) Sizes() []int {
	var all []int
	for _, row := range r.Rows {
		all = append(all, row.N)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Median is the figure in the middle.
func Median[T cmp.Ordered](values []T) (none T) {
	if len(values) == 0 {
		return none
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// Figure is the median of a figure of the runs.
func Figure[T cmp.Ordered](row *Row, of func(Run) T) T {
	values := make([]T, len(row.Runs))
	for i, run := range row.Runs {
		values[i] = of(run)
	}
	return Median(values)
}

// Ratio is the median of one row's figure by another's, run by run: what else the
// machine did hit both. It is 0 where one is missing.
func Ratio(a, b *Row, of func(Run) float64) float64 {
	if a == nil || b == nil {
		return 0
	}
	var all []float64
	for i := range min(len(a.Runs), len(b.Runs)) {
		if below := of(b.Runs[i]); below > 0 {
			all = append(all, of(a.Runs[i])/below)
		}
	}
	return Median(all)
}

// Write writes the result to a file.
func (r Result) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // anybody may read it
}

// Read reads what was written to a file.
func Read(path string) (r Result, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	return r, err
}

// Add adds a run of a case; nil: it has reached the limit.
func (r *Result) Add(c Case, run *Run) {
	at := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Case == c })
	if at < 0 {
		r.Rows, at = append(r.Rows, Row{Case: c}), len(r.Rows)
	}
	if run == nil {
		r.Rows[at].Over = true
		return
	}
	r.Rows[at].Runs = append(r.Rows[at].Runs, *run)
}
