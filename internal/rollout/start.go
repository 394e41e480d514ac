package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Start brings a stopped release back to the number of pods that it had, on
// every cluster, and returns when they are healthy. It also resumes one whose
// start was cancelled or failed.
func (e *Engine) Start(ctx context.Context, req ActionRequest) (Deployed, error) {
	began := time.Now()
	done := Deployed{ID: req.ID, Owner: req.Owner, Status: release.StatusStarted}
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	claims, err := e.holdAll(ctx, req, release.ActionStart, release.DesiredStarted, mayStart)
	for _, cl := range claims {
		cl.abortBy(abort)
	}
	if err == nil {
		_, err = onAll(claims, func(cl *claim) (struct{}, error) { return struct{}{}, e.startOne(ctx, cl, req) })
	}
	if err == nil {
		err = e.settle(ctx, claims, &done, began)
	}
	if err != nil {
		err = causeOf(ctx, err)
		e.failKeptAll(ctx, claims, err)
		return done, err
	}
	req.tell("%s is started", req.ID)
	return done, nil
}

// mayStart refuses what is on its way out, and what no state may hold: nothing
// would ever stop it again.
func mayStart(r *release.Record) string {
	switch r.Custody {
	case release.CustodyTerminating:
		return fmt.Sprintf("it is being removed (%s)", statusOf(r))
	case release.CustodyAbandoned, release.CustodyClaimed:
		return "its creation is not finished, and no Terraform state has it: wait for the run that creates it, or apply its configuration again"
	case release.CustodyOwned, release.CustodyRetained, release.CustodyCondemned:
	}
	return ""
}

func (e *Engine) startOne(ctx context.Context, cl *claim, req ActionRequest) error {
	if cl.before.Status.Up() {
		req.tell("%s: %s is started already", cl.cluster.Name(), req.ID)
		return nil
	}
	req.tell("%s: starting %d pods of %s", cl.cluster.Name(), cl.target.spec.Replicas, req.ID)
	applied, err := e.rescale(ctx, cl)
	if err != nil {
		return err
	}
	return e.awaitStarted(ctx, cl, applied)
}
