package diagnose

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What is read of logs at most: they go into a state.
const (
	LogLines     = 2000      // of one answer
	LogBytes     = 256 << 10 // of one answer
	logLine      = 8 << 10   // bytes of a line
	logStreams   = 100       // containers of one cluster
	logsAtOnce   = 8         // of those
	logPatience  = 20 * time.Second
	logAttempts  = 3 // where the wire breaks in the middle
	namedInNotes = 3
)

// LogQuery says which lines of which containers are asked for.
type LogQuery struct {
	ID        release.ID
	Container string        // empty: all of them
	Previous  bool          // the run that ended last, of containers that were restarted
	Since     time.Duration // 0: the whole log
	Tail      int           // lines of each container at most, the last that pass
	Filter    logs.Filter
}

// Log is what containers have written.
type Log struct {
	Entries []logs.Entry // in the order of time, redacted
	Notes   []string     // what is not among them, and why
	Unread  int          // containers that may have a log, and whose node does not answer
}

// Logs reads what a release's containers have written, on every cluster that has
// it, live. A container that has no log is a note. Everything is redacted.
func Logs[C Cluster](ctx context.Context, clusters []C, q LogQuery) (Log, error) {
	var log Log
	sources, notes, err := logSources(ctx, sorted(clusters), q)
	if err != nil {
		return log, err
	}
	limit := make(chan struct{}, logsAtOnce)
	var unread atomic.Int32
	read, err := fleet.All(sources, func(s logSource) ([]logs.Entry, error) {
		limit <- struct{}{}
		defer func() { <-limit }()
		entries, err := s.tail(ctx, q)
		if why, ok := noLog(ctx, err); ok {
			notes.add(s, why)
			if unanswered(err) {
				unread.Add(1)
			}
			return nil, nil
		}
		return entries, err
	})
	if err != nil {
		return log, firstForbidden(err)
	}
	all := make([]iter.Seq[logs.Entry], len(read))
	for i := range read {
		all[i] = slices.Values(read[i])
	}
	entries, before := logs.Last(slices.Collect(logs.Merge(all)), LogLines, LogBytes)
	if before > 0 {
		notes.texts = append(notes.texts, fmt.Sprintf("Only the last %d lines are here, of at most %d KiB: %d before them were left out. Ask for fewer containers, a lower tail or a higher level.",
			len(entries), LogBytes>>10, before))
	}
	log.Entries, log.Notes, log.Unread = entries, notes.all(), int(unread.Load())
	return log, nil
}

// AbsentError says that none of the clusters has what was asked about.
type AbsentError struct {
	What     string // "the deployment shop/api-0a1b2c3d"
	Clusters []string
}

func (e *AbsentError) Error() string {
	return fmt.Sprintf("%s is on none of the clusters that were looked at: %s", e.What, strings.Join(e.Clusters, ", "))
}

func absent(what string, clusters []Cluster) *AbsentError {
	e := &AbsentError{What: what}
	for _, c := range clusters {
		e.Clusters = append(e.Clusters, fmt.Sprintf("%q", c.Name()))
	}
	return e
}

// NoContainerError says that no pod has a container of that name.
type NoContainerError struct {
	ID        release.ID
	Container string
	Have      []string
}

func (e *NoContainerError) Error() string {
	return fmt.Sprintf("no pod of %s has a container %q; there are: %s", e.ID, e.Container, strings.Join(e.Have, ", "))
}

// NotAllowedError says that what was asked for may not be read.
type NotAllowedError struct {
	Cluster, Verb, Resource, Namespace string
	Err                                error
}

func (e *NotAllowedError) Error() string {
	on := fmt.Sprintf("cluster %q: ", e.Cluster)
	return fmt.Sprintf("%sthis takes verb %q on %s in namespace %q: %s", on, e.Verb, e.Resource, e.Namespace, strings.TrimPrefix(e.Err.Error(), on))
}

func (e *NotAllowedError) Unwrap() error { return e.Err }

// allowed makes a *NotAllowedError of a refusal.
func allowed(err error, c Cluster, verb, resource, namespace string) error {
	if apierrors.IsForbidden(err) {
		return &NotAllowedError{c.Name(), verb, resource, namespace, err}
	}
	return err
}

// firstForbidden keeps one refusal of many that say the same about one cluster.
func firstForbidden(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	told := map[string]bool{}
	return errors.Join(slices.DeleteFunc(joined.Unwrap(), func(err error) bool {
		var refused *NotAllowedError
		if !errors.As(err, &refused) {
			return false
		}
		again := told[refused.Cluster+refused.Resource]
		told[refused.Cluster+refused.Resource] = true
		return again
	})...)
}

// logSource is one container of one pod.
type logSource struct {
	cluster   Cluster
	pod       *corev1.Pod
	container string
	previous  bool
	came      *place // how far tail has read it; nil: nobody goes on from there
}

// logSources finds the containers that have something to read, and notes of the
// others why they have not.
func logSources(ctx context.Context, clusters []Cluster, q LogQuery) ([]logSource, *notes, error) {
	type found struct {
		pods   []*corev1.Pod
		exists bool
	}
	on, err := fleet.All(clusters, func(c Cluster) (f found, err error) {
		f.pods, f.exists, err = appPods(ctx, c, q.ID)
		return f, err
	})
	if err != nil {
		return nil, nil, err
	}
	notes := &notes{}
	var sources []logSource
	var have []string
	exists, pods := false, 0
	for i, f := range on {
		exists, pods = exists || f.exists, pods+len(f.pods)
		var here []logSource
		for _, pod := range f.pods {
			for _, c := range containersOf(pod) {
				if !slices.Contains(have, c.name) {
					have = append(have, c.name)
				}
				if q.Container != "" && c.name != q.Container {
					continue
				}
				s := logSource{cluster: clusters[i], pod: pod, container: c.name, previous: q.Previous && !c.ended()}
				if why := c.silent(q.Previous); why != "" {
					notes.add(s, why)
					continue
				}
				here = append(here, s)
			}
		}
		if more := len(here) - logStreams; more > 0 {
			notes.texts = append(notes.texts, fmt.Sprintf("On cluster %q, %d containers have logs; those of %d were not read. Name a container.", clusters[i].Name(), len(here), more))
			here = here[:logStreams]
		}
		slices.SortStableFunc(here, func(a, b logSource) int { return strings.Compare(a.pod.Name, b.pod.Name) })
		sources = append(sources, here...)
	}
	switch {
	case !exists:
		return nil, nil, absent("the deployment "+q.ID.String(), clusters)
	case pods == 0:
		notes.texts = append(notes.texts, fmt.Sprintf("%s has no pods.", q.ID))
	case q.Container != "" && !slices.Contains(have, q.Container):
		return nil, nil, &NoContainerError{q.ID, q.Container, have}
	}
	return sources, notes, nil
}

// appPods are a release's pods on one cluster, those of its current content first,
// then the newest; exists is false where the cluster does not have the release.
func appPods(ctx context.Context, c Cluster, id release.ID) (pods []*corev1.Pod, exists bool, err error) {
	selector := release.LabelDeployment + "=" + id.Name + "," + release.LabelRole + "=" + release.RoleApp
	list := &corev1.PodList{}
	if err := c.List(ctx, id.Namespace, selector, list); err != nil {
		return nil, false, allowed(err, c, "list", "pods", id.Namespace)
	}
	d := &appsv1.Deployment{}
	switch err := c.Get(ctx, id.Namespace, id.Name, d); {
	case apierrors.IsNotFound(err):
		return nil, len(list.Items) > 0, nil
	case err != nil:
		return nil, false, allowed(err, c, "get", "deployments.apps", id.Namespace)
	}
	sets := &appsv1.ReplicaSetList{}
	var known []*appsv1.ReplicaSet
	if c.List(ctx, id.Namespace, selector, sets) == nil { // else all pods count as current
		for i := range sets.Items {
			known = append(known, &sets.Items[i])
		}
	}
	for i := range list.Items {
		pods = append(pods, &list.Items[i])
	}
	now := health.Current(health.Input{Workload: d, ReplicaSets: known, Pods: pods})
	before := slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return slices.Contains(now, pod) })
	for _, some := range [][]*corev1.Pod{now, before} {
		slices.SortStableFunc(some, func(a, b *corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	}
	return slices.Concat(now, before), true, nil
}

// ofPod is one container of a pod, with its status where it has one.
type ofPod struct {
	name   string
	status *corev1.ContainerStatus
}

// containersOf are a pod's containers in the order in which they run.
func containersOf(pod *corev1.Pod) []ofPod {
	var all []ofPod
	status := func(name string) *corev1.ContainerStatus {
		for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses} {
			if i := slices.IndexFunc(list, func(s corev1.ContainerStatus) bool { return s.Name == name }); i >= 0 {
				return &list[i]
			}
		}
		return nil
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		all = append(all, ofPod{c.Name, status(c.Name)})
	}
	for _, c := range pod.Spec.EphemeralContainers {
		all = append(all, ofPod{c.Name, status(c.Name)})
	}
	return all
}

// silent is why a container has no log; empty where it should have one.
func (c ofPod) silent(previous bool) string {
	switch {
	case c.status == nil:
		return "has not started yet"
	case c.status.LastTerminationState.Terminated != nil:
		return ""
	case previous:
		return "has not been restarted, so that there is no previous log"
	case c.status.State.Waiting != nil:
		return "has not started yet: " + c.status.State.Waiting.Reason
	}
	return ""
}

// ended says that the present run is over: a node keeps the log of the run that
// ended last, and removes those of the ones before.
func (c ofPod) ended() bool { return c.status != nil && c.status.State.Terminated != nil }

// notes say what was not read and why: once, however many pods it is true of.
type notes struct {
	mu    sync.Mutex
	about []note
	texts []string // that are not about containers
}

type note struct{ cluster, container, why, pod string }

func (n *notes) add(s logSource, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.about = append(n.about, note{s.cluster.Name(), s.container, why, s.pod.Name})
}

func (n *notes) all() []string {
	var texts []string
	pods := map[note][]string{}
	var order []note
	for _, one := range n.about {
		k := note{one.cluster, one.container, one.why, ""}
		if pods[k] == nil {
			order = append(order, k)
		}
		pods[k] = append(pods[k], one.pod)
	}
	for _, k := range order {
		slices.Sort(pods[k])
		whose := "pod " + pods[k][0]
		if all := len(pods[k]); all > 1 {
			whose = fmt.Sprintf("%d pods (%s", all, strings.Join(pods[k][:min(all, namedInNotes)], ", "))
			if all > namedInNotes {
				whose += ", …"
			}
			whose += ")"
		}
		texts = append(texts, fmt.Sprintf("Container %q of %s on cluster %q %s.", k.container, whose, k.cluster, strings.TrimSuffix(mask.Redact(k.why), ".")))
	}
	slices.Sort(texts)
	return append(texts, n.texts...)
}
