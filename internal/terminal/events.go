package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// EventList is what events prints.
type EventList struct {
	Head
	Items  []Event  `json:"items" is:"the events, the last one at the end"`
	Notes  []string `json:"notes" is:"what is not among them, and why"`
	Unread []Unread `json:"unread" is:"clusters that could not be read: all else is without them"`
}

// Event is what somebody in a cluster said about an object.
type Event struct {
	Cluster   string             `json:"cluster" is:"the cluster"`
	Release   string             `json:"release" is:"the release that it is about"`
	Type      diagnose.EventType `json:"type" is:"Normal or Warning"`
	Reason    string             `json:"reason" is:"what happened, in a word"`
	Object    string             `json:"object" is:"the object that it is about, as Pod/api-7f3c9a1e-6c9f8-x2x8d"`
	Container string             `json:"container,omitempty" is:"the container that it is about"`
	Message   string             `json:"message" is:"what happened"`
	Source    string             `json:"source,omitempty" is:"who says so"`
	Count     int32              `json:"count" is:"how often it happened"`
	FirstSeen *metav1.Time       `json:"firstSeen" is:"when it happened first"`
	LastSeen  *metav1.Time       `json:"lastSeen" is:"when it happened last"`
}

func (t *terminal) events() *cobra.Command {
	f, q := &format{}, diagnose.EventQuery{}
	var kind string
	cmd := &cobra.Command{
		Use:   "events NAME",
		Short: "Show what the clusters say about an application, or about a release",
		Long: "The events about the Deployments, ReplicaSets, pods, Services, claims, autoscalers and disruption budgets of an application's releases that shall have pods, " +
			"or of the one release that is named. The last one is at the end; what says the same of the same object is one event. A cluster keeps them for an hour, usually.",
		Example:           "  kubectl switchback events api\n  kubectl switchback events api-7f3c9a1e --type Warning --since 15m",
		Args:              oneSubject,
		ValidArgsFunction: t.completeSubject(),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Type = diagnose.EventType(kind)
			if q.Type != "" && !slices.Contains(diagnose.EventTypes(), q.Type) {
				return usagef("there is no type of events %q: say Normal or Warning", kind)
			}
			if q.Since < 0 {
				return usagef("--since %s: it must be a time that has passed, such as 15m", q.Since)
			}
			if err := f.check(); err != nil {
				return err
			}
			return t.looking(cmd, func(ctx context.Context, c *clusters) error { return t.showEvents(ctx, c, args[0], q, f) })
		},
	}
	f.addFlags(cmd)
	cmd.Flags().StringVar(&kind, "type", "", "Show only events of this type: Normal or Warning.")
	cmd.Flags().StringVar(&q.Reason, "reason", "", "Show only events with this reason, such as FailedScheduling.")
	cmd.Flags().DurationVar(&q.Since, "since", 0, "Show only events that happened not longer ago, such as 15m, by the cluster's clock. 0 shows all.")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(texts(diagnose.EventTypes()), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (t *terminal) showEvents(ctx context.Context, c *clusters, name string, q diagnose.EventQuery, f *format) error {
	s, err := subjectOf(ctx, c, name)
	if err != nil {
		return err
	}
	names := s.names()
	if len(names) == 0 { // the one that is named has no pods: what is said of it may tell why
		names = []string{s.releases[0].Name}
	}
	list := EventList{Head: headOf("EventList"), Items: []Event{}, Notes: []string{}, Unread: s.unread}
	for _, one := range names {
		q.ID = release.ID{Namespace: c.namespace, Name: one}
		found, err := diagnose.EventsOf(ctx, s.reached, q)
		if err != nil {
			return errors.Join(err, s.failed)
		}
		for _, e := range found.Events {
			list.Items = append(list.Items, Event{
				Cluster: e.Cluster, Release: one, Type: e.Type, Reason: e.Reason, Object: e.Kind + "/" + e.Name, Container: e.Container,
				Message: e.Message, Source: e.Source, Count: e.Count, FirstSeen: timeOf(e.First), LastSeen: timeOf(e.Last),
			})
		}
		for _, note := range found.Notes {
			if !slices.Contains(list.Notes, note) {
				list.Notes = append(list.Notes, note)
			}
		}
	}
	slices.SortStableFunc(list.Items, func(a, b Event) int { return last(a).Compare(last(b)) })
	if !f.table() {
		return errors.Join(f.write(t.Out, list), s.failed)
	}
	for _, note := range list.Notes {
		_, _ = fmt.Fprintln(t.ErrOut, note)
	}
	if len(list.Items) == 0 {
		_, _ = fmt.Fprintf(t.ErrOut, "No events found about %s.\n", name)
		return s.failed
	}
	return errors.Join(list.print(t.Out, f, len(c.on) > 1, nowOf(s.reached)), s.failed)
}

// last is when an event happened last; before all others where that is not known.
func last(e Event) time.Time {
	if e.LastSeen == nil {
		return time.Time{}
	}
	return e.LastSeen.Time
}

// print shows the events as a table.
func (l EventList) print(w io.Writer, f *format, several bool, now time.Time) error {
	columns := []column{{"Cluster", false}, {"Last seen", false}, {"Type", false}, {"Reason", false}, {"Object", false}, {"Count", true}, {"Source", true}, {"Message", false}}
	var rows [][]any
	for _, e := range l.Items {
		row := []any{e.Cluster, age(e.LastSeen, now), e.Type, e.Reason, e.Object, e.Count, orNone(e.Source), e.Message}
		rows = append(rows, row)
	}
	return f.writeClusters(w, several, columns, rows)
}
