package logs

import (
	"container/heap"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Source is where lines come from.
type Source string

// Sources.
const (
	SourceContainer Source = "container"
	SourceEvents    Source = "events"
)

// Sources lists every Source.
func Sources() []Source { return []Source{SourceContainer, SourceEvents} }

// Entry is a line, and whose it is.
type Entry struct {
	Time      time.Time // zero where it is not known
	Cluster   string
	Pod       string
	Container string
	Level     Level
	Message   string
}

// String is the entry as a line of a log of many containers.
func (e Entry) String() string {
	return fmt.Sprintf("%s %s %s", Stamp(e.Time), strings.Join(slices.DeleteFunc([]string{e.Cluster, e.Pod, e.Container}, func(s string) bool { return s == "" }), "/"), e.Message)
}

// Stamp is a time as logs have it; "-" for none.
func Stamp(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format("2006-01-02T15:04:05.000000000Z")
}

// Filter says which lines are asked for. The zero value lets all of them pass.
type Filter struct {
	Level    Level // this, or worse
	Contains string
	Regex    *regexp.Regexp
	Since    time.Time
}

// Passes tells whether an entry is asked for.
func (f Filter) Passes(e Entry) bool {
	return (f.Level == "" || e.Level.AtLeast(f.Level)) &&
		strings.Contains(e.Message, f.Contains) &&
		(f.Regex == nil || f.Regex.MatchString(e.Message)) &&
		!e.Time.Before(f.Since)
}

// Selective tells whether there are lines that do not pass because of what they
// say.
func (f Filter) Selective() bool { return f.Level != "" || f.Contains != "" || f.Regex != nil }

// Tail keeps the last entries of one container that pass a filter.
type Tail struct {
	Filter  Filter
	Most    int
	Dropped int // passed, and were not among the last

	levels  Levelling
	entries []Entry
	first   int // of entries, once it is full
}

// Levelling says how bad the lines of one log are, one after the other.
type Levelling struct{ before Level }

// Of is the level of the next line. One that tells none, and looks like the further lines
// of the one before it, has its level.
func (l *Levelling) Of(line string) Level {
	level := LevelOf(line)
	if level == "" && Continues(line) {
		level = l.before
	}
	l.before = level
	return level
}

// Add takes the next line.
func (t *Tail) Add(e Entry) {
	e.Level = t.levels.Of(e.Message)
	switch {
	case !t.Filter.Passes(e):
	case len(t.entries) < t.Most:
		t.entries = append(t.entries, e)
	default:
		t.Dropped++
		t.entries[t.first] = e
		t.first = (t.first + 1) % t.Most
	}
}

// Entries are what was kept, the oldest first.
func (t *Tail) Entries() []Entry {
	return slices.Concat(t.entries[t.first:], t.entries[:t.first])
}

// Merge makes one log of several, in the order of time. Lines of one log keep
// theirs, whatever their times; of lines of the same time, those of the earlier
// log come first. It holds no more than a line of each.
func Merge(all []iter.Seq[Entry]) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		var heads heads
		defer func() {
			for _, h := range heads {
				h.stop()
			}
		}()
		for i, log := range all {
			next, stop := iter.Pull(log)
			if e, ok := next(); ok {
				heads = append(heads, head{e, i, next, stop})
			} else {
				stop()
			}
		}
		heap.Init(&heads)
		for len(heads) > 0 {
			h := &heads[0]
			if !yield(h.entry) {
				return
			}
			if e, ok := h.next(); ok {
				h.entry = e
				heap.Fix(&heads, 0)
				continue
			}
			h.stop()
			heap.Pop(&heads)
		}
	}
}

// head is the next line of a log that is being merged.
type head struct {
	entry Entry
	log   int
	next  func() (Entry, bool)
	stop  func()
}

type heads []head

func (h heads) Len() int      { return len(h) }
func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h heads) Less(i, j int) bool {
	if c := h[i].entry.Time.Compare(h[j].entry.Time); c != 0 {
		return c < 0
	}
	return h[i].log < h[j].log
}
func (h *heads) Push(x any) { *h = append(*h, x.(head)) }
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// Last are the last entries that are no more than so many lines and bytes, and
// how many there were before them.
func Last(entries []Entry, lines, bytes int) (last []Entry, before int) {
	first := len(entries)
	for first > 0 && len(entries)-first < lines {
		if bytes -= len(entries[first-1].Message); bytes < 0 {
			break
		}
		first--
	}
	return entries[first:], first
}

// Cut shortens a line to so many bytes, and says so in it.
func Cut(line string, most int) string {
	if len(line) <= most {
		return line
	}
	for most > 0 && !utf8.RuneStart(line[most]) {
		most--
	}
	return fmt.Sprintf("%s… (%d bytes more)", line[:most], len(line)-most)
}
