package ownership_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestMain(m *testing.M) { os.Exit(testcluster.Run(m)) }

// wired makes a connection fit the package's interface, as the provider does.
type wired struct{ *cluster.Cluster }

func (c wired) View(namespace string) ownership.View { return c.Cluster.View(namespace) }

func (c wired) Emit(context.Context, ownership.Object, release.EventReason, string, bool) {}

// place is a namespace of a cluster, in which several processes meet.
type place struct {
	cluster   *testcluster.Cluster
	namespace string
}

func newPlace(t *testing.T) place {
	t.Helper()
	c := testcluster.Shared(t)
	return place{c, c.Namespace(t)}
}

// run is one process, on a connection of its own.
type run struct {
	*ownership.Keeper
	place
	c ownership.Cluster
}

// run is a process that is taken for dead a second after its last sign of life, and
// shows none by itself.
func (p place) run(t *testing.T) run {
	t.Helper()
	return p.runFor(t, time.Second)
}

// runFor is a process that nobody takes for dead before its expiry.
func (p place) runFor(t *testing.T, expiry time.Duration) run {
	t.Helper()
	c, err := cluster.New(cluster.Config{Name: "prod", UserAgent: "terraform-provider-switchback/test", ConfigPath: p.cluster.KubeconfigPath})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	keeper := ownership.New(ownership.Timing{
		Beat: time.Hour, Expiry: expiry, Poll: 50 * time.Millisecond, Settle: time.Minute, Cleanup: time.Minute, History: time.Minute,
	})
	return run{keeper, p, wired{c}}
}

// locked does something under the Lease of the application "api".
func (r run) locked(ctx context.Context, do func(context.Context) error) error {
	return r.Locked(ctx, []ownership.Cluster{r.c}, r.namespace, "api", func(ctx context.Context, _ *ownership.Held) error { return do(ctx) })
}

func (r run) id() release.ID { return release.ID{Namespace: r.namespace, Name: "api-7f3c9a1e"} }

// record is one of a release that is owned and started.
func record(owner string) release.Record {
	return release.Record{Schema: release.RecordSchema, Hash: "7f3c9a1e", Version: "v1", Owner: owner, Custody: release.CustodyOwned, Status: release.StatusStarted}
}

// take takes the release in hand: makes its record, or writes owner into what is
// there. It waits for a living holder.
func (r run) take(ctx context.Context, owner string) (*ownership.Claim, error) {
	return ownership.Take(ctx, r.Keeper, r.c, r.id(), "api", func(seen ownership.Seen) (*ownership.Claim, error) {
		switch {
		case seen.Record == nil:
			return r.Fresh(r.c, r.id(), "api", record(owner)), nil
		case seen.Record.Busy() && !seen.HolderDead:
			return nil, nil
		}
		cl := r.Over(r.c, "api", seen.Live, seen.Record)
		cl.Note(func(r *release.Record) { r.Owner = owner })
		return cl, nil
	})
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
