package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// killedVerb is a verb that is killed after each of its writes, and done again.
type killedVerb struct {
	name   string
	before func(context.Context, *process) error // from v1 as main and v2 beside it, both started
	do     func(context.Context, *process) error
	writes int            // that do has
	status release.Status // of v2 then
	on     string         // the version that it is about; empty: v2
	whole  bool           // it is about the whole application: main's pods go and come
}

func killedVerbs() []killedVerb {
	act := func(verb func(*rollout.Engine, context.Context, rollout.ActionRequest) (rollout.Deployed, error), version string) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error {
			_, err := verb(p.engine, ctx, p.action(version))
			return err
		}
	}
	update := func(change func(*release.Spec), restart bool) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error { return p.update(ctx, p.desired("v2", change), restart) }
	}
	stop := act((*rollout.Engine).Stop, "v2")
	create := func(ctx context.Context, p *process) error {
		return p.create(ctx, p.desired("v3", stopped))
	}
	application := func(stopped bool) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error { return p.halt(ctx, "v1", stopped) }
	}
	return []killedVerb{
		{name: "stop", do: stop, writes: 9, status: release.StatusStopped},
		{name: "stop as an update", writes: 10, do: update(stopped, false), status: release.StatusStopped},
		{name: "start", writes: 4, before: stop, do: act((*rollout.Engine).Start, "v2"), status: release.StatusStarted},
		{name: "start as an update", writes: 5, before: stop, do: update(nil, false), status: release.StatusStarted},
		{name: "restart", writes: 4, do: act((*rollout.Engine).Restart, "v2"), status: release.StatusStarted},
		{name: "restart of main", writes: 4, do: act((*rollout.Engine).Restart, "v1"), status: release.StatusStarted, on: "v1"},
		{name: "restart as an update", writes: 5, do: update(triggered("rotated"), true), status: release.StatusStarted},
		{name: "create stopped", writes: 5, do: create, status: release.StatusStopped, on: "v3"},
		{name: "stop the application", writes: 16, do: application(true), status: release.StatusStopped, on: "v1", whole: true},
		{name: "start the application", writes: 12, before: application(true), do: application(false), status: release.StatusStarted, on: "v1", whole: true},
		{name: "cancel", writes: 9, before: interruptedStart, do: act((*rollout.Engine).Cancel, "v3"), status: release.StatusCancelled, on: "v3"},
	}
}

// interruptedStart leaves v3 as a process does that is killed while it starts it.
func interruptedStart(ctx context.Context, p *process) error {
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	applied := p.applied()
	ended := make(chan error, 1)
	go func() { _, err := p.engine.Deploy(ctx, p.on, p.desired("v3", nil)); ended <- err }()
	select {
	case <-applied:
	case err := <-ended:
		return fmt.Errorf("it ended without a wait: %w", err)
	}
	p.proxy.SetFault(testcluster.Dead)
	kill()
	p.proxy.DropWatches()
	if err := <-ended; err == nil && ctx.Err() == nil {
		return errors.New("it was not killed")
	}
	p.proxy.SetFault(nil)
	return nil
}

// TestVerbsKilledAfterEveryWrite kills a process when a write is done that it
// does not know of. Another one does the same then, and ends where an
// undisturbed one would have; main is never touched.
func TestVerbsKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	for _, v := range killedVerbs() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			version := v.on
			if version == "" {
				version = "v2"
			}
			testcluster.EveryDeath(t, v.writes, func(t *testing.T, k int) bool { return killedAt(t, v, version, k) })
		})
	}
}

func killedAt(t *testing.T, v killedVerb, version string, k int) (hit bool) {
	t.Helper()
	l := single(t)
	pods := 0
	if v.status == release.StatusStarted {
		pods = 1
	}
	main := l.cluster.WatchMain(t, l.namespace, "api")
	fewest := l.watchReady("v1")
	if v.before != nil {
		if err := v.before(t.Context(), l.process(t)); err != nil {
			t.Fatal(err)
		}
	}
	told := len(l.history())
	remembered := func(most int) {
		if v.whole {
			return // each of its releases has lines of its own
		}
		if _, lines := l.added(told); len(lines) < 1 || len(lines) > most || strings.HasSuffix(lines[0], "failed") || strings.HasSuffix(lines[0], "cancelled") {
			t.Errorf("the history has %q of it", lines)
		}
	}
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	l.proxy.Reset()
	death := l.proxy.DiesAfter(k, ownWrite, kill)
	l.proxy.SetFault(death.Fault)
	err := v.do(ctx, l.process(t))
	l.proxy.SetFault(nil)
	what, dead := death.Last()
	if !dead {
		if err != nil {
			t.Fatalf("undisturbed: %v", err)
		}
		l.stands(version, v.status, pods)
		remembered(1)
		return false
	}
	t.Logf("killed after %s", what)
	var interrupted *cluster.InterruptedError
	if err != nil && !errors.Is(err, context.Canceled) && !errors.As(err, &interrupted) {
		t.Logf("killed, it says: %v", err)
	}
	if version == "v3" && v.status == release.StatusStopped {
		delete(l.owners, "v3") // a create that was killed leaves no state
	}
	most := 1
	if !l.record(version).Busy() {
		most = 2 // it had ended, which only its caller does not know: once more is another one
	}
	if err := v.do(t.Context(), l.process(t)); err != nil {
		t.Fatalf("after %s, another process: %v\n%s", what, err, l.log())
	}
	l.stands(version, v.status, pods)
	remembered(most)
	names := []string{"v1", "v2"}
	if version == "v3" {
		names = append(names, "v3")
	}
	for _, name := range names {
		if !slices.Contains(l.objects(), "Deployment/"+l.name(name)) {
			t.Errorf("%s is gone: %v", name, l.objects())
		}
	}
	if v.whole {
		l.stands("v2", v.status, pods)
		if main := l.pointer(); main.Stopped() != (v.status == release.StatusStopped) || main.Progress != nil || main.Deployment != l.name("v1") {
			t.Errorf("the pointer says %+v", main)
		}
	} else {
		if n := fewest(); n < 1 {
			t.Error("at some moment no pod of main was ready")
		}
		main.NeverEmpty(t)
	}
	l.statuses.allowed(l)
	return true
}

// ownWrite says that a request is one of the writes that a verb does not do
// without: nothing reads Events.
func ownWrite(r *testcluster.Request) bool {
	return r.Write() && !strings.HasSuffix(r.Path, "/events")
}
