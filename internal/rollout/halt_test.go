package rollout_test

import (
	"context"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// TestWhatSomebodyHasStoppedStaysSo until somebody starts it: whoever has stopped it at a
// terminal does not find it running after the next apply.
func TestWhatSomebodyHasStoppedStaysSo(t *testing.T) {
	t.Parallel()
	l := application(t)
	ctx, p := t.Context(), l.process(t)
	stop := func(ctx context.Context) {
		t.Helper()
		_, err := p.engine.Stop(ctx, p.action("v2"))
		must(t, err)
	}
	change := func(spec release.Spec) rollout.Deployed {
		t.Helper()
		done, err := p.engine.Update(ctx, rollout.UpdateRequest{Spec: spec, Owner: p.owners["v2"], Keep: p.on, TakeBack: []string{"spec.replicas"}})
		must(t, err)
		return done
	}
	is := func(status release.Status, pods int, by string) {
		t.Helper()
		l.stands("v2", status, pods)
		r := l.record("v2")
		if held := r.StoppedBy != nil; held != (by != "") || held && r.StoppedBy.Why != by {
			t.Errorf("it is stopped by %+v", r.StoppedBy)
		}
		if by != "" && (!release.StaysStopped(r.Reason) || !strings.Contains(r.Reason, "("+by+")") || r.Desired() != release.DesiredStarted || r.WithMain) {
			t.Errorf("its reason is %q; it shall be %s; with its application: %t", r.Reason, r.Desired(), r.WithMain)
		}
		if by == "" && r.Reason != "" {
			t.Errorf("its reason is %q", r.Reason)
		}
	}

	stop(rollout.Because(ctx, "it costs"))
	is(release.StatusStopped, 0, "it costs")
	stop(rollout.Because(ctx, "once more")) // it is: who was first has done it
	is(release.StatusStopped, 0, "it costs")
	if done := change(l.desired("v2", func(s *release.Spec) { s.Replicas = 3 })); done.Status != release.StatusStopped || !release.StaysStopped(done.Reason) {
		t.Errorf("changed, it ends as %s, %q", done.Status, done.Reason)
	}
	is(release.StatusStopped, 0, "it costs")

	// Its application comes and goes.
	must(t, p.halt(ctx, "v1", true))
	change(l.desired("v2", func(s *release.Spec) { s.Replicas = 2 }))
	must(t, p.halt(ctx, "v1", false))
	l.stands("v1", release.StatusStarted, 2)
	l.stands("v2", release.StatusStopped, 0)
	change(l.desired("v2", nil))
	is(release.StatusStopped, 0, "it costs")

	_, err := p.engine.Start(ctx, p.action("v2"))
	must(t, err)
	is(release.StatusStarted, 2, "")

	// Its configuration takes over.
	stop(ctx)
	change(l.desired("v2", stopped))
	is(release.StatusStopped, 0, "")
	change(l.desired("v2", nil))
	is(release.StatusStarted, 2, "")

	// Somebody stops it while its application is.
	must(t, p.halt(ctx, "v1", true))
	stop(rollout.Because(ctx, "for good"))
	must(t, p.halt(ctx, "v1", false))
	is(release.StatusStopped, 0, "for good")

	must(t, p.promote(ctx, "v2", 1))
	is(release.StatusStarted, 2, "")

	// It is made main while its application is stopped.
	must(t, p.promote(ctx, "v1", 1))
	stop(rollout.Because(ctx, "main is v1"))
	must(t, p.halt(ctx, "v1", true), p.halt(ctx, "v2", true))
	is(release.StatusStopped, 0, "main is v1")
	must(t, p.halt(ctx, "v2", false))
	is(release.StatusStarted, 2, "")
}
