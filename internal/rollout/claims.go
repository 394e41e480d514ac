package rollout

import "context"

// What is asked of the claims on several clusters at once.

// boundAll is Bound for what is done on all clusters or on none.
func boundAll(ctx context.Context, claims []*claim) (context.Context, context.CancelFunc) {
	var ends []context.CancelFunc
	for _, cl := range claims {
		var end context.CancelFunc
		ctx, end = cl.Bound(ctx)
		ends = append(ends, end)
	}
	return ctx, func() {
		for _, end := range ends {
			end()
		}
	}
}

// lostOf is OrLost for what is done on all clusters or on none.
func lostOf(claims []*claim, err error) error {
	for _, cl := range claims {
		if lost := cl.Gone(); lost != nil && err != nil {
			return lost
		}
	}
	return err
}

// confirmAll asks once more whose the releases are that something has been
// done to. The result is who has those that are not ours any more.
func (e *Engine) confirmAll(ctx context.Context, claims []*claim) []error {
	// Most of the time is for the clean-up, which asks again.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.timing.Cleanup/3)
	defer cancel()
	return putInOrder(claims, func(cl *claim) error {
		if cl.Held() {
			_ = cl.Confirm(clean) // only whose it is matters here
		}
		return cl.Gone()
	})
}
