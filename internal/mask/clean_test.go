package mask

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// moves are what a text may tell a terminal to do, each by itself: what shows
// nothing, and may stand in the middle of a word.
var moves = []string{
	"\x1b[31m", "\x1b[0m", "\x1b[1C", "\x1b[2J", "\x1b[1;1H", "\x1b[?25l", "\x1b[ q", "\x1b[38:2::255:0:0m", "\x1b(B", "\x1b(B\x1b[m", "\x1b7", "\x1b8", "\x1bc", "\x1bM",
	"\x1b]0;owned\a", "\x1b]0;owned\x1b\\", "\x1b]52;c;ZXZpbA==\a", "\x1b]8;;http://evil.example\a", "\x1bPq#0\x1b\\", "\x1b_G\x1b\\", "\x1b^x\x1b\\", "\x1bXx\u009c",
	"\u009b2J", "\u009d0;owned\u009c", "\u0085", "\x9b2J", "\x84", "\a", "\b", "\b\b", "\r", "\v", "\f", "\x00", "\x7f",
	"\u202e", "\u202c", "\u2066", "\u2069", "\u200e", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060", "\ufe0f", "\u034f", "\u2028", "\U000e0041",
}

func TestClean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"two\n\tlines":                      "two\n\tlines",
		"grün, 日本, €, 👍":                    "grün, 日本, €, 👍",
		"\x1b]0;owned\ahello":               "hello",
		"\x1b]52;c;ZXZpbA==\x1b\\hello":     "hello",
		"\x1b[2J\x1b[1;1Hhello":             "hello",
		"see \x1b]8;;http://e\ahere":        "see here",
		"\u009b2Jhello":                     "hello",
		"\x9b2Jhello":                       "hello",
		"real error\rApply complete!":       "real error\nApply complete!",
		"dos\r\nlines\r\r\n":                "dos\nlines\n",
		"denied\b\b\b\b\b\bgranted":         "deniedgranted",
		"\u202egnp.exe\u202c":               "gnp.exe",
		"a\x1b]0;no end is no title\nb":     "a0;no end is no title\nb",
		"a\x1b]0;one \x1b]0;two\ab":         "ab",
		"a\x1b":                             "a",
		"a\x1b[":                            "a",
		"a\x1b[12\nb":                       "a\nb",
		"not \xff valid":                    "not \ufffd valid",
		"that \ufffd is":                    "that \ufffd is",
		"page\fnext\vnext\u0085next\u2028.": "page\nnext\nnext\nnext\n.",
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q is cleaned to %q, want %q", text, got, want)
		}
	}
}

// TestNothingHidesFromMasking: a move within a credential, or beside it, does not
// keep it from being known for one.
func TestNothingHidesFromMasking(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z][A-Za-z0-9]{2,14}[0-9][A-Za-z0-9]{4,20}`).Draw(t, "secret")
		carrier := rapid.SampledFrom([]string{"password=%s", "token: %s and more", `{"api_key":"%s"}`, "https://robot:%s@registry.example/v2", "--password %s"}).Draw(t, "carrier")
		text := fmt.Sprintf(carrier, secret)
		at := rapid.SliceOfNDistinct(rapid.IntRange(0, len(text)), 1, 3, rapid.ID).Draw(t, "at")
		slices.Sort(at)
		for _, i := range slices.Backward(at) {
			text = text[:i] + rapid.SampledFrom(moves).Draw(t, "move") + text[i:]
		}
		got := Redact(text)
		if strings.Contains(strings.ReplaceAll(got, "\n", ""), secret) || strings.ContainsFunc(got, unfit) {
			t.Errorf("%q is %q", text, got)
		}
		if again := Redact(got); again != got {
			t.Errorf("%q\nis %q\nand %q when it is redacted twice", text, got, again)
		}
	})
}

// TestTokensAreKnownBetweenMoves: where what is taken out stood before a token,
// it is no part of a word.
func TestTokensAreKnownBetweenMoves(t *testing.T) {
	t.Parallel()
	const token = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
	for _, move := range moves {
		for _, text := range []string{"x" + move + token, token[:9] + move + token[9:], token + move + "x", "x" + move + token[:30] + move + token[30:] + move + "password" + move + "=" + move + "hunter2"} {
			if got := Redact(text); strings.Contains(got, token[4:12]) || strings.Contains(got, token[32:]) || strings.Contains(got, "hunter2") {
				t.Errorf("%q is %q", text, got)
			}
		}
	}
}

func FuzzClean(f *testing.F) {
	for i, move := range moves {
		f.Add("a"+move+"b\nc", i)
	}
	f.Add("password=hunter2 is wrong", 4)
	f.Add("grün \xe2\x80", 3)
	f.Fuzz(func(t *testing.T, text string, at int) {
		got := Clean(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unfit) {
			t.Errorf("%q is cleaned to %q", text, got)
		}
		if again := Clean(got); again != got {
			t.Errorf("%q is cleaned to %q, and then to %q", text, got, again)
		}
		if clean := utf8.ValidString(text) && !strings.ContainsFunc(text, unfit); clean && got != text {
			t.Errorf("%q was clean, and is cleaned to %q", text, got)
		}
		const secret = "hunter2hunter2"
		planted := "password=" + secret
		i, move := max(0, at%len(planted)), moves[max(0, at%len(moves))]
		shown := Redact(text + "\n" + planted[:i] + move + planted[i:] + "\n")
		if strings.Contains(shown, secret) && !strings.Contains(text, secret) || strings.ContainsFunc(shown, unfit) {
			t.Errorf("%q after %q is %q", planted[:i]+move+planted[i:], text, shown)
		}
		if again := Redact(shown); again != shown {
			t.Errorf("%q is redacted to %q, and then to %q", text, shown, again)
		}
	})
}
