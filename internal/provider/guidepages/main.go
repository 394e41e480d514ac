// Command guidepages writes the templates of those documentation pages that come
// from the tables that the engine obeys, so that a page cannot say anything else.
// Its argument is the page: statuses or troubleshooting.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
)

// pages are the templates by name: templates/guides/<name>.md.tmpl.
var pages = map[string]func() string{
	"statuses":        statuses,
	"troubleshooting": troubleshooting,
}

func main() {
	if len(os.Args) != 2 || pages[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "guidepages: name a page, one of", slices.Sorted(maps.Keys(pages)))
		os.Exit(2)
	}
	if _, err := os.Stdout.WriteString(pages[os.Args[1]]()); err != nil {
		fmt.Fprintln(os.Stderr, "guidepages:", err)
		os.Exit(1)
	}
}
