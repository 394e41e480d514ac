package testcluster

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LogOf names a log of a [Kubelet].
type LogOf struct {
	Pod       string // what the pod's name begins with; empty: any pod
	Container string
	Previous  bool // of the container that ran before the present one
}

// LogLine is a line of a log. The zero time stands for now.
type LogLine struct {
	Time time.Time
	Text string
}

type kubeletLog struct {
	of      LogOf
	lines   []LogLine
	changed chan struct{} // closed when there are more lines
	gone    bool
}

// Lines are lines that are written now, one after the other.
func Lines(texts ...string) []LogLine {
	lines := make([]LogLine, len(texts))
	for i, text := range texts {
		lines[i].Text = text
	}
	return lines
}

// Write adds lines to a log. Where several fit a container, it has the one that
// was written to first.
func (k *Kubelet) Write(of LogOf, lines ...LogLine) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.logs, func(l *kubeletLog) bool { return l.of == of })
	if i < 0 {
		i = len(k.logs)
		k.logs = append(k.logs, &kubeletLog{of: of, changed: make(chan struct{})})
	}
	log := k.logs[i]
	for _, line := range lines {
		if line.Time.IsZero() {
			line.Time = time.Now()
		}
		log.lines = append(log.lines, line)
	}
	close(log.changed)
	log.changed = make(chan struct{})
}

// Gone removes a log: what a kubelet sends then is one line, in place of it.
func (k *Kubelet) Gone(of LogOf) {
	k.Write(of)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.logs[slices.IndexFunc(k.logs, func(l *kubeletLog) bool { return l.of == of })].gone = true
}

// Requests are the requests for logs that came from the API server, as
// "namespace/pod/container?query".
func (k *Kubelet) Requests() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.requests)
}

// Sending is how many logs it is sending now.
func (k *Kubelet) Sending() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sending
}

func (k *Kubelet) begin() (end func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sending++
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.sending--
	}
}

// log is what a container has written, and a channel that is closed when it writes
// more.
func (k *Kubelet) log(pod, container string, previous bool) (lines []LogLine, more <-chan struct{}, gone bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.logs {
		if l.of.Container == container && l.of.Previous == previous && strings.HasPrefix(pod, l.of.Pod) {
			return slices.Clone(l.lines), l.changed, l.gone
		}
	}
	return nil, nil, false
}

// handler serves what the API server asks a kubelet for a log. What it refuses,
// and how, is as in k8s.io/kubernetes/pkg/kubelet (server.getContainerLogs and
// validateContainerLogStatus).
func (k *Kubelet) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		name, container := r.PathValue("pod"), r.PathValue("container")
		k.mu.Lock()
		k.requests = append(k.requests, strings.TrimPrefix(r.URL.Path, "/containerLogs/")+"?"+r.URL.RawQuery)
		k.mu.Unlock()
		options, err := logOptions(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		pod, err := k.cluster.client.CoreV1().Pods(r.PathValue("namespace")).Get(r.Context(), name, metav1.GetOptions{})
		if err != nil || pod.Spec.NodeName != k.Node {
			http.Error(w, fmt.Sprintf("pod %q does not exist", name), http.StatusNotFound)
			return
		}
		previous, err := whichRun(pod, container, options.Previous)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		defer k.begin()()
		w.WriteHeader(http.StatusOK)
		k.send(w, r, container, previous, options)
	})
	return mux
}

func logOptions(query url.Values) (o corev1.PodLogOptions, err error) {
	number := func(name string) *int64 {
		if !query.Has(name) || err != nil {
			return nil
		}
		var n int64
		n, err = strconv.ParseInt(query.Get(name), 10, 64)
		return &n
	}
	o.Follow, o.Previous, o.Timestamps = query.Get("follow") == "true", query.Get("previous") == "true", query.Get("timestamps") == "true"
	o.TailLines, o.LimitBytes, o.SinceSeconds = number("tailLines"), number("limitBytes"), number("sinceSeconds")
	if since := query.Get("sinceTime"); since != "" && err == nil {
		var at time.Time
		at, err = time.Parse(time.RFC3339, since)
		o.SinceTime = &metav1.Time{Time: at}
	}
	return o, err
}

// whichRun says whether the log is that of the container's previous run: a
// kubelet takes it, too, where the present one has not begun.
func whichRun(pod *corev1.Pod, container string, previous bool) (ofPrevious bool, err error) {
	all := slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses, pod.Status.EphemeralContainerStatuses)
	i := slices.IndexFunc(all, func(s corev1.ContainerStatus) bool { return s.Name == container })
	if i < 0 {
		return false, fmt.Errorf("container %q in pod %q is not available", container, pod.Name)
	}
	state, last := all[i].State, all[i].LastTerminationState.Terminated
	ended := last != nil && last.ContainerID != ""
	switch {
	case previous && !ended:
		return false, fmt.Errorf("previous terminated container %q in pod %q not found", container, pod.Name)
	case previous:
		return true, nil
	case state.Running != nil, state.Terminated != nil && state.Terminated.ContainerID != "":
		return false, nil
	case ended:
		return true, nil
	case state.Terminated != nil, last != nil:
		return false, fmt.Errorf("container %q in pod %q is terminated", container, pod.Name)
	case state.Waiting == nil:
		return false, fmt.Errorf("container %q in pod %q is waiting to start - no logs yet", container, pod.Name)
	}
	why := state.Waiting.Reason
	switch why {
	case "ErrImagePull":
		why = "image can't be pulled"
	case "ImagePullBackOff":
		why = "trying and failing to pull image"
	}
	return false, fmt.Errorf("container %q in pod %q is waiting to start: %s", container, pod.Name, why)
}

// send writes a log as options say: the tail is counted before what is too old is
// left out, and bytes from the beginning. One that is followed goes on until the
// client leaves.
func (k *Kubelet) send(w http.ResponseWriter, r *http.Request, container string, previous bool, options corev1.PodLogOptions) {
	flush := http.NewResponseController(w).Flush
	since := time.Time{}
	switch {
	case options.SinceTime != nil:
		since = options.SinceTime.Time
	case options.SinceSeconds != nil:
		since = time.Now().Add(-time.Duration(*options.SinceSeconds) * time.Second)
	}
	left := int64(-1)
	if options.LimitBytes != nil {
		left = *options.LimitBytes
	}
	lines, more, gone := k.log(r.PathValue("pod"), container, previous)
	if gone { // as kuberuntime's GetContainerLogs: its reply has begun by then
		_, _ = fmt.Fprintf(w, "unable to retrieve container logs for stub://%s", container)
		return
	}
	sent := 0
	if options.TailLines != nil {
		sent = max(0, len(lines)-int(*options.TailLines))
	}
	for {
		for _, line := range lines[min(sent, len(lines)):] {
			sent++
			if line.Time.Before(since) {
				continue
			}
			text := line.Text + "\n"
			if options.Timestamps {
				text = line.Time.UTC().Format("2006-01-02T15:04:05.000000000Z07:00") + " " + text
			}
			if left >= 0 && int64(len(text)) >= left {
				_, _ = w.Write([]byte(text[:left]))
				return
			}
			if left >= 0 {
				left -= int64(len(text))
			}
			if _, err := w.Write([]byte(text)); err != nil {
				return
			}
		}
		if flush() != nil || !options.Follow || more == nil {
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
		lines, more, _ = k.log(r.PathValue("pod"), container, previous)
	}
}
