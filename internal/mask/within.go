package mask

import (
	"slices"
	"strings"
)

// Within is [Clean] for a text that stands within one of ours, such as the answer
// of a webhook in an error. Its lines but the first are indented: none of them can
// be taken for a line that we say, or that the CLI does. What is indented already
// stays as it is.
func Within(text string) string {
	text = strings.TrimRight(Clean(text), "\n")
	if !strings.Contains(text, "\n") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines[1:] {
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			lines[i+1] = "    " + line
		}
	}
	return strings.Join(lines, "\n")
}

// shortest is how long a value is that [Values] hides: "true" and "8080" stand in
// many a text.
const shortest = 8

// Values hides what a text must not repeat, such as the values of a container's
// environment, which policies quote. Longer ones go first: none is left in halves.
func Values(text string, values ...string) string {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return len(strings.TrimSpace(v)) < shortest })
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, v := range values {
		text = strings.ReplaceAll(text, v, hidden)
	}
	return text
}
