package diagnose

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
)

const (
	longestLine  = 64 << 10 // that is looked at; what is longer is cut off
	longestWhole = 1 << 20  // the same, of a log that is written to a file
	// cutAway is left out at the end of a line that was cut off: half a secret is
	// not known for one.
	cutAway = 4 << 10
)

// errSlowLog is why the wait for a log ended.
var errSlowLog = fmt.Errorf("its node did not answer within %s", logPatience)

// brokenLogError says that a log ended before its end.
type brokenLogError struct {
	source logSource
	err    error
}

func (e *brokenLogError) Error() string {
	return fmt.Sprintf("cluster %q: the log of container %q of pod %s/%s broke off: %v",
		e.source.cluster.Name(), e.source.container, e.source.pod.Namespace, e.source.pod.Name, e.err)
}

func (e *brokenLogError) Unwrap() error { return e.err }

// errLogGone is what a kubelet says in place of a log.
var errLogGone = errors.New("the log has been removed")

// noLog is why there is no log, where that is no failure: the kubelet says so,
// the pod has gone meanwhile, or its node does not answer.
func noLog(ctx context.Context, err error) (why string, ok bool) {
	var status apierrors.APIStatus
	var away interface{ Unreachable() bool }
	switch {
	case err == nil || ctx.Err() != nil || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return "", false
	case errors.Is(err, errLogGone):
		return "has no log any more: its node has removed it", true
	case errors.Is(err, errSlowLog):
		return "could not be read: " + errSlowLog.Error(), true
	case errors.As(err, &away) && away.Unreachable():
		return "", false
	case apierrors.IsNotFound(err):
		return "is gone by now", true
	case errors.As(err, &status):
		return "has no log: " + status.Status().Message, true
	}
	return "", false
}

// unanswered says that the log was not read because its node did not answer, or not as it
// should; not, that there is none.
func unanswered(err error) bool {
	var status apierrors.APIStatus
	return errors.Is(err, errSlowLog) || errors.As(err, &status) && status.Status().Code >= http.StatusInternalServerError
}

// open opens the log, with the time of each line. Whoever asks waits for a node
// that may be gone, but not long.
func (s logSource) open(ctx context.Context, options corev1.PodLogOptions) (io.ReadCloser, error) {
	options.Container, options.Previous, options.Timestamps = s.container, s.previous, true
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(logPatience, func() { cancel(errSlowLog) })
	log, err := s.cluster.Log(ctx, s.pod.Namespace, s.pod.Name, &options)
	if err != nil || !late.Stop() {
		cancel(nil)
		if err == nil {
			_ = log.Close()
			err = errSlowLog
		}
		return nil, allowed(err, s.cluster, "get", "pods/log", s.pod.Namespace)
	}
	return &closing{log, func() { cancel(nil) }}, nil
}

// closing does something after it was closed.
type closing struct {
	io.ReadCloser
	after func()
}

func (c *closing) Close() error {
	defer c.after()
	return c.ReadCloser.Close()
}

// tail reads the last lines that pass, redacted. A log that breaks off is read
// again: what was written does not change.
func (s logSource) tail(ctx context.Context, q LogQuery) ([]logs.Entry, error) {
	for attempt := 1; ; attempt++ {
		entries, err := s.tailOnce(ctx, q)
		var broken *brokenLogError
		if !errors.As(err, &broken) || ctx.Err() != nil || attempt == logAttempts {
			return entries, err
		}
	}
}

func (s logSource) tailOnce(ctx context.Context, q LogQuery) ([]logs.Entry, error) {
	options := corev1.PodLogOptions{}
	if q.Since > 0 {
		options.SinceSeconds = new(int64(math.Ceil(q.Since.Seconds())))
	}
	if !q.Filter.Selective() {
		options.TailLines = new(int64(q.Tail))
	}
	log, err := s.open(ctx, options)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	tail := logs.Tail{Filter: q.Filter, Most: q.Tail}
	var keys mask.Lines
	var came place
	lines := newLines(log, longestLine)
	for lines.next() {
		entry := s.entry(lines.text)
		if entry.Time.IsZero() && strings.HasPrefix(entry.Message, goneLog) {
			return nil, errLogGone
		}
		came.reached(entry.Time)
		if keys.Hides(entry.Message) {
			entry.Message = mask.Hidden
		}
		tail.Add(entry)
	}
	if lines.err != nil {
		return nil, &brokenLogError{s, lines.err}
	}
	entries := tail.Entries()
	for i := range entries {
		entries[i].Message = logs.Cut(mask.Redact(entries[i].Message), logLine)
	}
	if s.came != nil {
		*s.came = came
	}
	return entries, nil
}

// entry is a line as the API server sends it.
func (s logSource) entry(line string) logs.Entry {
	e := logs.Entry{Cluster: s.cluster.Name(), Pod: s.pod.Name, Container: s.container}
	e.Time, e.Message = logs.Stamped(line)
	return e
}

// lines reads a log line by line, whatever their length.
type lines struct {
	reader *bufio.Reader
	most   int
	text   string
	err    error // but for the end
}

func newLines(log io.Reader, most int) *lines {
	return &lines{reader: bufio.NewReaderSize(log, 16<<10), most: most}
}

// next reads a line into text; false at the end, and where err says more.
func (l *lines) next() bool {
	var line []byte
	cut := false
	for {
		part, err := l.reader.ReadSlice('\n')
		if room := l.most - len(line); len(part) > room {
			part, cut = part[:room], true
		}
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			if len(line) == 0 {
				return false
			}
		case err != nil:
			l.err = err
			return false
		}
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		if cut {
			line = append(line[:len(line)-cutAway], "… (cut off)"...)
		}
		l.text = string(line)
		return true
	}
}
