package terminal

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// ActionList is what a command prints that changes something.
type ActionList struct {
	Head
	Command string  `json:"command" is:"what was asked for, as: rollback"`
	Items   []Acted `json:"items" is:"what became of it, of each application or release, in the order in which it was done; before these, those that were left alone"`
}

// Acted is what became of one application, or of one release.
type Acted struct {
	Namespace string   `json:"namespace" is:"its namespace"`
	Name      string   `json:"name" is:"its name"`
	Outcome   Outcome  `json:"outcome" is:"done, nothing, refused or failed"`
	Says      string   `json:"says" is:"what was done, or why not"`
	Notices   []string `json:"notices" is:"what should be known, too"`
}

// Outcome is what became of it.
type Outcome string

// Outcomes.
const (
	OutcomeDone    Outcome = "done"
	OutcomeNothing Outcome = "nothing" // there was nothing to do
	OutcomeRefused Outcome = "refused" // before anything was written
	OutcomeFailed  Outcome = "failed"
)

// deed is one thing that a command is about to do, to an application or a release.
type deed struct {
	name string
	will string            // a sentence: what will happen
	on   []rollout.Cluster // where
	take []cluster.Feature // the permissions that it takes
	bake time.Duration     // how long a release is watched beyond the time that it may take
	do   func(ctx context.Context, e *rollout.Engine, say func(string)) (says string, notices []rollout.Notice, err error)
	err  error // why it is refused; nil: it is not
}

// onward adds to a refusal which line does what may have been meant, or where to look.
func (d deed) onward(command, namespace string) deed {
	application, isRelease := release.ApplicationOf(d.name)
	add := func(err error) error {
		var moved *release.MovedError
		var carries *release.CarriesError
		var none *release.NoMainError
		switch {
		case errors.As(err, &moved):
			return fmt.Errorf("%w. The traffic was not touched. Look at where it is now, and decide again: kubectl switchback get %s --namespace %s", err, d.name, namespace)
		case !isRelease:
			return err
		case errors.As(err, &carries) && carries.Main:
			return fmt.Errorf("%w. To stop the application as a whole: kubectl switchback stop %s --namespace %s", err, application, namespace)
		case errors.As(err, &none):
			return fmt.Errorf("%w. Where %s is a deployment of %s, name that application: kubectl switchback %s %s --namespace %s", err, d.name, application, command, application, namespace)
		}
		return err
	}
	do := d.do
	d.err, d.do = add(d.err), func(ctx context.Context, e *rollout.Engine, say func(string)) (string, []rollout.Notice, error) {
		says, notices, err := do(ctx, e, say)
		return says, notices, add(err)
	}
	return d
}

// acting is how a command is asked for that changes something.
type acting struct {
	format
	whom
	yes     bool
	reason  string
	timeout time.Duration

	backwards bool // of several applications, those that others come after are last
}

func (a *acting) addFlags(t *terminal, cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "Do it without asking. It is said all the same what will happen.")
	cmd.Flags().StringVar(&a.reason, "reason", "", "Why: in the history, and where it is told that somebody did this.")
	cmd.Flags().DurationVar(&a.timeout, "timeout", 10*time.Minute, "How long it may take, such as 90s or 5m, for each application.")
	cmd.Flags().StringVarP(&a.name, "output", "o", "", "Output format of the results: json or yaml. Left out, a line for each.")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats[:2], cobra.ShellCompDirectiveNoFileComp))
	a.whom.addFlags(cmd)
	t.completeNames(cmd)
}

func (a *acting) check() error {
	switch {
	case a.name != "" && !slices.Contains(formats[:2], a.name):
		return usagef("there is no output format %q: say %s, or leave it out for a line each", a.name, strings.Join(formats[:2], ", "))
	case a.timeout <= 0:
		return usagef("--timeout %s: it must be more than nothing, such as 5m", a.timeout)
	}
	return nil
}

// errNotConfirmed ends a command that has asked, and was not told to go on.
var errNotConfirmed = errors.New("nothing was done: it takes the answer yes, or --yes")

// act finds out what is to be done, says it, asks whether to, and does it.
func (t *terminal) act(cmd *cobra.Command, a *acting, args []string, find func(ctx context.Context, c *clusters, name string) deed) error {
	if err := a.check(); err != nil {
		return err
	}
	ctx := rollout.Because(cmd.Context(), a.reason)
	c, err := t.reach.clusters()
	if err != nil {
		return err
	}
	defer c.close()
	meant, left, err := a.find(ctx, c, args, a.backwards)
	if err != nil {
		return c.without(err)
	}
	for _, one := range left {
		_, _ = fmt.Fprintln(t.ErrOut, mask.Redact(one.Says))
	}
	if len(meant) == 0 && len(left) == 0 {
		_, _ = fmt.Fprintf(t.ErrOut, "No applications found in %s namespace.\n", c.namespace)
	}
	var deeds []deed
	due := false
	for _, one := range meant {
		d := find(ctx, c.only(one.On), one.Name)
		d.name = cmp.Or(d.name, one.Name)
		d = d.onward(cmd.Name(), c.namespace)
		d.err = c.without(c.orGroup(ctx, one.Name, d.err))
		if d.err == nil {
			d.err = allowed(ctx, d, c.namespace)
		}
		if due = due || d.err == nil; d.err == nil {
			_, _ = fmt.Fprintln(t.ErrOut, mask.Redact(d.will))
		}
		deeds = append(deeds, d)
	}
	if due && !a.yes {
		if err := t.confirm(ctx); err != nil {
			return err
		}
	}
	list := ActionList{Head: headOf("ActionList"), Command: cmd.Name(), Items: append([]Acted{}, left...)}
	var errs []error
	engine := rollout.New(t.timing).In(release.RunOf(os.Getenv))
	for _, d := range deeds {
		item, err := t.done(ctx, engine, d, a.timeout)
		if err != nil && len(deeds) > 1 {
			err = fmt.Errorf("%s: %w", d.name, err)
		}
		item.Namespace = c.namespace
		list.Items, errs = append(list.Items, item), append(errs, err)
		if err := a.tell(t, item); err != nil {
			return err
		}
	}
	if a.name != "" {
		errs = append(errs, a.write(t.Out, list))
	}
	return errors.Join(errs...)
}

// orGroup adds, to what says that there is no such application, that a group is called so.
func (c *clusters) orGroup(ctx context.Context, name string, err error) error {
	var none *release.NoMainError
	if !errors.As(err, &none) {
		return err
	}
	apps, _ := observe.Applications(ctx, c.on, c.namespace, "", nil)
	members := membersOf(apps, name)
	if len(members) == 0 {
		return err
	}
	return fmt.Errorf("%[1]w. %[2]s. To take all of it back: kubectl switchback rollback --group %[3]s --namespace %[4]s", err, isGroup(name, members), name, c.namespace)
}

// membersOf are the applications among some that a group moves; none where there is no such
// group.
func membersOf(apps []observe.Application, group string) (names []string) {
	for _, app := range apps {
		if slices.ContainsFunc(app.Mains, func(o observe.Main) bool { return o.Main.Group == group }) {
			names = append(names, app.Name)
		}
	}
	return names
}

func isGroup(name string, members []string) string {
	return fmt.Sprintf("%s is a deployment group: name an application that it moves, of %s", name, strings.Join(members, ", "))
}

// without adds, to what says that a cluster cannot be read, how the others are acted on.
func (c *clusters) without(err error) error {
	if err == nil {
		return nil
	}
	all, away := flatten(err), false
	for i, one := range all {
		var unreachable *cluster.UnreachableError
		if len(c.on) > 1 && errors.As(one, &unreachable) {
			one, away = fmt.Errorf("%w. To act on the other clusters alone, name them with --contexts", one), true
		}
		all[i] = one
	}
	if !away {
		return err
	}
	return errors.Join(all...)
}

// allowed makes sure, before the first write, that everything may be done there.
func allowed(ctx context.Context, d deed, namespace string) error {
	var errs []error
	for _, c := range d.on {
		_, err := c.(wired).Preflight(ctx, namespace, d.take)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// confirm asks whether to go on. Whoever pipes into the command may answer, too.
func (t *terminal) confirm(ctx context.Context) error {
	_, _ = fmt.Fprint(t.ErrOut, "Go on? Only yes is taken: ")
	answer := make(chan string, 1)
	go func() { // a read of a terminal has no end of its own
		line, _ := bufio.NewReader(t.In).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case said := <-answer:
		if said == "yes" {
			return nil
		}
	case <-ctx.Done():
	}
	_, _ = fmt.Fprintln(t.ErrOut)
	return &exitError{ExitNo, errNotConfirmed}
}

// done does it, and says how it ended.
func (t *terminal) done(ctx context.Context, engine *rollout.Engine, d deed, limit time.Duration) (Acted, error) {
	item := Acted{Name: d.name, Notices: []string{}, Outcome: OutcomeRefused}
	err := d.err
	if err == nil {
		ctx, cancel := context.WithTimeoutCause(ctx, limit+d.bake, fmt.Errorf("it was not done within --timeout %s", limit))
		defer cancel()
		var mu sync.Mutex
		say := func(line string) { // from several clusters at once
			mu.Lock()
			defer mu.Unlock()
			_, _ = fmt.Fprintf(t.ErrOut, "%s: %s\n", d.name, mask.Redact(line))
		}
		var notices []rollout.Notice
		item.Outcome = OutcomeDone
		item.Says, notices, err = d.do(ctx, engine, say)
		for _, n := range notices {
			item.Notices = append(item.Notices, mask.Redact(n.Summary+". "+n.Detail))
		}
		switch {
		case err != nil:
			item.Outcome = OutcomeFailed
		case item.Says == "":
			item.Outcome = OutcomeNothing
		}
	}
	if err != nil {
		item.Says = err.Error()
	}
	item.Says = mask.Redact(item.Says)
	return item, err
}

// tell writes what became of one, for people: what has failed is told at the end.
func (a *acting) tell(t *terminal, item Acted) error {
	for _, notice := range item.Notices {
		_, _ = fmt.Fprintf(t.ErrOut, "%s: %s\n", item.Name, notice)
	}
	if a.name != "" || item.Outcome != OutcomeDone {
		return nil
	}
	_, err := fmt.Fprintf(t.Out, "%s: %s\n", item.Name, item.Says)
	return err
}

// where names the clusters of a deed in a sentence; nothing where there is but one.
func where(all *clusters, on []rollout.Cluster) string {
	if len(all.on) < 2 {
		return ""
	}
	var names []string
	for _, c := range on {
		names = append(names, c.Name())
	}
	slices.Sort(names)
	return " on " + strings.Join(names, ", ")
}
