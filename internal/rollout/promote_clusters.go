package rollout

import (
	"context"
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

	StoppedBy *release.Hold // who has stopped the application without a configuration, as last seen; nil: nobody
}

// continues says that one cluster's failure is not the others'.
func (p *Promotion) continues() bool { return p.req.Rollout.OnFailure == release.FailureContinue }

// active are the clusters that the promotion goes on with.
func (p *Promotion) active() []*placement {
	return going(p.placements)
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
	for _, pl := range p.placements {
		if pl.fate != goesOn {
			failed[pl.cluster.Name()] = pl.err
		}
	}
	return failed
}

// verdict is the error that ends the whole: what has failed so far, unless the
// rollout goes on without it.
func (p *Promotion) verdict() error {
	return fleet.Verdict(p.req.Rollout, p.failures(), len(p.req.Clusters)+len(p.req.Unready))
}

// going are those of some clusters that the promotion goes on with.
func going(placements []*placement) []*placement {
	return slices.DeleteFunc(slices.Clone(placements), func(pl *placement) bool { return pl.fate != goesOn })
}

// see is who gets the traffic on a cluster on which something went wrong.
func (p *Promotion) see(ctx context.Context, pl *placement) {
	now, _ := pl.look(ctx)
	pl.split = now.Split // nil where it cannot be seen
}

// outcomes are how the promotion ended, by cluster.
func (p *Promotion) outcomes() []MainOutcome {
	found := map[string]MainOutcome{}
	for name, err := range p.lost {
		found[name] = MainOutcome{Cluster: name, Status: release.MainFailed, Err: err}
	}
	for _, pl := range p.placements {
		found[pl.cluster.Name()] = MainOutcome{Cluster: pl.cluster.Name(), Status: pl.status, Split: pl.split, Err: pl.err, StoppedBy: pl.main.StaysStopped()}
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
