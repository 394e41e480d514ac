package health

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// unknownExit is no exit code.
const unknownExit int32 = -1

// From these counts on it is no accident any more.
const (
	CrashThreshold int32 = 3 // restarts
	OOMThreshold   int32 = 2 // kills
)

// crashFinding: the container starts and ends again. A container that is up and
// ready has got over it.
func crashFinding(s subject) *Finding {
	end, now := s.lastEnd()
	if end == nil && s.waitingFor() == "CrashLoopBackOff" {
		end = &corev1.ContainerStateTerminated{ExitCode: unknownExit} // its remains were collected
	}
	if end == nil || s.finished() || s.status.Ready {
		return nil
	}
	running := s.status.State.Running != nil
	ends := s.status.RestartCount
	if !running {
		ends++ // it is down: the last end has not been followed by a restart
	}
	f := s.oomFinding(end, ends)
	if f == nil {
		f = s.exitFinding(end, running)
	}
	f.LogsOf = &PodRef{Pod: s.pod.Name, Container: s.status.Name, Previous: !now}
	return f
}

func (s subject) oomFinding(end *corev1.ContainerStateTerminated, kills int32) *Finding {
	if end.Reason != "OOMKilled" {
		return nil
	}
	class := Patient
	if kills >= OOMThreshold {
		class = Repeated
	}
	limit, bound := s.spec.Resources.Limits[corev1.ResourceMemory]
	if !bound {
		return s.finding(CauseOutOfMemory, class, fmt.Sprintf("ran out of memory %s: its node had none left", times(kills)), exit(end),
			"set resources.requests.memory to what it needs, so that it lands on a node that has it")
	}
	return s.finding(CauseOutOfMemory, class, fmt.Sprintf("ran out of memory %s: its limit is %s", times(kills), limit.String()), exit(end),
		fmt.Sprintf("raise resources.limits.memory above %s, or make the application use less", limit.String()))
}

func (s subject) exitFinding(end *corev1.ContainerStateTerminated, running bool) *Finding {
	// Between two crashes it runs for a moment: that says nothing yet.
	class := Patient
	if !running && s.status.RestartCount >= CrashThreshold {
		class = Repeated
	}
	if s.wasTold(end) {
		sentence := fmt.Sprintf("does not pass its %s: it was ended, with %s, and was restarted %s", s.deadlyProbes(), exit(end), times(s.status.RestartCount))
		evidence := quoteAll(s.events.all(s.pod, s.status.Name, "Killing", "Unhealthy")) + "\n" + lastWords(end.Message)
		return s.finding(CauseCrashLoop, class, sentence, strings.TrimSpace(evidence),
			"see why it does not answer in time, or give it more: a startup_probe with a higher failure_threshold")
	}
	sentence := fmt.Sprintf("ended with %s and was restarted %s", exit(end), times(s.status.RestartCount))
	evidence := lastWords(end.Message)
	if evidence == "" {
		evidence = quote(s.events.last(s.pod, s.status.Name, "Unhealthy"))
	}
	return s.finding(CauseCrashLoop, class, sentence, evidence, crashHint(s, end))
}

// deadlyProbes names the container's probes for which the kubelet ends it; ""
// if it has none.
func (s subject) deadlyProbes() string {
	switch live, start := s.spec.LivenessProbe != nil, s.spec.StartupProbe != nil; {
	case live && start:
		return "startup_probe or liveness_probe"
	case live:
		return "liveness_probe"
	case start:
		return "startup_probe"
	}
	return ""
}

// wasTold says that the kubelet ended the container, for a probe. Events are
// dropped where there are many, so an older one counts where the exit code is
// that of a program that was told to end.
func (s subject) wasTold(end *corev1.ContainerStateTerminated) bool {
	killing := s.events.last(s.pod, s.status.Name, "Killing")
	if killing == nil || s.deadlyProbes() == "" {
		return false
	}
	return endsWhenTold(end) || !lastSeen(killing).Before(end.StartedAt.Time)
}

// endsWhenTold: after SIGTERM a program ends properly, or not, or is killed.
func endsWhenTold(end *corev1.ContainerStateTerminated) bool {
	return end.ExitCode == 0 || end.ExitCode == 137 || end.ExitCode == 143
}

// lastWords is the end of a log, where the reason is.
func lastWords(log string) string {
	const mostLines, most = 10, 550
	lines := strings.Split(strings.TrimSpace(log), "\n")
	log = strings.Join(lines[max(0, len(lines)-mostLines):], "\n")
	if runes := []rune(log); len(runes) > most {
		log = "…" + string(runes[len(runes)-most:])
	}
	return log
}

func crashHint(s subject, end *corev1.ContainerStateTerminated) string {
	probes := s.deadlyProbes()
	switch {
	case end.ExitCode == 0 && s.kind != "init container" && probes == "":
		return "a server must keep running in the foreground; check command and args"
	case end.ExitCode == 126 || end.ExitCode == 127:
		return "check that command names a program in the image that may be executed"
	case endsWhenTold(end) && probes != "":
		return fmt.Sprintf("if the events name its %s, give it more time or add a startup_probe; else read its log", probes)
	case end.ExitCode == 137:
		return "it was killed, most often for its memory: see resources.limits.memory, and the node"
	}
	return "read its log; the usual reasons are a missing variable, file or database"
}

// exit is how a container ended, in words.
func exit(end *corev1.ContainerStateTerminated) string {
	if end.ExitCode == unknownExit {
		return "an unknown exit code"
	}
	signal := end.Signal
	if signal == 0 && end.ExitCode > 128 && end.ExitCode < 160 {
		signal = end.ExitCode - 128 // a shell's convention, which runtimes follow
	}
	if name, ok := signals[signal]; ok {
		return fmt.Sprintf("exit code %d (%s)", end.ExitCode, name)
	}
	return fmt.Sprintf("exit code %d", end.ExitCode)
}

var signals = map[int32]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
}

func times(n int32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
