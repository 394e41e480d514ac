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

// takeLog adds the end of the log that shows more, if it was read. What the
// evidence has of it is not told twice.
func (f *Finding) takeLog(logs map[PodRef]string, lines int32) {
	if f.LogsOf == nil || logs[*f.LogsOf] == "" {
		return
	}
	shown := tail(mask.RedactKeepingReturns(logs[*f.LogsOf]), int(cmp.Or(lines, DefaultLogLines)))
	f.Log = strings.Join(shown, "\n")
	evidence := slices.DeleteFunc(strings.Split(f.Evidence, "\n"), func(line string) bool { return slices.Contains(shown, strings.TrimSpace(line)) })
	f.Evidence = strings.Join(evidence, "\n")
}

// logTitle says whose log is shown, and how much of it.
func (f Finding) logTitle() string {
	run, lines := "", strings.Count(f.Log, "\n")+1
	if f.LogsOf.Previous {
		run = ", previous run"
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

// tail is the last lines of a text that is redacted already: redacting what was cut
// would miss a secret that was cut in two.
func tail(text string, most int) []string {
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
	lines = lines[max(0, len(lines)-most):]
	length := 0
	for i, line := range slices.Backward(lines) {
		if length += utf8.RuneCountInString(line); length > most*usualLine && i < len(lines)-1 {
			return lines[i+1:]
		}
	}
	return lines
}
