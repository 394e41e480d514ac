package health

import (
	"regexp"
	"strings"
)

const hidden = "***"

// secrets are the ways in which credentials get into messages and logs. Masking
// too much is better than too little.
var secrets = []struct {
	pattern *regexp.Regexp
	with    string
}{
	// https://user:password@host, postgres://user:password@host
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@"']+@`), "${1}" + hidden + "@"},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}`), "${1} " + hidden},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`), hidden},
	{regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`), hidden},
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`), hidden},
}

// assignment is password=…, "api_key": "…", DB_PASSWORD: ….
var assignment = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)`)

// prose are the words that follow "token: " in what registries and API servers
// say; without them their most common messages would lose their point.
var prose = map[string]bool{
	"unexpected": true, "invalid": true, "expired": true, "failed": true, "missing": true, "not": true,
	"denied": true, "unauthorized": true, "forbidden": true, "no": true, "unable": true, "cannot": true,
}

// Redact masks what looks like a credential. Everything that goes from a
// cluster's messages or logs to a person goes through it.
func Redact(text string) string {
	for _, s := range secrets {
		text = s.pattern.ReplaceAllString(text, s.with)
	}
	return assignment.ReplaceAllStringFunc(text, func(found string) string {
		parts := assignment.FindStringSubmatch(found)
		if prose[strings.TrimRight(parts[2], ":.")] {
			return found
		}
		return parts[1] + hidden
	})
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
