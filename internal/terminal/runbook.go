package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Runbook is what runbook prints: how an application goes back, from the state that it is
// in now.
type Runbook struct {
	Head
	Namespace string   `json:"namespace" is:"the application's namespace"`
	Name      string   `json:"name" is:"the application's name"`
	Now       string   `json:"now" is:"how it is, in a sentence"`
	From      string   `json:"from,omitempty" is:"the release that the traffic is taken from"`
	To        string   `json:"to,omitempty" is:"who has the traffic then"`
	Version   string   `json:"version,omitempty" is:"the version of that"`
	Refused   string   `json:"refused,omitempty" is:"why there is no way back; left out where there is one"`
	Ways      []Way    `json:"ways" is:"the ways back, the one that leaves least to do first; empty where there is none"`
	Then      string   `json:"then,omitempty" is:"what is left to do after any of them"`
	Unread    []Unread `json:"unread" is:"clusters that could not be read: all else is without them"`
}

// Way is one way back.
type Way struct {
	With  string `json:"with" is:"what it takes: terraform, kubectl switchback or kubectl"`
	Steps []Step `json:"steps" is:"what to do, one after the other"`
}

// Step is one thing to do.
type Step struct {
	Says  string   `json:"says" is:"what it does, and when to leave it out"`
	Lines []string `json:"lines" is:"lines for a shell, or for the configuration"`
}

func (t *terminal) runbook() *cobra.Command {
	f := &format{}
	cmd := &cobra.Command{
		Use:   "runbook NAME",
		Short: "Print the lines that take an application back, from the state that it is in",
		Long: "Where the traffic goes back to is what the action switchback_rollback would decide: during a promotion, where the traffic was; after it, the release that was main before. " +
			"The lines are for this state of this application, with its names, its contexts and its number of pods: by Terraform, by this command where it can, and by kubectl alone. Nothing is changed.\n\n" +
			"The exit code is 4 where there is no way back, and the output says why.",
		Example:           "  kubectl switchback runbook api -n shop\n  kubectl switchback runbook api --contexts prod-eu,prod-us > going-back.md",
		Args:              oneApplication,
		ValidArgsFunction: t.completeApplication(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return t.looking(cmd, func(ctx context.Context, c *clusters) error {
				return t.showRunbook(ctx, c, args[0], t.verbs(cmd), f)
			})
		},
	}
	f.addFlags(cmd)
	return cmd
}

// verbs are the names of all commands.
func (t *terminal) verbs(cmd *cobra.Command) (names []string) {
	for _, one := range cmd.Root().Commands() {
		names = append(names, one.Name())
	}
	return names
}

func (t *terminal) showRunbook(ctx context.Context, c *clusters, name string, verbs []string, f *format) error {
	app, s, err := applicationNamed(ctx, c, name)
	if err != nil {
		return err
	}
	book := Runbook{Head: headOf("Runbook"), Namespace: c.namespace, Name: name, Ways: []Way{}, Unread: s.unread}
	book.Now = nowText(app)
	back, err := rollout.WayBackOf(ctx, rollout.WayBackRequest{Namespace: c.namespace, Application: name, Clusters: s.reached})
	if err != nil {
		book.Refused = mask.Redact(err.Error())
	} else if err := t.fillBook(ctx, &book, app, back, verbs); err != nil {
		return errors.Join(err, s.failed)
	}
	if err := book.print(t.Out, f); err != nil {
		return err
	}
	if book.Refused != "" && s.failed == nil {
		return &exitError{ExitNo, errNo}
	}
	return s.failed
}

// applicationNamed finds an application. An error is for one that is not there, and for
// clusters none of which could be read.
func applicationNamed(ctx context.Context, c *clusters, name string) (observe.Application, subject, error) {
	apps, unread := observe.Applications(ctx, c.on, c.namespace, name, nil)
	s := subject{application: name, reached: readable(c.on, unread)}
	if s.unread, s.failed = unreadOf(unread, len(c.on)); len(s.reached) == 0 {
		return observe.Application{}, s, s.failed
	}
	if len(apps) == 0 {
		there, _ := observe.Applications(ctx, s.reached, c.namespace, "", nil)
		return observe.Application{}, s, errors.Join(notFound(c.namespace, name, there), s.failed)
	}
	return apps[0], s, nil
}

// nowText says how an application is.
func nowText(app observe.Application) string {
	s := summaryOf(app)
	text := fmt.Sprintf("%s is %s", app.Name, s.Status)
	if len(s.Addresses) > 0 {
		text += fmt.Sprintf(": the traffic has %s, and the promotion is %s", s.traffic(), s.Promotion)
	}
	return text + "."
}

// fillBook fills in the ways back.
func (t *terminal) fillBook(ctx context.Context, book *Runbook, app observe.Application, back rollout.WayBack, verbs []string) error {
	book.From, book.To = back.Leaves, back.To
	if back.Theirs != "" {
		book.From, book.To = back.To, back.Theirs
	}
	cold := false
	for _, r := range app.Releases {
		if back.Theirs != "" || r.ID.Name != back.To {
			continue
		}
		ready, wanted := r.Pods()
		book.Version, cold = mask.Redact(r.Record.Version), cold || wanted == 0 || ready < wanted
	}
	group := ""
	var contexts []string
	for _, c := range back.Clusters {
		contexts = append(contexts, c.Name())
		group = mainOn(app.Mains, c.Name()).Main.Group
	}
	if group != "" {
		book.Now += fmt.Sprintf(" It belongs to the group %q: what names this application alone leaves the other members where they are.", group)
	}
	book.Ways = append(book.Ways, book.terraform(back, group, cold))
	if slices.Contains(verbs, "rollback") {
		way, in := Way{With: "kubectl switchback"}, " "+t.reach.typed(book.Namespace, contexts)
		if group != "" {
			way.Steps = append(way.Steps, Step{Says: fmt.Sprintf("The whole group %q, as one:", group), Lines: []string{"kubectl switchback rollback --group " + group + in}})
		}
		way.Steps = append(way.Steps, Step{
			Says:  "By the same checks as an apply. Whoever promotes is asked to take it back:",
			Lines: []string{"kubectl switchback rollback " + book.Name + in},
		})
		book.Ways = append(book.Ways, way)
	}
	alone := Way{With: "kubectl"}
	for _, c := range back.Clusters {
		steps, err := t.alone(ctx, c, app, back)
		if err != nil {
			return err
		}
		alone.Steps = append(alone.Steps, steps...)
	}
	book.Ways = append(book.Ways, alone)
	book.Then = "The configuration still asks for what was there: until the version is changed back, the next apply moves the traffic forward again, unless what goes back here remembers what it has left, as `kubectl switchback rollback` does."
	return nil
}

// terraform is the way back by Terraform.
func (b *Runbook) terraform(back rollout.WayBack, group string, cold bool) Way {
	way := Way{With: "terraform"}
	version := "Change back whatever made the new version"
	if b.Version != "" {
		version += ", so that the version is " + b.Version
	}
	way.Steps = append(way.Steps, Step{Says: version + ", and apply. It leaves nothing to do:", Lines: []string{"terraform apply"}})
	if back.Theirs == "" && group == "" {
		step := Step{Says: "Or leave the version, point the switchback_main_deployment of " + b.Name + " at the former release, and apply:", Lines: []string{
			fmt.Sprintf("deployment_id = %q", b.Namespace+"/"+b.To), "terraform apply",
		}}
		if cold {
			step.Says = "Or leave the version, and point the switchback_main_deployment of " + b.Name + " at the former release. Its pods must all be ready: start it first. Then apply:"
		}
		way.Steps = append(way.Steps, step)
	}
	action, named := "switchback_rollback", []string{fmt.Sprintf("    application = %q", b.Name), fmt.Sprintf("    namespace   = %q", b.Namespace)}
	says := "Or, with Terraform 1.14 or later, without touching the rest of the configuration:"
	if group != "" {
		action, named = "switchback_rollback_group", []string{fmt.Sprintf("    name      = %q", group), fmt.Sprintf("    namespace = %q", b.Namespace)}
		says = fmt.Sprintf("Or, with Terraform 1.14 or later, the whole group %q, which moves as one:", group)
	}
	lines := slices.Concat([]string{fmt.Sprintf("action %q %q {", action, b.Name), "  config {"}, named, []string{"  }", "}", fmt.Sprintf("terraform apply -invoke=action.%s.%s", action, b.Name)})
	way.Steps = append(way.Steps, Step{Says: says, Lines: lines})
	return way
}

// alone are the steps on one cluster that take nothing but kubectl: those of a promotion,
// without its checks.
func (t *terminal) alone(ctx context.Context, c rollout.Cluster, app observe.Application, back rollout.WayBack) ([]Step, error) {
	o := mainOn(app.Mains, c.Name())
	kubectl := "kubectl " + t.reach.typed(app.Namespace, []string{c.Name()})
	var steps []Step
	if p := o.Main.Progress; p != nil && !p.Paused && p.Open() && (p.To != back.To || back.Theirs != "") {
		request, err := jsonOf(release.Request{Kind: release.RequestReturn, From: p.From, To: p.To})
		if err != nil {
			return nil, err
		}
		patch, err := jsonOf(map[string]any{"data": map[string]string{release.RequestKey: request}})
		if err != nil {
			return nil, err
		}
		steps = append(steps, Step{
			Says:  fmt.Sprintf("On %s, ask the run that promotes %s to take it back. It does within seconds. Go on only where it does not: then no run is there any more.", c.Name(), p.To),
			Lines: []string{fmt.Sprintf("%s patch configmap %s --type merge --patch %s", kubectl, release.MainName(app.Name), quoted(patch))},
		})
	}
	if back.Theirs == "" {
		steps = append(steps, podsFirst(c, app, back.To, kubectl)...)
	}
	route, err := routeByHand(ctx, c, app, o, back, kubectl)
	if err != nil {
		return nil, err
	}
	steps = append(steps, route...)
	if back.Theirs == "" {
		selector, err := jsonOf(map[string]any{"spec": map[string]any{"selector": release.Selector(back.To)}})
		if err != nil {
			return nil, err
		}
		steps = append(steps, Step{
			Says:  fmt.Sprintf("On %s, move the Service to %s:", c.Name(), back.To),
			Lines: []string{fmt.Sprintf("%s patch service %s --type merge --patch %s", kubectl, o.Main.Service, quoted(selector))},
		})
	}
	return steps, nil
}

// podsFirst starts the pods of a release that has too few of them.
func podsFirst(c rollout.Cluster, app observe.Application, to, kubectl string) []Step {
	var most int32 = 1
	short := false
	for _, r := range app.Releases {
		if r.Cluster != c.Name() {
			continue
		}
		ready, wanted := r.Pods()
		most = max(most, wanted)
		short = short || r.ID.Name == to && (wanted == 0 || ready < wanted)
	}
	if !short {
		return nil
	}
	return []Step{{
		Says: fmt.Sprintf("On %s, start the pods of %s, and wait until they are ready:", c.Name(), to),
		Lines: []string{
			fmt.Sprintf("%s scale deployment %s --replicas=%d", kubectl, to, most),
			fmt.Sprintf("%s rollout status deployment %s --timeout=10m", kubectl, to),
		},
	}}
}

// routeByHand gives all of a route's traffic to a release, or back to what it led to.
func routeByHand(ctx context.Context, c rollout.Cluster, app observe.Application, o observe.Main, back rollout.WayBack, kubectl string) ([]Step, error) {
	if o.Route == nil {
		return nil, nil
	}
	spec, to, port, name := o.RouteSpec(app.Namespace, app.Name), back.To, int32(0), back.To
	if back.Theirs != "" {
		to, name = "", back.Theirs
	} else {
		own, err := ownership.Cached(ctx, c.View(app.Namespace), &corev1.Service{}, to)
		if err != nil {
			return nil, err
		}
		if own != nil {
			for _, p := range own.Spec.Ports {
				if p.Name == spec.Port {
					port = p.Port
				}
			}
		}
	}
	var former []byte
	if o.Main.Route.Adopted != nil {
		former = o.Main.Route.Adopted.Backends
	}
	ops, err := spec.ByHand(o.Route, to, port, former)
	if err != nil || len(ops) == 0 {
		return nil, err
	}
	patch, err := jsonOf(ops)
	if err != nil {
		return nil, err
	}
	return []Step{{
		Says:  fmt.Sprintf("On %s, give all of the route's traffic to %s:", c.Name(), name),
		Lines: []string{fmt.Sprintf("%s patch %s %s --type json --patch %s", kubectl, strings.ToLower(string(spec.Kind)), spec.Name, quoted(patch))},
	}}, nil
}

// print writes the runbook as lines: what is no line for a shell is a comment.
func (b Runbook) print(w io.Writer, f *format) error {
	if !f.table() {
		return f.write(w, b)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# %s\n", b.Now)
	if b.Refused != "" {
		fmt.Fprintf(&text, "# There is no way back: %s\n", strings.ReplaceAll(b.Refused, "\n", "\n# "))
	} else {
		fmt.Fprintf(&text, "# Going back is from %s to %s%s.\n", orNone(b.From), b.To, in(b.Version))
	}
	for _, way := range b.Ways {
		fmt.Fprintf(&text, "\n## With %s\n", way.With)
		for _, step := range way.Steps {
			fmt.Fprintf(&text, "\n# %s\n%s\n", step.Says, strings.Join(step.Lines, "\n"))
		}
	}
	if b.Then != "" {
		fmt.Fprintf(&text, "\n# Then: %s\n", b.Then)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// in is a version in brackets.
func in(version string) string {
	if version == "" {
		return ""
	}
	return " (" + version + ")"
}
