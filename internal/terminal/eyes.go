package terminal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// scene is what watch shows at one moment.
type scene struct {
	Namespace string
	Clusters  []string
	Now       time.Time // by a cluster's clock
	Apps      []watched
	Events    []Event // the last one at the end
	Unread    []Unread
	Notes     []string
	There     []observe.Application // all applications of the namespace, where one that was named is not there
}

// watched is an application, with its promotions that are not over.
type watched struct {
	Application
	Moves []move // by cluster
	Since time.Time
}

// move is a promotion that is not over, on one cluster or on several that are as far.
type move struct {
	Clusters  []string // empty: on all that are looked at
	From, To  string
	Direction release.Direction
	Steps     []release.Step
	At        int
	Paused    bool
	Since     time.Time // of the pause; zero: it has not begun
	Holder    string
}

// eyes look at what watch was asked for.
type eyes struct {
	c      *clusters
	asked  *watchAsked
	failed error // of the last look

	begun map[string]time.Time // when a promotion was first seen, by application and release
}

func newEyes(c *clusters, a *watchAsked) *eyes {
	return &eyes{c: c, asked: a, begun: map[string]time.Time{}}
}

// look reads the clusters' watch caches.
func (e *eyes) look(ctx context.Context) scene {
	s := scene{Namespace: e.c.namespace}
	for _, one := range e.c.on {
		s.Clusters = append(s.Clusters, one.Name())
	}
	var environment *string
	if e.asked.environment != "" {
		environment = &e.asked.environment
	}
	only := ""
	if len(e.asked.names) == 1 {
		only = e.asked.names[0]
	}
	apps, unread := observe.Applications(ctx, e.c.on, e.c.namespace, only, environment)
	s.Unread, e.failed = unreadOf(unread, len(e.c.on))
	reached := readable(e.c.on, unread)
	s.Now = nowOf(reached)
	for _, app := range apps {
		if e.wants(app) {
			s.Apps = append(s.Apps, e.watchedOf(app, s.Now))
		}
	}
	if only != "" && len(s.Apps) == 0 && len(reached) > 0 {
		there, _ := observe.Applications(ctx, reached, e.c.namespace, "", nil)
		s.There = there
	} else {
		s.There = apps
	}
	s.Events, s.Notes = eventsAbout(ctx, reached, e.c.namespace, s.Apps)
	return s
}

// wants says whether an application is one of those that were asked for.
func (e *eyes) wants(app observe.Application) bool {
	switch {
	case len(e.asked.names) > 0:
		return slices.Contains(e.asked.names, app.Name)
	case e.asked.group != "":
		return slices.ContainsFunc(app.Mains, func(o observe.Main) bool { return o.Main.Group == e.asked.group })
	}
	return true
}

// watchedOf is an application as it is shown.
func (e *eyes) watchedOf(app observe.Application, now time.Time) watched {
	w := watched{Application: applicationOf(app)}
	for _, o := range app.Mains {
		p := o.Main.Progress
		if p == nil {
			continue
		}
		m := move{
			From: p.Side(), To: p.To, Direction: p.Direction, Steps: p.Steps, At: p.At, Paused: p.Paused, Since: p.Since, Holder: mask.Redact(p.Holder),
			Clusters: []string{o.Cluster},
		}
		begun := e.begin(app.Name+"/"+p.To, o.Main, now)
		if w.Since.IsZero() || begun.Before(w.Since) {
			w.Since = begun
		}
		if i := slices.IndexFunc(w.Moves, m.isLike); i >= 0 {
			w.Moves[i].Clusters = append(w.Moves[i].Clusters, o.Cluster)
			continue
		}
		w.Moves = append(w.Moves, m)
	}
	if len(w.Moves) == 1 && len(w.Moves[0].Clusters) == len(app.Mains) {
		w.Moves[0].Clusters = nil
	}
	return w
}

// begin is when a promotion began: when it was asked for, where that is known, or when it
// was seen first.
func (e *eyes) begin(key string, main *release.Main, now time.Time) time.Time {
	if main.Asked != nil && main.Asked.At.After(main.PromotedAt) {
		return main.Asked.At
	}
	if e.begun[key].IsZero() {
		e.begun[key] = now
	}
	return e.begun[key]
}

// isLike says that both are as far.
func (m move) isLike(other move) bool {
	return m.From == other.From && m.To == other.To && m.Direction == other.Direction && m.At == other.At && m.Paused == other.Paused && slices.Equal(m.Steps, other.Steps)
}

// where is on which clusters it is, where not on all.
func (m move) where() string {
	if len(m.Clusters) == 0 {
		return ""
	}
	return strings.Join(m.Clusters, ", ") + ": "
}

// doing is what it does now.
func (m move) doing() string {
	p := release.Progress{Steps: m.Steps, At: m.At}
	step := p.Step()
	switch {
	case m.Direction == release.DirectionBack:
		return "goes back to " + release.OrNothing(m.From)
	case m.Direction == release.DirectionNone:
		return "should go back, and nothing can take the traffic"
	case m.At >= len(m.Steps):
		return "is at its end"
	}
	text := fmt.Sprintf("step %d of %d: %s", m.At+1, len(m.Steps), step)
	if m.Paused {
		text += ", paused"
	}
	return text
}

// left is how long its pauses and analyses may still take, by such a time; and whether it
// waits for somebody on the way.
func (m move) left(now time.Time) (rest time.Duration, waits bool) {
	for i, step := range m.Steps[min(m.At, len(m.Steps)):] {
		rest += step.For
		waits = waits || step.Gate != ""
		if i == 0 && !m.Since.IsZero() {
			rest -= min(step.For, max(0, now.Sub(m.Since)))
		}
	}
	return rest, waits
}

// mostEvents is how many events watch shows.
const mostEvents = 8

// eventsAbout are the last events about applications and their releases.
func eventsAbout(ctx context.Context, on []rollout.Cluster, namespace string, apps []watched) (events []Event, notes []string) {
	type read struct {
		events []diagnose.Event
		err    error
	}
	found, _ := fleet.All(on, func(c rollout.Cluster) (r read, _ error) {
		objects, err := c.View(namespace).Select(ctx, &corev1.Event{}, "", "")
		var about []*corev1.Event
		for _, one := range objects {
			if e := one.(*corev1.Event); slices.ContainsFunc(apps, func(a watched) bool { return a.owns(e.InvolvedObject.Name) }) {
				about = append(about, e)
			}
		}
		return read{diagnose.EventsIn(c.Name(), about, diagnose.EventQuery{}, c.Now()), err}, nil
	})
	for i, r := range found {
		if r.err != nil && ctx.Err() == nil {
			notes = append(notes, fmt.Sprintf("Without the events of cluster %s: %s", on[i].Name(), mask.Redact(r.err.Error())))
		}
		for _, e := range r.events {
			events = append(events, Event{
				Cluster: e.Cluster, Type: e.Type, Reason: e.Reason, Object: e.Kind + "/" + e.Name, Container: e.Container,
				Message: e.Message, Source: e.Source, Count: e.Count, FirstSeen: timeOf(e.First), LastSeen: timeOf(e.Last),
			})
		}
	}
	slices.SortStableFunc(events, func(a, b Event) int { return last(a).Compare(last(b)) })
	return events[max(0, len(events)-mostEvents):], notes
}

// owns says whether an object of such a name is the application's.
func (a watched) owns(object string) bool {
	if object == a.Name || object == release.MainName(a.Name) {
		return true
	}
	return slices.ContainsFunc(a.Releases, func(r Release) bool { return object == r.Name || strings.HasPrefix(object, r.Name+"-") })
}
