package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// How one promotion goes over several clusters: in batches, all or none, or each
// for itself.

// MainOutcome is how a promotion ended on one cluster.
type MainOutcome struct {
	Cluster string
	Status  release.MainStatus // empty: the promotion did not come to this cluster
	Split   release.Split      // who gets the traffic, as last seen; nil: it was not seen
	Reason  string             // one line about Err
	Err     error              // why it failed there; nil where it did not, and where another cluster is why
}

// continues says that one cluster's failure is not the others'.
func (p *Promotion) continues() bool { return p.req.Rollout.OnFailure == release.FailureContinue }

// active are the clusters that the promotion goes on with.
func (p *Promotion) active() []*side {
	return slices.DeleteFunc(slices.Clone(p.sides), func(s *side) bool { return s.out })
}

// lose notes that a cluster failed before anything was known of it.
func (p *Promotion) lose(cluster string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost[cluster] = err
}

// failures are what went wrong, by cluster, where the others go on.
func (p *Promotion) failures() map[string]error {
	p.mu.Lock()
	defer p.mu.Unlock()
	failed := maps.Clone(p.lost)
	for _, s := range p.sides {
		if s.out {
			failed[s.cluster.Name()] = s.err
		}
	}
	return failed
}

// verdict is the error that ends the whole: what has failed so far, unless the
// rollout goes on without it.
func (p *Promotion) verdict() error {
	return fleet.Verdict(p.req.Rollout, p.failures(), len(p.req.Clusters)+len(p.req.Unready))
}

// on does a step on some clusters at once. A cluster on which it fails is left
// as it was, where the others may go on without it.
func (p *Promotion) on(ctx context.Context, sides []*side, step func(*side) error) error {
	_, err := fleet.All(sides, func(s *side) (struct{}, error) {
		err := step(s)
		if s.err = err; err != nil && p.continues() && ctx.Err() == nil {
			s.out, s.err = true, p.leave(ctx, s, err)
		}
		return struct{}{}, err
	})
	if err == nil || !p.continues() || ctx.Err() != nil {
		return err
	}
	return p.verdict()
}

// batches are the clusters in the order in which traffic moves on them.
func (p *Promotion) batches() [][]*side {
	return fleet.Batches(p.req.Rollout, p.active(), func(s *side) string { return s.cluster.Name() })
}

// switchBatch moves the traffic on some clusters. Each step is done on all of
// them before the next one, so that a failure is found with as little moved as
// possible.
func (p *Promotion) switchBatch(ctx context.Context, batch []*side) error {
	for _, step := range []func(*side) error{
		func(s *side) error { return p.checkpoint(ctx, s, release.MainRunning) },
		func(s *side) error { return p.switchTo(ctx, s) },
		func(s *side) error { return p.commit(ctx, s) },
	} {
		standing := slices.DeleteFunc(slices.Clone(batch), func(s *side) bool { return s.out })
		if err := p.on(ctx, standing, step); err != nil {
			return err
		}
	}
	return nil
}

// leave puts one cluster back, while the others go on. The result is cause, with
// what else went wrong.
func (p *Promotion) leave(ctx context.Context, s *side, cause error) error {
	var unwatched *unwatchedError
	if errors.As(cause, &unwatched) {
		return cause
	}
	if leaseLost(ctx, cause) != nil {
		return cause
	}
	clean, cancel := p.engine.cleanup(ctx)
	defer cancel()
	if s.hasMoved() {
		why := nothingBefore
		if s.from != "" && s.from != p.req.To {
			why = p.notServing(clean, s)
		}
		if why != "" {
			stays := &release.NoWayBackError{Cluster: s.cluster.Name(), ID: p.id(), Reason: why}
			return errors.Join(cause, stays, p.stayOn(clean, s, cause, stays))
		}
	}
	if err := p.rollBackSide(ctx, clean, s, cause); err != nil {
		return errors.Join(cause, wentWrongToo(err))
	}
	sayTraffic(cause, "back where it was on this cluster")
	return cause
}

// see is who gets the traffic on a cluster on which something went wrong.
func (p *Promotion) see(ctx context.Context, s *side) {
	split, err := s.router.Observe(ctx)
	if s.split = split; err != nil {
		s.split = nil // what cannot be seen is not told
	}
}

// outcomes are how the promotion ended, by cluster.
func (p *Promotion) outcomes() []MainOutcome {
	found := map[string]MainOutcome{}
	for name, err := range p.lost {
		found[name] = MainOutcome{Cluster: name, Status: release.MainFailed, Err: err}
	}
	for _, s := range p.sides {
		found[s.cluster.Name()] = MainOutcome{Cluster: s.cluster.Name(), Status: s.status, Split: s.split, Err: s.err}
	}
	for _, c := range p.req.Clusters {
		if _, ok := found[c.Name()]; !ok {
			found[c.Name()] = MainOutcome{Cluster: c.Name()}
		}
	}
	var all []MainOutcome
	for _, name := range slices.Sorted(maps.Keys(found)) {
		one := found[name]
		if one.Err != nil {
			one.Reason = reasonOf(one.Err)
		}
		all = append(all, one)
	}
	return all
}

// leftBehind is one line about the clusters that have failed while the others
// went on; empty where none has.
func (p *Promotion) leftBehind() string {
	failed := p.failures()
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		lines = append(lines, name+": "+reasonOf(failed[name]))
	}
	return strings.Join(lines, "; ")
}
