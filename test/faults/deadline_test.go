package faults_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// firstLimit is a deadline of the configuration's, by which what it is to meet has
// begun on most machines; lastLimit, on all.
const (
	firstLimit = 5 * time.Second
	lastLimit  = 80 * time.Second
)

// runsOut lets a command run out of a time that it is given, and fails the test
// unless it says what matches each pattern, where %s is that time. Where the
// machine was too slow for the command to come to where its time was to end, it
// gets twice as much.
func (w *workspace) runsOut(run func(limit time.Duration) *execution, patterns ...string) {
	w.t.Helper()
	for limit := firstLimit; ; limit *= 2 {
		x := run(limit)
		wanted := make([]string, len(patterns))
		came := x.wait() != 0
		for i, p := range patterns {
			wanted[i] = regexp.MustCompile(`%s`).ReplaceAllString(p, limit.String())
			came = came && regexp.MustCompile(wanted[i]).MatchString(x.said())
		}
		if came || limit >= lastLimit || x.Code() == 0 {
			x.fails(wanted...)
			return
		}
	}
}

// givesTime changes a time in the state, which is where a destroy takes its own
// from: what is half gone cannot be applied for that.
func (w *workspace) givesTime(operation string, before, now time.Duration) {
	w.t.Helper()
	path := filepath.Join(w.Dir, "terraform.tfstate")
	state, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	entry := func(d time.Duration) string { return fmt.Sprintf("%q: %q", operation, d) }
	for limit := now / 2; limit >= before; limit /= 2 {
		state = bytes.ReplaceAll(state, []byte(entry(limit)), []byte(entry(now)))
	}
	w.file("terraform.tfstate", string(state))
}

// within is the entry of timeouts that gives an operation so long.
func within(operation string, limit time.Duration) string {
	return fmt.Sprintf("%s = %q", operation, limit)
}
