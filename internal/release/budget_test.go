package release_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func seconds(n ...float64) []time.Duration {
	all := make([]time.Duration, len(n))
	for i, s := range n {
		all[i] = time.Duration(s * float64(time.Second))
	}
	return all
}

// took is a cluster's total, then queue, image pull and startup; below zero is
// not known.
func took(total, queue, pull, startup float64) release.Durations {
	part := func(s float64) *time.Duration {
		if s < 0 {
			return nil
		}
		return &seconds(s)[0]
	}
	return release.Durations{Total: seconds(total)[0], Queue: part(queue), ImagePull: part(pull), Startup: part(startup)}
}

func TestDurationBudget(t *testing.T) {
	for _, tc := range []struct {
		name   string
		budget release.DurationBudget
		whole  float64
		spent  map[string]release.Spent
		want   string // empty: it is kept; else what the sentences have, divided by |
	}{
		{"none", release.DurationBudget{}, 3600, map[string]release.Spent{"a": {Durations: took(3600, 1, 1, 1)}}, ""},
		{"kept", release.DurationBudget{Total: time.Minute}, 60, map[string]release.Spent{"a": {Durations: took(60, 1, 48, 6)}}, ""},
		{"exceeded", release.DurationBudget{Total: time.Minute}, 61, map[string]release.Spent{"a": {Durations: took(61, 1, 48, 6)}},
			"It took 1m1s, and `duration_budget.total` is 1m0s.|On cluster \"a\", image_pull took 48s of 1m1s: make the image smaller"},
		{"by the queue", release.DurationBudget{Total: time.Second}, 5.25, map[string]release.Spent{"a": {Durations: took(5.25, 4, -1, 1)}}, "It took 5.3s|queue took 4s of 5.3s: the pods waited for a node"},
		{"by the start", release.DurationBudget{Total: time.Second}, 61, map[string]release.Spent{"a": {Durations: took(61, 0, -1, 50)}}, "startup took 50s of 1m1s: look at"},
		{"of one of two clusters", release.DurationBudget{Total: time.Second}, 61, map[string]release.Spent{"a": {Durations: took(9, 9, 0, 0)}, "b": {Durations: took(60, 0, 0, 50)}}, "On cluster \"b\", startup took 50s of 1m0s"},
		{"one cluster after the other", release.DurationBudget{Total: time.Second}, 200, map[string]release.Spent{"a": {Durations: took(60, 50, 0, 9)}, "b": {Durations: took(59, 50, 0, 9)}}, "No single cluster took longer than 1m0s (\"a\")|`rollout.bake`"},
		{"nothing is known", release.DurationBudget{Total: time.Second}, 61, map[string]release.Spent{"a": {Durations: took(61, -1, -1, -1)}}, "is not known"},
		{"most is not known", release.DurationBudget{Total: time.Second}, 61, map[string]release.Spent{"a": {Durations: took(61, 1, -1, 10)}}, "The longest part that is known on cluster \"a\", startup, took 10s of 1m1s; the rest"},
		{"too few before it", release.DurationBudget{Factor: 2}, 61, map[string]release.Spent{"a": {Durations: took(61, 1, 48, 6), Past: seconds(1, 1)}}, ""},
		{"twice the median", release.DurationBudget{Factor: 2}, 20, map[string]release.Spent{"a": {Durations: took(20, 1, 8, 6), Past: seconds(10, 100, 9)}}, ""},
		{"more than that", release.DurationBudget{Factor: 2}, 21, map[string]release.Spent{"a": {Durations: took(21, 1, 12, 6), Past: seconds(10, 100, 9)}},
			"It took 21s.|On cluster \"a\" it took 21s, 2.1 times the median of the last releases there, 10s; `duration_budget.factor` is 2.|image_pull took 12s"},
		{"of an even number", release.DurationBudget{Factor: 1}, 21, map[string]release.Spent{"a": {Durations: took(21, 1, 12, 6), Past: seconds(10, 100, 9, 20)}}, "1.4 times the median of the last releases there, 15s"},
		{"old ones do not count", release.DurationBudget{Factor: 1.5}, 21, map[string]release.Spent{"a": {Durations: took(21, 1, 12, 6), Past: seconds(90, 90, 90, 90, 90, 90, 90, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10)}}, "2.1 times"},
		{"the worst of two", release.DurationBudget{Factor: 2}, 61, map[string]release.Spent{
			"a": {Durations: took(61, 1, 58, 1), Past: seconds(20, 20, 20)}, "b": {Durations: took(60, 1, 1, 57), Past: seconds(10, 10, 10)},
		}, "On cluster \"b\" it took 1m0s, 6.0 times|startup took 57s"},
		{"both", release.DurationBudget{Total: time.Second, Factor: 2}, 61, map[string]release.Spent{"a": {Durations: took(61, 1, 58, 1), Past: seconds(20, 20, 20)}}, "`duration_budget.total` is 1s.|3.0 times"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			excess := tc.budget.Exceeded(seconds(tc.whole)[0], tc.spent)
			if (excess != nil) != (tc.want != "") {
				t.Fatalf("got %+v", excess)
			}
			if excess == nil {
				return
			}
			for text := range strings.SplitSeq(tc.want, "|") {
				if got := excess.Sentences(); !strings.Contains(got, text) {
					t.Errorf("it does not say %q:\n%s", text, got)
				}
			}
		})
	}
}

// What a former version wrote, and what it reads of ours: nanoseconds, and
// nothing where nothing is known.
func TestDurationsInJSON(t *testing.T) {
	var former release.Durations
	if err := json.Unmarshal([]byte(`{"total":60000000000,"startup":3000000000}`), &former); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(took(60, -1, -1, 3), former); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(took(60, 0, -1, 3))
	if want := `{"total":60000000000,"queue":0,"startup":3000000000}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	entry, err := json.Marshal(release.Entry{ID: "1"})
	if err != nil || strings.Contains(string(entry), "durations") {
		t.Errorf("%s, %v", entry, err)
	}
}

func TestTotalsOfTheHistory(t *testing.T) {
	entry := func(id string, o release.Operation, d release.Durations) release.Entry {
		return release.Entry{ID: id, Operation: o, Durations: d}
	}
	h := release.History{}.With(
		entry("1", release.OperationDeploy, took(1.0004, -1, -1, 1)), entry("2", release.OperationDeploy, release.Durations{}),
		entry("3", release.OperationPromote, took(3, -1, -1, -1)), entry("4", release.OperationUpdate, took(4, -1, -1, -1)), entry("5", release.OperationDeploy, took(5, -1, -1, -1)),
	)
	if got := h.Totals("5"); len(got) != 2 || got[0] != time.Second || got[1] != 4*time.Second {
		t.Errorf("%v", got)
	}
}

func TestPartsOfDurations(t *testing.T) {
	one := release.Durations{Queue: new(time.Second), Build: new(2 * time.Second), ImagePull: new(3 * time.Second), Startup: new(3 * time.Second)}
	sum := time.Duration(0)
	for _, part := range release.Parts() {
		sum += *one.Of(part)
	}
	if part, d, known := one.Slowest(); sum != one.Known() || sum != 9*time.Second || part != release.PartImagePull || d != 3*time.Second || !known {
		t.Errorf("%s, %s of %s", part, d, sum)
	}
}
