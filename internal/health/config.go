package health

import "fmt"

// configFinding: the image is there, but the container cannot be made or
// started as its spec says. The reasons are in
// k8s.io/kubernetes/pkg/kubelet/kuberuntime.
func configFinding(s subject) *Finding {
	evidence := longest(s.waitingMessage(), messageOf(s.events.last(s.pod, s.status.Name, "Failed")))
	switch s.waitingFor() {
	case "CreateContainerConfigError":
		return s.finding(CauseContainerConfig, Certain, "cannot be configured", evidence,
			fmt.Sprintf("create what it names (a Secret, a ConfigMap, or a key of one) in namespace %q, or correct the reference; "+
				"an image that runs as root needs run_as_user where pods must not", s.pod.Namespace))
	case "CreateContainerError":
		return s.finding(CauseContainerCreate, Certain, "cannot be created", evidence,
			"check command and args, volume mounts and security_context against the image")
	case "RunContainerError":
		return s.startError(evidence)
	case "PreCreateHookError", "PreStartHookError", "PostStartHookError":
		return s.finding(CauseContainerHook, Patient, "does not get past a hook that runs at its start", evidence,
			"look at the hook in pod_template_patch, and at the node's runtime")
	}
	// The runtime reports a program that is not in the image as a container that
	// ended before it began; the kubelet then treats it like a crash.
	if end, now := s.lastEnd(); end != nil && (now || s.waitingFor() != "") && (end.Reason == "StartError" || end.Reason == "ContainerCannotRun") {
		return s.startError(longest(evidence, end.Message))
	}
	return nil
}

func (s subject) startError(evidence string) *Finding {
	if end, _ := s.lastEnd(); end != nil {
		evidence = longest(evidence, end.Message)
	}
	return s.finding(CauseContainerRun, Certain, "cannot be started", evidence,
		"check that command names a program in the image and that it may be executed there")
}
