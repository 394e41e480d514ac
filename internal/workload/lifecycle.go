package workload

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// lifecycle renders what a container does after its start and before its end, as far as
// the user says so.
func lifecycle(c release.Container) *corev1.Lifecycle {
	l := &corev1.Lifecycle{PostStart: handler(c.PostStart), PreStop: handler(c.PreStop)}
	if l.PostStart == nil && l.PreStop == nil {
		return nil
	}
	return l
}

// orSleeps adds our own pre-stop sleep where the user says nothing about it. It keeps a
// pod serving for a moment after it was told to end: the news that it is leaving its
// Services reaches proxies and load balancers later than it reaches the kubelet, and
// requests that arrive in between would be refused. The kubelet sleeps by itself: "exec
// sleep" needs a shell in the image, and distroless images have none.
// https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
func orSleeps(l *corev1.Lifecycle, c release.Container) *corev1.Lifecycle {
	if c.PreStop != nil {
		return l
	}
	if l == nil {
		l = &corev1.Lifecycle{}
	}
	l.PreStop = &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: PreStopSeconds}}
	return l
}

func handler(h *release.Handler) *corev1.LifecycleHandler {
	switch {
	case h == nil:
	case len(h.Exec) > 0:
		return &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: h.Exec}}
	case h.HTTPGet != nil:
		return &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: h.HTTPGet.Path, Port: intstr.Parse(h.HTTPGet.Port), Scheme: corev1.URIScheme(h.HTTPGet.Scheme), HTTPHeaders: headers(h.HTTPGet.Headers),
		}}
	case h.SleepSeconds != nil && *h.SleepSeconds > 0:
		return &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: *h.SleepSeconds}}
	}
	return nil
}

// fromLifecycle is the way back; our own sleep was typed by nobody, and where there is
// none, somebody has typed that.
func fromLifecycle(l *corev1.Lifecycle, sleeps bool) (postStart, preStop *release.Handler) {
	if l != nil {
		postStart, preStop = fromHandler(l.PostStart), fromHandler(l.PreStop)
	}
	switch {
	case !sleeps:
	case preStop == nil:
		preStop = &release.Handler{SleepSeconds: new(int64)}
	case preStop.SleepSeconds != nil && *preStop.SleepSeconds == PreStopSeconds:
		preStop = nil
	}
	return postStart, preStop
}

func fromHandler(h *corev1.LifecycleHandler) *release.Handler {
	switch {
	case h == nil:
	case h.Exec != nil:
		return &release.Handler{Exec: h.Exec.Command}
	case h.HTTPGet != nil:
		return &release.Handler{HTTPGet: fromHTTPGet(h.HTTPGet)}
	case h.Sleep != nil:
		return &release.Handler{SleepSeconds: &h.Sleep.Seconds}
	}
	return nil
}
