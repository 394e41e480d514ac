package rollout_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// process is one run of the provider.
type process struct {
	*life
	engine *rollout.Engine
	on     []rollout.Cluster
	next   func() // ahead of every further verb of a change; nil: nobody asks
	end    func() // nothing is watched any more, as when a provider's process has ended
	ends   bool   // with its first verb
}

func (l *life) process(t *testing.T) *process {
	t.Helper()
	c, err := cluster.New(cluster.Config{Name: "prod", UserAgent: "terraform-provider-switchback/test", ConfigPath: l.proxy.KubeconfigPath})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &process{life: l, engine: rollout.New(faultyTiming()).In(l.run), on: []rollout.Cluster{wiredCluster{c}}, end: c.Close}
}

// once is a process that ends with its first verb. One that is left alive is told of
// every write in the namespace until its test has ended, and there may be hundreds.
func (l *life) once(t *testing.T) *process {
	t.Helper()
	p := l.process(t)
	p.ends = true
	return p
}

// done is called when a verb has ended.
func (p *process) done() {
	if p.ends {
		p.end()
	}
}

// apply lets a process do something, and end.
func (l *life) apply(ctx context.Context, t *testing.T, do func(context.Context, *process) error) error {
	t.Helper()
	p := l.process(t)
	defer p.end()
	return do(ctx, p)
}

// closed ends the connections of a process.
func closed(on []rollout.Cluster) {
	for _, c := range on {
		c.(wiredCluster).Close()
	}
}

// TestNothingIsWatchedAfterAVerb: as when a provider's process has ended.
func TestNothingIsWatchedAfterAVerb(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	for _, verb := range []struct {
		name string
		do   func() error
	}{
		{"a process that ends with its first verb", func() error { return l.once(t).deploy(t.Context(), "v1") }},
		{"a change", func() error { return l.apply(t.Context(), t, aLife()[1].do) }},
	} {
		l.proxy.Reset()
		must(t, verb.do())
		if !slices.ContainsFunc(l.proxy.Requests(), func(r testcluster.Request) bool { return r.Watch() }) {
			t.Errorf("%s watched nothing: this test tests nothing", verb.name)
		}
		testcluster.Eventually(t, testcluster.Hang, "the watches of "+verb.name+" to end", func() error {
			if n := l.proxy.OpenWatches(); n > 0 {
				return fmt.Errorf("%d are open", n)
			}
			return nil
		})
	}
}
