package devtools

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// progress reads what the go command writes, and knows from it how far it is:
// each module is named when it is downloaded, and with -v each package when it
// is compiled.
type progress struct {
	began    time.Time
	total    int
	awaited  map[string]bool // packages that are not compiled yet
	output   bytes.Buffer    // of standard output
	messages bytes.Buffer    // of standard error; a failure's cause comes last

	mu         sync.Mutex // for the rest: both streams are read at once
	rest       string     // a line that has not ended
	downloaded int
}

func newProgress(packages []string, began time.Time) *progress {
	p := &progress{began: began, total: len(packages), awaited: map[string]bool{}}
	for _, name := range packages {
		p.awaited[name] = true
	}
	return p
}

// Write takes standard output.
func (p *progress) Write(text []byte) (int, error) { return p.output.Write(text) }

// complaints takes standard error.
func (p *progress) complaints() io.Writer { return complaints{p} }

type complaints struct{ *progress }

func (c complaints) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := strings.Split(c.rest+string(text), "\n")
	c.rest = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		if strings.HasPrefix(line, "go: downloading ") {
			c.downloaded++
		}
		delete(c.awaited, line)
	}
	return c.messages.Write(text)
}

// tell is a line about how far it is. The time left follows from the time that
// the packages have taken so far: it is not said before there are some.
func (p *progress) tell(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	done, elapsed := p.total-len(p.awaited), now.Sub(p.began)
	switch {
	case p.awaited == nil:
		return fmt.Sprintf("%d modules downloaded", p.downloaded)
	case len(p.awaited) == 0:
		return fmt.Sprintf("all %d packages compiled, linking", p.total)
	case done*20 < p.total:
		return fmt.Sprintf("%d %%, %d of %d packages", done*100/p.total, done, p.total)
	}
	left := elapsed * time.Duration(len(p.awaited)) / time.Duration(done)
	return fmt.Sprintf("%d %%, %d of %d packages, about %s left", done*100/p.total, done, p.total, roughly(left))
}

// roughly is a duration as a person says it.
func roughly(d time.Duration) string {
	if d < 90*time.Second {
		return fmt.Sprintf("%d s", max(d.Round(10*time.Second), 10*time.Second)/time.Second)
	}
	return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
}

// tail is the end of what the go command complained about.
func (p *progress) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(p.messages.String()), "\n"), func(line string) bool { return line == "" })
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
