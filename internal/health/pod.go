package health

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// subject is one container of one pod, with what is known about it.
type subject struct {
	pod    *corev1.Pod
	kind   string
	spec   corev1.Container
	status corev1.ContainerStatus
	events eventsByPod

	peers  []*corev1.Pod // pods of the release, this one too
	logs   map[PodRef]string
	limits Limits
}

// What users call the kinds of containers. Ephemeral ones are no cause: somebody
// is looking.
const (
	appContainer  = "container"
	initContainer = "init container"
	sidecar       = "sidecar"
)

// podFindings are what is wrong with one pod, containers first.
func podFindings(in Input, pod *corev1.Pod, events eventsByPod) []Finding {
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return []Finding{podEndedFinding(pod, events)} // how its containers ended is part of that
	}
	var found []Finding
	for _, s := range subjects(pod, events) {
		s.peers, s.logs, s.limits = in.Pods, in.Around.Logs, in.Limits
		for _, look := range []func(subject) *Finding{imageFinding, configFinding, crashFinding, initFinding, probeFinding} {
			if f := look(s); f != nil {
				found = append(found, *f)
				break // the others would only echo it
			}
		}
	}
	for _, f := range []*Finding{schedulingFinding(pod, events), mountFinding(pod, events), gateFinding(in, pod)} {
		if f != nil {
			found = append(found, *f)
		}
	}
	return found
}

// subjects pairs specs with statuses: init containers first, as they run.
func subjects(pod *corev1.Pod, events eventsByPod) []subject {
	specs := map[string]corev1.Container{}
	for _, c := range pod.Spec.InitContainers {
		specs["init/"+c.Name] = c
	}
	for _, c := range pod.Spec.Containers {
		specs[c.Name] = c
	}
	var list []subject
	for _, status := range pod.Status.InitContainerStatuses {
		list = append(list, subject{pod: pod, kind: initKind(specs["init/"+status.Name]), spec: specs["init/"+status.Name], status: status, events: events})
	}
	for _, status := range pod.Status.ContainerStatuses {
		list = append(list, subject{pod: pod, kind: appContainer, spec: specs[status.Name], status: status, events: events})
	}
	return list
}

// finding fills in what all findings about a container have. Without a hint it
// has the table's.
func (s subject) finding(cause Cause, class Class, sentence, evidence, hint string) *Finding {
	if hint == "" {
		hint = explanation(cause).Try
	}
	return &Finding{
		Cause: cause, Class: class,
		Object: aPod + s.pod.Name, Container: s.status.Name,
		Sentence: fmt.Sprintf("%s %q %s", s.kind, s.status.Name, sentence),
		Evidence: evidence, Hint: hint,
	}
}

// waitingFor is the reason a container waits, or "".
func (s subject) waitingFor() string {
	if s.status.State.Waiting == nil {
		return ""
	}
	return s.status.State.Waiting.Reason
}

func (s subject) waitingMessage() string {
	if s.status.State.Waiting == nil {
		return ""
	}
	return strings.TrimSpace(s.status.State.Waiting.Message)
}

// lastEnd is how the container ended last, now or before its present run; nil
// if it never did. now says which.
func (s subject) lastEnd() (end *corev1.ContainerStateTerminated, now bool) {
	if t := s.status.State.Terminated; t != nil {
		return t, true
	}
	return s.status.LastTerminationState.Terminated, false
}

// longest picks the text that says most: the kubelet repeats a cause in shorter
// and shorter words.
func longest(texts ...string) string {
	best := ""
	for _, text := range texts {
		if len(text) > len(best) {
			best = text
		}
	}
	return best
}
