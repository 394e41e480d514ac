package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// count is who has answered requests.
type count struct {
	by     map[string]int // versions
	failed int
	why    error // the last failure
}

func (c count) all() (n int) {
	for _, each := range c.by {
		n += each
	}
	return n + c.failed
}

// String is the count as a line, with shares.
func (c count) String() string {
	parts := []string{fmt.Sprintf("%d requests", c.all())}
	for _, version := range slices.Sorted(maps.Keys(c.by)) {
		parts = append(parts, fmt.Sprintf("%s %d %%", version, (100*c.by[version]+c.all()/2)/max(1, c.all())))
	}
	return strings.Join(append(parts, fmt.Sprintf("failed %d", c.failed)), ", ")
}

// letters are what bars are made of.
var letters = map[string]string{one: "░", two: "█", crashes: "▒"}

// bar is the same as a picture: a letter for each part of the answers.
func (c count) bar() string {
	const width = 40
	var b strings.Builder
	for _, version := range slices.Sorted(maps.Keys(c.by)) {
		b.WriteString(strings.Repeat(letters[version], (width*c.by[version]+c.all()/2)/max(1, c.all())))
	}
	return b.String()
}

// meter asks the gateway for the application, again and again, each time on a new
// connection, and counts who answers.
type meter struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu         sync.Mutex
	now, total count
}

// measure begins to ask, and says what it sees every two seconds.
func measure(ctx context.Context, address string) *meter {
	const rate, every = 50, 2 * time.Second
	ctx, cancel := context.WithCancel(ctx)
	m := &meter{stop: cancel, now: count{by: map[string]int{}}, total: count{by: map[string]int{}}}
	m.done.Go(func() {
		for pause(ctx, time.Second/rate) == nil {
			m.done.Go(func() { m.add(ask(context.WithoutCancel(ctx), address)) }) // what has begun is waited for
		}
	})
	m.done.Go(func() {
		for pause(ctx, every) == nil {
			if now := m.since(); now.all() > 0 {
				say("      %-40s  %s", now.bar(), now)
			}
		}
	})
	return m
}

// end stops it, and returns the count of all.
func (m *meter) end() count {
	m.stop()
	m.done.Wait()
	m.since()
	return m.total
}

func (m *meter) add(version string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.now.failed, m.now.why = m.now.failed+1, err
		return
	}
	m.now.by[version]++
}

// since is the count since the last time.
func (m *meter) since() count {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now
	m.now = count{by: map[string]int{}}
	for version, n := range now.by {
		m.total.by[version] += n
	}
	if m.total.failed += now.failed; now.why != nil {
		m.total.why = now.why
	}
	return now
}

// ask makes one request, and returns which version has answered.
func ask(ctx context.Context, address string) (version string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return "", err
	}
	request.Host, request.Close = hostname, true
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the gateway answers %s", response.Status)
	}
	return response.Header.Get("X-Version"), err
}

// untilAnswered waits until the gateway serves the route: it has accepted it by now.
func untilAnswered(ctx context.Context, address, version string) error {
	for {
		got, err := ask(ctx, address)
		if err == nil && got == version {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
