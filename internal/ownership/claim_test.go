package ownership_test

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestClaimOfTheDeadIsTakenOver: a process shows no sign of life for an expiry.
// Another one takes its release over. Then it can write neither the record, nor
// anything else for its claim, and what it does ends.
func TestClaimOfTheDeadIsTakenOver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first, second := p.run(t), p.run(t)
	lost, err := first.take(t.Context(), "one")
	must(t, err)
	lost.Strictly()
	ctx, done := lost.Bound(t.Context())
	defer done()
	cl, err := second.take(t.Context(), "two")
	must(t, err)
	if cl.Before == nil || cl.Before.Owner != "one" || !cl.Held() {
		t.Errorf("the second one has found %+v", cl.Before)
	}
	live := cl.Live().DeepCopy()
	live.Data = nil
	var taken *release.TakenOverError
	if err := lost.Cluster().Update(t.Context(), live); !errors.As(err, &taken) || !taken.Claimed || taken.Holder != second.Holder() {
		t.Errorf("writing for the lost claim ends with: %v", err)
	}
	if lost.Gone() == nil || ownership.Lost(ctx, nil) == nil || ownership.Interrupted(ctx) {
		t.Errorf("what is done for the lost claim goes on, or is taken for a Ctrl-C: %v", context.Cause(ctx))
	}
	if err := lost.Finish(t.Context(), func(*release.Record) {}); !errors.As(err, &taken) || lost.Written() {
		t.Errorf("finishing the lost claim ends with: %v", err)
	}
	must(t, cl.Finish(t.Context(), func(r *release.Record) { r.Reason = "done" }))
	_, is, err := ownership.LiveRecord(t.Context(), second.c, second.id(), "api")
	must(t, err)
	if is.Owner != "two" || is.Reason != "done" || is.Busy() || !cl.Written() || cl.Held() {
		t.Errorf("the record is %+v", is)
	}
}

// TestClaimThatCameToNothing: what was there is as it was, and what is new goes.
func TestClaimThatCameToNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.run(t)
	first, err := r.take(t.Context(), "one")
	must(t, err)
	must(t, first.Finish(t.Context(), func(*release.Record) {}))
	second, err := r.take(t.Context(), "two")
	must(t, err)
	must(t, second.GiveBack(t.Context()))
	_, is, err := ownership.LiveRecord(t.Context(), r.c, r.id(), "api")
	must(t, err)
	if is.Owner != "one" || is.Busy() {
		t.Errorf("the record is %+v", is)
	}
	third, err := r.take(t.Context(), "three")
	must(t, err)
	must(t, third.Forget(t.Context()))
	fourth, err := r.take(t.Context(), "four")
	must(t, err)
	if fourth.Before != nil {
		t.Errorf("it was there: %+v", fourth.Before)
	}
	must(t, fourth.GiveBack(t.Context()))
	if _, _, err := ownership.LiveRecord(t.Context(), r.c, r.id(), "api"); !apierrors.IsNotFound(err) {
		t.Errorf("its record is there: %v", err)
	}
}

// TestTwoTakeOne: of two runs that take a release at once, one makes the record,
// and the other one waits for it.
func TestTwoTakeOne(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first, second := p.run(t), p.run(t)
	asked := 0
	cl, err := ownership.Take(t.Context(), second.Keeper, second.c, second.id(), "api", func(seen ownership.Seen) (*ownership.Claim, error) {
		switch asked++; {
		case seen.Record == nil:
			made, err := first.take(t.Context(), "one") // between the look and the write
			if err == nil {
				err = made.Finish(t.Context(), func(*release.Record) {})
			}
			return second.Fresh(second.c, second.id(), "api", record("two")), err
		case seen.Record.Busy():
			return nil, nil
		}
		return second.Over(second.c, "api", seen.Live, seen.Record), nil
	})
	must(t, err)
	if asked < 2 || cl.Before == nil || cl.Record().Owner != "one" {
		t.Errorf("after %d looks, it has %+v", asked, cl.Record())
	}
	must(t, cl.Finish(t.Context(), func(*release.Record) {}))
}
