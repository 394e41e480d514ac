package rollout_test

import (
	"cmp"
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

	from string                                // what before leads to; empty: nowhere
	to   string                                // what do leads to
	back func(context.Context, *process) error // from there to v1 as main and v2 beside it; nil: there is no way
}

// about is the version that it is about.
func (v killedVerb) about() string { return cmp.Or(v.on, "v2") }

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
	start := act((*rollout.Engine).Start, "v2")
	anew := func(ctx context.Context, p *process) error { // the pods' template remembers a restart
		return errors.Join(p.terminate(ctx, "v2"), p.create(ctx, p.desired("v2", nil)))
	}
	without := func(ctx context.Context, p *process) error {
		p.owners["v3"] = p.record("v3").Owner
		return p.terminate(ctx, "v3")
	}
	return []killedVerb{
		{name: "stop", do: stop, writes: 10, status: release.StatusStopped, to: "stopped", back: start},
		{name: "stop as an update", writes: 12, do: update(stopped, false), status: release.StatusStopped, to: "stopped by its configuration", back: start},
		{name: "start", writes: 5, before: stop, from: "stopped", do: start, status: release.StatusStarted},
		{name: "start as an update", writes: 6, before: update(stopped, false), from: "stopped by its configuration", do: update(nil, false), status: release.StatusStarted},
		{name: "restart", writes: 5, do: act((*rollout.Engine).Restart, "v2"), status: release.StatusStarted, to: "restarted", back: anew},
		{name: "restart of main", writes: 5, do: act((*rollout.Engine).Restart, "v1"), status: release.StatusStarted, on: "v1", to: "restarted main"},
		{name: "restart as an update", writes: 6, do: update(triggered("rotated"), true), status: release.StatusStarted, to: "restarted", back: anew},
		{name: "create stopped", writes: 6, do: create, status: release.StatusStopped, on: "v3", to: "created", back: without},
		{name: "stop the application", writes: 22, do: application(true), status: release.StatusStopped, on: "v1", whole: true, to: "no pods", back: application(false)},
		{name: "start the application", writes: 17, before: application(true), from: "no pods", do: application(false), status: release.StatusStarted, on: "v1", whole: true},
		{name: "cancel", writes: 10, before: interruptedStart, from: "interrupted", do: act((*rollout.Engine).Cancel, "v3"), status: release.StatusCancelled, on: "v3", to: "cancelled", back: without},
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
	all := map[string]killedVerb{}
	for _, v := range killedVerbs() {
		all[v.name] = v
	}
	for _, together := range []struct {
		lives int
		names []string
	}{
		{2, []string{"stop", "start"}},
		{3, []string{"stop as an update", "start as an update"}},
		{2, []string{"restart", "restart as an update"}},
		{6, []string{"restart of main"}},
		{3, []string{"create stopped", "cancel"}},
		{5, []string{"stop the application", "start the application"}},
	} {
		var verbs []killedVerb
		for _, name := range together.names {
			verbs = append(verbs, all[name])
			delete(all, name)
		}
		t.Run(strings.Join(together.names, " and "), func(t *testing.T) {
			t.Parallel()
			killedInLives(t, together.lives, verbs, nil)
		})
	}
	for name := range all {
		t.Errorf("nobody kills %q", name)
	}
}

// killedInLives kills each of the verbs after each of its writes, in so many lives,
// each of which first goes through before; nil: nothing.
func killedInLives(t *testing.T, lives int, verbs []killedVerb, before func(context.Context, *process) error) {
	t.Helper()
	var cuts []testcluster.Cut
	for _, v := range verbs {
		cuts = append(cuts, testcluster.Cut{Name: v.name, Writes: v.writes})
	}
	places := &places{}
	begin := func(t *testing.T) *killedLife {
		l := &killedLife{life: single(t)}
		if before != nil {
			must(t, l.apply(t.Context(), t, before))
		}
		l.begun = l.beginning()
		l.address, l.fewest = l.cluster.WatchMain(t, l.namespace, "api"), l.watchReady("v1")
		return l
	}
	testcluster.EveryDeathInLives(t, lives, cuts, begin, func(t *testing.T, l *killedLife, i, k int) bool {
		v := verbs[i]
		l.in(t)
		// Labels for kubectl may be older than their record where a process was killed
		// between the two: then what it left is not where another one begins.
		there := v.from != "" && v.from == l.last.to && places.are(l.life, v.from)
		if !there && l.last.name != "" {
			if l.last.to != "" {
				must(t, l.apply(t.Context(), t, l.last.back))
			}
			l.again(l.begun)
		}
		if !there {
			places.same(t, l.life, "")
		}
		if !there && v.from != "" {
			must(t, l.apply(t.Context(), t, v.before))
			places.same(t, l.life, v.from)
		}
		l.last = v
		return l.killedAt(t, v, k)
	})
}

// killedLife is one in which one verb after the other is killed.
type killedLife struct {
	*life
	address *testcluster.MainWatch
	fewest  func() int
	begun   beginning
	last    killedVerb // zero: none has been killed in it
}

func (l *killedLife) killedAt(t *testing.T, v killedVerb, k int) (hit bool) {
	t.Helper()
	version, pods := v.about(), 0
	if v.status == release.StatusStarted {
		pods = 1
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
	err := l.apply(ctx, t, v.do)
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
	if err := l.apply(t.Context(), t, v.do); err != nil {
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
		if n := l.fewest(); n < 1 {
			t.Error("at some moment no pod of main was ready")
		}
		l.address.NeverEmpty(t)
	}
	l.statuses.allowed(l.life)
	return true
}

// ownWrite says that a request is one of the writes that a verb does not do
// without: nothing reads Events.
func ownWrite(r *testcluster.Request) bool {
	return r.Write() && !strings.HasSuffix(r.Path, "/events")
}
