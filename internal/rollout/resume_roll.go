package rollout

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// pausedRoll is the application's release that changes in place, on one cluster, as a live
// look has it. Its change needs no main deployment.
type pausedRoll struct {
	id     release.ID
	live   *corev1.ConfigMap
	record *release.Record
	is     release.Resumption
}

// paused says that its change is at a stop.
func (p *pausedRoll) paused() bool { return p != nil && p.is != release.ResumptionNone }

// unpaused says how it stands where it is at no stop.
func (p *pausedRoll) unpaused() string {
	if p.record.Status == release.StatusPaused {
		return fmt.Sprintf("%s waits: %s", p.id.Name, cmp.Or(p.record.Reason, "nothing says what for"))
	}
	return fmt.Sprintf("%s is not paused: its status is %s", p.id.Name, p.record.Status)
}

// lookRoll reads live whether the release that changes in place is paused; nil where there is
// none, or another one is meant.
func (r ResumeRequest) lookRoll(ctx context.Context, c Cluster) (*pausedRoll, error) {
	id := release.ID{Namespace: r.Namespace, Name: release.InPlaceName(r.Application)}
	if r.To != "" && r.To != id.Name {
		return nil, nil
	}
	live, record, err := ownership.LiveRecord(ctx, c, id, r.Application)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	return &pausedRoll{id: id, live: live, record: record, is: release.ResumeRoll(record, c.Now())}, nil
}

// onlyRoll says that what is meant by a release's name is its own change, and not the
// promotion that is under way to another one.
func (on *pausedOn) onlyRoll(to string) bool {
	return to != "" && on.roll.paused() && on.main != nil && on.main.Progress != nil && on.main.Progress.To != to
}

// oneKind refuses a promotion and the change of another release, where nobody has said which
// is meant.
func (r ResumeRequest) oneKind(found []*pausedOn) error {
	for _, on := range found {
		for _, other := range found {
			if r.To == "" && on.roll.paused() && other.is != release.ResumptionNone && other.main.Progress.To != on.roll.id.Name {
				return &release.ResumeError{Cluster: on.cluster.Name(), ID: r.id(), Reason: fmt.Sprintf(
					"the change of %s there is paused, and on cluster %q the promotion to %s", on.roll.id.Name, other.cluster.Name(), other.main.Progress.To)}
			}
		}
	}
	return nil
}

// resumeRolls asks, wherever a change in place is at a stop, that it goes on.
func (e *Engine) resumeRolls(ctx context.Context, req ResumeRequest, found []*pausedOn) error {
	_, err := fleet.All(found, func(on *pausedOn) (struct{}, error) {
		switch {
		case !on.roll.paused():
		case on.roll.is == release.ResumptionAsked:
			req.say("%s: the change of %s goes on from its pause already, by the next apply. Nothing was written", on.cluster.Name(), on.roll.id.Name)
		default:
			return struct{}{}, e.askRollToGoOn(ctx, req, on.cluster, on.roll)
		}
		return struct{}{}, nil
	})
	return err
}

// askRollToGoOn writes into the record that the change goes on from the stop that it is in.
// Others write there, too: what they have left is looked at again.
func (e *Engine) askRollToGoOn(ctx context.Context, req ResumeRequest, c Cluster, roll *pausedRoll) error {
	at := roll.record.Roll
	for {
		err := e.rewrite(ctx, c, req.Application, roll.live, roll.record, func(r *release.Record) { r.Roll = r.Roll.LetGoOn() })
		if err != nil && (!release.ReadAgain(err) || apierrors.IsNotFound(err) || ctx.Err() != nil) {
			return err
		}
		if err == nil {
			break
		}
		if roll, err = req.lookRoll(ctx, c); err != nil {
			return err
		}
		if !roll.paused() || roll.record.Roll.Hash != at.Hash || roll.record.Roll.Stop.Percent != at.Stop.Percent || !roll.record.Roll.Since.Equal(at.Since) {
			return &release.ResumeError{Cluster: c.Name(), ID: req.id(), Reason: "its change has gone on, or has come to its end, meanwhile"}
		}
		if roll.is == release.ResumptionAsked { // by us, where only the answer was lost
			break
		}
	}
	entry := e.entry(ctx, c, release.OperationResume, roll.id.Name, "")
	e.keeper.Remember(ctx, c, req.Namespace, req.Application, entry)
	e.report(ctx, c, workloadNamed(roll.id), entry)
	req.say("%s: %d %% of the pods of %s have the new content, and its change goes on from its pause by the next apply", c.Name(), at.Stop.Percent, roll.id.Name)
	return nil
}
