package cost

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
)

const head = `---
page_title: "What a plan costs"
description: |-
  Measured: time, memory, requests and state of plans and applies with many deployments, here and elsewhere.
---

# What a plan costs

Most plans change nothing, and every pipeline waits for them. This page says what they cost with up to %d deployments, and what the
applies around them do. It is written by ` + "`make bench`" + `, against a simulated cluster: pods become ready at once, so that what is measured
is the CLI, the provider and the API server's answers.

Five providers are compared:

- ` + "`null_resource`" + `: a provider whose one resource is nothing, with the attributes of hashicorp/null's. No plan of so many resources can be cheaper.
- this schema without logic: a provider with the schema of this one that answers with what it is sent, over the same state. What it takes is
  the CLI's own work on resources of this shape.
- this provider, and the same without its fast path: with ` + "`SWITCHBACK_FAST_PATH=off`" + `.
- hashicorp/kubernetes%s: a ` + "`kubernetes_deployment` and a `kubernetes_service`" + ` for each ` + "`switchback_deployment`" + `, which makes the same two objects.

`

// Page is the documentation's page. Plots are found below an address.
func (r Result) Page(plots string) string {
	return fmt.Sprintf(head, slices.Max(append(r.Sizes(), 0)), r.theirVersion()) + r.Tables(plots)
}

// Tables are the page's tables and plots, and what there is to know about them.
func (r Result) Tables(plots string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured with %s and Kubernetes %s on one machine with %d processors and %d GB, which has the control plane, too.\n%s "+
		"CPU seconds, requests, memory and ratios are steadier than seconds.\n",
		r.CLI, r.Kubernetes, r.Machine.Processors, r.Machine.Memory, r.Machine.Busy())
	r.writeNothing(&b, plots)
	r.writeRatios(&b)
	r.writeFarPlans(&b)
	r.writeLives(&b, plots)
	r.writeDryRuns(&b)
	r.writeStarts(&b)
	return b.String()
}

func (r Result) theirVersion() string {
	if r.Theirs == "" {
		return ""
	}
	return " " + r.Theirs + ", the last release that is a version of its Go module, from which it is built here"
}

func (r Result) writeNothing(b *strings.Builder, plots string) {
	fmt.Fprintf(b, "\n## A plan without changes\n\n%s\n%s\n", image(plots, planCPU), image(plots, planRequests))
	b.WriteString("Medians of the runs. *Wire* is what goes to the API server and comes from it, encrypted.\n\n" +
		"| resources | provider | seconds | CPU seconds of the CLI | of the provider | memory of the CLI | of the provider | requests | wire | state |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	r.each(Nothing, false, func(n int, name string, row *Row) {
		fmt.Fprintf(b, "| %d | %s | %s | %s | %s | %s | %s | %d | %s | %s |\n", n, name, seconds(Figure(row, wall)), seconds(Figure(row, cliCPU)), seconds(Figure(row, providerCPU)),
			megabytes(Figure(row, cliPeak)), megabytes(Figure(row, providerPeak)), Figure(row, requests), kilobytes(Figure(row, wire)), kilobytes(Figure(row, state)))
	})
}

// each is each provider's row of one thing, by number of resources.
func (r Result) each(what string, far bool, write func(n int, name string, row *Row)) {
	for _, n := range r.Sizes() {
		for _, p := range Names {
			if row := r.Of(Case{p.Provider, what, n, far}); row != nil {
				write(n, p.Text, row)
			}
		}
	}
}

// pairs are the ratios that the page has.
var pairs = []struct{ text, a, b string }{
	{"this schema without logic / `null_resource`", Logicless, Null},
	{"this provider / this schema without logic", Ours, Logicless},
	{"this provider / `null_resource`", Ours, Null},
	{"without the fast path / this provider", Slow, Ours},
	{"hashicorp/kubernetes / this provider", Theirs, Ours},
}

func (r Result) writeRatios(b *strings.Builder) {
	b.WriteString("\nThe same as ratios, each the median of the runs, which the providers had in turn: of seconds, of CPU seconds, and of the CLI's memory.\n\n" +
		"| resources | ratio | seconds | CPU | memory |\n| --- | --- | --- | --- | --- |\n")
	for _, n := range r.Sizes() {
		for _, p := range pairs {
			x, y := r.Of(Case{p.a, Nothing, n, false}), r.Of(Case{p.b, Nothing, n, false})
			if x == nil || y == nil {
				continue
			}
			fmt.Fprintf(b, "| %d | %s | %.2f | %.2f | %.2f |\n", n, p.text, Ratio(x, y, asNumber(wall)), Ratio(x, y, asNumber(cpu)), Ratio(x, y, func(u Run) float64 { return float64(u.CLIPeak) }))
		}
	}
}

func (r Result) writeFarPlans(b *strings.Builder) {
	fmt.Fprintf(b, "\n### On a cluster that is far away\n\nThe same where every request takes %s longer.\n\n"+
		"| resources | provider | seconds | nearby | requests |\n| --- | --- | --- | --- | --- |\n", release.DurationText(time.Duration(r.Far)))
	for _, n := range r.Sizes() {
		for _, p := range Names {
			far, near := r.Of(Case{p.Provider, Nothing, n, true}), r.Of(Case{p.Provider, Nothing, n, false})
			if far != nil && near != nil && Figure(far, requests) > 0 {
				fmt.Fprintf(b, "| %d | %s | %s | %s | %d |\n", n, p.Text, seconds(Figure(far, wall)), seconds(Figure(near, wall)), Figure(far, requests))
			}
		}
	}
}

func (r Result) writeLives(b *strings.Builder, plots string) {
	fmt.Fprintf(b, "\n## Create, version bump, destroy\n\n%s\n", image(plots, createRequests))
	fmt.Fprintf(b, "With `-parallelism=%d`. A version bump of this provider creates each new deployment and removes the old one; of hashicorp/kubernetes,\n"+
		"it rolls the pods over. What took longer than %s was ended.\n\n"+
		"| resources | what | provider | seconds | CPU seconds of the CLI | of the provider | memory of the CLI | of the provider | requests | a resource | wire |\n"+
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n", r.Parallelism, release.DurationText(time.Duration(r.Limit)))
	for _, far := range []bool{false, true} {
		for _, n := range r.Sizes() {
			for _, what := range []string{Create, Bump, Destroy} {
				for _, p := range Names {
					r.writeLife(b, Case{p.Provider, what, n, far}, p.Text)
				}
			}
		}
	}
}

func (r Result) writeLife(b *strings.Builder, c Case, name string) {
	what := c.What
	if c.Far {
		what += ", far away"
	}
	if row := r.Of(c); row != nil {
		fmt.Fprintf(b, "| %d | %s | %s | %s | %s | %s | %s | %s | %d | %.1f | %s |\n", c.N, what, name, seconds(Figure(row, wall)),
			seconds(Figure(row, cliCPU)), seconds(Figure(row, providerCPU)), megabytes(Figure(row, cliPeak)), megabytes(Figure(row, providerPeak)),
			Figure(row, requests), float64(Figure(row, requests))/float64(c.N), kilobytes(Figure(row, wire)))
	} else if r.Over(c) {
		fmt.Fprintf(b, "| %d | %s | %s | more than %s | | | | | | | |\n", c.N, what, name, release.DurationText(time.Duration(r.Limit)))
	}
}

func (r Result) writeDryRuns(b *strings.Builder) {
	b.WriteString("\n## What a plan asks before a create\n\nThe plan that creates them asks the API server what it would say to their objects, unless `server_dry_run = false`.\n\n" +
		"| deployments | requests | of them dry runs | requests without |\n| --- | --- | --- | --- |\n")
	for _, d := range r.DryRuns {
		fmt.Fprintf(b, "| %d | %d | %d | %d |\n", d.N, d.With, d.DryRun, d.Off)
	}
}

func (r Result) writeStarts(b *strings.Builder) {
	b.WriteString("\n## A provider that starts\n\nA plan starts its providers once, an apply twice.\n\n" +
		"| provider | until it has sent its schema | memory then |\n| --- | --- | --- |\n")
	for _, p := range Names {
		if s, ok := r.Starts[p.Provider]; ok {
			fmt.Fprintf(b, "| %s | %d ms | %s |\n", p.Text, time.Duration(Median(s.Schema)).Milliseconds(), megabytes(s.Idle))
		}
	}
}

// The figures of a run.
func wall(u Run) bench.Duration        { return u.Wall }
func cpu(u Run) bench.Duration         { return u.CPU }
func providerCPU(u Run) bench.Duration { return u.ProviderCPU }
func cliCPU(u Run) bench.Duration      { return u.CPU - u.ProviderCPU }
func cliPeak(u Run) int64              { return u.CLIPeak }
func providerPeak(u Run) int64         { return u.ProviderPeak }
func requests(u Run) int               { return u.Requests }
func wire(u Run) int64                 { return u.Bytes }
func state(u Run) int64                { return u.State }

func asNumber(of func(Run) bench.Duration) func(Run) float64 {
	return func(u Run) float64 { return float64(of(u)) }
}

func seconds(d bench.Duration) string { return fmt.Sprintf("%.2f", time.Duration(d).Seconds()) }

func megabytes(n int64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%d MB", n>>20)
}

func kilobytes(n int64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f KB", float64(n)/1000)
}
