package devtools

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestProgressTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var packages []string
	for i := range 100 {
		packages = append(packages, fmt.Sprintf("example.com/p%d", i))
	}
	p := newProgress(packages, began)
	compiled := func(from, to int) {
		for i := from; i < to; i++ {
			fmt.Fprintln(p.complaints(), packages[i])
		}
	}
	for _, step := range []struct {
		to    int
		after time.Duration
		want  string
	}{
		{0, 0, "0 %, 0 of 100 packages"},
		{4, 15 * time.Second, "4 %, 4 of 100 packages"}, // too few to say more
		{25, 2 * time.Minute, "25 %, 25 of 100 packages, about 6 min left"},
		{80, 4 * time.Minute, "80 %, 80 of 100 packages, about 60 s left"},
		{99, 5 * time.Minute, "99 %, 99 of 100 packages, about 10 s left"},
		{100, 5 * time.Minute, "all 100 packages compiled, linking"},
	} {
		compiled(100-len(p.awaited), step.to)
		if got := p.tell(began.Add(step.after)); got != step.want {
			t.Errorf("after %s it says %q, want %q", step.after, got, step.want)
		}
	}
}

func TestProgressCountsOnlyItsPackages(t *testing.T) {
	t.Parallel()
	p := newProgress([]string{"example.com/a", "example.com/b"}, time.Now())
	for _, text := range []string{"go: downloading example.com v1.0.0\n", "example.com/a\nexam", "ple.com/b", "\n# example.com/b\nb.go:1:1: no\n"} {
		fmt.Fprint(p.complaints(), text)
	}
	if got := p.tell(time.Now()); !strings.HasPrefix(got, "all 2 packages") {
		t.Errorf("it says %q", got)
	}
	if tail := p.tail(); !strings.HasSuffix(tail, "# example.com/b\nb.go:1:1: no") {
		t.Errorf("the cause of a failure is not last in %q", tail)
	}
	none := &progress{}
	fmt.Fprintln(none.complaints(), "go: downloading example.com v1.0.0")
	if got := none.tell(time.Now()); got != "1 modules downloaded" {
		t.Errorf("it says %q", got)
	}
}
