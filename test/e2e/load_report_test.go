//go:build e2e

package e2e_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

// artifactsEnv names the directory for what tests leave to look at.
const artifactsEnv = "E2E_ARTIFACTS"

func artifact(t testing.TB, name string) string {
	t.Helper()
	dir := orDefault(os.Getenv(artifactsEnv), "artifacts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// mark is something that happened.
type mark struct {
	at   time.Time
	text string
}

// moves tells when the main Service was pointed at which release, as its watch
// tells it: within milliseconds of the write.
type moves chan mark

func (w *workspace) watchMoves(c config) moves {
	w.t.Helper()
	services := w.cluster.Client().CoreV1().Services(w.namespace)
	watch, err := services.Watch(w.t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + c.name()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(watch.Stop)
	found := make(moves, 64)
	go func() {
		last := ""
		for event := range watch.ResultChan() {
			service, ok := event.Object.(*corev1.Service)
			if ok && service.Spec.Selector[selectorLabel] != last {
				last = service.Spec.Selector[selectorLabel]
				found <- mark{time.Now(), last}
			}
		}
	}()
	return found
}

// to waits for the move to a release.
func (m moves) to(t testing.TB, release string) time.Time {
	t.Helper()
	for {
		select {
		case move := <-m:
			if move.text == release {
				return move.at
			}
		case <-t.Context().Done():
			t.Fatalf("the main Service never selected %s", release)
		}
	}
}

// failedOf are the requests without a good answer.
func failedOf(answers []answer) []answer {
	return slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.err == nil })
}

// mustNotFail fails the test if a request has.
func (l *load) mustNotFail(t testing.TB, answers []answer) {
	t.Helper()
	failed := failedOf(answers)
	if len(answers) == 0 {
		t.Error("there were no requests")
	}
	t.Logf("%d requests, %d failed", len(answers), len(failed))
	for i, a := range failed {
		if i == 10 {
			t.Errorf("and %d more", len(failed)-i)
			break
		}
		t.Errorf("%s %s, %.3fs to %.3fs: %v%s", a.kind, a.group, a.began.Sub(l.began).Seconds(), a.ended.Sub(l.began).Seconds(), a.err, l.before(a, answers))
	}
}

// before tells which request had the port of another before it, if any had.
func (l *load) before(a answer, answers []answer) string {
	for _, b := range answers {
		if a.port != 0 && b.port == a.port && b.began.Before(a.began) {
			return fmt.Sprintf(" (its port was used %s before, for %s)", ms(b.ended, a.began), b.version)
		}
	}
	return ""
}

// sum says what a number of answers were.
func sum(answers []answer) string {
	if len(answers) == 0 {
		return "nothing"
	}
	type key struct {
		kind    kind
		version string
	}
	count, retried, slowest := map[key]int{}, 0, time.Duration(0)
	for _, a := range answers {
		count[key{a.kind, a.version}]++
		if a.retried {
			retried++
		}
		slowest = max(slowest, a.ended.Sub(a.began))
	}
	var parts []string
	for k, n := range count {
		parts = append(parts, fmt.Sprintf("%s of %s %d", k.kind, orDefault(k.version, "nobody"), n))
	}
	slices.Sort(parts)
	return fmt.Sprintf("%d in %s = %.0f/s (%s), retried %d, slowest %s", len(answers), span(answers).Round(time.Millisecond),
		rate(answers), strings.Join(parts, ", "), retried, slowest.Round(time.Millisecond))
}

// span is the time from the first request to the last answer.
func span(answers []answer) time.Duration {
	if len(answers) == 0 {
		return 0
	}
	first, last := answers[0].began, answers[0].ended
	for _, a := range answers {
		if a.began.Before(first) {
			first = a.began
		}
		if a.ended.After(last) {
			last = a.ended
		}
	}
	return last.Sub(first)
}

// rate is how many requests a second were answered.
func rate(answers []answer) float64 {
	return float64(len(answers)) / max(span(answers), time.Nanosecond).Seconds()
}

// between are the answers that came in a span of time.
func between(answers []answer, from, to time.Time) []answer {
	return slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.ended.Before(from) || !a.ended.Before(to) })
}

// switched tells about new connections after a move: when the first was
// answered by the new version, and when the last was opened that the old
// version answered.
func switched(answers []answer, from, to time.Time, old, now string) (firstNew, lastOld time.Time) {
	for _, a := range between(answers, from, to) {
		switch {
		case a.kind != fresh:
		case a.version == now && (firstNew.IsZero() || a.ended.Before(firstNew)):
			firstNew = a.ended
		case a.version == old && a.began.After(lastOld):
			lastOld = a.began
		}
	}
	return firstNew, lastOld
}

// draw writes a plot of the answers over time, and the values beside it.
func (l *load) draw(t testing.TB, name, title string, answers []answer, marks []mark) {
	t.Helper()
	const bucket = 200 * time.Millisecond
	plot, err := devtools.Plot.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]map[int]int{}
	last := 0
	for _, a := range answers {
		series := fmt.Sprintf("%s, %s", a.version, a.kind)
		if a.err != nil {
			series = "failed"
		}
		if counts[series] == nil {
			counts[series] = map[int]int{}
		}
		n := int(a.ended.Sub(l.began) / bucket)
		counts[series][n]++
		last = max(last, n)
	}
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	var text strings.Builder
	table := csv.NewWriter(&text)
	for _, name := range names {
		for n := range last { // the last one is not full
			at := (time.Duration(n) * bucket).Seconds()
			_ = table.Write([]string{"point", fmt.Sprintf("%.1f", at), name, fmt.Sprintf("%.0f", float64(counts[name][n])/bucket.Seconds())})
		}
	}
	slices.SortFunc(marks, func(a, b mark) int { return a.at.Compare(b.at) }) // the texts are put in steps
	for _, m := range marks {
		_ = table.Write([]string{"mark", fmt.Sprintf("%.3f", m.at.Sub(l.began).Seconds()), m.text})
	}
	table.Flush()
	values := artifact(t, name+".csv")
	if err := os.WriteFile(values, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	out := artifact(t, name+".svg")
	command := exec.CommandContext(t.Context(), plot, "-title", title, "-out", out)
	command.Stdin = strings.NewReader(text.String())
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("draw: %v\n%s", err, output)
	}
	t.Logf("drawn: %s", filepath.Base(out))
}
