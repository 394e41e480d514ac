package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// WayOutOf finds out how an application's promotion that is open is given up: its traffic
// goes back to where it was, and nothing is remembered against the release, as after a
// Ctrl-C. It reads, and writes nothing.
func WayOutOf(ctx context.Context, r WayBackRequest) (WayBack, error) {
	r.To = ""
	for _, o := range observe.Mains(ctx, r.Clusters, r.Namespace, r.Application, "") {
		if o.Err != nil {
			return WayBack{}, o.Err
		}
		if o.Main == nil || o.Main.Progress == nil || o.Main.Progress.From == "" {
			continue
		}
		open := o.Main.Progress
		if !open.Open() && open.From != open.To { // else a way back that was cut off, which goes on
			return WayBack{}, &release.AbortError{Cluster: o.Cluster, ID: r.id(), Reason: fmt.Sprintf("the promotion to %s is past the point from which it goes back by itself. Go back with a rollback", open.To)}
		}
		if r.To != "" && r.To != open.From {
			return WayBack{}, &release.AbortError{Cluster: o.Cluster, ID: r.id(), Reason: fmt.Sprintf("its promotion goes back to %s, and on another cluster to %s. Abort on one after the other", open.From, r.To)}
		}
		r.To = open.From
	}
	back, err := WayBackOf(ctx, r)
	var none *release.NoMainError
	if r.To == "" && back.Theirs == "" && !errors.As(err, &none) {
		return WayBack{}, &release.AbortError{ID: r.id(), Reason: "no promotion of it is under way"}
	}
	back.Forgets = true
	return back, err
}
