package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
)

// DefaultLogLines is how many lines of a log are shown.
const DefaultLogLines int32 = 10

// LinesBefore are read of a log before those that are shown: what began there, as a
// private key does, is known for what it is; and a log that is no longer than that has
// been read from its first line on.
const LinesBefore = 60

// takeLog adds the end of the log that shows more, if it was read, and the first line
// of a short one: a program that prints how it is used says first why. What the evidence
// has of it is not told twice.
func (f *Finding) takeLog(logs map[PodRef]string, lines int32) {
	if f.LogsOf == nil || logs[*f.LogsOf] == "" {
		return
	}
	most := int(cmp.Or(lines, DefaultLogLines))
	read := readable(mask.RedactKeepingReturns(logs[*f.LogsOf]))
	shown := tail(read, most)
	switch begins := strings.Count(logs[*f.LogsOf], "\n") < most+LinesBefore; {
	case !begins || len(shown) == len(read):
	case len(shown)+1 == len(read):
		shown = read
	default:
		shown = slices.Concat(read[:1], []string{leftOut}, shown)
	}
	f.Log = strings.Join(shown, "\n")
	evidence := slices.DeleteFunc(strings.Split(f.Evidence, "\n"), func(said string) bool {
		return slices.ContainsFunc(read, func(line string) bool { return strings.TrimSpace(line) == strings.TrimSpace(said) })
	})
	f.Evidence = strings.Join(evidence, "\n")
}

// leftOut stands for the lines between the first one and the last ones.
const leftOut = "…"

// logTitle says whose log is shown, and how much of it.
func (f Finding) logTitle() string {
	run, lines := "", strings.Count(f.Log, "\n")+1
	if f.LogsOf.Previous {
		run = ", previous run"
	}
	if first, last, cut := strings.Cut(f.Log, "\n"+leftOut+"\n"); cut && !strings.Contains(first, "\n") {
		lines = strings.Count(last, "\n") + 1
		if lines == 1 {
			return fmt.Sprintf("Log (container %s%s, first and last line):", f.LogsOf.Container, run)
		}
		return fmt.Sprintf("Log (container %s%s, first line and last %d):", f.LogsOf.Container, run, lines)
	}
	if lines == 1 {
		return fmt.Sprintf("Log (container %s%s, last line):", f.LogsOf.Container, run)
	}
	return fmt.Sprintf("Log (container %s%s, last %d lines):", f.LogsOf.Container, run, lines)
}

// Of a log, a person is shown no line that is wider than two of a terminal's, and
// so much in all as fits beside the rest.
const (
	widestLine = 160
	usualLine  = 75
)

// readable are the lines of a text as a terminal shows them. It is redacted already:
// redacting what was cut would miss a secret that was cut in two.
func readable(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if i := strings.LastIndexByte(line, '\r'); i >= 0 {
			line = line[i+1:] // a progress bar, which a terminal would have overwritten
		}
		if runes := []rune(line); len(runes) > widestLine {
			line = string(runes[:widestLine-1]) + "…"
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// tail is the last of some lines.
func tail(lines []string, most int) []string {
	lines = lines[max(0, len(lines)-most):]
	length := 0
	for i, line := range slices.Backward(lines) {
		if length += utf8.RuneCountInString(line); length > most*usualLine && i < len(lines)-1 {
			return lines[i+1:]
		}
	}
	return lines
}
