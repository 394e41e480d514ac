package traffic

import (
	"context"
	"maps"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Reselect gives the main Service a selector back that it had before our last
// write. One that is gone is a success.
func (s *Service) Reselect(ctx context.Context, selector map[string]string) error {
	for {
		svc, err := s.live(ctx)
		if err != nil || svc == nil {
			return err
		}
		want, err := s.leadingTo(ctx, selector[release.LabelDeployment])
		if err != nil {
			return err
		}
		want.Spec.Selector = maps.Clone(selector)
		want.UID, want.ResourceVersion = svc.UID, svc.ResourceVersion
		err = s.cluster.Apply(ctx, want, true) // the selector is our own since then
		if err == nil {
			s.applied, s.reply = "", want
		}
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return err
		}
	}
}
