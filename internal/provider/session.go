package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// session is what Configure gives to every resource: the clusters of the
// provider's configuration and the one engine of this process.
type session struct {
	clusters *Clusters
	engine   *rollout.Engine
	planned  *intents
	told     *once
}

// newSession begins a run.
func newSession(clusters *Clusters, engine *rollout.Engine) *session {
	return &session{clusters: clusters, engine: engine, planned: newIntents(), told: newOnce()}
}

// sessionOf reads what Configure was given; nil before the provider is
// configured, as when only the schema is asked for.
func sessionOf(data any, diags *diag.Diagnostics) *session {
	if data == nil {
		return nil
	}
	s, ok := data.(*session)
	if !ok {
		diags.AddError("Provider data of an unexpected type", fmt.Sprintf("This is a bug in the provider: got %T.", data))
	}
	return s
}

// resolve turns a `clusters` attribute into names: the provider's only cluster
// where it has none.
func (s *session) resolve(names []string, diags *diag.Diagnostics) []string {
	resolved, _, more := s.clusters.Resolve(names)
	diags.Append(more...)
	return resolved
}

// targets are a resource's clusters, checked for what will be done there: the
// right cluster, its version, the namespace, every permission.
func (s *session) targets(ctx context.Context, names []string, n need, diags *diag.Diagnostics) []rollout.Cluster {
	if len(names) == 0 {
		return nil
	}
	found, more := s.clusters.Get(names)
	diags.Append(more...)
	unready := s.preflight(ctx, found, n)
	for _, name := range slices.Sorted(maps.Keys(unready)) {
		addError(diags, unready[name])
	}
	return found
}

// preflight says why clusters are not ready for what will be done there.
func (s *session) preflight(ctx context.Context, clusters []rollout.Cluster, n need) map[string]error {
	errs := make([]error, len(clusters))
	var wg sync.WaitGroup
	for i, c := range clusters {
		wg.Go(func() {
			errs[i] = s.permitted(ctx, c, n)
			var (
				late   *timeoutError
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

// readable are those of a resource's clusters that can be read, for a refresh,
// and those that the provider does not have any more. It is false where one of
// them is not known yet: then nothing can be read, and nothing is lost.
func (s *session) readable(names []string, diags *diag.Diagnostics) (clusters []rollout.Cluster, missing []string, ok bool) {
	names, missing = s.clusters.split(names)
	if len(names) == 0 && len(missing) > 0 {
		return nil, missing, true
	}
	resolved, known, more := s.clusters.Resolve(names)
	diags.Append(more...)
	if !known || diags.HasError() {
		return nil, nil, false
	}
	for _, name := range resolved {
		if !s.clusters.Known(name) {
			return nil, nil, false
		}
	}
	found, more := s.clusters.Get(resolved)
	diags.Append(more...)
	return found, missing, !diags.HasError()
}

// configured are the clusters' names for planning; none are known before the
// provider is configured, or while its configuration is unknown.
func (s *session) configured() ([]string, bool) {
	if s == nil || s.clusters.allUnknown {
		return nil, false
	}
	return s.clusters.Names(), true
}

// within gives an operation its time, by the `timeouts` entry that says so.
func within(ctx context.Context, limit time.Duration, setting string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, timedOut(limit, setting))
}

// timeoutError is why an operation's context ended: its deadline, not a cancel.
type timeoutError struct {
	limit   time.Duration
	setting string
}

func timedOut(limit time.Duration, setting string) error {
	return &timeoutError{limit: limit, setting: setting}
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("it was not done within %s, which is `%s`", e.limit, e.setting)
}

// clusterSet is the value of a `clusters` attribute.
func clusterSet(ctx context.Context, names []string, diags *diag.Diagnostics) types.Set {
	set, more := types.SetValueFrom(ctx, types.StringType, names)
	diags.Append(more...)
	return set
}

// compare sorts clusters by what an update does about them.
func compare(before, now []string) (keep, add, drop []string) {
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
