//go:build e2e

package e2e_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// wayBack is a v1 that serves, a v2 that takes over, and the way back to v1,
// under load on new connections and on kept ones.
type wayBack struct {
	*workspace
	plan    string // what it says
	walk    time.Time
	applied time.Time

	first, last time.Time // of v1's answers on new connections the first, of connections that v2 answers the last
}

// goBack measures from the start of apply's graph walk, as the CLI's own log
// tells it: what is before that (the refresh, the plan and the question whether
// to do it) is as long as anybody makes it.
func goBack(t *testing.T, keepLines string, before func(w *workspace, first string)) wayBack {
	t.Helper()
	w := newWorkspace(t, newNamespace(t))
	log := filepath.Join(w.Dir, "core.log")
	w.Env = []string{"TF_LOG_CORE=debug", "TF_LOG_PATH=" + log}
	v1, v2 := config{version: "v1", keep: 1, keepLines: keepLines}, config{version: "v2", keep: 1, keepLines: keepLines}
	w.mustApply(v1)
	first := w.release()
	url := w.address(v1)
	getEventually(t, url)
	w.mustApply(v2)
	second := w.release()
	w.untilAnsweredBy(url, "v2")
	before(w, first)

	back := wayBack{workspace: w}
	_, text, err := w.plan(v1)
	if err != nil {
		t.Fatal(err)
	}
	back.plan = text
	l := newLoad(t, url)
	l.offer(freshRate/2, 100, newSingle)
	l.offer(keptRate/4, 20, newKeepAlive("opened to v2"))
	pause(t, 2*time.Second)
	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.mustApply(v1)
	back.applied = time.Now()
	if w.release() != first {
		t.Errorf("going back is to %s, not to %s", w.release(), first)
	}
	w.untilAnsweredBy(url, "v1")
	pause(t, 2*time.Second)
	answers := l.end()
	back.walk = graphWalk(t, log)
	back.first, back.last = switched(answers, began, time.Now(), "v2", "v1")
	t.Logf("way back (keep_previous = { count = 1%s }): from the start of apply's graph walk it took %s to the last new connection that v2 answered, and %s to the first that v1 answered; "+
		"the walk began %s after the command, which took %s",
		keepLines, ms(back.walk, back.last), ms(back.walk, back.first), ms(began, back.walk), ms(began, back.applied))
	t.Logf("offered %d, answered: %s", l.offered, sum(answers))
	l.mustNotFail(t, answers)
	if !answered(answers, fresh, "v2") || !answered(answers, fresh, "v1") {
		t.Error("not both versions answered")
	}
	w.planIsEmpty(v1)
	w.Env = nil
	if _, err := w.destroy(); err != nil {
		t.Error(err)
	}
	if left := slices.Concat(w.podsOf(first), w.podsOf(second)); len(left) > 0 {
		t.Errorf("%d pods are left", len(left))
	}
	return back
}

// graphWalk is when the CLI began to walk the graph of an apply.
func graphWalk(t *testing.T, log string) time.Time {
	t.Helper()
	file, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), "Starting graph walk: walkApply") {
			continue
		}
		stamp, _, _ := strings.Cut(lines.Text(), " ")
		at, err := time.Parse("2006-01-02T15:04:05.000Z0700", stamp)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	t.Fatalf("no walk in the log: %v", lines.Err())
	return time.Time{}
}

// TestWayBack goes back to a release that is still running. It takes seconds,
// and no request is lost. How many seconds is printed, not asserted: the machine
// has its say.
func TestWayBack(t *testing.T) {
	back := goBack(t, "", func(w *workspace, first string) {
		if pods := w.podsOf(first); len(pods) != 2 {
			t.Errorf("v1 is retained with %d pods", len(pods))
		}
	})
	if strings.Contains(back.plan, "cold start") {
		t.Errorf("the plan warns of a cold start:\n%s", back.plan)
	}
}

// TestWayBackToAStoppedRelease goes back to a release whose pods have to start
// again: the plan says so, and no request is lost either.
func TestWayBackToAStoppedRelease(t *testing.T) {
	beside(t, loaded)
	back := goBack(t, `, state = "stopped"`, func(w *workspace, first string) {
		if pods := w.podsOf(first); len(pods) > 0 {
			t.Errorf("v1 is retained with %d pods", len(pods))
		}
	})
	if !strings.Contains(back.plan, "Going back will be a cold start") {
		t.Errorf("the plan does not warn of a cold start:\n%s", back.plan)
	}
}
