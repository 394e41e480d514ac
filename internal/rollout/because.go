package rollout

import (
	"context"
	"slices"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

type becauseKey struct{}

// Because is ctx with why somebody asks for what is done with it: the history says so, and
// what is remembered of a release that the traffic was taken from.
func Because(ctx context.Context, why string) context.Context {
	return context.WithValue(ctx, becauseKey{}, mask.Redact(why))
}

// because is that; empty where nobody has said.
func because(ctx context.Context) string {
	why, _ := ctx.Value(becauseKey{}).(string)
	return why
}

// becauseOf is why an operation is done, where it is one that somebody asks for: not what
// only follows from that.
func becauseOf(ctx context.Context, operation release.Operation) string {
	follows := []release.Operation{release.OperationRetain, release.OperationCondemn, release.OperationCollect}
	if slices.Contains(follows, operation) {
		return ""
	}
	return because(ctx)
}
