package health

import (
	"fmt"
	"strings"
)

// What a person is shown of a failure fits on a screen: the first findings, the
// very first with the end of a log, and of the others what they are.
const (
	shownFindings = 3
	firstEvidence = 6 // lines of it, of the first finding
	otherEvidence = 3 // of each other one, and so many characters:
	otherLength   = 240
)

// Text explains a failure by its findings, a paragraph for each, never more than
// a screen in all.
func Text(findings []Finding) string {
	var b strings.Builder
	for i, f := range findings[:min(len(findings), shownFindings)] {
		lines := otherEvidence
		if i == 0 {
			lines = firstEvidence
		} else {
			f.Evidence, f.Log = shorten(f.Evidence, otherLength), ""
		}
		f.write(&b, lines)
	}
	if more := findings[min(len(findings), shownFindings):]; len(more) > 0 {
		fmt.Fprintf(&b, "\n\nAnd %d more: %s.", len(more), names(more))
	}
	return b.String()
}

func (f Finding) write(b *strings.Builder, evidence int) {
	fmt.Fprintf(b, "\n\n%s: %s\n  Where: %s", f.Cause, f.Sentence, f.where())
	if f.Evidence != "" {
		fmt.Fprintf(b, "\n  Evidence: %s", strings.ReplaceAll(firstLines(f.Evidence, evidence), "\n", "\n    "))
	}
	if f.Log != "" {
		fmt.Fprintf(b, "\n  %s\n    %s", f.logTitle(), strings.ReplaceAll(f.Log, "\n", "\n    "))
	}
	if f.Hint != "" {
		fmt.Fprintf(b, "\n  Try: %s", f.Hint)
	}
}

// where names what it is about, with how many pods there are like it.
func (f Finding) where() string {
	if f.Of > 1 {
		return fmt.Sprintf("%s (%d of %d pods)", f.Object, f.Affected, f.Of)
	}
	return f.Object
}

// names are findings by cause, each with what it is about.
func names(findings []Finding) string {
	var list []string
	for _, f := range findings {
		about := f.Object
		if f.Container != "" {
			about = fmt.Sprintf("container %q", f.Container)
		}
		list = append(list, fmt.Sprintf("%s (%s)", f.Cause, about))
	}
	const most = 6
	if len(list) > most {
		list = append(list[:most], "…")
	}
	return strings.Join(list, ", ")
}

// firstLines cuts a text after some lines.
func firstLines(text string, most int) string {
	lines := strings.Split(text, "\n")
	if len(lines) <= most {
		return text
	}
	return strings.Join(lines[:most-1], "\n") + fmt.Sprintf("\n… and %d more lines", len(lines)-most+1)
}

// mostEvidence is how many characters of evidence are kept: some policies and
// schedulers write pages.
const mostEvidence = 600

func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
