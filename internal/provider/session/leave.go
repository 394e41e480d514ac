package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// missingError is a cluster that a resource is on, and that the provider's
// configuration does not have.
type missingError struct {
	cluster    string
	configured []string
}

func (e *missingError) Error() string {
	return fmt.Sprintf("cluster %q is not in the provider's configuration, which has %s", e.cluster, attrs.Quoted(e.configured))
}

// TellUnread tells that a cluster could not be read during a refresh: what was
// known of it is kept. That it is away is told once in a run, whatever is on it.
func (s *Session) TellUnread(diags *diag.Diagnostics, name string, err error) {
	var missing *missingError
	switch {
	case errors.As(err, &missing):
		if s.Told.First("missing/" + name) {
			diags.AddWarning("Cluster is not configured any more", explain.Sentence(err.Error())+unreadAdvice)
		}
	case !explain.Unreachable(err):
		explain.Error(diags, err)
	case s.Told.First("unreachable/" + name):
		diags.AddWarning("Cluster is unreachable", explain.Sentence(err.Error())+unreadAdvice)
	}
}

const unreadAdvice = " What was last known of everything there is kept; nothing was concluded from the silence. This is told once, for all resources on that cluster."

// split divides names into those that the provider has and those that it does
// not: a resource may still be on a cluster that was taken out.
func (c *Clusters) split(names []string) (configured, missing []string) {
	if c.allUnknown {
		return names, nil
	}
	for _, name := range names {
		if _, ok := c.byName[name]; ok {
			configured = append(configured, name)
		} else {
			missing = append(missing, name)
		}
	}
	return configured, missing
}

// Missing is why a cluster cannot be read that the provider does not have any more.
func (s *Session) Missing(name string) error {
	return &missingError{cluster: name, configured: s.Clusters.Names()}
}

// ready are the clusters on which a change can begin, and why it cannot on the
// others: the wrong cluster, its version, the namespace, a permission.
func (s *Session) ready(ctx context.Context, names []string, n Need, diags *diag.Diagnostics) ([]rollout.Cluster, map[string]error) {
	if len(names) == 0 {
		return nil, nil
	}
	found, more := s.Clusters.Get(names)
	diags.Append(more...)
	unready := s.preflight(ctx, found, n)
	return slices.DeleteFunc(found, func(c rollout.Cluster) bool { return unready[c.Name()] != nil }), unready
}

// Leaving is what becomes of a resource's clusters that it is to be taken from.
type Leaving struct {
	Clusters  []rollout.Cluster // can be reached
	Failed    map[string]error  // cannot, or not as is needed there
	forgotten []string          // cannot, and may be forgotten
}

// Leave prepares to take something from clusters, some of which may be away.
func (s *Session) Leave(ctx context.Context, names []string, n Need, abandon bool, diags *diag.Diagnostics) Leaving {
	configured, missing := s.Clusters.split(names)
	var l Leaving
	l.Clusters, l.Failed = s.ready(ctx, configured, n, diags)
	if l.Failed == nil {
		l.Failed = map[string]error{}
	}
	for _, name := range missing {
		l.Failed[name] = s.Missing(name)
	}
	for _, name := range names {
		err := l.Failed[name]
		var gone *missingError
		switch {
		case err == nil || !explain.Unreachable(err) && !errors.As(err, &gone):
		case abandon && answered(err):
			l.Failed[name] = explain.Vouched(err)
		case abandon:
			l.forgotten = append(l.forgotten, name)
			delete(l.Failed, name)
		default:
			l.Failed[name] = explain.Kept(err)
		}
	}
	return l
}

// answered says that a cluster was not reached by the word of a proxy on the way.
func answered(err error) bool {
	var unreachable *cluster.UnreachableError
	return errors.As(err, &unreachable) && unreachable.Answered()
}

// TellFailed tells why clusters could not be left.
func (l Leaving) TellFailed(diags *diag.Diagnostics) {
	for _, name := range slices.Sorted(maps.Keys(l.Failed)) {
		explain.Error(diags, l.Failed[name])
	}
}

// TellForgotten tells what stays on clusters that are forgotten, and how to
// remove it by hand.
func (l Leaving) TellForgotten(diags *diag.Diagnostics, what, namespace, remove string) {
	for _, name := range l.forgotten {
		diags.AddWarning("Forgotten, not removed", fmt.Sprintf("Cluster %q cannot be reached, and abandon_unreachable is set: the part of %s that is there is forgotten here, and nothing was removed there. "+
			"Whatever lives there stays, runs on, and may still have traffic. Where that cluster comes back, remove it by hand:\n  kubectl --namespace %s delete %s", name, what, namespace, remove))
	}
}

// CheckMissing refuses to plan a change of what is on clusters that the provider
// does not have, unless they may be forgotten. planned is empty for a destroy. at
// is where the attribute is.
func CheckMissing(configured ConfiguredClusters, at path.Path, what string, prior, planned types.Set, abandon bool) diag.Diagnostics {
	var diags diag.Diagnostics
	names, known := configured()
	if !known {
		return diags
	}
	for _, element := range prior.Elements() {
		name, ok := element.(types.String)
		if !ok || slices.Contains(names, name.ValueString()) || abandon && !contains(planned, element) {
			continue
		}
		diags.AddAttributeError(at, "Cluster is not configured any more",
			fmt.Sprintf("The %s is on cluster %q, which the provider's configuration does not have: it has %s. Nothing can be read, changed or removed there.\n\n"+
				"Put the connection back under that name. When it has left that cluster (take it out of `clusters`, or destroy this resource, and apply), the connection can go.\n"+
				"If that cluster is gone for good, set abandon_unreachable = true and take it out of `clusters`: what was there is then forgotten. "+
				"If there is no other cluster, or if it only has another name by now, terraform state rm forgets the resource, which can be imported again.",
				what, name.ValueString(), attrs.Quoted(names)))
	}
	return diags
}

func contains(set types.Set, element attr.Value) bool {
	return slices.ContainsFunc(set.Elements(), element.Equal)
}
