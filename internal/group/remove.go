package group

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Remove takes the addresses of former members away, each as a main deployment's
// would be. They are nobody's together any more: one that fails does not keep
// the others.
func (e *Engine) Remove(ctx context.Context, name string, leave []rollout.UnmainRequest) ([]rollout.Notice, error) {
	notices, errs := make([][]rollout.Notice, len(leave)), make([]error, len(leave))
	var wg sync.WaitGroup
	for i, req := range leave {
		req.Group = name
		wg.Go(func() { notices[i], errs[i] = e.rollout.Unmain(ctx, req) })
	}
	wg.Wait()
	return slices.Concat(notices...), errors.Join(errs...)
}
