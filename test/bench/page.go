package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// example is the failure whose messages the page has.
const example = "image-missing"

const head = `---
page_title: "How soon a failure is reported"
description: |-
  Measured for each cause: how long it takes from when the cluster knows of a failure until terraform apply says so, here and elsewhere.
---

# How soon a failure is reported

A release that cannot start is reported when the cluster knows it, not when a timeout passes. What is certain must last for a grace
period, because registries and admission have moments; what has repeated itself is reported at once; and what may heal by itself is
waited for until the deadline that you set. [Troubleshooting](troubleshooting.md) says which is which.

This page is written by ` + "`make bench-diagnosis`" + `, which lets each thing go wrong on a real node. A watch of its own sees the write by
which the cluster knows: in each case the first one that holds all there is to know. From there it measures until the CLI prints the
error, less what is waited on purpose. The goal is that 95 %% of the reports come within %d ms.

`

// Page is the documentation's page.
func (r Result) Page() string {
	return fmt.Sprintf(head, Goal.Milliseconds()) + r.Tables()
}

// Tables are the page's tables, and what there is to know about them.
func (r Result) Tables() string {
	var b strings.Builder
	r.writeMachine(&b)
	r.writeOurs(&b)
	r.writeTheirs(&b)
	r.writeExample(&b)
	return b.String()
}

func (r Result) writeMachine(b *strings.Builder) {
	fmt.Fprintf(b, "Measured with %s and Kubernetes %s on one machine with %d processors and %d GB, which is the node, the control plane and the\n"+
		"CLI's machine at once. %s\n", r.CLI, r.Kubernetes, r.Machine.Processors, r.Machine.Memory, r.Machine.Busy())
}

func (r Result) writeOurs(b *strings.Builder) {
	var all []time.Duration
	for _, f := range r.Failures {
		all = append(all, beyond(f.Ours)...)
	}
	fmt.Fprintf(b, "\n## This provider\n\n"+
		"With `health = { fail_fast_grace = \"%s\" }` for what is certain (%s unless you say otherwise), and\n"+
		"`progress_deadline = \"%s\"` for what may heal. Beyond that, of %d reports, half came within %s ms and 95 %% within %s ms.\n\n"+
		"| what goes wrong | reported as | the cluster knows by | class | waited on purpose | beyond that, p50 | p95 | in all |\n"+
		"| --- | --- | --- | --- | --- | --- | --- | --- |\n",
		release.DurationText(time.Duration(r.Grace)), release.DurationText(release.DefaultFailFastGrace), release.DurationText(time.Duration(r.Limit)), len(all), milliseconds(Percentile(50, all)), milliseconds(Percentile(95, all)))
	for _, f := range r.Failures {
		late := beyond(f.Ours)
		whole := of(f.Ours, func(a Attempt) time.Duration { return time.Duration(a.Reported) })
		fmt.Fprintf(b, "| %s | `%s` | %s | %s | %s | %s ms | %s ms | %s |\n", f.What, f.Cause, f.Knows, f.Class, waited(f),
			milliseconds(Percentile(50, late)), milliseconds(Percentile(95, late)), seconds(Percentile(50, whole)))
	}
	fmt.Fprintf(b, "\nEach line is %s. *In all* is the median time from when Terraform asks the provider to create until it prints the error: what is\n"+
		"not waited on purpose is nearly all what the cluster takes to know.\n", counted(r.Failures))
}

// waited tells what was waited on purpose: a class decides it, not the attempt.
func waited(f Failure) string {
	if len(f.Ours) == 0 || f.Ours[0].Waited == 0 {
		return "–"
	}
	// What is left of a timeout once the cluster knows differs a little.
	return seconds(Percentile(50, of(f.Ours, func(a Attempt) time.Duration { return time.Duration(a.Waited) })))
}

func (r Result) writeTheirs(b *strings.Builder) {
	if !slices.ContainsFunc(r.Failures, func(f Failure) bool { return len(f.Theirs) > 0 }) {
		return
	}
	fmt.Fprintf(b, `
## The hashicorp/kubernetes provider

The same failures in the same run, as a `+"`kubernetes_deployment`"+` with the same pods, and with `+"`timeouts { create = \"%[1]s\" }`"+` so that the run ends:
the default is ten minutes. Version %[2]s is its last release that is a version of its Go module, from which it is built here; the source
of later ones waits in the same way. It reads the Deployment, and neither its pods nor its events.

| what goes wrong | reported in all | after the cluster knew | what it says |
| --- | --- | --- | --- |
`, release.DurationText(time.Duration(r.Timeout)), r.Theirs)
	for _, f := range r.Failures {
		if len(f.Theirs) == 0 {
			continue
		}
		whole := of(f.Theirs, func(a Attempt) time.Duration { return time.Duration(a.Reported) })
		after := of(f.Theirs, func(a Attempt) time.Duration { return time.Duration(a.Reported - a.Known) })
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", f.What, seconds(Percentile(50, whole)), seconds(Percentile(50, after)), quoted(f.Theirs))
	}
}

// writeExample shows the whole message of one failure, and what the other
// provider says of it.
func (r Result) writeExample(b *strings.Builder) {
	i := slices.IndexFunc(r.Failures, func(f Failure) bool { return f.Name == example })
	if i < 0 || len(r.Failures[i].Ours) == 0 || len(r.Failures[i].Theirs) == 0 {
		return
	}
	f := r.Failures[i]
	fmt.Fprintf(b, "\n## The same failure, told twice\n\nWhere %s, this provider says:\n\n```text\n%s\n```\n\nand hashicorp/kubernetes:\n\n```text\n%s\n```\n",
		f.What, f.Ours[0].Message, f.Theirs[0].Message)
}

// quoted are the different messages of attempts, each as it was.
func quoted(attempts []Attempt) string {
	var messages []string
	for _, a := range attempts {
		text := "`" + strings.Join(strings.Fields(a.Message), " ") + "`"
		if !slices.Contains(messages, text) {
			messages = append(messages, text)
		}
	}
	return strings.ReplaceAll(strings.Join(messages, "; "), "|", `\|`)
}

// counted tells how many attempts a line stands for.
func counted(failures []Failure) string {
	least, most := 0, 0
	for i, f := range failures {
		n := len(f.Ours)
		if i == 0 {
			least = n
		}
		least, most = min(least, n), max(most, n)
	}
	if least != most {
		return fmt.Sprintf("%d to %d applies", least, most)
	}
	if most == 1 {
		return "one apply"
	}
	return fmt.Sprintf("%d applies, so that p95 is the slowest", most)
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
