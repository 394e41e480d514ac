package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Outcome is how an operation ended on one cluster.
type Outcome struct {
	Cluster string
	Status  release.Status // empty: nothing on the cluster tells of the operation
	Reason  string
	Err     error // why it failed there; nil where it did not, and where another cluster is why

	Durations release.Durations // how long it took there; zero where it did not come to its end
}

// change is one of a release on its way over the release's clusters.
type change struct {
	engine  *Engine
	rollout release.Rollout
	all     int // clusters that shall have it, those included that have it already

	kept   []*claim // what is in our state already
	added  []*claim
	failed []failure // that the others do not end for

	unclean []error // what could not be put in order where it has failed
}

// failure is one cluster's, while the others go on.
type failure struct {
	cluster string
	claim   *claim // nil: nothing was claimed there
	err     error
}

// newChange begins with the clusters that are known not to be ready for it.
func (e *Engine) newChange(r release.Rollout, all int, unready map[string]error) *change {
	s := &change{engine: e, rollout: r, all: all}
	for cluster, err := range unready {
		s.failed = append(s.failed, failure{cluster: cluster, err: err})
	}
	return s
}

// continues says that one cluster's failure is not the others'.
func (s *change) continues() bool { return s.rollout.OnFailure == release.FailureContinue }

// claims are all claims, failed or not.
func (s *change) claims() []*claim { return slices.Concat(s.kept, s.added) }

// standing are those of the claims that have not failed.
func (s *change) standing(claims []*claim) []*claim {
	return slices.DeleteFunc(slices.Clone(claims), func(cl *claim) bool {
		return slices.ContainsFunc(s.failed, func(f failure) bool { return f.claim == cl })
	})
}

// verdict is the error that ends the whole: what has failed so far, unless the
// rollout goes on without it.
func (s *change) verdict() error {
	failed := map[string]error{}
	for _, f := range s.failed {
		failed[f.cluster] = f.err
	}
	return fleet.Verdict(s.rollout, failed, s.all)
}

// hold takes the release in hand on some clusters.
func (s *change) hold(ctx context.Context, into *[]*claim, clusters []Cluster, take func(Cluster) (*claim, error)) error {
	sorted := fleet.ByName(clusters)
	errs := make([]error, len(sorted))
	claims, err := fleet.Each(len(sorted), func(i int) (*claim, error) {
		cl, err := take(sorted[i])
		errs[i] = err
		return cl, err
	})
	for i, cl := range claims {
		switch {
		case errs[i] == nil:
			*into = append(*into, cl)
		case s.continues() && !ownership.CalledOff(ctx):
			s.failed = append(s.failed, failure{cluster: sorted[i].Name(), err: errs[i]})
		}
	}
	if !s.continues() || ownership.CalledOff(ctx) {
		return err
	}
	return s.verdict()
}

// reach brings the release to what is desired, on one batch of clusters after
// the other.
func (s *change) reach(ctx context.Context, may takeBack) error {
	claims := s.standing(s.claims())
	if len(claims) == 0 {
		return nil
	}
	if halted := slices.DeleteFunc(slices.Clone(claims), func(cl *claim) bool { return !cl.stops() }); len(halted) > 0 && len(halted) < len(claims) {
		if err := s.reachBatch(ctx, halted, may); err != nil { // the traffic was taken back from it on these
			return err
		}
		claims = slices.DeleteFunc(s.standing(claims), (*claim).stops)
	}
	if len(claims) == 0 {
		return nil
	}
	stops := claims[0].stops()
	if stops && !s.continues() {
		return s.engine.reach(ctx, claims, may) // nowhere, where it carries traffic anywhere
	}
	var reached []*claim
	batches := s.batches(claims)
	for i, batch := range batches {
		if i > 0 && !stops {
			if err := s.bake(ctx, reached); err != nil {
				return err
			}
		}
		if err := s.reachBatch(ctx, batch, may); err != nil {
			return err
		}
		reached = s.standing(append(reached, batch...))
		if waits := stopped(reached); waits != nil {
			for _, cl := range slices.Concat(batches[i+1:]...) {
				cl.waitsFor = waits.cluster.Name()
			}
			return nil
		}
	}
	return nil
}

// stopped is the first claim whose run ends in a stop of its change; nil where there is none.
func stopped(claims []*claim) *claim {
	if i := slices.IndexFunc(claims, func(cl *claim) bool { return cl.roll != nil && cl.roll.paused }); i >= 0 {
		return claims[i]
	}
	return nil
}

// batches are the claims as the rollout orders their clusters.
func (s *change) batches(claims []*claim) [][]*claim {
	return fleet.Batches(s.rollout, claims, func(cl *claim) string { return cl.cluster.Name() })
}

func (s *change) reachBatch(ctx context.Context, batch []*claim, may takeBack) error {
	if !s.continues() {
		return s.engine.reach(ctx, batch, may)
	}
	return s.each(ctx, batch, func(ctx context.Context, cl *claim) error { return s.engine.reach(ctx, []*claim{cl}, may) })
}

// bake watches what has been reached for as long as the rollout asks, before
// any other cluster is changed.
func (s *change) bake(ctx context.Context, reached []*claim) error {
	if s.rollout.Bake <= 0 {
		return nil
	}
	watch := func(ctx context.Context, cl *claim) error { return s.engine.staysHealthy(ctx, cl, s.rollout.Bake) }
	if !s.continues() {
		return allOrNone(ctx, reached, watch)
	}
	return s.each(ctx, reached, watch)
}

// each does something on every cluster at once, where the rollout continues:
// what fails is left behind, and what was there before is put in order without
// waiting for the others.
func (s *change) each(ctx context.Context, claims []*claim, do func(context.Context, *claim) error) error {
	errs, unclean := make([]error, len(claims)), make([]error, len(claims))
	_, err := fleet.Each(len(claims), func(i int) (struct{}, error) {
		within, done := claims[i].Bound(ctx)
		defer done()
		errs[i] = claims[i].OrLost(do(within, claims[i]))
		if errs[i] != nil && !ownership.CalledOff(ctx) {
			claims[i].failure = errs[i]
			if slices.Contains(s.kept, claims[i]) {
				clean, cancel := s.engine.keeper.Cleanup(ctx)
				defer cancel()
				unclean[i] = claims[i].undone(s.engine.failKept(clean, claims[i], errs[i]))
			}
		}
		return struct{}{}, errs[i]
	})
	for i, one := range unclean {
		if one != nil && !errors.Is(errs[i], one) {
			s.unclean = append(s.unclean, one)
		}
	}
	if ownership.CalledOff(ctx) {
		return err
	}
	for i, cl := range claims {
		if errs[i] != nil {
			s.failed = append(s.failed, failure{cluster: cl.cluster.Name(), claim: cl, err: errs[i]})
		}
	}
	return s.verdict()
}

// settle writes the good outcome where there is one.
func (s *change) settle(ctx context.Context, done *Deployed, began time.Time) error {
	if !s.continues() {
		return s.engine.settle(ctx, s.claims(), done, began)
	}
	if ctx.Err() != nil && !ownership.CalledOff(ctx) { // the time is up, which was the failure of others
		clean, cancel := s.engine.keeper.Cleanup(ctx)
		defer cancel()
		ctx = clean
	}
	good := s.standing(s.claims())
	err := s.each(ctx, good, func(ctx context.Context, cl *claim) error { return s.engine.settleOn(ctx, cl, began) })
	done.overall(s.standing(good))
	done.pausedAt(s.standing(good))
	if err == nil {
		s.engine.checkBudget(ctx, done, s.standing(good))
	}
	return err
}

// letGo ends a change that has succeeded, as far as the rollout asks: what has
// failed on single clusters is ours, too, so that the next apply goes on there.
func (s *change) letGo(ctx context.Context) {
	clean, cancel := s.engine.keeper.Cleanup(ctx)
	defer cancel()
	errs, _ := fleet.All(s.failed, func(f failure) (error, error) {
		if f.claim == nil || slices.Contains(s.kept, f.claim) {
			return nil, nil // nothing was claimed, or it has been put in order already
		}
		f.claim.Keep()
		if err := f.claim.undone(s.engine.failKept(clean, f.claim, f.err)); err != nil && !errors.Is(f.err, err) {
			return err, nil
		}
		return nil, nil
	})
	s.unclean = append(s.unclean, slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
}

// outcomes are how it ended on each cluster, by name.
func (s *change) outcomes() []Outcome {
	var all []Outcome
	for _, cl := range s.claims() {
		o := Outcome{Cluster: cl.cluster.Name(), Err: cl.failure}
		switch {
		case cl.Written():
			record := cl.Record()
			o.Status, o.Reason = record.Status, record.Reason
			if cl.failure == nil {
				o.Durations = record.Durations
			}
		case cl.failure != nil:
			o.Reason = reasonOf(cl.failure)
		}
		all = append(all, o)
	}
	for _, f := range s.failed {
		if f.claim == nil {
			all = append(all, Outcome{Cluster: f.cluster, Reason: reasonOf(f.err), Err: f.err})
		}
	}
	slices.SortFunc(all, func(a, b Outcome) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return all
}

// conclude tells of a change that has succeeded, as far as the rollout asks.
func (done *Deployed) conclude(s *change) {
	for _, cl := range s.standing(s.claims()) {
		done.Notices = append(done.Notices, cl.notices...)
		if cl.target.halt != (release.Halt{}) {
			done.Status, done.Reason = release.StatusStopped, cl.target.reason()
		}
	}
	done.Clusters = s.outcomes()
	for _, o := range done.Clusters {
		if o.Err == nil {
			continue
		}
		if done.Reason, done.Status = o.Reason, o.Status; done.Status == "" {
			done.Status = s.failedStatus()
		}
		return
	}
}

// failedStatus is that of a release which did not come to what is desired.
func (s *change) failedStatus() release.Status {
	if claims := s.claims(); len(claims) > 0 && claims[0].stops() {
		return release.StatusStopError
	}
	return release.StatusStartError
}

// reason is what the record of one cluster keeps of why the whole has failed.
func (cl *claim) reason(cause error) string {
	if cl.failure != nil {
		return reasonOf(cl.failure)
	}
	var elsewhere *StartError
	if errors.As(cause, &elsewhere) && elsewhere.Cluster != cl.cluster.Name() {
		return fmt.Sprintf("on cluster %q: %s", elsewhere.Cluster, reasonOf(elsewhere))
	}
	return reasonOf(cause)
}
