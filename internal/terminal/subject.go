package terminal

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// subject is what a command that explains something was asked about: an application, or
// one of its releases.
type subject struct {
	application string
	isRelease   bool      // it is a release of that
	releases    []Release // on each cluster, the newest first
	unread      []Unread
	reached     []rollout.Cluster
	failed      error // clusters that could not be read
}

// oneSubject is for commands about an application or a release, by its name.
func oneSubject(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("name an application or one of its releases: `%s NAME`; `kubectl switchback get` lists them", cmd.CommandPath())
	}
	return oneApplication(cmd, args)
}

// subjectOf finds what a name stands for. An error is for a name that is not there, and
// for clusters none of which could be read.
func subjectOf(ctx context.Context, c *clusters, name string) (subject, error) {
	application, isRelease := release.ApplicationOf(name)
	if isRelease { // unless there is an application of that name
		apps, _ := observe.Applications(ctx, c.on, c.namespace, name, nil)
		isRelease = len(apps) == 0
	}
	if !isRelease {
		application = name
	}
	apps, unread := observe.Applications(ctx, c.on, c.namespace, application, nil)
	s := subject{application: application, isRelease: isRelease, reached: readable(c.on, unread)}
	if s.unread, s.failed = unreadOf(unread, len(c.on)); len(s.reached) == 0 {
		return s, s.failed
	}
	if len(apps) > 0 {
		s.releases = applicationOf(apps[0]).Releases
		if isRelease {
			s.releases = slices.DeleteFunc(s.releases, func(r Release) bool { return r.Name != name })
		}
	}
	if len(s.releases) > 0 {
		return s, nil
	}
	there, _ := observe.Applications(ctx, s.reached, c.namespace, "", nil)
	return s, errors.Join(notFound(c.namespace, name, there), s.failed)
}

// names are the releases, each once, that are something to look at: it has pods, or should.
func (s subject) names() (names []string) {
	for _, r := range s.releases {
		if (r.Pods > 0 || r.Ready > 0) && !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}
