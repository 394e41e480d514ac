package main

import (
	"fmt"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

const troubleshootingHead = `---
page_title: "Troubleshooting"
description: |-
  Why a release did not start: every cause that Switchback finds, what it means, when an apply gives up, and what to do.
---

# Troubleshooting

A release that does not become healthy fails with its cause in the title of the error, and under it what is wrong, where, what
the cluster says about it, and what to do. The most likely cause comes first; what only echoes it is left out. The traffic stays
where it was.

` + "```text" + `
Error: Deployment failed to start: ImageNotFound

Deployment shop/api-7f3c9a1e (version v1.4.0) on cluster "prod": 0 of 3 pods are available.

ImageNotFound: container "api" cannot pull ghcr.io/acme/api:v1.4.0
  Where: pod api-7f3c9a1e-6c9f8-x2x8d (3 of 3 pods)
  Evidence: manifest unknown
  Try: correct the tag or digest, or push the image; see that its build has finished

Left behind: on cluster "prod", the objects of shop/api-7f3c9a1e are still there, without pods. To remove them now:
  kubectl --namespace shop delete deployment,service,configmap,hpa,pdb --selector switchback.dev/deployment=api-7f3c9a1e
Otherwise an apply of the same version takes them up again, and the next promotion of the application, or the end of its main
deployment, removes them.

Traffic: unchanged, 100 % on api-0b8e4d27.
` + "```" + `

## When an apply gives up

| class | when |
| --- | --- |
`

var classMeaning = map[health.Class]string{
	health.Certain: fmt.Sprintf("Waiting does not help. The apply fails once the cause has lasted for `health.fail_fast_grace` (%s unless you say otherwise), "+
		"so that a moment's trouble does not fail a release. A cause that needs longer to be sure says so below.", release.DefaultFailFastGrace),
	health.Repeated: fmt.Sprintf("It has happened so often that it will go on. The apply fails at once: at `health.crash_limit` restarts of one container (%d), or at the second kill for memory.",
		release.DefaultCrashLimit),
	health.Patient: "It may heal by itself. The apply waits to `health.progress_deadline`, or to the operation's timeout where there is none, and then says what it waited for.",
	health.Warning: "It does not keep the release from starting. It is told, and nothing fails.",
}

const troubleshootingTables = `
What several pods show is told once, with their number: *3 of 3 pods*. Only pods of the present template count.

## Causes

The class is the usual one: a cause that has only been seen once may be waited for.
`

const troubleshootingTail = `
## Looking closer

- [` + "`switchback_diagnosis`" + `](../data-sources/diagnosis.md) gives the same verdict at any time, for a deployment of Switchback's, for any other
  Deployment, or for the pods that a label selector selects.
- [` + "`switchback_logs`" + `](../data-sources/logs.md) and [` + "`switchback_events`" + `](../data-sources/events.md) have what the containers write and what the cluster says.
- ` + "`on_failure = \"keep\"`" + ` leaves the pods of a failed release as they are, to look at with ` + "`kubectl`" + `.

## What it needs to see

Pods, ReplicaSets, events and logs are read, and where something is wrong also what is around the pods: claims, quotas, limit ranges,
service accounts, Services. Each is optional: what may not be read is named in the error, and the rest still works. Nodes and Secrets
are never read. [SECURITY.md](https://github.com/switchback-dev/terraform-provider-switchback/blob/main/SECURITY.md) has the Role.

## What is hidden

Messages and logs may hold credentials. What looks like one (tokens, keys, passwords, URLs with a login) is shown as ` + "`***`" + `. No pattern
finds every secret: ` + "`health = { log_tail = 0 }`" + ` leaves logs out of errors.
`

// troubleshooting is the page of all causes.
func troubleshooting() string {
	var b strings.Builder
	b.WriteString(troubleshootingHead)
	for _, class := range health.Classes() {
		fmt.Fprintf(&b, "| %s | %s |\n", class, classMeaning[class])
	}
	b.WriteString(troubleshootingTables)
	heading := ""
	for _, e := range health.Catalogue() {
		if e.About != heading {
			heading = e.About
			fmt.Fprintf(&b, "\n### %s\n\n| cause | class | what it means | what to do |\n| --- | --- | --- | --- |\n", heading)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Cause, e.Class, e.Meaning, sentence(e.Try))
	}
	b.WriteString(troubleshootingTail)
	return b.String()
}

// sentence makes a hint one.
func sentence(hint string) string { return strings.ToUpper(hint[:1]) + hint[1:] + "." }
