package diagnose

import (
	"context"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

const (
	mostTails = 3 // logs in one error
	// TailPatience is how long a node may take to send them: one that is dead must
	// not keep the error waiting.
	TailPatience = 2 * time.Second
	// bytesAsked bounds what a node sends, bytesKept what is kept of its end.
	bytesAsked = 4 << 20
	bytesKept  = 256 << 10
)

// goneLog begins what a kubelet sends in place of a log that is not there any more.
const goneLog = "unable to retrieve container logs for "

// WithLogs is a verdict on in with the ends of the logs that show more, of so many
// lines; and what may not be read. Nodes have so long to send them: see TailPatience.
func WithLogs(ctx context.Context, c LogReader, namespace string, in health.Input, verdict health.Verdict, lines int32, patience time.Duration) (health.Verdict, []Unread) {
	if lines == 0 {
		return verdict, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tails, unread := readTails(ctx, c, namespace, verdict.Findings, lines)
	if len(tails) == 0 {
		return verdict, unread
	}
	in.Around.Logs = map[health.PodRef]string{}
	for ref, tail := range tails {
		in.Around.Logs[ref] = tail.text
	}
	verdict = health.Compute(in)
	for i, f := range verdict.Findings {
		if f.LogsOf != nil && f.Log != "" {
			of := tails[*f.LogsOf].of
			verdict.Findings[i].LogsOf = &of
		}
	}
	return verdict, unread
}

// readTails reads, at once, the ends of the logs that the first findings point at.
// What may not be read is named, and so is what fails.
func readTails(ctx context.Context, c LogReader, namespace string, findings []health.Finding, lines int32) (map[health.PodRef]tail, []Unread) {
	var refs []health.PodRef
	for _, f := range findings {
		if f.LogsOf != nil && len(refs) < mostTails {
			refs = append(refs, *f.LogsOf)
		}
	}
	if len(refs) == 0 {
		return nil, nil
	}
	errs := make([]error, len(refs))
	read, _ := fleet.Each(len(refs), func(i int) (t tail, _ error) {
		t, errs[i] = readTail(ctx, c, namespace, refs[i], lines)
		return t, nil
	})
	tails := map[health.PodRef]tail{}
	var unread []Unread
	for i, t := range read {
		switch {
		case t.text != "":
			tails[refs[i]] = t
		case errs[i] != nil && len(unread) == 0:
			unread = append(unread, Unread{Resource: logsResource, Err: errs[i]})
		}
	}
	return tails, unread
}

// tail is the end of a log.
type tail struct {
	text string
	of   health.PodRef // whose it is
}

// readTail reads the end of one log. That of a container's previous run may be
// gone: then its present one says what there is to say.
func readTail(ctx context.Context, c LogReader, namespace string, ref health.PodRef, lines int32) (tail, error) {
	text, err := readLog(ctx, c, namespace, ref, lines)
	if gone := err == nil && text == "" || apierrors.IsBadRequest(err) || apierrors.IsNotFound(err); ref.Previous && gone {
		ref.Previous = false
		text, err = readLog(ctx, c, namespace, ref, lines)
	}
	if apierrors.IsBadRequest(err) || apierrors.IsNotFound(err) {
		err = nil // it has not begun to write, or is gone
	}
	return tail{text, ref}, err
}

func readLog(ctx context.Context, c LogReader, namespace string, ref health.PodRef, lines int32) (string, error) {
	most, limit := int64(lines)+health.LinesBefore, int64(bytesAsked)
	log, err := c.Log(ctx, namespace, ref.Pod, &corev1.PodLogOptions{Container: ref.Container, Previous: ref.Previous, TailLines: &most, LimitBytes: &limit})
	if err != nil {
		return "", err
	}
	defer func() { _ = log.Close() }()
	end := &ending{}
	_, err = io.Copy(end, io.LimitReader(log, bytesAsked))
	text := end.String()
	if strings.HasPrefix(text, goneLog) {
		return "", nil
	}
	if strings.TrimSpace(text) != "" {
		return text, nil // better half of it than nothing
	}
	return "", err
}

// ending keeps the last bytesKept of what is written to it, from the beginning of
// a line on.
type ending struct{ b []byte }

func (e *ending) Write(p []byte) (int, error) {
	e.b = append(e.b, p...)
	if over := len(e.b) - 2*bytesKept; over > 0 {
		e.b = append(e.b[:0], e.b[len(e.b)-bytesKept:]...)
	}
	return len(p), nil
}

func (e *ending) String() string { return string(e.b[max(0, len(e.b)-bytesKept):]) }
