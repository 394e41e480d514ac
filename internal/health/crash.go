package health

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// unknownExit is no exit code.
const unknownExit int32 = -1

// From these counts on it is no accident any more.
const (
	CrashThreshold int32 = 3 // restarts, unless Limits say another number
	OOMThreshold   int32 = 2 // kills
)

func (l Limits) crashes() int32 { return cmp.Or(l.Crashes, CrashThreshold) }

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
	log := &PodRef{Pod: s.pod.Name, Container: s.status.Name, Previous: !now}
	f := s.oomFinding(end, ends)
	if f == nil {
		f = s.exitFinding(end, running, cmp.Or(lastWords(end.Message), lastWords(s.logs[*log])))
	}
	f.LogsOf = log
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

// exitFinding takes the container's last words as far as they are known, from
// its termination message or its log.
func (s subject) exitFinding(end *corev1.ContainerStateTerminated, running bool, said string) *Finding {
	// Between two crashes it runs for a moment: that says nothing yet.
	class := Patient
	if !running && s.status.RestartCount >= s.limits.crashes() {
		class = Repeated
	}
	evidence := lastWords(end.Message)
	if probe := s.killedFor(end); probe != nil {
		return s.killFinding(probe, end, class, evidence)
	}
	if t := find(lastWordsTroubles, said); t != nil {
		if !strings.Contains(said, "\n") {
			class = Certain // the runtime says it, in place of the program: that it seems to run for a moment means nothing
		}
		return s.finding(t.cause, class, t.says, cmp.Or(evidence, said), t.try)
	}
	sentence := fmt.Sprintf("ended with %s%s", exit(end), restarted(" and", s.status.RestartCount))
	if evidence == "" {
		evidence = quote(s.events.last(s.pod, s.status.Name, "Unhealthy"))
	}
	return s.finding(CauseCrashLoop, class, sentence, evidence, crashHint(s, end))
}

// deadlyProbe is a probe for which the kubelet ends a container.
type deadlyProbe struct {
	cause Cause
	word  string // the kubelet's, in events
	name  string // the attribute's
	spec  *corev1.Probe
}

// deadlyProbes are those that the container has.
func (s subject) deadlyProbes() []deadlyProbe {
	var probes []deadlyProbe
	if p := s.spec.StartupProbe; p != nil {
		probes = append(probes, deadlyProbe{CauseStartupKilled, "startup", "startup_probe", p})
	}
	if p := s.spec.LivenessProbe; p != nil {
		probes = append(probes, deadlyProbe{CauseLivenessKilled, "liveness", "liveness_probe", p})
	}
	return probes
}

var killedForProbe = regexp.MustCompile(`failed (startup|liveness) probe`)

// killedFor is the probe for which the kubelet ended the container; nil where it
// did not. Events are dropped where there are many, so an older one counts where
// the exit code is that of a program that was told to end.
func (s subject) killedFor(end *corev1.ContainerStateTerminated) *deadlyProbe {
	for _, e := range s.events.all(s.pod, s.status.Name, "Killing") {
		word := killedForProbe.FindStringSubmatch(e.Message)
		if word == nil || !endsWhenTold(end) && lastSeen(e).Before(end.StartedAt.Time) {
			continue
		}
		for _, p := range s.deadlyProbes() {
			if p.word == word[1] {
				return &p
			}
		}
	}
	return nil
}

func (s subject) killFinding(p *deadlyProbe, end *corev1.ContainerStateTerminated, class Class, evidence string) *Finding {
	sentence := fmt.Sprintf("does not pass its %s", p.name)
	failed := s.deadlyEvent(p.word, end)
	t := find(probeTroubles, messageOf(failed))
	if t != nil {
		sentence += fmt.Sprintf(" (%s)", t.says)
	}
	sentence += fmt.Sprintf(": it was ended%s, with %s%s", after(end), exit(end), restarted(", and", s.status.RestartCount))
	evidence = strings.TrimSpace(quote(failed) + "\n" + quote(s.events.last(s.pod, s.status.Name, "Killing")) + "\n" + evidence)
	return s.finding(p.cause, class, sentence, evidence, s.killHint(p, end, t))
}

// after is how long it ran, where that is known.
func after(end *corev1.ContainerStateTerminated) string {
	if ran := lived(end); ran > 0 {
		return fmt.Sprintf(" %s after its start", ran)
	}
	return ""
}

func lived(end *corev1.ContainerStateTerminated) time.Duration {
	if end.StartedAt.IsZero() || end.FinishedAt.IsZero() {
		return 0
	}
	return end.FinishedAt.Sub(end.StartedAt.Time).Round(time.Second)
}

// endsWhenTold: after SIGTERM a program ends properly, or not, or is killed.
func endsWhenTold(end *corev1.ContainerStateTerminated) bool {
	return end.ExitCode == 0 || end.ExitCode == 137 || end.ExitCode == 143
}

// lastWords is the end of a log, where the reason is.
func lastWords(log string) string {
	const mostLines, most = firstEvidence, 550
	lines := strings.Split(strings.TrimSpace(log), "\n")
	log = strings.Join(lines[max(0, len(lines)-mostLines):], "\n")
	if runes := []rune(log); len(runes) > most {
		log = "…" + string(runes[len(runes)-most:])
	}
	return log
}

func crashHint(s subject, end *corev1.ContainerStateTerminated) string {
	probes := s.deadlyProbes()
	var names []string
	for _, p := range probes {
		names = append(names, p.name)
	}
	switch {
	case end.ExitCode == 0 && s.kind != initContainer && len(probes) == 0:
		return "a server must keep running in the foreground; check command and args"
	case end.ExitCode == 126 || end.ExitCode == 127:
		return "check that command names a program in the image that may be executed"
	case endsWhenTold(end) && len(probes) > 0:
		return fmt.Sprintf("if the events name its %s, give it more time or add a startup_probe; else read its log", strings.Join(names, " or "))
	case end.ExitCode == 137:
		return "it was killed, most often for its memory: see resources.limits.memory, and the node"
	}
	return ""
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

// restarted goes on about how often a container was; nothing where it was not yet.
func restarted(and string, n int32) string {
	if n == 0 {
		return ""
	}
	return and + " was restarted " + times(n)
}

func times(n int32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
