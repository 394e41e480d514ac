package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

const (
	// lookAgain is how soon a cluster is looked at again where nothing changes: one that
	// could not be read tells of no change.
	lookAgain = 5 * time.Second
	// lookTogether is how long what changes is gathered: many objects change at once.
	lookTogether = 200 * time.Millisecond
)

// watchAsked is what watch was asked for.
type watchAsked struct {
	output      string // empty: for people
	names       []string
	group       string
	environment string
}

func (t *terminal) watch() *cobra.Command {
	a := &watchAsked{}
	cmd := &cobra.Command{
		Use:   "watch [NAME...]",
		Short: "Watch applications: who has the traffic, how far a promotion is, and what happens",
		Long: "A live view of the applications that are named, of a group, of an environment, or of all of the namespace: their releases with their share of the traffic and their pods, " +
			"each step of a promotion, how long it has been going on and how long its pauses may still take, and the last events. " +
			"It shows what stands in the clusters, whoever moves it. It writes nothing: to end it, by q or Ctrl-C, changes nothing.\n\n" +
			"Where the output is no terminal, each change is a line. Events take the role diagnose of SECURITY.md; all else is shown without them.",
		Example: "  kubectl switchback watch api\n  kubectl switchback watch --group shop --contexts prod-eu,prod-us\n  kubectl switchback watch --environment production | tee watch.log",
		Args: func(_ *cobra.Command, args []string) error {
			given := 0
			for _, is := range []bool{len(args) > 0, a.group != "", a.environment != ""} {
				if is {
					given++
				}
			}
			if given > 1 {
				return usagef("names, --group and --environment exclude each other")
			}
			a.names = args
			return nil
		},
		ValidArgsFunction: t.completeApplications(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.output != "" && a.output != "json" {
				return usagef("there is no output format %q: say json, or leave it out", a.output)
			}
			return t.looking(cmd, func(ctx context.Context, c *clusters) error { return t.showWatch(ctx, c, a) })
		},
	}
	cmd.Flags().StringVarP(&a.output, "output", "o", "", "Output format: json for an object on a line, of the kind Application, for each application that changes.")
	cmd.Flags().StringVar(&a.group, "group", "", "Watch the applications of this deployment group, in the namespace.")
	cmd.Flags().StringVar(&a.environment, "environment", "", "Watch the applications that have a release of this environment, in the namespace.")
	t.completeNames(cmd)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (t *terminal) showWatch(ctx context.Context, c *clusters, a *watchAsked) error {
	e := newEyes(c, a)
	first := e.look(ctx)
	if len(first.Unread) == len(c.on) {
		return e.failed
	}
	if err := missing(a.names, first, c.namespace); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	screen := isTerminal(t.Out)
	if a.output != "" || !screen {
		return t.tellChanges(ctx, e, first, a)
	}
	return t.show(ctx, e, first)
}

// missing is an error for an application that was named and is not there.
func missing(names []string, seen scene, namespace string) error {
	var there []string
	for _, app := range seen.Apps {
		there = append(there, app.Name)
	}
	for _, name := range names {
		if !slices.Contains(there, name) {
			return notFound(namespace, name, seen.There)
		}
	}
	return nil
}

// changes calls seen with what is to be seen, whenever something may have changed, until
// ctx ends or seen says that it is over.
func (e *eyes) changes(ctx context.Context, seen func(scene) (over bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dirty := make(chan struct{}, 1)
	for _, one := range e.c.on {
		changes := one.View(e.c.namespace).Changes("")
		go func() {
			_ = wait.Until(ctx, changes, func() (bool, time.Duration, error) {
				select {
				case dirty <- struct{}{}:
				default:
				}
				return false, lookAgain, nil
			})
		}()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-dirty:
		}
		if over, err := seen(e.look(ctx)); over || err != nil {
			return err
		}
		if wait.For(ctx, lookTogether) != nil {
			return nil
		}
	}
}

// tellChanges writes a line for each application that has changed.
func (t *terminal) tellChanges(ctx context.Context, e *eyes, first scene, a *watchAsked) error {
	told, unread := map[string]string{}, ""
	tell := func(s scene) (bool, error) {
		if ctx.Err() != nil {
			return true, nil //nolint:nilerr // half of it may not have been read
		}
		if text := unreadText(s.Unread); text != unread {
			if unread = text; text != "" {
				_, _ = fmt.Fprintln(t.ErrOut, text)
			}
		}
		for _, app := range s.Apps {
			line, err := app.line(a.output, len(s.Clusters) > 1)
			if err != nil {
				return true, err
			}
			if told[app.Name] == line {
				continue
			}
			told[app.Name] = line
			if a.output == "" {
				line = s.Now.UTC().Format(time.RFC3339) + " " + line
			}
			if _, err := fmt.Fprintln(t.Out, line); err != nil {
				return true, err
			}
		}
		return false, nil
	}
	if over, err := tell(first); over || err != nil {
		return err
	}
	if len(first.Apps) == 0 {
		_, _ = fmt.Fprintf(t.ErrOut, "No applications found in %s namespace; waiting for one.\n", first.Namespace)
	}
	return e.changes(ctx, tell)
}

// line is an application in one line.
func (a watched) line(output string, several bool) (string, error) {
	if output == "json" {
		text, err := json.Marshal(a.Application)
		return string(text), err
	}
	text := fmt.Sprintf("%s is %s: %s", a.Name, a.Status, a.traffic())
	if a.Promotion != "" {
		text += ", " + string(a.Promotion)
	}
	var pods []string
	for _, r := range a.Releases {
		if r.Pods > 0 || r.Ready > 0 {
			pods = append(pods, fmt.Sprintf("%s %d/%d", r.label(several), r.Ready, r.Pods))
		}
	}
	if len(pods) > 0 {
		text += "; pods: " + strings.Join(pods, ", ")
	}
	for _, m := range a.Moves {
		text += "; " + m.where() + m.doing()
	}
	return text, nil
}

func unreadText(all []Unread) string {
	var texts []string
	for _, one := range all {
		texts = append(texts, fmt.Sprintf("Without cluster %s: %s", one.Cluster, one.Reason))
	}
	return strings.Join(texts, "\n")
}

// show is the live view.
func (t *terminal) show(ctx context.Context, e *eyes, first scene) error {
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(t.In), tea.WithOutput(t.Out), tea.WithoutSignalHandler()}
	program := tea.NewProgram(&window{seen: first, at: time.Now(), paint: paintOf(t.Out)}, options...)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- e.changes(ctx, func(s scene) (bool, error) {
			program.Send(s)
			return false, nil
		})
	}()
	_, err := program.Run()
	cancel()
	if seen := <-done; err == nil && !errors.Is(seen, context.Canceled) {
		err = seen
	}
	if errors.Is(err, tea.ErrInterrupted) || errors.Is(err, tea.ErrProgramKilled) || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // somebody has ended it
	}
	return errors.Join(err, e.failed)
}

// window shows a scene in a terminal.
type window struct {
	seen          scene
	at            time.Time // it was seen, by our own clock
	width, height int
	paint         paint
}

// tick is that a second has passed.
type tick time.Time

func nextTick() tea.Cmd { return tea.Tick(time.Second, func(at time.Time) tea.Msg { return tick(at) }) }

// Init begins to count the seconds.
func (w *window) Init() tea.Cmd { return nextTick() }

// Update takes in what happens.
func (w *window) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		w.width, w.height = m.Width, m.Height
	case tea.KeyPressMsg:
		switch m.String() {
		case "q", "esc", "ctrl+c":
			return w, tea.Quit
		}
	case scene:
		w.seen, w.at = m, time.Now()
	case tick:
		return w, nextTick()
	}
	return w, nil
}

// View is the scene as it is by now.
func (w *window) View() tea.View {
	s := w.seen
	s.Now = s.Now.Add(time.Since(w.at))
	v := tea.NewView(s.frame(w.width, w.height, w.paint))
	v.AltScreen = true
	return v
}
