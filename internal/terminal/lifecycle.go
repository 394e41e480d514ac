package terminal

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// verb is what is done to one release.
type verb struct {
	run  func(*rollout.Engine, context.Context, rollout.ActionRequest) (rollout.Deployed, error)
	will string // the pods …
	says string
}

var verbs = map[release.Action]verb{
	release.ActionRestart: {(*rollout.Engine).Restart, "are replaced, a few at a time", "it has been restarted"},
	release.ActionStop:    {(*rollout.Engine).Stop, "go; everything else of it stays", "it is stopped"},
	release.ActionStart:   {(*rollout.Engine).Start, "come back", "it is started"},
	release.ActionCancel:  {(*rollout.Engine).Cancel, "are left as they were before what is under way now", "it was given up"},
}

func (t *terminal) restart() *cobra.Command {
	return t.lifecycle(release.ActionRestart, "Replace the pods of a release, or of the one that is main",
		"The pods are replaced a few at a time, never below their number. It ends when all are new and ready; where the new ones do not become ready, the old ones stay. "+
			"Of an application, these are the pods of its main release. Nothing is planned after it.",
		"  kubectl switchback restart api\n  kubectl switchback restart --environment dev --yes")
}

func (t *terminal) stop() *cobra.Command {
	return t.lifecycle(release.ActionStop, "Let the pods of a release, or of a whole application, go",
		"Everything else stays, also how many pods it had. A release that carries traffic is refused; of an application, the pods of all its releases go, and its address stays, as `desired_state = \"stopped\"` of its main deployment does. "+
			"Both stay stopped until `kubectl switchback start`: Terraform's plans say who has stopped them and why, and its applies change everything else of them. "+
			"A release is started, too, when it is made main.",
		"  kubectl switchback stop api-0b8e4d27\n  kubectl switchback stop --environment dev --yes --reason \"night\"")
}

func (t *terminal) start() *cobra.Command {
	return t.lifecycle(release.ActionStart, "Bring back what was stopped",
		"It ends when the pods are healthy. Of an application, these are the pods that it had before it was stopped.",
		"  kubectl switchback start api-0b8e4d27\n  kubectl switchback start --environment dev --yes --reason \"morning\"")
}

func (t *terminal) lifecycle(action release.Action, short, long, example string) *cobra.Command {
	a := &acting{backwards: action == release.ActionStop}
	cmd := &cobra.Command{
		Use:   string(action) + " NAME",
		Short: short,
		Long:  long, Example: example,
		Args:              a.args,
		ValidArgsFunction: t.completeSubject(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.act(cmd, a, args, func(ctx context.Context, c *clusters, name string) deed {
				if is, d := t.ofRelease(ctx, c, name, action); is {
					return d
				}
				if action != release.ActionRestart {
					return resting(ctx, c, name, action)
				}
				req, err := rollout.RestartOf(ctx, rollout.WayBackRequest{Namespace: c.namespace, Application: name, Clusters: c.on})
				var none *release.NoneMainError
				if errors.As(err, &none) {
					err = fmt.Errorf("%w: name the one to %s", none, action)
				}
				if err != nil {
					return deed{err: err}
				}
				return deedOn(c, req, action)
			})
		},
	}
	a.addFlags(t, cmd)
	return cmd
}

// ofRelease is what is done to the release of a name; false where it is none.
func (t *terminal) ofRelease(ctx context.Context, c *clusters, name string, action release.Action) (bool, deed) {
	if _, is := release.ApplicationOf(name); !is {
		return false, deed{}
	}
	req := rollout.ActionRequest{ID: release.ID{Namespace: c.namespace, Name: name}}
	var errs []error
	for _, o := range observe.Releases(ctx, c.on, req.ID) {
		errs = append(errs, o.Err)
		for _, one := range c.on {
			if one.Name() == o.Cluster && o.Exists() {
				req.Clusters = append(req.Clusters, one)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return true, deed{err: err}
	}
	if len(req.Clusters) == 0 {
		return false, deed{} // an application may be called like that
	}
	return true, deedOn(c, req, action)
}

// deedOn is what is done to a release that is there.
func deedOn(c *clusters, req rollout.ActionRequest, action release.Action) deed {
	v := verbs[action]
	return deed{
		name: req.ID.Name, on: req.Clusters, take: toAct, will: fmt.Sprintf("The pods of %s%s %s.", req.ID, where(c, req.Clusters), v.will),
		do: func(ctx context.Context, e *rollout.Engine, say func(string)) (string, []rollout.Notice, error) {
			req.Progress = say
			done, err := v.run(e, ctx, req)
			return v.says, done.Notices, err
		},
	}
}

// resting stops or starts an application as a whole.
func resting(ctx context.Context, c *clusters, name string, action release.Action) deed {
	desired, will, says := release.DesiredStopped, "All pods of %s%s go; its address stays.", "it is stopped"
	if action == release.ActionStart {
		desired, will, says = release.DesiredStarted, "The pods of %s%s come back.", "it is started"
	}
	req, err := rollout.RestOf(ctx, rollout.WayBackRequest{Namespace: c.namespace, Application: name, Clusters: c.on}, desired)
	if err != nil {
		return deed{err: err}
	}
	return deed{
		on: req.Clusters, take: toMove(req.PromoteRequest), will: fmt.Sprintf(will, c.namespace+"/"+name, where(c, req.Clusters)),
		do: func(ctx context.Context, e *rollout.Engine, say func(string)) (string, []rollout.Notice, error) {
			req.Progress = say
			done, err := e.GoBack(ctx, req)
			return says, done.Notices, err
		},
	}
}
