package mask

import (
	"regexp"
	"strings"
)

// Lines are the lines of one log in their order, for whoever redacts one at a
// time: a private key is many. The zero value begins with the first line.
type Lines struct{ inKey bool }

var (
	keyBegins = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)
	// keyBody is what stands in a key: a log's reader may begin in the middle.
	keyBody = regexp.MustCompile(`^\s*(?:[A-Za-z0-9+/]*={0,2}|(?:Proc-Type|DEK-Info): .*)\s*$`)
	keyLine = regexp.MustCompile(`^\s*[A-Za-z0-9+/]{60,76}\s*$`)
)

// Hides says whether the next line is a part of a private key that [Redact] does
// not see: any but the first.
func (l *Lines) Hides(line string) bool {
	line = Clean(line)
	within := l.inKey
	switch {
	case strings.Contains(line, "-----END"):
		l.inKey = false
		return within
	case strings.Contains(line, "-----BEGIN"):
		l.inKey = keyBegins.MatchString(line)
		return false
	case within && keyBody.MatchString(line):
		return true
	}
	l.inKey = false
	return keyLine.MatchString(line)
}

// Redact is [Redact] for the next line.
func (l *Lines) Redact(line string) string {
	if l.Hides(line) {
		return hidden
	}
	return Redact(line)
}

// Hidden is what a line is replaced by that [Lines.Hides] hides.
const Hidden = hidden
