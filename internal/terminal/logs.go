package terminal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// defaultTail is how many lines of each container are shown.
const defaultTail = 100

// LogList is what logs prints.
type LogList struct {
	Head
	Items  []LogLine `json:"items" is:"the lines, in the order of time"`
	Notes  []string  `json:"notes" is:"what is not among them, and why"`
	Unread []Unread  `json:"unread" is:"clusters that could not be read: all else is without them"`
}

// LogLine is a line of a container's log. It is what logs -f prints, each by itself.
type LogLine struct {
	Time      *metav1.MicroTime `json:"time,omitempty" is:"when the node took it; left out where it does not say"`
	Cluster   string            `json:"cluster" is:"the cluster"`
	Pod       string            `json:"pod" is:"the pod"`
	Container string            `json:"container" is:"the container"`
	Level     logs.Level        `json:"level,omitempty" is:"how bad the line says that it is: trace, debug, info, warn, error or fatal; left out where it does not say"`
	Message   string            `json:"message" is:"the line as it was written, without colours and what looks like a credential"`
}

// logsAsked is what logs was asked for.
type logsAsked struct {
	format
	diagnose.LogQuery
	follow       bool
	level, regex string
}

func (t *terminal) logs() *cobra.Command {
	a := &logsAsked{}
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Show what the containers of an application, or of a release, write",
		Long: "The logs of all containers of the releases that shall have pods, or of the one that is named, on every cluster, as one log in the order of time. " +
			"With --follow, what is written from then on comes as it is written, also by pods and releases that start meanwhile, until Ctrl-C. " +
			"What looks like a credential is masked. It takes the role diagnose of SECURITY.md.\n\n" +
			"In a terminal, warnings and errors have colours, unless the environment variable NO_COLOR is set. With --follow, -o json prints an object on each line, and -o yaml a document for each.",
		Example:           "  kubectl switchback logs api -f\n  kubectl switchback logs api -f --level warn --contexts prod-eu,prod-us\n  kubectl switchback logs api-7f3c9a1e -c api --previous --tail 20",
		Args:              oneSubject,
		ValidArgsFunction: t.completeSubject(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(a.check(), a.checkQuery()); err != nil {
				return err
			}
			return t.looking(cmd, func(ctx context.Context, c *clusters) error {
				s, err := subjectOf(ctx, c, args[0])
				if err != nil {
					return err
				}
				if a.follow {
					return t.followLogs(ctx, c, s, args[0], a)
				}
				return t.showLogs(ctx, c, s, a)
			})
		},
	}
	a.addFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&a.follow, "follow", "f", false, "Go on with what is written from now on, until Ctrl-C.")
	flags.StringVarP(&a.Container, "container", "c", "", "Show only this container, of the application's (its name is the application's), init containers and sidecars.")
	flags.BoolVarP(&a.Previous, "previous", "p", false, "Show the run that ended last, of containers that were restarted, in place of what runs now: how one that crashes ended.")
	flags.DurationVar(&a.Since, "since", 0, "Show only lines that are not older, such as 15m, by the clock of the node. 0 shows all.")
	flags.IntVar(&a.Tail, "tail", defaultTail, "Show at most so many lines of each container, the last that pass all else.")
	flags.StringVar(&a.level, "level", "", "Show only lines that say that they are as bad, or worse: "+strings.Join(texts(logs.Levels()), ", ")+".")
	flags.StringVar(&a.Filter.Contains, "contains", "", "Show only lines that contain this text.")
	flags.StringVar(&a.regex, "regex", "", "Show only lines that match this regular expression, in RE2 syntax.")
	_ = cmd.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(texts(logs.Levels()), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// checkQuery finds what cannot be asked for, before a cluster is asked.
func (a *logsAsked) checkQuery() error {
	a.Filter.Level = logs.Level(a.level)
	if a.level != "" && !slices.Contains(logs.Levels(), a.Filter.Level) {
		return usagef("there is no level %q. There are: %s", a.level, strings.Join(texts(logs.Levels()), ", "))
	}
	if a.regex != "" {
		var err error
		if a.Filter.Regex, err = regexp.Compile(a.regex); err != nil {
			return usagef("--regex: %w", err)
		}
	}
	switch {
	case a.Since < 0:
		return usagef("--since %s: it must be a time that has passed, such as 15m", a.Since)
	case a.Tail < 0 || a.Tail > diagnose.LogLines:
		return usagef("--tail %d: it must be from 0 to %d", a.Tail, diagnose.LogLines)
	case a.follow && a.Previous:
		return usagef("--follow and --previous exclude each other: a run that has ended writes nothing")
	}
	return nil
}

// showLogs shows what has been written.
func (t *terminal) showLogs(ctx context.Context, c *clusters, s subject, a *logsAsked) error {
	list := LogList{Head: headOf("LogList"), Items: []LogLine{}, Notes: []string{}, Unread: s.unread}
	var all []iter.Seq[logs.Entry]
	var unread error
	names := s.names()
	for i, name := range names {
		q := a.LogQuery
		q.ID = release.ID{Namespace: c.namespace, Name: name}
		log, err := diagnose.Logs(ctx, s.reached, q)
		if none := (*diagnose.NoContainerError)(nil); errors.As(err, &none) && (i < len(names)-1 || len(all) > 0) {
			list.Notes = append(list.Notes, none.Error()+".") // another release has it, or may have
			continue
		} else if err != nil {
			return errors.Join(err, s.failed)
		}
		all, list.Notes = append(all, slices.Values(log.Entries)), append(list.Notes, log.Notes...)
		if log.Unread > 0 {
			unread = errors.Join(unread, &exitError{ExitIncomplete, fmt.Errorf("the logs of %d containers of %s could not be read, because their nodes did not answer as they should: `kubectl switchback diagnose %s` says how its pods are", log.Unread, name, name)})
		}
	}
	for entry := range logs.Merge(all) {
		list.Items = append(list.Items, logLineOf(entry))
	}
	if !a.table() {
		return errors.Join(a.write(t.Out, list), s.failed, unread)
	}
	if len(names) == 0 {
		list.Notes = append(list.Notes, "Nothing of it has pods, or shall have any.")
	}
	for _, note := range list.Notes {
		a.note(t.ErrOut, note)
	}
	p := paintOf(t.Out)
	for _, line := range list.Items {
		if err := line.show(t.Out, a, p, len(c.on) > 1); err != nil {
			return err
		}
	}
	return errors.Join(s.failed, unread)
}

// note tells what is not among the lines.
func (a *logsAsked) note(w io.Writer, text string) {
	if !a.noHeaders {
		_, _ = fmt.Fprintln(w, text)
	}
}

// errOut ends a command whose output goes nowhere any more.
var errOut = errors.New("the output has been closed")

// followLogs shows what is written until ctx ends.
func (t *terminal) followLogs(ctx context.Context, c *clusters, s subject, name string, a *logsAsked) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	q := diagnose.FollowQuery{LogQuery: a.LogQuery, Application: name}
	q.ID.Namespace = c.namespace
	if s.isRelease {
		q.Application, q.ID.Name = s.application, name
	}
	var on []diagnose.Followed
	for _, one := range s.reached {
		on = append(on, diagnose.Followed{Cluster: one, Pods: one.View(c.namespace)})
	}
	for _, one := range s.unread {
		a.note(t.ErrOut, "Without cluster "+one.Cluster+": "+one.Reason)
	}
	p := paintOf(t.Out)
	err := diagnose.Follow(ctx, on, q, func(e logs.Entry) {
		if err := logLineOf(e).show(t.Out, a, p, len(c.on) > 1); err != nil {
			end(fmt.Errorf("%w: %w", errOut, err))
		}
	}, func(note string) { a.note(t.ErrOut, note) })
	if cause := context.Cause(ctx); errors.Is(cause, errOut) {
		err = cause
	}
	return errors.Join(err, s.failed)
}

func logLineOf(e logs.Entry) LogLine {
	l := LogLine{Cluster: e.Cluster, Pod: e.Pod, Container: e.Container, Level: e.Level, Message: e.Message}
	if !e.Time.IsZero() {
		l.Time = &metav1.MicroTime{Time: e.Time.UTC()}
	}
	return l
}

// show writes a line: as the data source's text has it, or as data.
func (l LogLine) show(w io.Writer, a *logsAsked, p paint, several bool) error {
	var text string
	switch a.name {
	case "json":
		data, err := json.Marshal(l)
		if err != nil {
			return err
		}
		text = string(data)
	case "yaml":
		if _, err := fmt.Fprintln(w, "---"); err != nil {
			return err
		}
		return a.write(w, l)
	default:
		where, stamp := l.Pod+"/"+l.Container, "-"
		if several || a.name == "wide" {
			where = l.Cluster + "/" + where
		}
		if l.Time != nil {
			stamp = logs.Stamp(l.Time.Time)
		}
		text = p.as(faint, stamp) + " "
		if a.name == "wide" {
			text += p.as(levelStyle(l.Level), fmt.Sprintf("%-5s", cmp.Or(string(l.Level), "-"))) + " "
		}
		text += p.as(cyan, where) + " " + p.as(levelStyle(l.Level), l.Message)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
