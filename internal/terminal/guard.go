package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// guardAsked is what guard was asked for.
type guardAsked struct {
	unattended time.Duration
	once       bool
	reason     string
	job        guardJob
}

func (t *terminal) guard() *cobra.Command {
	a := &guardAsked{}
	cmd := &cobra.Command{
		Use:   "guard NAME",
		Short: "Watch a promotion that an apply has left open, and take it back where the new release fails",
		Long: "An apply that ends in a pause, or that is killed, leaves a promotion open, and nobody who looks at the new release. guard does, as an apply would: where too few of its pods are ready, " +
			"or its containers crash again and again or run out of memory, all of the traffic goes back to where it was, by what the action switchback_rollback does. With --unattended, it goes back, too, " +
			"when no run has done anything for the promotion for so long. guard ends when the promotion is over, whoever brings it there. While it watches, it holds nothing and writes nothing; " +
			"a run that is at it meanwhile is not kept from it. The former release is main again, so that the next plan shows what is to be done.\n\n" +
			"It runs in a terminal; in a pipeline on a schedule, with --once; or in the cluster, as the Job that --print-job prints. It takes the roles of a promotion, and diagnose to see why pods fail.\n\n" +
			"The exit code is 0 where the promotion has ended, or none is open, or, with --once, its release does its work; and 4 where it was taken back.",
		Example: "  kubectl switchback guard api\n  kubectl switchback guard api --once --unattended 2h --contexts prod-eu,prod-us\n" +
			"  kubectl switchback guard api -n shop --print-job --service-account releaser | kubectl create -f -",
		Args:              oneApplication,
		ValidArgsFunction: t.completeApplication(),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case a.unattended < 0:
				return usagef("--unattended %s: it must be a time, such as 2h, or 0 for ever", a.unattended)
			case a.job.printed:
				return t.printJob(args[0], a)
			case a.job.image != "" || a.job.account != "":
				return usagef("--image and --service-account are about the Job: add --print-job")
			}
			return t.looking(cmd, func(ctx context.Context, c *clusters) error { return t.runGuard(ctx, c, args[0], a) })
		},
	}
	cmd.Flags().DurationVar(&a.unattended, "unattended", 0, "Take the promotion back, too, when no run has done anything for it for so long, such as 2h, by the cluster's clock. 0 lets it wait for ever.")
	cmd.Flags().StringVar(&a.reason, "reason", "", "Why it is guarded: it is told, beside what was seen, where the promotion is taken back.")
	cmd.Flags().BoolVar(&a.once, "once", false, "Look once, take the promotion back if that is due, and end: for a pipeline on a schedule.")
	a.job.addFlags(cmd)
	return cmd
}

func (t *terminal) runGuard(ctx context.Context, c *clusters, name string, a *guardAsked) error {
	app, s, err := applicationNamed(ctx, c, name)
	if err == nil {
		err = s.failed // what stands or falls together is not judged without a part of it
	}
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(app.Mains, func(o observe.Main) bool { return o.Main.Group != "" }); i >= 0 {
		return fmt.Errorf("application %[1]q moves with its group %[2]q, as one: guard takes back one application, and would take this one out of it. An apply of the group watches all of its members; "+
			"to take the whole group back, change its versions back and apply, or: kubectl switchback rollback --group %[2]s", name, app.Mains[i].Main.Group)
	}
	engine := rollout.New(t.timing)
	engine.In(release.RunOf(os.Getenv))
	done, err := engine.Guard(rollout.Because(ctx, a.reason), rollout.GuardRequest{
		Namespace: c.namespace, Application: name, Clusters: c.on, Unattended: a.unattended, Once: a.once,
		Progress: func(line string) { t.say(line) },
	})
	switch {
	case err != nil && done.Breach != "":
		return fmt.Errorf("%s. It could not be taken back: %w", done.Breach, err)
	case err != nil && ctx.Err() != nil:
		return errors.New("guard was ended before the promotion was: nothing was changed, and nobody watches it now")
	case err != nil:
		return err
	case done.Breach != "":
		t.say(done.Back.Ends())
		return &exitError{ExitNo, errNo}
	case done.To == "":
		t.say(fmt.Sprintf("no promotion of %s is open", name))
	case done.Open && done.Leaves:
		t.say("the traffic is on its way back from " + done.To)
	case done.Open:
		t.say(done.To + " does its work")
	default:
		t.say(fmt.Sprintf("the promotion to %s is over", done.To))
	}
	return nil
}

// say writes a line about what is done, with its time: it may be read in a log.
func (t *terminal) say(line string) {
	_, _ = fmt.Fprintf(t.Out, "%s %s\n", time.Now().UTC().Format(time.RFC3339), mask.Redact(line))
}
