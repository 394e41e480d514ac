package health

import (
	"cmp"
	"strings"
)

// configFinding: the image is there, but the container cannot be made or
// started as its spec says. The reasons are in
// k8s.io/kubernetes/pkg/kubelet/kuberuntime.
func configFinding(s subject) *Finding {
	said := longest(s.waitingMessage(), messageOf(s.events.last(s.pod, s.status.Name, "Failed")))
	switch s.waitingFor() {
	case "CreateContainerConfigError":
		return s.configError(said)
	case "CreateContainerError":
		return s.startError(CauseContainerCreate, "cannot be created", said)
	case "RunContainerError":
		return s.startError(CauseContainerRun, "cannot be started", said)
	case "PreCreateHookError", "PreStartHookError", "PostStartHookError":
		return s.finding(CauseContainerHook, Patient, "does not get past a hook that runs at its start", said, "")
	}
	// The runtime reports a program that is not in the image as a container that
	// ended before it began; the kubelet then treats it like a crash.
	if end, now := s.lastEnd(); end != nil && (now || s.waitingFor() != "") && (end.Reason == "StartError" || end.Reason == "ContainerCannotRun") {
		return s.startError(CauseContainerRun, "cannot be started", end.Message)
	}
	return nil
}

func (s subject) configError(said string) *Finding {
	f := s.finding(CauseContainerConfig, Certain, "cannot be configured", unwrapped(said), "")
	if t := find(configTroubles, said); t != nil {
		f.Class = cmp.Or(t.class, f.Class)
		f.Sentence += t.says
		f.Hint = strings.ReplaceAll(t.try, "NAMESPACE", s.pod.Namespace)
	}
	return f
}

func (s subject) startError(cause Cause, sentence, said string) *Finding {
	if end, _ := s.lastEnd(); end != nil && end.Reason == "StartError" {
		said = longest(said, end.Message)
	}
	t := find(startTroubles, said)
	if t == nil {
		t = &trouble{}
	}
	cause = cmp.Or(t.cause, cause)
	return s.finding(cause, cmp.Or(t.class, explanation(cause).Class), sentence+t.says, unwrapped(said), t.try)
}
