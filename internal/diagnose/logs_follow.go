package diagnose

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// openAgain is how soon a log that has ended is opened again: its container may run on,
// since a node's connection ends for reasons of its own.
const openAgain = time.Second

// Pods is a watched cache of a namespace's pods.
type Pods interface {
	List(ctx context.Context, like Object, labels map[string]string) ([]Object, error)
	Changes(application string) wait.Changes
}

// Followed is a cluster whose logs are followed.
type Followed struct {
	Cluster
	Pods Pods
}

// FollowQuery says whose lines are followed: those of q's release or, where it names none,
// of every release that the application has, or gets meanwhile. Tail is how many lines of
// each container come first.
type FollowQuery struct {
	LogQuery
	Application string
}

func (q FollowQuery) labels() map[string]string {
	of := map[string]string{release.LabelApplication: q.Application, release.LabelRole: release.RoleApp}
	if q.ID.Name != "" {
		of[release.LabelDeployment] = q.ID.Name
	}
	return of
}

// Follow tells what containers have written, in the order of time, and then what they
// write, as it comes, until ctx ends: that is no error. Containers that start meanwhile
// are followed from their first line on, and what breaks off goes on where it was, so that
// every line comes once. note is told why a log is not read. Neither is called twice at
// once. A cluster whose pods may not be read is an error, at the end of all others.
func Follow(ctx context.Context, clusters []Followed, q FollowQuery, tell func(logs.Entry), note func(string)) error {
	f := &following{q: q, began: time.Now(), tell: tell, note: note, noted: map[string]bool{}}
	on := make([]*followedOn, len(clusters))
	for i, c := range fleet.ByName(clusters) {
		on[i] = &followedOn{following: f, Followed: c, logs: map[logKey]*followedLog{}}
	}
	read, _ := fleet.All(on, func(c *followedOn) ([]iter.Seq[logs.Entry], error) { return c.first(ctx), nil })
	for entry := range logs.Merge(slices.Concat(read...)) {
		tell(entry)
	}
	_, err := fleet.All(on, func(c *followedOn) (struct{}, error) { return struct{}{}, c.follow(ctx) })
	if ctx.Err() != nil {
		return nil //nolint:nilerr // whoever follows has ended it
	}
	return err
}

// following is what the clusters have in common.
type following struct {
	q     FollowQuery
	began time.Time

	mu    sync.Mutex // held while somebody is told
	tell  func(logs.Entry)
	note  func(string)
	noted map[string]bool
}

// once notes something that has not been noted.
func (f *following) once(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.noted[text] {
		f.noted[text] = true
		f.note(text)
	}
}

// followedOn is one cluster.
type followedOn struct {
	*following
	Followed
	logs map[logKey]*followedLog

	streams sync.WaitGroup
}

// logKey is one container of one pod, whichever run of it.
type logKey struct {
	pod       types.UID
	container string
}

// followedLog is how far one container's log has been followed.
type followedLog struct {
	place   place
	levels  logs.Levelling
	keys    mask.Lines
	unread  bool          // it was there from the beginning, and its last lines could not be read
	told    string        // the run that is told to its end
	reading chan struct{} // closed when it has come to an end; nil: it is not open
	retry   time.Time     // not before
}

// place is how far a log has been read: up to the last line of a time, of which there may
// be several.
type place struct {
	at    time.Time
	lines int // of that very time
}

// reached notes the next line.
func (p *place) reached(at time.Time) {
	switch {
	case at.IsZero():
	case at.Equal(p.at):
		p.lines++
	default:
		*p = place{at, 1}
	}
}

// skips says which lines of a log, as it is opened again, have been read: those before the
// place, and as many of its very time.
func (p place) skips() func(time.Time) bool {
	again := 0
	return func(at time.Time) bool {
		switch {
		case at.IsZero() || p.at.IsZero() || at.After(p.at):
			return false
		case at.Equal(p.at):
			again++
			return again <= p.lines
		}
		return true
	}
}

// pods are those that are followed now.
func (c *followedOn) pods(ctx context.Context) (pods []*corev1.Pod, err error) {
	found, err := c.Pods.List(ctx, &corev1.Pod{}, c.q.labels())
	for _, one := range found {
		pods = append(pods, one.(*corev1.Pod))
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods, allowed(err, c, "watch", "pods", c.q.ID.Namespace)
}

// first reads the last lines that there are already: where none are asked for, to know
// where they end.
func (c *followedOn) first(ctx context.Context) []iter.Seq[logs.Entry] {
	pods, err := c.pods(ctx)
	if err != nil {
		return nil // follow tells
	}
	var sources []logSource
	var there []*followedLog
	for _, pod := range pods {
		for _, container := range c.containers(pod) {
			if container.silent(false) == "" && len(there) < logStreams {
				one := &followedLog{}
				c.logs[logKey{pod.UID, container.name}] = one
				there, sources = append(there, one), append(sources, logSource{cluster: c.Cluster, pod: pod, container: container.name, came: &one.place})
			}
		}
	}
	q := c.q.LogQuery
	if q.Tail == 0 {
		q.Tail, q.Filter = 1, logs.Filter{}
	}
	limit := make(chan struct{}, logsAtOnce)
	read, _ := fleet.Each(len(sources), func(i int) ([]logs.Entry, error) {
		limit <- struct{}{}
		defer func() { <-limit }()
		entries, err := sources[i].tail(ctx, q)
		if there[i].unread = err != nil; c.q.Tail == 0 { // why, is told when it is followed
			return nil, nil
		}
		return entries, nil
	})
	var all []iter.Seq[logs.Entry]
	for _, entries := range read {
		all = append(all, slices.Values(entries))
	}
	return all
}

// containers are those of a pod that are asked for.
func (c *followedOn) containers(pod *corev1.Pod) []ofPod {
	return slices.DeleteFunc(containersOf(pod), func(one ofPod) bool { return c.q.Container != "" && c.q.Container != one.name })
}

// follow opens the logs of whatever runs, until ctx ends. It ends before that where it may
// not see the pods.
func (c *followedOn) follow(ctx context.Context) error {
	defer c.streams.Wait()
	return wait.Until(ctx, c.Pods.Changes(c.q.Application), func() (bool, time.Duration, error) {
		pods, err := c.pods(ctx)
		switch {
		case apierrors.IsForbidden(err):
			return false, 0, err
		case err != nil && ctx.Err() == nil:
			c.once(fmt.Sprintf("Cluster %q cannot be followed for now: %s.", c.Name(), mask.Redact(err.Error())))
		}
		open := 0
		for _, pod := range pods {
			for _, container := range c.containers(pod) {
				if open == logStreams {
					c.once(fmt.Sprintf("On cluster %q, no more than %d logs are followed at once. Name a release or a container.", c.Name(), logStreams))
					continue
				}
				if c.start(ctx, pod, container) {
					open++
				}
			}
		}
		return false, openAgain, nil
	})
}

// start opens the log of a container, unless it has been told to its end, or does not run;
// and says whether it is open.
func (c *followedOn) start(ctx context.Context, pod *corev1.Pod, container ofPod) bool {
	run, over := container.run()
	if run == "" {
		return false
	}
	key := logKey{pod.UID, container.name}
	log := c.logs[key]
	if log == nil {
		log = &followedLog{}
		c.logs[key] = log
	}
	if log.reading != nil {
		select {
		case <-log.reading:
			log.reading = nil
		default:
			return true
		}
	}
	if log.told == run || time.Now().Before(log.retry) {
		return false
	}
	done := make(chan struct{})
	log.reading = done
	c.streams.Go(func() {
		defer close(done)
		err := c.read(ctx, logSource{cluster: c.Cluster, pod: pod, container: container.name}, log)
		log.retry = time.Now().Add(openAgain)
		if err == nil && over {
			log.told = run
		}
		c.told(ctx, logSource{cluster: c.Cluster, pod: pod, container: container.name}, err)
	})
	return true
}

// run is which of a container's runs has a log to follow, and whether it is over. Empty
// where there is none.
func (c ofPod) run() (id string, over bool) {
	switch {
	case c.status == nil:
		return "", false
	case c.status.State.Running != nil:
		return fmt.Sprintf("%s/%d", c.status.ContainerID, c.status.RestartCount), false
	case c.status.State.Terminated != nil:
		return fmt.Sprintf("%s/%d", c.status.ContainerID, c.status.RestartCount), true
	}
	return "", false
}

// told notes why a log is not followed, where that is for good, or may last.
func (c *followedOn) told(ctx context.Context, s logSource, err error) {
	var broken *brokenLogError
	if err == nil || ctx.Err() != nil || errors.Is(err, errSlowLog) || errors.As(err, &broken) {
		return // a container that writes nothing begins no reply
	}
	if why, ok := noLog(ctx, err); ok {
		notes := &notes{}
		notes.add(s, why)
		c.once(notes.all()[0])
		return
	}
	c.once(fmt.Sprintf("The log of container %q of pod %s on cluster %q is not followed for now: %s.", s.container, s.pod.Name, c.Name(), strings.TrimSuffix(mask.Redact(err.Error()), ".")))
}

// read tells what comes, from where the log was left.
func (c *followedOn) read(ctx context.Context, s logSource, l *followedLog) error {
	options := corev1.PodLogOptions{Follow: true}
	switch {
	case !l.place.at.IsZero():
		options.SinceTime = &metav1.Time{Time: l.place.at} // whole seconds: what comes twice is skipped
	case l.unread && !c.q.Filter.Selective():
		options.TailLines = new(int64(c.q.Tail))
	case c.q.Since > 0:
		options.SinceSeconds = new(int64(math.Ceil((c.q.Since + time.Since(c.began)).Seconds())))
	}
	log, err := s.open(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	skips, lines := l.place.skips(), newLines(log, longestLine)
	for lines.next() {
		entry := s.entry(lines.text)
		switch {
		case entry.Time.IsZero() && strings.HasPrefix(entry.Message, goneLog):
			return errLogGone
		case skips(entry.Time):
			continue
		}
		l.place.reached(entry.Time)
		c.say(l, entry)
	}
	if lines.err != nil {
		return &brokenLogError{s, lines.err}
	}
	return nil
}

// say tells a line, if it is asked for.
func (c *followedOn) say(l *followedLog, entry logs.Entry) {
	if l.keys.Hides(entry.Message) {
		entry.Message = mask.Hidden
	}
	if entry.Level = l.levels.Of(entry.Message); !c.q.Filter.Passes(entry) {
		return
	}
	entry.Message = logs.Cut(mask.Redact(entry.Message), logLine)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell(entry)
}
