package terminal

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// plain is what no shell takes for anything else.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quoted is a text as one word of a shell's line.
func quoted(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// jsonOf is a value as a line of JSON.
func jsonOf(value any) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

// noContext are the names of connections that no context has led to.
var noContext = []string{"default", "in-cluster"}

// typed are the flags by which a line of a shell reaches the same namespace of the same
// clusters, whatever the current context is by then.
func (r *reach) typed(namespace string, clusters []string) string {
	words := []string{"--namespace", namespace}
	if path := *r.flags.KubeConfig; path != "" {
		words = append(words, "--kubeconfig", path)
	}
	contexts := slices.DeleteFunc(slices.Clone(clusters), func(name string) bool {
		return slices.Contains(noContext, name) && !slices.Contains(r.contexts, name) && *r.flags.Context != name
	})
	switch {
	case len(contexts) > 1:
		words = append(words, "--contexts", strings.Join(contexts, ","))
	case len(contexts) == 1:
		words = append(words, "--context", contexts[0])
	}
	for i, word := range words {
		words[i] = quoted(word)
	}
	return strings.Join(words, " ")
}
