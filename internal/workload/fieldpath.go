package workload

import (
	"slices"
	"strconv"
	"strings"
)

// freeMaps are the maps whose keys users choose; keys may contain dots, and the
// API server writes them without quotes: .metadata.labels.app.kubernetes.io/name.
var freeMaps = []string{"labels", "annotations", "matchLabels", "selector", "nodeSelector", "limits", "requests"}

// FieldPath turns the field of an API server's apply conflict
// (.spec.template.spec.containers[name="api"].image) into the form that
// Baseline and Drift use (spec.template.spec.containers[api].image).
func FieldPath(conflict string) string {
	text, rest, last := "", conflict, ""
	for rest != "" {
		if rest[0] == '[' {
			var key string
			key, rest = bracket(rest[1:])
			text, last = step(text, key, true), ""
			continue
		}
		rest = strings.TrimPrefix(rest, ".")
		end := strings.IndexAny(rest, ".[")
		if end < 0 || slices.Contains(freeMaps, last) {
			end = len(rest)
		}
		text, last, rest = step(text, rest[:end], false), rest[:end], rest[end:]
	}
	return text
}

// bracket reads name="api",port=80] or =value] or 3] and gives the values, and
// what follows.
func bracket(s string) (key, rest string) {
	var values []string
	for s != "" && s[0] != ']' {
		if end := strings.IndexAny(s, `="],`); end >= 0 && s[end] == '=' {
			s = s[end+1:]
		}
		if quoted, err := strconv.QuotedPrefix(s); err == nil {
			v, _ := strconv.Unquote(quoted)
			values, s = append(values, v), s[len(quoted):]
		} else if end := strings.IndexAny(s, ",]"); end >= 0 {
			values, s = append(values, s[:end]), s[end:]
		} else {
			values, s = append(values, s), ""
		}
		s = strings.TrimPrefix(s, ",")
	}
	return strings.Join(values, "/"), strings.TrimPrefix(s, "]")
}

// Within says whether a field is prefix or lies under it.
func Within(field, prefix string) bool {
	rest, ok := strings.CutPrefix(field, prefix)
	return ok && prefix != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
