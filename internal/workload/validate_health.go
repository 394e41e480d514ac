package workload

import (
	"math"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// longest is what Kubernetes' fields of seconds can hold.
const longest = math.MaxInt32 * time.Second

func checkHealth(r *report, at path, h release.Health) {
	if h.MinReady < 0 || h.MinReady > longest {
		r.add(at.to("min_ready"), "Invalid min_ready", "min_ready is %s, which is no time that a pod can have been ready. Leave it out, or use a length of time such as \"10s\".", h.MinReady)
		return
	}
	if h.ProgressDeadline < 0 || h.ProgressDeadline > longest {
		r.add(at.to("progress_deadline"), "Invalid progress_deadline", "progress_deadline is %s, which is no time that a rollout can take. Use a length of time such as \"5m\".", h.ProgressDeadline)
		return
	}
	if h.FailFastGrace != nil && *h.FailFastGrace < 0 {
		r.add(at.to("fail_fast_grace"), "Invalid fail_fast_grace", "fail_fast_grace is %s. Use a length of time such as \"15s\"; with \"0s\", a certain failure is one at once.", *h.FailFastGrace)
	}
	if h.CrashLimit < 0 {
		r.add(at.to("crash_limit"), "Invalid crash_limit", "crash_limit is %d, but it is a number of restarts. Use 1 or more.", h.CrashLimit)
	}
	if h.LogTail != nil && (*h.LogTail < 0 || *h.LogTail > release.MaxLogTail) {
		r.add(at.to("log_tail"), "Invalid log_tail", "log_tail is %d, but it is a number of lines. Use 0 (none) to %d.", *h.LogTail, release.MaxLogTail)
	}
	deadline, where := h.ProgressDeadline, at.to("progress_deadline")
	if deadline == 0 {
		deadline, where = time.Duration(defaultProgressSeconds)*time.Second, at.to("min_ready")
	}
	if ready := time.Duration(wholeSeconds(h.MinReady)) * time.Second; ready > 0 && ready >= time.Duration(wholeSeconds(deadline))*time.Second {
		r.add(where, "Progress deadline too short",
			"No pod counts before it has been ready for min_ready (%s), but the rollout has failed after progress_deadline (%s%s). Make the deadline longer, or min_ready shorter.",
			release.DurationText(h.MinReady), release.DurationText(deadline), defaultNote(h.ProgressDeadline == 0))
	}
}

func defaultNote(is bool) string {
	if is {
		return ", Kubernetes' default"
	}
	return ""
}
