package bench_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
)

// attempt is one that was due and reported so many milliseconds after its
// beginning.
func attempt(known, waited, reported int) bench.Attempt {
	ms := func(n int) bench.Duration { return bench.Duration(time.Duration(n) * time.Millisecond) }
	return bench.Attempt{Known: ms(known), Waited: ms(waited), Due: ms(known + waited), Reported: ms(reported), Message: "one | two"}
}

func result() bench.Result {
	return bench.Result{
		Machine: bench.Machine{Processors: 2, Memory: 24, Load: 0.1},
		CLI:     "Terraform 1.11.4", Kubernetes: "v1.36.3", Theirs: "1.13.4",
		Grace: bench.Duration(15 * time.Second), Limit: bench.Duration(20 * time.Second), Timeout: bench.Duration(time.Minute),
		Failures: []bench.Failure{
			{
				Name: "image-missing", What: "no image", Knows: "a pod", Class: "certain", Cause: "ImageNotFound",
				Ours:   []bench.Attempt{attempt(1000, 15000, 16030), attempt(1000, 15000, 16010), attempt(1000, 15000, 16250)},
				Theirs: []bench.Attempt{attempt(1000, 0, 60100)},
			},
			{
				Name: "oom", What: "no memory", Knows: "a pod", Class: "repeated", Cause: "OOMKilled",
				Ours:   []bench.Attempt{attempt(1500, 0, 1520), attempt(1500, 0, 1540), attempt(1500, 0, 1530)},
				Theirs: []bench.Attempt{attempt(1000, 0, 60100)},
			},
		},
	}
}

func TestPageSaysWhatWasMeasured(t *testing.T) {
	t.Parallel()
	page := result().Page()
	for _, line := range []string{
		"reports come within 300 ms",
		"Terraform 1.11.4 and Kubernetes v1.36.3 on one machine with 2 processors and 24 GB",
		"It did nothing else.",
		`fail_fast_grace = "15s"`, `progress_deadline = "20s"`,
		"6 reports, half came within 30 ms and 95 % within 250 ms.",
		"| no image | `ImageNotFound` | a pod | certain | 15.0 s | 30 ms | 250 ms | 16.0 s |",
		"| no memory | `OOMKilled` | a pod | repeated | – | 30 ms | 40 ms | 1.5 s |",
		"Each line is 3 applies",
		`timeouts { create = "1m" }`,
		"| no image | 60.1 s | 59.1 s | `one \\| two` |",
		"Where no image, this provider says:\n\n```text\none | two\n```",
	} {
		if !strings.Contains(page, line) {
			t.Errorf("the page does not say %q:\n%s", line, page)
		}
	}
}

func TestPageSaysThatTheMachineWasBusy(t *testing.T) {
	t.Parallel()
	r := result()
	r.Machine.Load = 1.8
	if page := r.Page(); !strings.Contains(page, "It was busy with other work, too: its load was 1.8") {
		t.Errorf("the page is\n%s", page)
	}
}

func TestPageWithoutTheOtherProvider(t *testing.T) {
	t.Parallel()
	r := result()
	for i := range r.Failures {
		r.Failures[i].Theirs = nil
	}
	if page := r.Page(); strings.Contains(page, "hashicorp") {
		t.Errorf("the page is\n%s", page)
	}
}

func TestResultIsWrittenInMilliseconds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "result.json")
	if err := result().Write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"reported": 16250`) {
		t.Errorf("the file is\n%s", text)
	}
	var again bench.Result
	if err := json.Unmarshal(text, &again); err != nil || again.Page() != result().Page() {
		t.Errorf("what was read again is %+v, %v", again, err)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	values := []time.Duration{50, 10, 30, 20, 40}
	for p, want := range map[int]time.Duration{1: 10, 20: 10, 21: 20, 50: 30, 80: 40, 95: 50, 100: 50} {
		if got := bench.Percentile(p, values); got != want {
			t.Errorf("percentile %d is %d, want %d", p, got, want)
		}
	}
	if got := bench.Percentile(50, nil); got != 0 {
		t.Errorf("percentile of nothing is %d", got)
	}
}

func TestSplitTable(t *testing.T) {
	t.Parallel()
	shift := func(accepted, effect int) bench.Shift {
		ms := func(n int) bench.Duration { return bench.Duration(time.Duration(n) * time.Millisecond) }
		return bench.Shift{Accepted: ms(accepted), Effect: ms(effect)}
	}
	found := bench.Split{
		Machine: bench.Machine{Processors: 2, Memory: 24, Load: 0.1}, Kubernetes: "v1.36.3", Requests: 9000, Failed: 1,
		Shifts: []bench.Shift{shift(5, 40), shift(6, 50), shift(7, 160)},
	}
	for _, line := range []string{
		"Kubernetes v1.36.3 and a Traefik on one machine with 2 processors and 24 GB. It did nothing else.",
		"Of 9000 requests in 3 shifts, 1 failed.",
		"| every parent has accepted it | 6 ms | 7 ms | 7 ms |",
		"| all requests go by it | 50 ms | 160 ms | 160 ms |",
	} {
		if !strings.Contains(found.Table(), line) {
			t.Errorf("it does not say %q:\n%s", line, found.Table())
		}
	}
	path := filepath.Join(t.TempDir(), "split.json")
	if err := found.Write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	var read bench.Split
	if err != nil || json.Unmarshal(text, &read) != nil || len(read.Shifts) != 3 || read.Shifts[2] != found.Shifts[2] {
		t.Errorf("read %+v (%v)", read, err)
	}
}
