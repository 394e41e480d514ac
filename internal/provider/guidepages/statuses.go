package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

const head = `---
page_title: "Statuses"
description: |-
  Every status of a deployment and of a main deployment: what it means, what may follow, what is allowed, and what other platforms call it.
---

# Statuses

The attribute ` + "`status`" + ` of [` + "`switchback_deployment`" + `](../resources/deployment.md) and of
[` + "`switchback_main_deployment`" + `](../resources/main_deployment.md) has one of these values. They follow from the same tables that decide
what is allowed. An action that a status does not allow is refused with that status, the reason and what is allowed instead; asking
for what is so already does nothing.

A status is of one of three kinds:

| kind | meaning |
| --- | --- |
`

var kinds = map[release.Kind]string{
	release.KindTransient: "Work is under way. If its process was killed, the next apply goes on.",
	release.KindSettled:   "Nothing is under way, and nothing goes on by itself.",
	release.KindError:     "Something went wrong. It stays until it is asked for again; `status_reason` says why.",
}

// What is only planned is on no page.
var (
	deployments = release.DeploymentLifecycle().Shown()
	mains       = release.MainLifecycle().Shown()
)

// statuses is the page of all statuses.
func statuses() string {
	var b strings.Builder
	b.WriteString(head)
	for _, kind := range release.Kinds() {
		fmt.Fprintf(&b, "| %s | %s |\n", kind, kinds[kind])
	}
	b.WriteString("\n## Deployments\n\n")
	writeLifecycle(&b, deployments)
	b.WriteString("\nWhat carries traffic is never stopped, whatever its status. A create that comes to nothing because another cluster refused it puts\n" +
		"the status back to what it was.\n")
	b.WriteString("\n## Main deployments\n\n")
	writeLifecycle(&b, mains)
	b.WriteString("\n## Actions\n\n| action | what it does |\n| --- | --- |\n")
	for _, action := range release.Actions() {
		fmt.Fprintf(&b, "| %s | %s |\n", action, action.Meaning())
	}
	b.WriteString("\n## In other words\n\nOther platforms have words of their own. Only those are listed that mean the same; the rest have no equivalent.\n")
	for _, v := range release.Vocabularies() {
		writeVocabulary(&b, v)
	}
	return b.String()
}

// writeLifecycle is a resource's table and its diagram.
func writeLifecycle[S ~string](b *strings.Builder, l release.Lifecycle[S]) {
	b.WriteString("| status | kind | meaning | allowed actions | elsewhere |\n| --- | --- | --- | --- | --- |\n")
	for _, stage := range l {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", stage.Status, stage.Kind, stage.Meaning, joined(stage.Allowed), elsewhere(stage))
	}
	b.WriteString("\n```mermaid\nstateDiagram-v2\n")
	for _, stage := range l {
		if stage.First {
			fmt.Fprintf(b, "  [*] --> %s\n", stage.Status)
		}
	}
	common := reachedFromAll(l)
	for _, stage := range l {
		for _, next := range stage.Next {
			if !slices.Contains(common, next) {
				fmt.Fprintf(b, "  %s --> %s\n", stage.Status, next)
			}
		}
		if len(stage.Next) == 0 {
			fmt.Fprintf(b, "  %s --> [*]\n", stage.Status)
		}
	}
	for _, status := range common {
		fmt.Fprintf(b, "  note right of %s : from every other status\n", status)
	}
	b.WriteString("```\n")
}

// reachedFromAll are the statuses that every other one may become, less those
// at the end of a life. A diagram with all these arrows could not be read.
func reachedFromAll[S ~string](l release.Lifecycle[S]) []S {
	var all []S
	for _, to := range l.Statuses() {
		if !slices.ContainsFunc(l, func(from release.Stage[S]) bool {
			return from.Status != to && len(from.Next) > 0 && !slices.Contains(from.Next, to)
		}) {
			all = append(all, to)
		}
	}
	return all
}

func joined[S ~string](values []S) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

// elsewhere are the distinct words of other platforms.
func elsewhere[S ~string](stage release.Stage[S]) string {
	var found []string
	for _, v := range release.Vocabularies() {
		if word := stage.Elsewhere[v]; word != "" {
			found = append(found, word)
		}
	}
	return strings.Join(found, ", ")
}

// titles say what kind of platform uses a vocabulary.
var titles = map[release.Vocabulary]string{
	release.VocabularyInstances:    "Platforms that start and stop instances",
	release.VocabularyPromotions:   "Platforms for blue-green deployments",
	release.VocabularyEnvironments: "Platforms that build and deploy environments",
}

// writeVocabulary is another platform's words, in its own order, with ours. A word
// that means none of ours is left out.
func writeVocabulary(b *strings.Builder, v release.Vocabulary) {
	fmt.Fprintf(b, "\n### %s\n\n| there | deployment | main deployment |\n| --- | --- | --- |\n", titles[v])
	for _, word := range v.Words() {
		if deployment, main := ours(deployments, v, word), ours(mains, v, word); deployment+main != "" {
			fmt.Fprintf(b, "| %s | %s | %s |\n", word, deployment, main)
		}
	}
}

// ours is the status that means the same as a word.
func ours[S ~string](l release.Lifecycle[S], v release.Vocabulary, word string) string {
	i := slices.IndexFunc(l, func(stage release.Stage[S]) bool { return stage.Elsewhere[v] == word })
	if i < 0 {
		return ""
	}
	return "`" + string(l[i].Status) + "`"
}
