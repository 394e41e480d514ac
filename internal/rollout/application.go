package rollout

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// An application is stopped as a whole, and started again: its address stays where it
// leads. Its pointer says that it is stopped, which nobody else does anything about;
// the record of each release that had pods says that it had them.

// whileStopped is the target where the application is stopped on any of the clusters:
// then it has no pods, and is as it shall be. A pointer that cannot be read stops
// nothing: whoever works on that cluster says what is wrong there.
func (e *Engine) whileStopped(ctx context.Context, clusters []Cluster, t target) target {
	if t.spec.DesiredState == release.DesiredStopped {
		return t
	}
	type pointer struct {
		of   string
		main *release.Main
		err  error
	}
	all, _ := fleet.All(clusters, func(c Cluster) (pointer, error) {
		main, _, err := ownership.LiveMain(ctx, c, t.id.Namespace, t.application())
		return pointer{c.Name(), main, err}, nil
	})
	t.mains = map[string]*release.Main{}
	for _, one := range all {
		if one.err == nil {
			t.mains[one.of] = one.main
			t.withMain = t.withMain || one.main.Stopped()
		}
	}
	if t.withMain {
		t.spec.DesiredState = release.DesiredStopped
	}
	return t
}

// mainAtFirst is the application's pointer as it was when the operation began. Nothing
// that could hurt is decided by it.
func mainAtFirst(ctx context.Context, c Cluster, t target) (*release.Main, error) {
	if main, known := t.mains[c.Name()]; known {
		return main, nil
	}
	main, _, err := ownership.LiveMain(ctx, c, t.id.Namespace, t.application())
	return main, err
}

// stop takes the pods of all of the application's releases, and returns when they are
// gone.
func (p *Promotion) stop(ctx context.Context, due []*placement) error {
	p.req.say("stopping %s", p.address())
	return p.toEnd(ctx, due, p.stopOn)
}

// stopOn does that on one cluster. The pointer says so first: nobody starts any of them
// from then on.
func (p *Promotion) stopOn(ctx context.Context, pl *placement) error {
	if by := pl.main.StaysStopped(); by != nil && pl.seen.Progress == nil { // else that stop was cut off
		p.req.say("%s: %s is stopped already: %s", pl.cluster.Name(), p.address(), by.StopText())
	}
	pl.main.State, pl.main.StoppedBy = release.DesiredStopped, p.stoppedBy(ctx, pl)
	if err := p.save(ctx, pl, pl.progress); err != nil {
		return err
	}
	found, err := ownership.RecordsOf(ctx, pl.cluster, p.req.Service.Namespace, p.req.Service.Application)
	if err != nil {
		return err
	}
	for _, cm := range found.Unread {
		p.notice(recordUnread(pl.cluster, cm))
	}
	var names []string
	for name, record := range found.Read {
		if record.Status != release.StatusStopped && record.Custody != release.CustodyTerminating {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	_, err = fleet.All(names, func(name string) (struct{}, error) {
		return struct{}{}, p.stopRelease(ctx, pl, found, name)
	})
	return err
}

// stoppedBy is who stops the application, where that is no configuration.
func (p *Promotion) stoppedBy(ctx context.Context, pl *placement) *release.Hold {
	stays := pl.saw.Main.StaysStopped()
	switch {
	case p.req.Stopped:
		return nil // the configuration does, from now on
	case stays == nil && p.desired == release.DesiredStopped && !pl.saw.Main.Stopped():
		return stoppedBy(ctx, pl.cluster)
	}
	return stays
}

// stopRelease stops one release of an application that is being stopped. What somebody
// alive is at work on is theirs: they see that it is stopped, or are told of.
func (p *Promotion) stopRelease(ctx context.Context, pl *placement, found ownership.Records, name string) error {
	e, c, id := p.engine, pl.cluster, release.ID{Namespace: p.req.Service.Namespace, Name: name}
	live, record := found.Live[name], found.Read[name]
	working, err := e.keeper.Working(ctx, c, live, record)
	if err != nil {
		return err
	}
	if working {
		p.notice(runsOn(c, id, record.Holder))
		return nil
	}
	d, err := e.liveWorkload(ctx, c, id, p.req.Service.Application)
	if err != nil || d == nil {
		return err
	}
	cl, err := e.claimKept(ctx, c, p.req.Service.Application, live, record, d, release.DesiredStopped)
	if err != nil {
		return err
	}
	err = e.stopHeld(ctx, cl, func(r *release.Record) { r.WithMain = true })
	switch {
	case apierrors.IsNotFound(err): // removed since we looked
		return nil
	case release.ReadAgain(err): // claimed since
		p.notice(runsOn(c, id, "another run"))
		return nil
	}
	return err
}

// startAgain gives the release its pods back that were taken when the application was
// stopped, on every cluster, and returns when it is healthy there.
func (p *Promotion) startAgain(ctx context.Context, due []*placement) error {
	p.done.Status = release.MainWaiting
	err := p.on(ctx, due, func(pl *placement) error { return p.startOn(ctx, pl) })
	if err != nil {
		p.done.Status = release.MainFailed
		p.neverBegan(ctx, err)
	}
	return err
}

// startOn does that on one cluster. The pointer says that the application is started
// when its pods are there: a run that is killed before that begins anew.
func (p *Promotion) startOn(ctx context.Context, pl *placement) error {
	live, record, err := ownership.LiveRecord(ctx, pl.cluster, p.id(), p.req.Service.Application)
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if record != nil && (record.WithMain || record.Halted()) && !record.Status.Up() {
		if err := p.wake(ctx, pl, live, record); err != nil {
			return err
		}
	}
	pl.main.State, pl.main.StoppedBy = "", nil
	next := pl.progress
	next.At++
	return p.save(ctx, pl, next)
}

// wake gives the release its pods back on one cluster, and returns when it is healthy.
func (p *Promotion) wake(ctx context.Context, pl *placement, live *corev1.ConfigMap, record *release.Record) error {
	e, c, id := p.engine, pl.cluster, p.id()
	working, err := e.keeper.Working(ctx, c, live, record)
	if err == nil && working {
		err = &release.NotReadyError{Cluster: c.Name(), ID: id, Reason: "it is being worked on by " + record.Holder + ". Apply again when that has come to its end"}
	}
	if err != nil {
		return err
	}
	p.req.say("%s: starting %s again", c.Name(), p.req.To)
	return e.wake(ctx, c, p.req.Service.Application, live, record)
}
