package logs

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// LevelOf is how bad a line says that it is, in any of the ways in which loggers
// say it; empty where it does not.
func LevelOf(line string) Level {
	line = strings.TrimSpace(Plain(line))
	if strings.HasPrefix(line, "{") {
		if level, ok := levelOfJSON(line); ok {
			return level
		}
	}
	for _, look := range []func(string) Level{levelOfKlog, levelOfLogfmt, levelOfPrefix, levelOfCrash} {
		if level := look(line); level != "" {
			return level
		}
	}
	return ""
}

// colour is what terminals are told by escape sequences.
var colour = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// Plain is a line without what only a terminal understands, and as valid UTF-8.
func Plain(line string) string {
	if strings.Contains(line, "\x1b") {
		line = colour.ReplaceAllString(line, "")
	}
	return strings.ToValidUTF8(strings.TrimRight(line, "\r\n"), "\uFFFD")
}

// Stamped divides a line as the API server sends it with timestamps: the time at
// which the container's runtime took it, and what was written. The zero time
// where there is none.
func Stamped(line string) (time.Time, string) {
	stamp, rest, found := strings.Cut(line, " ")
	if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
		if !found {
			rest = ""
		}
		return at.UTC(), rest
	}
	return time.Time{}, line
}

// levelKeys are where structured lines have their level, in lower case, those
// first that can mean nothing else.
var levelKeys = []string{"level", "lvl", "severity", "levelname", "loglevel", "log_level", "log.level", "severitytext", "severity_text", "@l"}

// levelOfJSON is false where the line is no JSON object.
func levelOfJSON(line string) (Level, bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(line), &object) != nil {
		return "", false
	}
	fields := make(map[string]json.RawMessage, len(object))
	for key, value := range object {
		fields[strings.ToLower(key)] = value
	}
	for _, key := range levelKeys {
		if level := levelOfValue(fields[key], levelOfNumber); level != "" {
			return level, true
		}
	}
	for _, key := range []string{"severity_number", "severitynumber"} {
		if level := levelOfValue(fields[key], levelOfSeverityNumber); level != "" {
			return level, true
		}
	}
	var nested struct{ Level json.RawMessage } // as Elastic's schema has it
	if json.Unmarshal(fields["log"], &nested) == nil {
		return levelOfValue(nested.Level, levelOfNumber), true
	}
	return "", true
}

func levelOfValue(value json.RawMessage, ofNumber func(float64) Level) Level {
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return ofNumber(n)
	}
	return levelOfWord(text)
}

var klog = regexp.MustCompile(`^([IWEF])\d{4} \d{2}:\d{2}:\d{2}\.\d+`)

// levelOfKlog knows the heads of glog's lines: I0102 15:04:05.000000.
func levelOfKlog(line string) Level {
	found := klog.FindStringSubmatch(line)
	if found == nil {
		return ""
	}
	return map[string]Level{"I": Info, "W": Warn, "E": Error, "F": Fatal}[found[1]]
}

var logfmt = regexp.MustCompile(`(?i)(?:^|\s)(?:level|lvl|severity|levelname|log\.level)=["']?([a-z0-9+-]+)`)

func levelOfLogfmt(line string) Level {
	found := logfmt.FindStringSubmatch(line)
	if found == nil {
		return ""
	}
	if n, err := strconv.ParseFloat(found[1], 64); err == nil {
		return levelOfNumber(n)
	}
	return levelOfWord(found[1])
}

const (
	headLength = 120 // of a line: a level stands there, behind times, threads and names
	headTokens = 8
)

var token = regexp.MustCompile(`\[[^\]\s]*\]?|\S+`)

// priority is what begins lines for systemd: <3>.
var priority = regexp.MustCompile(`^<([0-7])>`)

// levelOfPrefix finds a level at the head of a line of text. So that prose is not
// taken for one, it must be in capitals, in brackets, or followed by a colon.
func levelOfPrefix(line string) Level {
	if found := priority.FindStringSubmatch(line); found != nil {
		n, _ := strconv.ParseFloat(found[1], 64)
		return levelOfNumber(n)
	}
	head := line[:min(len(line), headLength)]
	for i, t := range token.FindAllString(head, headTokens) {
		bare := strings.Trim(t, `[](){}<>|:,"'`)
		if _, name, found := strings.Cut(bare, ":"); found && t[0] == '[' {
			bare = name // [core:error]
		} else if name, _, found := strings.Cut(bare, ":"); found {
			bare = name // ERROR:root:message
		}
		level := levelOfWord(bare)
		marked := strings.ContainsAny(t[:1], "[(<|") || bare == strings.ToUpper(bare) || i == 0 && strings.Contains(t, ":")
		if level != "" && marked {
			return level
		}
	}
	return ""
}

// crashes begin what runtimes write when a program ends because of a fault.
var crashes = []struct {
	begins *regexp.Regexp
	level  Level
}{
	{regexp.MustCompile(`^(panic:|fatal error:|thread '.*' panicked at|Segmentation fault|Killed$)`), Fatal},
	{regexp.MustCompile(`^(Traceback \(most recent call last\):|Exception in thread|Unhandled exception|Uncaught |[A-Za-z_.$]*(Error|Exception)(:| \[|$))`), Error},
}

func levelOfCrash(line string) Level {
	for _, c := range crashes {
		if c.begins.MatchString(line) {
			return c.level
		}
	}
	return ""
}

// continuation is how the further lines of one that has several begin, as of a
// stack trace.
var continuation = regexp.MustCompile(`^(\s|$|at |Caused by:|\.\.\. \d+ more|goroutine \d+ \[|created by |[\w./*()\[\]]+\(.*\)$|exit status \d+$|[\])}]+$|stack backtrace:|note: run with)`)

// Continues says whether a line that tells no level belongs to the one before it.
func Continues(line string) bool { return continuation.MatchString(Plain(line)) }
