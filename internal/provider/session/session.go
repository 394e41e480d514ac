package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Session is what Configure gives to every resource: the clusters of the
// provider's configuration and the one engine of this process.
type Session struct {
	Clusters *Clusters
	Engine   *rollout.Engine
	Planned  *Intents
	Holders  *Holders
	Told     *Once
	DryRuns  *DryRuns
	Routes   *Routes
}

// New begins a run.
func New(clusters *Clusters, engine *rollout.Engine) *Session {
	return &Session{Clusters: clusters, Engine: engine, Planned: newIntents(), Holders: &Holders{}, Told: newOnce(), DryRuns: &DryRuns{}, Routes: &Routes{}}
}

// Of reads what Configure was given; nil before the provider is
// configured, as when only the schema is asked for.
func Of(data any, diags *diag.Diagnostics) *Session {
	if data == nil {
		return nil
	}
	s, ok := data.(*Session)
	if !ok {
		diags.AddError("Provider data of an unexpected type", fmt.Sprintf("This is a bug in the provider: got %T.", data))
	}
	return s
}

// Resolve turns a `clusters` attribute into names: the provider's only cluster
// where it has none.
func (s *Session) Resolve(names []string, diags *diag.Diagnostics) []string {
	resolved, _, more := s.Clusters.Resolve(names)
	diags.Append(more...)
	return resolved
}

// Targets are a resource's clusters, checked for what will be done there: the
// right cluster, its version, the namespace, every permission.
func (s *Session) Targets(ctx context.Context, names []string, n Need, diags *diag.Diagnostics) []rollout.Cluster {
	if len(names) == 0 {
		return nil
	}
	found, more := s.Clusters.Get(names)
	diags.Append(more...)
	unready := s.preflight(ctx, found, n)
	for _, name := range slices.Sorted(maps.Keys(unready)) {
		explain.Error(diags, unready[name])
	}
	return found
}

// preflight says why clusters are not ready for what will be done there.
func (s *Session) preflight(ctx context.Context, clusters []rollout.Cluster, n Need) map[string]error {
	errs := make([]error, len(clusters))
	var wg sync.WaitGroup
	for i, c := range clusters {
		wg.Go(func() {
			errs[i] = s.permitted(ctx, c, n)
			var (
				late   *explain.TimeoutError
				plugin *cluster.CredentialError // it is what was waited for
			)
			if errors.As(errs[i], &late) && !errors.As(errs[i], &plugin) {
				errs[i] = fmt.Errorf("cluster %q has not answered what is asked before the first write: %w", c.Name(), errs[i])
			}
		})
	}
	wg.Wait()
	unready := map[string]error{}
	for i, err := range errs {
		if err != nil {
			unready[clusters[i].Name()] = err
		}
	}
	return unready
}

// Readable are those of a resource's clusters that can be read, for a refresh,
// and those that the provider does not have any more. It is false where one of
// them is not known yet: then nothing can be read, and nothing is lost.
func (s *Session) Readable(names []string, diags *diag.Diagnostics) (clusters []rollout.Cluster, missing []string, ok bool) {
	names, missing = s.Clusters.split(names)
	if len(names) == 0 && len(missing) > 0 {
		return nil, missing, true
	}
	resolved, known, more := s.Clusters.Resolve(names)
	diags.Append(more...)
	if !known || diags.HasError() {
		return nil, nil, false
	}
	for _, name := range resolved {
		if !s.Clusters.Known(name) {
			return nil, nil, false
		}
	}
	found, more := s.Clusters.Get(resolved)
	diags.Append(more...)
	return found, missing, !diags.HasError()
}

// Reachable are those of the clusters whose connection is known, without a word
// about the others: nothing is to be done there.
func (s *Session) Reachable(names []string) []rollout.Cluster {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !s.Clusters.Known(name) })
	if len(names) == 0 {
		return nil
	}
	found, _ := s.Clusters.Get(names)
	return found
}

// ReadyFor is ready for a rollout: one that does not continue needs them all.
func (s *Session) ReadyFor(ctx context.Context, r release.Rollout, names []string, n Need, unready map[string]error, diags *diag.Diagnostics) []rollout.Cluster {
	if r.OnFailure != release.FailureContinue {
		return s.Targets(ctx, names, n, diags)
	}
	found, not := s.ready(ctx, names, n, diags)
	maps.Copy(unready, not)
	return found
}

// Configured are the clusters' names for planning; none are known before the
// provider is configured, or while its configuration is unknown.
func (s *Session) Configured() ([]string, bool) {
	if s == nil || s.Clusters.allUnknown {
		return nil, false
	}
	return s.Clusters.Names(), true
}

// Within gives an operation its time, by the `timeouts` entry that says so.
func Within(ctx context.Context, limit time.Duration, setting string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, explain.TimedOut(limit, setting))
}

// Changes sorts clusters by what an update does about them.
func Changes(before, now []string) (keep, add, drop []string) {
	for _, name := range now {
		if slices.Contains(before, name) {
			keep = append(keep, name)
		} else {
			add = append(add, name)
		}
	}
	for _, name := range before {
		if !slices.Contains(now, name) {
			drop = append(drop, name)
		}
	}
	return keep, add, drop
}
