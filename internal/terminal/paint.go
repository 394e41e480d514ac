package terminal

import (
	"io"
	"os"
	"runtime"

	"golang.org/x/term"

	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
)

// paint gives texts colours, or leaves them as they are.
type paint bool

// What paint may do to a text, in a terminal's own words.
const (
	faint  = "2"
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// paintOf is for what is written there: only a terminal shows colours, and only where its
// user has not said otherwise (https://no-color.org).
func paintOf(w io.Writer) paint {
	old := runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == "" // its console would show the escape sequences
	return paint(isTerminal(w) && !old && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

// isTerminal says that a terminal is written to.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// as is a text in a colour; in none, it is the text.
func (p paint) as(style, text string) string {
	if !p || style == "" || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// levelStyle is how a line looks that is so bad.
func levelStyle(l logs.Level) string {
	switch l {
	case logs.Fatal:
		return bold + ";" + red
	case logs.Error:
		return red
	case logs.Warn:
		return yellow
	case logs.Debug, logs.Trace:
		return faint
	case logs.Info:
	}
	return ""
}
