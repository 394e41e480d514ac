package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// History is what history prints.
type History struct {
	Head
	Namespace string   `json:"namespace" is:"the application's namespace"`
	Name      string   `json:"name" is:"the application's name"`
	Items     []Entry  `json:"items" is:"what was done, the newest first"`
	Unread    []Unread `json:"unread" is:"clusters that could not be read: all else is without them"`
}

// Entry is one thing that was done, on one cluster.
type Entry struct {
	ID        string            `json:"id" is:"id of the operation, on this cluster"`
	Cluster   string            `json:"cluster" is:"the cluster"`
	Time      *metav1.Time      `json:"time" is:"when it ended, by the clock of who did it"`
	Operation release.Operation `json:"operation" is:"what was done: one of the words of --operation"`
	Outcome   release.Outcome   `json:"outcome" is:"succeeded, failed or cancelled"`
	Release   string            `json:"release,omitempty" is:"the release that it was done to"`
	Version   string            `json:"version,omitempty" is:"the version of that"`
	From      string            `json:"from,omitempty" is:"of a move of the traffic: who had it"`
	To        string            `json:"to,omitempty" is:"of a move of the traffic: who was meant to get it"`
	Group     string            `json:"group,omitempty" is:"the group that it was part of"`
	By        string            `json:"by,omitempty" is:"who did it, as the cluster names the user"`
	Reason    string            `json:"reason,omitempty" is:"why, where there is something to say"`
	Seconds   float64           `json:"seconds,omitempty" is:"how long it took"`
	Run       release.Run       `json:"run,omitzero" is:"the automation that it ran in: tool, id, url, commit, ref, project, workspace and actor, as far as they are known"`
}

func (t *terminal) history() *cobra.Command {
	f, operation, limit := &format{}, "", 0
	cmd := &cobra.Command{
		Use:   "history NAME",
		Short: "Show what was done to an application: when, by whom, with what result",
		Long: fmt.Sprintf("The newest first, the last %d of each cluster. Deployments that are gone are still in it. "+
			"Times are those of the machine where it was done.", release.HistoryEntries),
		Example:           "  kubectl switchback history api\n  kubectl switchback history api --operation promote --limit 5 -o wide",
		Args:              oneApplication,
		ValidArgsFunction: t.completeApplication(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if operation != "" && !slices.Contains(release.Operations(), release.Operation(operation)) {
				return usagef("there is no operation %q. There are: %s", operation, strings.Join(texts(release.Operations()), ", "))
			}
			if limit < 0 {
				return usagef("--limit %d: it must be 1 or more, or 0 for all", limit)
			}
			if err := f.check(); err != nil {
				return err
			}
			return t.looking(cmd, func(ctx context.Context, c *clusters) error {
				return t.showHistory(ctx, c, args[0], release.Operation(operation), limit, f)
			})
		},
	}
	f.addFlags(cmd)
	cmd.Flags().StringVar(&operation, "operation", "", "Show only this operation: "+strings.Join(texts(release.Operations()), ", ")+".")
	cmd.Flags().IntVar(&limit, "limit", 0, "Show at most so many, the newest. 0 shows all.")
	_ = cmd.RegisterFlagCompletionFunc("operation", cobra.FixedCompletions(texts(release.Operations()), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func texts[S ~string](values []S) []string {
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = string(value)
	}
	return all
}

func (t *terminal) showHistory(ctx context.Context, c *clusters, application string, only release.Operation, limit int, f *format) error {
	h := History{Head: headOf("History"), Namespace: c.namespace, Name: application, Items: []Entry{}}
	unread, found := map[string]error{}, false
	for _, of := range observe.Histories(ctx, c.on, c.namespace, application) {
		if of.Err != nil {
			unread[of.Cluster] = of.Err
		}
		for _, e := range slices.Backward(of.Entries) {
			found = true
			if only == "" || only == e.Operation {
				h.Items = append(h.Items, entryOf(of.Cluster, e))
			}
		}
	}
	slices.SortStableFunc(h.Items, func(a, b Entry) int { return b.Time.Compare(a.Time.Time) })
	if limit > 0 && len(h.Items) > limit {
		h.Items = h.Items[:limit]
	}
	var failed error
	if h.Unread, failed = unreadOf(unread, len(c.on)); len(h.Unread) == len(c.on) {
		return failed
	}
	if !found {
		there, _ := observe.Applications(ctx, readable(c.on, unread), c.namespace, "", nil)
		if !slices.Contains(namesOf(there), application) {
			return errors.Join(notFound(c.namespace, application, there), failed)
		}
	}
	switch {
	case !f.table():
		return errors.Join(f.write(t.Out, h), failed)
	case len(h.Items) == 0:
		_, _ = fmt.Fprintf(t.ErrOut, "No history found of application %s.\n", application)
		return failed
	}
	return errors.Join(h.print(t.Out, f, len(c.on) > 1), failed)
}

func entryOf(cluster string, e release.Entry) Entry {
	return Entry{
		ID: mask.Redact(e.ID), Cluster: cluster, Time: &metav1.Time{Time: e.Time.UTC()}, Operation: e.Operation, Outcome: e.Outcome,
		Release: e.Deployment, Version: mask.Redact(e.Version), From: e.From, To: e.To, Group: e.Group,
		By: mask.Redact(e.By), Reason: mask.Redact(e.Reason), Seconds: e.Duration.Seconds(), Run: e.Run,
	}
}

// print shows the history as a table.
func (h History) print(w io.Writer, f *format, several bool) error {
	columns := []column{{"Cluster", false}, {"Time", false}, {"Operation", false}, {"Outcome", false}, {"Release", false}, {"Version", false}, {"By", false}, {"Took", false}, {"Run", true}, {"Group", true}, {"Reason", false}}
	var rows [][]any
	for _, e := range h.Items {
		row := []any{
			e.Cluster, e.Time.Format("2006-01-02T15:04:05Z07:00"), e.Operation, e.Outcome, e.what(), orNone(e.Version), orNone(e.By), took(e.Seconds),
			orNone(mask.Redact(e.Run.String())), orNone(e.Group), orNone(e.Reason),
		}
		rows = append(rows, row)
	}
	return f.writeClusters(w, several, columns, rows)
}

// what is the release that something was done to, or both sides of a move.
func (e Entry) what() string {
	if e.To != "" && e.From != "" && e.From != e.To {
		return e.From + " -> " + e.To
	}
	return orNone(cmp.Or(e.Release, e.To, e.From))
}

// took is how long it took, in words.
func took(seconds float64) string {
	if seconds == 0 {
		return none
	}
	return fmt.Sprintf("%.1fs", seconds)
}
