package health

import (
	"regexp"
	"strings"
)

const hidden = "***"

// Redact masks what looks like a credential. Everything that goes from a
// cluster's messages or logs to a person goes through it. Masking too much is
// better than too little, as long as what registries, kubelets and API servers
// say stays readable.
func Redact(text string) string {
	text = colours.ReplaceAllString(text, "") // they come between a key and its value
	lower := strings.ToLower(text)
	for _, m := range masks {
		if m.mayBeIn(lower) {
			text = m.redact(text)
		}
	}
	return text
}

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// mask is one way in which a credential gets into messages and logs.
type mask struct {
	name    string
	signs   []string // one of them is in every text that has it, in lower case
	pattern *regexp.Regexp
	// with stands in place of what was found; empty: the pattern's first and last
	// group with the credential hidden between them.
	with string
	// spares says of the second group that it is none; nil: it always is.
	spares func(key, value string) bool
}

func (m mask) mayBeIn(lower string) bool {
	for _, sign := range m.signs {
		if strings.Contains(lower, sign) {
			return true
		}
	}
	return false
}

func (m mask) redact(text string) string {
	found := m.pattern.FindAllStringSubmatchIndex(text, -1)
	if found == nil {
		return text
	}
	var b strings.Builder
	end := 0
	for _, at := range found {
		b.WriteString(text[end:at[0]])
		b.WriteString(m.replace(text, at))
		end = at[1]
	}
	b.WriteString(text[end:])
	return b.String()
}

// replace is what stands in place of one match.
func (m mask) replace(text string, at []int) string {
	if m.with != "" {
		return m.with
	}
	before, value, after := text[at[2]:at[3]], text[at[4]:at[5]], text[at[5]:at[1]]
	if m.spares != nil && m.spares(before, value) {
		return text[at[0]:at[1]]
	}
	return before + opening(value) + hidden + closing(value) + after
}

// quotes may stand around a value, each with backslashes before it where it is
// quoted within another text.
const quotes = `\"'` + "`"

func opening(value string) string { return value[:len(value)-len(strings.TrimLeft(value, quotes))] }

func closing(value string) string {
	if opening(value) == "" {
		return ""
	}
	return value[len(strings.TrimRight(value, quotes)):]
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
