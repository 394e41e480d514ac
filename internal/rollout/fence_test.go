package rollout_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// absence is a verb whose process is away at a bad moment, for so long that
// another one takes its Lease over and makes main what the verb is about to hurt.
type absence struct {
	name string
	do   func(context.Context, *process) error
	at   func(*life, *testcluster.Request) bool // does not leave before the other one is done

	meanwhile string // the version that becomes main
	removes   bool   // its record says so from then on, as after every removal that failed
	overlap   bool   // the verb is back when the other one is about to write its checkpoint
}

func absences() []absence {
	writes := func(version string, text release.Status) func(*life, *testcluster.Request) bool {
		return func(l *life, r *testcluster.Request) bool {
			return r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/configmaps/"+l.name(version)) && strings.Contains(string(r.Body), string(text))
		}
	}
	return []absence{
		{
			name: "a stop", meanwhile: "v2", at: writes("v2", release.StatusStopping),
			do: func(ctx context.Context, p *process) error { _, err := p.engine.Stop(ctx, p.action("v2")); return err },
		},
		{
			name: "a stop as an update", meanwhile: "v2", at: writes("v2", release.StatusStopping),
			do: func(ctx context.Context, p *process) error { return p.update(ctx, p.desired("v2", stopped), false) },
		},
		{
			name: "a removal", meanwhile: "v2", removes: true, at: writes("v2", release.StatusTerminating),
			do: func(ctx context.Context, p *process) error { return p.terminate(ctx, "v2") },
		},
		{
			name: "a removal of what is being switched to", meanwhile: "v2", removes: true, overlap: true, at: writes("v2", release.StatusTerminating),
			do: func(ctx context.Context, p *process) error { return p.terminate(ctx, "v2") },
		},
		{
			name: "keeping what was main without pods", meanwhile: "v1", at: writes("v1", release.StatusStopping),
			do: func(ctx context.Context, p *process) error {
				if err := p.terminate(ctx, "v1"); err == nil || !strings.Contains(err.Error(), "still carries traffic") {
					return err
				}
				_, err := p.promoteKeeping(ctx, "v2", release.Keep{Count: 1, State: release.DesiredStopped})
				return err
			},
		},
		{
			name: "the removal of the address", meanwhile: "v2",
			do: func(ctx context.Context, p *process) error { return p.unmain(ctx) },
			at: func(_ *life, r *testcluster.Request) bool {
				return r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/services/api")
			},
		},
	}
}

// TestAway: a process whose Lease somebody else has taken over meanwhile must
// not do what it has decided before.
func TestAway(t *testing.T) {
	t.Parallel()
	for _, a := range absences() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			l := application(t)
			main, other := l.cluster.WatchMain(t, l.namespace, "api"), *l
			other.proxy = l.cluster.Proxy(t)
			reached, back := make(chan struct{}), make(chan struct{})
			var once sync.Once
			l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
				if a.at(l, r) {
					once.Do(func() { close(reached); <-back })
				}
				return testcluster.Fault{}
			})
			result := make(chan error, 1)
			go func() { result <- a.do(t.Context(), l.process(t)) }()
			comesTo(t, reached, result)
			decided, goOn := make(chan struct{}), make(chan struct{})
			var checkpoint sync.Once
			other.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
				if a.overlap && r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/configmaps/api-switchback") {
					checkpoint.Do(func() { close(decided); <-goOn })
				}
				return testcluster.Fault{}
			})
			switched := make(chan error, 1)
			go func() { switched <- other.once(t).promote(t.Context(), a.meanwhile, 1) }()
			var err error
			if a.overlap {
				comesTo(t, decided, switched)
				close(back)
				err = <-result
				close(goOn)
			}
			if err := <-switched; err != nil {
				t.Fatal(err)
			}
			if !a.overlap {
				close(back)
				err = <-result
			}
			if why := "it is the main deployment"; !errors.Is(err, ownership.ErrLockLost) && (err == nil || !strings.Contains(err.Error(), why)) {
				t.Errorf("it ended with: %v", err)
			}
			if !slices.Contains(l.objects(), "Service/api") {
				t.Errorf("the address is gone: %v", l.objects())
			}
			if pods := l.pods(a.meanwhile); len(pods) != 2 {
				t.Errorf("%s, which is main, has %d pods", a.meanwhile, len(pods))
			}
			if status := l.record(a.meanwhile).Status; status != release.StatusStarted && !a.removes {
				t.Errorf("the record of main says %s", status)
			}
			main.Check(t, faultyDrain)
		})
	}
}

// TestLeaseGoesWithTheLast: a slow API server does not leave behind what nobody
// would come for.
func TestLeaseGoesWithTheLast(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	p := l.process(t)
	timing := faultyTiming()
	timing.Cleanup = 200 * time.Millisecond
	p.engine = rollout.New(timing)
	must(t, p.deploy(t.Context(), "v1"))
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodDelete && strings.Contains(r.Path, "/leases/") {
			return testcluster.Delay(600 * time.Millisecond)
		}
		return testcluster.Fault{}
	})
	must(t, p.terminate(t.Context(), "v1"))
	l.proxy.SetFault(nil)
	if left := l.objects(); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}
