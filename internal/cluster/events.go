package cluster

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
)

const (
	tellTimeout = 2 * time.Second
	noteLimit   = 1024 // bytes, by API validation
)

// EventType is how bad an Event is.
type EventType string

// Event types.
const (
	EventNormal  EventType = "Normal"
	EventWarning EventType = "Warning"
)

// Emit puts an Event on an object, for those who follow with kubectl. It is
// best effort: one attempt of at most 2 s, no error, and silence for the rest
// of the run once Events have been forbidden.
func (c *Cluster) Emit(ctx context.Context, namespace string, regarding Object, reason, note string, kind EventType) {
	if c.muted.Load() || ctx.Err() != nil {
		return
	}
	res, err := resourceOf(regarding)
	if err != nil {
		return
	}
	if len(note) > noteLimit {
		note = strings.ToValidUTF8(note[:noteLimit-4], "") + "…"
	}
	event := &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{GenerateName: regarding.GetName() + "-", Namespace: namespace},
		EventTime:           metav1.NowMicro(),
		ReportingController: "switchback.dev/provider",
		ReportingInstance:   "terraform-provider-switchback",
		Action:              reason,
		Reason:              reason,
		Note:                note,
		Type:                string(kind),
		Regarding: corev1.ObjectReference{
			APIVersion: res.gv.String(), Kind: res.kind, Namespace: regarding.GetNamespace(), Name: regarding.GetName(),
			UID: regarding.GetUID(), ResourceVersion: regarding.GetResourceVersion(),
		},
	}
	if c.Check(ctx) != nil {
		return
	}
	eventRes, err := resourceOf(event)
	if err != nil {
		return
	}
	err = once(ctx, tellTimeout, &attempt{}, func(ctx context.Context) error {
		return c.request("POST", eventRes, namespace, "").Body(event).Do(ctx).Error()
	})
	if apierrors.IsForbidden(err) && time.Now().After(c.outage.settled()) {
		c.muted.Store(true)
	}
}

// EventsOf lists the Events about one object; the API server sends no others. It
// is for what is good to know: where reading them is forbidden, that is asked
// once a run.
func (c *Cluster) EventsOf(ctx context.Context, namespace string, about types.UID) ([]*corev1.Event, error) {
	if refused := c.deaf.Load(); refused != nil {
		return nil, *refused
	}
	list := &corev1.EventList{}
	res, err := resourceOf(list)
	if err != nil {
		return nil, err
	}
	selector := fields.OneTermEqualSelector("involvedObject.uid", string(about)).String()
	if _, err = c.list(ctx, res, namespace, metav1.ListOptions{FieldSelector: selector}, list); err != nil {
		if apierrors.IsForbidden(err) && time.Now().After(c.outage.settled()) {
			c.deaf.Store(&err)
		}
		return nil, err
	}
	events := make([]*corev1.Event, len(list.Items))
	for i := range list.Items {
		events[i] = &list.Items[i]
	}
	return events, nil
}
