package diagnose

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
)

// Download is a file with whole logs.
type Download struct {
	Path  string // absolute
	Bytes int64
	Lines int64
	Notes []string
}

// DownloadError says that a file could not be written.
type DownloadError struct {
	Path string
	Err  error
}

func (e *DownloadError) Error() string { return fmt.Sprintf("cannot write %s: %v", e.Path, e.Err) }
func (e *DownloadError) Unwrap() error { return e.Err }

// ToFile writes the whole logs of the containers that q names, whatever it says
// of lines, into a file that only its owner may read: in the order of time, and
// redacted where asked for. The file is there as a whole, or as it was before.
// However long the logs are, few lines of each are held.
func ToFile[C Cluster](ctx context.Context, clusters []C, q LogQuery, path string, redact bool) (d Download, err error) {
	if d.Path, err = filepath.Abs(path); err != nil {
		return d, &DownloadError{path, err}
	}
	for attempt := 1; ; attempt++ {
		err := d.write(ctx, sorted(clusters), q, redact)
		var broken *brokenLogError
		if !errors.As(err, &broken) || ctx.Err() != nil || attempt == logAttempts {
			return d, err
		}
	}
}

// write makes the file beside the path, and then takes its place.
func (d *Download) write(ctx context.Context, clusters []Cluster, q LogQuery, redact bool) (err error) {
	file, err := os.CreateTemp(filepath.Dir(d.Path), "."+filepath.Base(d.Path)+"-*") // 0600
	if err != nil {
		return &DownloadError{d.Path, err}
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	d.Bytes, d.Lines = 0, 0
	out := bufio.NewWriter(file)
	if err := d.copy(ctx, clusters, q, redact, out); err != nil {
		return err
	}
	if err := errors.Join(out.Flush(), file.Sync(), file.Close()); err != nil {
		return &DownloadError{d.Path, err}
	}
	if err := os.Rename(file.Name(), d.Path); err != nil {
		return &DownloadError{d.Path, err}
	}
	return nil
}

// copy merges the logs as they come. All are open at once: which line is next,
// only the next line of each can tell.
func (d *Download) copy(ctx context.Context, clusters []Cluster, q LogQuery, redact bool, out *bufio.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sources, notes, err := logSources(ctx, clusters, q)
	if err != nil {
		return err
	}
	opened, err := fleet.All(sources, func(s logSource) (*whole, error) {
		log, err := s.open(ctx, corev1.PodLogOptions{})
		if why, ok := noLog(ctx, err); ok {
			notes.add(s, why)
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		return &whole{source: s, lines: newLines(log, longestWhole), redact: redact, end: log.Close}, nil
	})
	defer func() {
		for _, w := range opened {
			if w != nil {
				_ = w.end()
			}
		}
	}()
	if err != nil {
		return firstForbidden(err)
	}
	var all []iter.Seq[logs.Entry]
	for _, w := range opened {
		if w != nil {
			all = append(all, w.entries)
		}
	}
	for entry := range logs.Merge(all) {
		n, err := fmt.Fprintln(out, entry)
		if err != nil {
			return &DownloadError{d.Path, err}
		}
		d.Bytes, d.Lines = d.Bytes+int64(n), d.Lines+1
	}
	for _, w := range opened {
		if w != nil && w.lines.err != nil {
			return &brokenLogError{w.source, w.lines.err}
		}
	}
	d.Notes = notes.all()
	return nil
}

// whole is one log on its way into a file.
type whole struct {
	source logSource
	lines  *lines
	keys   mask.Lines
	redact bool
	end    func() error
}

func (w *whole) entries(yield func(logs.Entry) bool) {
	for w.lines.next() {
		entry := w.source.entry(w.lines.text)
		if entry.Time.IsZero() && strings.HasPrefix(entry.Message, goneLog) {
			return
		}
		if w.redact {
			entry.Message = w.keys.Redact(entry.Message)
		}
		if !yield(entry) {
			return
		}
	}
}
