package logs

import (
	"slices"
	"strconv"
	"strings"
)

// Level is how bad a line is; empty where it does not say.
type Level string

// Levels.
const (
	Trace Level = "trace"
	Debug Level = "debug"
	Info  Level = "info"
	Warn  Level = "warn"
	Error Level = "error"
	Fatal Level = "fatal"
)

// Levels lists every Level, the least bad first.
func Levels() []Level { return []Level{Trace, Debug, Info, Warn, Error, Fatal} }

// AtLeast says whether a line is as bad as that, or worse. One that does not say
// how bad it is is not.
func (l Level) AtLeast(least Level) bool {
	return l != "" && slices.Index(Levels(), l) >= slices.Index(Levels(), least)
}

// words are what loggers call the levels, in lower case.
var words = map[string]Level{
	"trace": Trace, "trce": Trace, "trc": Trace, "verbose": Trace, "finer": Trace, "finest": Trace,
	"debug": Debug, "dbug": Debug, "dbg": Debug, "debu": Debug, "fine": Debug,
	"info": Info, "inf": Info, "information": Info, "informational": Info, "notice": Info, "log": Info, "default": Info,
	"warn": Warn, "warning": Warn, "wrn": Warn,
	"error": Error, "err": Error, "erro": Error, "eror": Error, "fail": Error, "severe": Error,
	"fatal": Fatal, "fata": Fatal, "ftl": Fatal, "critical": Fatal, "crit": Fatal, "panic": Fatal, "pani": Fatal, "dpanic": Fatal,
	"alert": Fatal, "emerg": Fatal, "emergency": Fatal,
}

// levelOfWord knows a level by any of its names. Go's slog writes what is between
// two levels as "ERROR+2".
func levelOfWord(word string) Level {
	if i := strings.IndexAny(word, "+-"); i > 0 {
		if _, err := strconv.Atoi(word[i:]); err == nil {
			word = word[:i]
		}
	}
	return words[strings.ToLower(word)]
}

// levelOfNumber knows pino's and bunyan's levels, which are tens from 10 to 60,
// and syslog's severities below them, which count down.
func levelOfNumber(n float64) Level {
	switch {
	case n < 0:
		return ""
	case n < 3:
		return Fatal
	case n < 4:
		return Error
	case n < 5:
		return Warn
	case n < 7:
		return Info
	case n < 8:
		return Debug
	case n < 10:
		return ""
	case n < 20:
		return Trace
	case n < 30:
		return Debug
	case n < 40:
		return Info
	case n < 50:
		return Warn
	case n < 60:
		return Error
	}
	return Fatal
}

// levelOfSeverityNumber knows OpenTelemetry's, which are four to a level.
func levelOfSeverityNumber(n float64) Level {
	if n < 1 || n > 24 {
		return ""
	}
	return Levels()[int(n-1)/4]
}
