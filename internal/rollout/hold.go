package rollout

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// actionOperations are what the history calls the actions that hold a record.
var actionOperations = map[release.Action]release.Operation{
	release.ActionStop: release.OperationStop, release.ActionStart: release.OperationStart, release.ActionRestart: release.OperationRestart,
}

// holdAll takes the release's record in hand on every cluster, for an action
// that its status must allow.
func (e *Engine) holdAll(ctx context.Context, req ActionRequest, action release.Action, desired release.DesiredState) ([]*claim, error) {
	claims, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (*claim, error) {
		return e.take(ctx, c, req, action, desired)
	})
	claims = made(claims)
	if err != nil {
		return nil, told(err, e.giveBackAll(ctx, claims)...)
	}
	return claims, nil
}

// take is resume for those who have no plan: the target is what lives. It waits
// while somebody alive is at work on the release.
func (e *Engine) take(ctx context.Context, c Cluster, req ActionRequest, action release.Action, desired release.DesiredState) (*claim, error) {
	application, _ := release.ApplicationOf(req.ID.Name)
	told := ""
	cl, err := ownership.Take(ctx, e.keeper, c, req.ID, application, func(seen ownership.Seen) (*claim, error) {
		record := seen.Record
		if err := mayAct(c, req, action, record); err != nil {
			return nil, err
		}
		if err := e.mayStart(ctx, c, req, action, application); err != nil {
			return nil, err
		}
		if record.Busy() && !seen.HolderDead {
			if told != record.Holder {
				req.say("%s: %s is being worked on by %s; waiting for it", c.Name(), req.ID, record.Holder)
				told = record.Holder
			}
			return nil, nil
		}
		d, err := e.liveWorkload(ctx, c, req.ID, application)
		if err != nil {
			return nil, err
		}
		if d == nil || d.DeletionTimestamp != nil {
			return nil, notDone(c, req, action, "its Deployment is gone; apply its switchback_deployment again")
		}
		cl := e.claimOf(c, application, seen.Live, record)
		t, err := e.targetOf(ctx, c, d, record, application, desired)
		if err != nil {
			return nil, err
		}
		if action == release.ActionStop {
			t.halt = haltOf(ctx, c, record)
		}
		cl.aim(t)
		cl.unplanned, cl.does = true, actionOperations[action]
		cl.Note(func(r *release.Record) {
			r.Entry, r.Operation, r.CancelRequested = entryOf(record), cl.operation(), ""
			if record.Custody == release.CustodyClaimed {
				r.Custody = release.CustodyAbandoned // whoever created it is dead, and no state has it
			}
			cl.underWay(r, release.PhaseName(action))
		})
		return cl, nil
	})
	if err != nil {
		return nil, err
	}
	cl.began(ctx)
	return cl, nil
}

// haltOf is the Halt of what somebody stops without a configuration. What is stopped
// already stays as it is.
func haltOf(ctx context.Context, c Cluster, record *release.Record) release.Halt {
	if record.Halted() || record.Desired() == release.DesiredStopped {
		return record.Halt
	}
	return release.Halt{StoppedBy: stoppedBy(ctx, c)}
}

// stoppedBy is who stops something, without a configuration.
func stoppedBy(ctx context.Context, c Cluster) *release.Hold {
	return &release.Hold{By: mask.Redact(c.User(ctx)), Why: because(ctx), At: c.Now().UTC().Truncate(time.Second)}
}

// mayAct refuses an action that a release's record does not allow; nil: it has
// none.
func mayAct(c Cluster, req ActionRequest, action release.Action, record *release.Record) error {
	if record == nil {
		return notDone(c, req, action, "there is no such deployment")
	}
	if req.Owner != "" && record.Owner != req.Owner {
		return staleDeployment(c, req.ID, record.Holder)
	}
	if err := release.Check(action, release.Standing{Cluster: c.Name(), ID: req.ID, Status: record.Status}); err != nil {
		return err
	}
	if unheld := record.Custody == release.CustodyAbandoned || record.Custody == release.CustodyClaimed; unheld && action == release.ActionStart {
		// Nothing would ever stop it again.
		return notDone(c, req, action, "its creation is not finished, and no Terraform state has it: wait for the run that creates it, or apply its configuration again")
	}
	return nil
}

// mayStart refuses to start what was stopped together with its application.
func (e *Engine) mayStart(ctx context.Context, c Cluster, req ActionRequest, action release.Action, application string) error {
	if action != release.ActionStart {
		return nil
	}
	main, _, err := ownership.LiveMain(ctx, c, req.ID.Namespace, application)
	if err == nil && main.Stopped() {
		how := fmt.Sprintf("set desired_state = %q on the switchback_main_deployment of %s", release.DesiredStarted, application)
		if by := main.StaysStopped(); by != nil {
			how = fmt.Sprintf("it was %s. `kubectl switchback start %s --namespace %s`, or the action switchback_start with `application`, starts it", by.StopText(), application, req.ID.Namespace)
		}
		err = notDone(c, req, action, "its application is stopped: "+how)
	}
	return err
}

func notDone(c Cluster, req ActionRequest, action release.Action, why string) error {
	return &release.RefusedError{Cluster: c.Name(), ID: req.ID, Action: action, Reason: why}
}

// targetOf is what lives, as a target: its content may be inexact, its name and
// hash are the record's.
func (e *Engine) targetOf(ctx context.Context, c Cluster, d *appsv1.Deployment, record *release.Record, application string, desired release.DesiredState) (target, error) {
	spec, _, err := workload.FromDeployment(d)
	if err != nil || spec.Content.Application != application {
		spec.Namespace, spec.Replicas = d.Namespace, workload.StartedReplicas(d)
		spec.Content = release.Content{Application: application}
	}
	spec.Health, spec.Rollout = workload.HealthOf(d, record.Health), record.Rollout
	hash := record.Hash
	if live := workload.ContentHash(d); spec.Strategy.InPlace() && live != "" {
		hash = live // the record's is that of the last good one
	} else {
		spec.Content.Version = record.Version
	}
	spec.OnFailure, spec.DesiredState = release.OnFailureStop, desired
	t := target{spec: spec, hash: hash, id: release.ID{Namespace: d.Namespace, Name: d.Name}}
	t.spec.Autoscaling, err = e.liveAutoscaling(ctx, c, t.id, application, record)
	return t, err
}

// underWay is the status of a release that has no healthy pods and is being
// brought to what is desired.
func underWay(desired release.DesiredState) release.Status {
	if desired == release.DesiredStopped {
		return release.StatusStopping
	}
	return release.StatusStarting
}
