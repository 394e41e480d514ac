package health

import corev1 "k8s.io/api/core/v1"

// initKind is what users call a container of the initContainers list: one that
// is restarted always runs beside the application.
func initKind(c corev1.Container) string {
	if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
		return sidecar
	}
	return initContainer
}

// finished says that an init container has done its work: it is no subject any more.
func (s subject) finished() bool {
	end := s.status.State.Terminated
	return s.kind == initContainer && end != nil && end.ExitCode == 0
}

// initFinding: an init container that runs keeps the application from starting.
// Patient: a migration may take its time.
func initFinding(s subject) *Finding {
	if s.kind != initContainer || s.status.State.Running == nil {
		return nil
	}
	f := s.finding(CauseInitRunning, Patient, "has not finished yet", "", "")
	f.LogsOf = &PodRef{Pod: s.pod.Name, Container: s.status.Name}
	return f
}
