package diagnose

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// EventsMost is how many events one answer has.
const EventsMost = 500

// EventType is how bad an event is, in Kubernetes' words.
type EventType string

// Event types.
const (
	EventNormal  EventType = "Normal"
	EventWarning EventType = "Warning"
)

// EventTypes lists every EventType.
func EventTypes() []EventType { return []EventType{EventNormal, EventWarning} }

// EventQuery says which events are asked for.
type EventQuery struct {
	ID     release.ID
	Type   EventType     // empty: all
	Reason string        // empty: all
	Since  time.Duration // 0: all that the cluster still has
}

// Event is what somebody in a cluster said about an object, once or often.
type Event struct {
	Cluster   string
	Type      EventType
	Reason    string
	Kind      string // of the object
	Name      string
	Container string // that it is about; empty: none
	Message   string // redacted
	Source    string // who says it
	Count     int32
	First     time.Time
	Last      time.Time
}

// Events are what was found.
type Events struct {
	Events []Event  // the last one at the end
	Notes  []string // what is not among them, and why
}

// EventsOf reads what was said about a release and everything around it, on every
// cluster that has it, live. What says the same of the same object is one event.
func EventsOf[C Cluster](ctx context.Context, clusters []C, q EventQuery) (Events, error) {
	var found Events
	exists := false
	type read struct {
		in     health.Input
		unread []Unread
		exists bool
	}
	sorted := sorted(clusters)
	on, err := fleet.All(sorted, func(c Cluster) (r read, err error) {
		r.in, r.unread, err = Gather(ctx, c, Subject{Namespace: q.ID.Namespace, Workload: q.ID.Name})
		if apierrors.IsNotFound(err) {
			return r, nil
		}
		r.exists = err == nil
		if i := slices.IndexFunc(r.unread, func(u Unread) bool { return u.Resource == "events" }); i >= 0 && err == nil {
			err = r.unread[i].Err
			return r, allowed(err, c, "list", "events", q.ID.Namespace)
		}
		return r, allowed(err, c, "get", "deployments.apps", q.ID.Namespace)
	})
	if err != nil {
		return found, err
	}
	for i, r := range on {
		exists = exists || r.exists
		c := sorted[i]
		found.Events = append(found.Events, eventsOf(c.Name(), r.in.Events, q, c.Now())...)
		for _, u := range r.unread {
			if slices.Contains(haveEvents, u.Resource) {
				found.Notes = append(found.Notes, fmt.Sprintf("Events about %s are not among them: cluster %q: %s.", u.Resource, c.Name(), mask.Redact(u.Err.Error())))
			}
		}
	}
	if !exists {
		return Events{}, absent("the deployment "+q.ID.String(), sorted)
	}
	slices.SortStableFunc(found.Events, func(a, b Event) int { return a.Last.Compare(b.Last) })
	if more := len(found.Events) - EventsMost; more > 0 {
		found.Events = found.Events[more:]
		found.Notes = append(found.Notes, fmt.Sprintf("Only the last %d events are here: %d before them were left out.", EventsMost, more))
	}
	return found, nil
}

// haveEvents are the kinds around a workload that events are about: without them
// it is not known which events are theirs.
var haveEvents = []string{"pods", "replicasets", "services", "persistentvolumeclaims", "horizontalpodautoscalers.autoscaling"}

// EventsIn are the events of one cluster that pass, each once, for who has read them.
func EventsIn(cluster string, all []*corev1.Event, q EventQuery, now time.Time) []Event {
	return eventsOf(cluster, all, q, now)
}

// eventsOf are a cluster's events that pass, each once.
func eventsOf(cluster string, all []*corev1.Event, q EventQuery, now time.Time) []Event {
	type key struct {
		kind                       string
		name, container            string
		reason, message, eventType string
	}
	var events []Event
	at := map[key]int{}
	for _, e := range all {
		one := eventOf(cluster, e)
		switch {
		case q.Type != "" && one.Type != q.Type, q.Reason != "" && one.Reason != q.Reason, q.Since > 0 && one.Last.Before(now.Add(-q.Since)):
			continue
		}
		k := key{one.Kind, one.Name, one.Container, one.Reason, one.Message, string(one.Type)}
		i, known := at[k]
		if !known {
			at[k] = len(events)
			events = append(events, one)
			continue
		}
		same := &events[i]
		same.Count += one.Count
		if one.First.Before(same.First) {
			same.First = one.First
		}
		if one.Last.After(same.Last) {
			same.Last = one.Last
		}
	}
	return events
}

// eventOf reads an event, written by either of the two APIs that there are for it.
func eventOf(cluster string, e *corev1.Event) Event {
	_, container, _ := strings.Cut(strings.TrimSuffix(e.InvolvedObject.FieldPath, "}"), "{")
	one := Event{
		Cluster: cluster, Type: EventType(e.Type), Reason: e.Reason, Kind: e.InvolvedObject.Kind, Name: e.InvolvedObject.Name,
		Container: container, Message: mask.Redact(strings.TrimSpace(e.Message)),
		Source: cmp.Or(e.ReportingController, e.Source.Component), Count: max(1, e.Count),
		First: e.FirstTimestamp.UTC(), Last: health.LastSeen(e).UTC(),
	}
	for _, text := range []*string{&one.Reason, &one.Kind, &one.Name, &one.Container, &one.Source} {
		*text = mask.Within(mask.Redact(*text))
	}
	if e.Series != nil {
		one.Count = max(one.Count, e.Series.Count)
	}
	if one.First.IsZero() {
		one.First = e.EventTime.UTC()
	}
	if one.First.IsZero() {
		one.First = e.CreationTimestamp.UTC()
	}
	return one
}

// Entry is the event as a line of a log.
func (e Event) Entry() logs.Entry {
	entry := logs.Entry{Time: e.Last, Cluster: e.Cluster, Container: e.Container, Level: logs.Info}
	if e.Type == EventWarning {
		entry.Level = logs.Warn
	}
	if e.Kind == "Pod" {
		entry.Pod = e.Name
	}
	entry.Message = fmt.Sprintf("%s %s: %s: %s", e.Kind, e.Name, e.Reason, e.Message)
	if e.Count > 1 {
		entry.Message += fmt.Sprintf(" (%d times)", e.Count)
	}
	return entry
}
