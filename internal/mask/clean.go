package mask

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes a text from elsewhere fit for a terminal: whatever a cluster, a
// plugin or a registry says, it moves no cursor, writes into no clipboard and
// turns no letters around. Control characters but line feeds and tabs go, escape
// sequences with all that belongs to them, and characters that show nothing. What
// would go back to the beginning of the line begins a new one, so that nothing is
// written over. The result is valid UTF-8; cleaning it again changes nothing.
func Clean(text string) string {
	text, cuts := bare(text)
	return strings.ReplaceAll(join(text, cuts, ""), "\r", "\n")
}

// cut is a place in a text where something was taken out.
type cut struct {
	at     int
	breaks bool // it began the line anew
}

// bare is a text without what Clean takes out, and where that was.
func bare(text string) (string, []cut) {
	if fit(text) {
		return text, nil
	}
	var b strings.Builder
	var cuts []cut
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			r = rune(text[0]) // a C1 control of an eight-bit terminal, or nothing that is known
			if r >= 0xa0 {
				b.WriteRune(utf8.RuneError)
				text = text[1:]
				continue
			}
		}
		gone, breaks := controls(r, text[size:])
		switch {
		case gone < 0:
			b.WriteString(text[:size])
			gone = 0
		case r == '\r' && strings.HasPrefix(strings.TrimLeft(text, "\r"), "\n"): // how lines end elsewhere
		default:
			cuts = append(cuts, cut{b.Len(), breaks})
		}
		text = text[size+gone:]
	}
	return b.String(), cuts
}

// fit says that there is nothing to take out.
func fit(text string) bool {
	for _, r := range text {
		if r == utf8.RuneError { // which may stand for what is none
			return utf8.ValidString(text) && !strings.ContainsFunc(text, unfit)
		}
		if unfit(r) {
			return false
		}
	}
	return true
}

func unfit(r rune) bool {
	gone, _ := controls(r, "")
	return gone >= 0
}

// controls says how much of what follows goes with a character that a terminal
// acts on, or that it does not show; negative: it is neither.
func controls(r rune, rest string) (gone int, breaks bool) {
	switch {
	case r == '\n', r == '\t':
		return -1, false
	case r == '\r', r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029':
		return 0, true
	case r == '\x1b':
		return escape(rest), false
	case r == '\u009b':
		return sequence(rest), false
	case r == '\u0090', r == '\u0098', r == '\u009d', r == '\u009e', r == '\u009f':
		return command(rest), false
	case r < ' ', r == 0x7f, r >= 0x80 && r < 0xa0, unicode.Is(unicode.Cf, r), unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return 0, false
	}
	return -1, false
}

// escape is how much belongs to an escape character. One that begins nothing
// known goes alone.
func escape(rest string) int {
	switch {
	case rest == "":
		return 0
	case rest[0] == '[':
		return 1 + sequence(rest[1:])
	case strings.IndexByte("]PX^_", rest[0]) >= 0:
		return 1 + command(rest[1:])
	case strings.IndexByte(`78=>\cDEHMNOZ`, rest[0]) >= 0:
		return 1
	case rest[0] > ' ' && rest[0] <= '/': // a set of characters is chosen
		if i := strings.IndexFunc(rest, func(r rune) bool { return r < ' ' || r > '/' }); i > 0 && rest[i] >= '0' && rest[i] <= '~' {
			return i + 1
		}
	}
	return 0
}

// sequence is how long a control sequence is: parameters, and what is to be done.
func sequence(rest string) int {
	i := len(rest) - len(strings.TrimLeft(rest, "0123456789:;<=>?"))
	i += len(rest[i:]) - len(strings.TrimLeft(rest[i:], ` !"#$%&'()*+,-./`))
	if i < len(rest) && rest[i] >= '@' && rest[i] <= '~' {
		i++
	}
	return i
}

// command is how long a text for the terminal itself is, such as a title, with
// what ends it. One that does not end in its line is none: it stays, and is read.
func command(rest string) int {
	for i, r := range rest {
		switch {
		case r == '\n':
			return 0
		case r == '\a', r == '\x18', r == '\x1a':
			return i + 1
		case r == '\u009c':
			return i + len("\u009c")
		case r == utf8.RuneError && rest[i] == 0x9c:
			return i + 1
		case strings.HasPrefix(rest[i:], "\x1b\\"):
			return i + 2
		case r == '\x1b':
			return i // another one, which ends it
		}
	}
	return 0
}

// join puts something where a line began anew, and between what stood on either
// side of all else that was taken out.
func join(text string, cuts []cut, between string) string {
	if len(cuts) == 0 {
		return text
	}
	var b strings.Builder
	end := 0
	for _, c := range cuts {
		b.WriteString(text[end:c.at])
		if end = c.at; c.breaks {
			b.WriteByte('\r')
		} else {
			b.WriteString(between)
		}
	}
	b.WriteString(text[end:])
	return b.String()
}
