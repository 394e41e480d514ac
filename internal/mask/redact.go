package mask

import (
	"regexp"
	"strings"
)

const hidden = "***"

// Redact cleans a text, see [Clean], and masks what looks like a credential.
// Everything that goes from a cluster's messages or logs to a person goes through
// it. Masking too much is better than too little, as long as what registries,
// kubelets and API servers say stays readable.
func Redact(text string) string {
	return strings.ReplaceAll(RedactKeepingReturns(text), "\r", "\n")
}

// RedactKeepingReturns is [Redact], but for carriage returns, which stay as such:
// for who shows what a terminal would have overwritten.
//
// A credential is looked for in the text without what was taken out of it, which
// may have cut it in two; then behind each such place, and between them, since
// what looks like a part of a word may have been none; and at last in what is
// left, so that masking once more changes nothing.
func RedactKeepingReturns(text string) string {
	text, cuts := bare(text)
	text, cuts = hide(text, cuts)
	if len(cuts) > 0 {
		text, cuts = hideBehind(text, cuts)
		text, _ = hide(join(text, cuts, boundary), nil)
		text = strings.ReplaceAll(text, boundary, "")
	}
	for range mostRounds {
		lines := strings.ReplaceAll(text, "\r", "\n")
		again, _ := hide(lines, nil)
		if again == lines {
			break
		}
		text = again
	}
	return text
}

// hideBehind masks what begins at a cut where the text has a word that goes on.
func hideBehind(text string, cuts []cut) (string, []cut) {
	for i := 0; i < len(cuts) && i < mostCuts; i++ {
		at := cuts[i].at
		if at == 0 || at == len(text) || !inWord(text[at-1]) || !inWord(text[at]) {
			continue
		}
		end := len(text)
		if line := strings.IndexByte(text[at:], '\n'); line >= 0 {
			end = at + line
		}
		var within []cut
		for _, c := range cuts[i+1:] {
			within = append(within, cut{c.at - at, c.breaks})
		}
		behind, left := hide(text[at:end], within)
		if behind == text[at:end] {
			continue
		}
		text, cuts = text[:at]+behind+text[end:], cuts[:i+1]
		for _, c := range left {
			cuts = append(cuts, cut{c.at + at, c.breaks})
		}
	}
	return text, cuts
}

func inWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}

const (
	boundary   = "\x00" // is in no clean text
	mostRounds = 4
	mostCuts   = 200 // are looked at one by one
)

// hide applies every mask. Of the cuts, those within a credential go with it.
func hide(text string, cuts []cut) (string, []cut) {
	lower := strings.ToLower(text)
	for _, m := range masks {
		if m.mayBeIn(lower) {
			text, cuts = m.redact(text, cuts)
		}
	}
	return text, cuts
}

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

func (m mask) redact(text string, cuts []cut) (string, []cut) {
	found := m.pattern.FindAllStringSubmatchIndex(text, -1)
	if found == nil {
		return text, cuts
	}
	var b strings.Builder
	var left []cut
	end := 0
	upTo := func(at int) {
		for len(cuts) > 0 && cuts[0].at <= at {
			left = append(left, cut{b.Len() + cuts[0].at - end, cuts[0].breaks})
			cuts = cuts[1:]
		}
		b.WriteString(text[end:at])
		end = at
	}
	for _, at := range found {
		from, to, with := m.replace(text, at)
		upTo(from)
		b.WriteString(with)
		for len(cuts) > 0 && cuts[0].at < to {
			cuts = cuts[1:]
		}
		end = to
	}
	upTo(len(text))
	for _, c := range cuts { // of what comes after this text
		left = append(left, cut{b.Len() + c.at - end, c.breaks})
	}
	return b.String(), left
}

// replace is what of one match gives way, and to what.
func (m mask) replace(text string, at []int) (from, to int, with string) {
	if m.with != "" {
		return at[0], at[1], m.with
	}
	before, value := text[at[2]:at[3]], text[at[4]:at[5]]
	if m.spares != nil && m.spares(before, value) {
		return at[1], at[1], ""
	}
	return at[4], at[5], opening(value) + hidden + closing(value)
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
