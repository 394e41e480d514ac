package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// abandonAttribute is `abandon_unreachable`.
func abandonAttribute() schema.BoolAttribute {
	return schema.BoolAttribute{
		Optional: true,
		Computed: true,
		Default:  booldefault.StaticBool(false),
		MarkdownDescription: "Whether a cluster that cannot be reached may be forgotten: by a destroy, and where it is taken out of `clusters`. " +
			"A warning then says what is left there, and how to remove it. Default: `false`, so that nothing is forgotten that may still be running. " +
			"A destroy goes by what was applied last: set it in an apply of its own first, which needs no cluster." + inPlace,
	}
}

// once remembers what this run has told already: that a cluster is away
// concerns every resource on it, and is one fact.
type once struct {
	mu   sync.Mutex
	told map[string]bool
}

func newOnce() *once { return &once{told: map[string]bool{}} }

// first says whether it is the first time that this is to be told.
func (o *once) first(what string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told[what] {
		return false
	}
	o.told[what] = true
	return true
}

// missingError is a cluster that a resource is on, and that the provider's
// configuration does not have.
type missingError struct {
	cluster    string
	configured []string
}

func (e *missingError) Error() string {
	return fmt.Sprintf("cluster %q is not in the provider's configuration, which has %s", e.cluster, quoted(e.configured))
}

// tellUnread tells that a cluster could not be read during a refresh: what was
// known of it is kept. That it is away is told once in a run, whatever is on it.
func (s *session) tellUnread(diags *diag.Diagnostics, name string, err error) {
	var missing *missingError
	switch {
	case errors.As(err, &missing):
		if s.told.first("missing/" + name) {
			diags.AddWarning("Cluster is not configured any more", sentence(err.Error())+unreadAdvice)
		}
	case !isUnreachable(err):
		addError(diags, err)
	case s.told.first("unreachable/" + name):
		diags.AddWarning("Cluster is unreachable", sentence(err.Error())+unreadAdvice)
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

func (s *session) missing(name string) error {
	return &missingError{cluster: name, configured: s.clusters.Names()}
}

// ready are the clusters on which a change can begin, and why it cannot on the
// others: the wrong cluster, its version, the namespace, a permission.
func (s *session) ready(ctx context.Context, names []string, n need, diags *diag.Diagnostics) ([]rollout.Cluster, map[string]error) {
	if len(names) == 0 {
		return nil, nil
	}
	found, more := s.clusters.Get(names)
	diags.Append(more...)
	unready := s.preflight(ctx, found, n)
	return slices.DeleteFunc(found, func(c rollout.Cluster) bool { return unready[c.Name()] != nil }), unready
}

// leaving is what becomes of a resource's clusters that it is to be taken from.
type leaving struct {
	clusters  []rollout.Cluster // can be reached
	failed    map[string]error  // cannot, or not as is needed there
	forgotten []string          // cannot, and may be forgotten
}

// leave prepares to take something from clusters, some of which may be away.
func (s *session) leave(ctx context.Context, names []string, n need, abandon bool, diags *diag.Diagnostics) leaving {
	configured, missing := s.clusters.split(names)
	var l leaving
	l.clusters, l.failed = s.ready(ctx, configured, n, diags)
	if l.failed == nil {
		l.failed = map[string]error{}
	}
	for _, name := range missing {
		l.failed[name] = s.missing(name)
	}
	for _, name := range names {
		err := l.failed[name]
		var gone *missingError
		switch {
		case err == nil || !isUnreachable(err) && !errors.As(err, &gone):
		case abandon && answered(err):
			l.failed[name] = vouched(err)
		case abandon:
			l.forgotten = append(l.forgotten, name)
			delete(l.failed, name)
		default:
			l.failed[name] = kept(err)
		}
	}
	return l
}

// keptError is a cluster that something was to be taken from and that is away.
type keptError struct{ error }

func kept(err error) error { return &keptError{err} }

func (e *keptError) Unwrap() error { return e.error }

// answered says that a cluster was not reached by the word of a proxy on the way.
func answered(err error) bool {
	var unreachable *cluster.UnreachableError
	return errors.As(err, &unreachable) && unreachable.Answered()
}

// vouchedError is a cluster that only a proxy says is away: it may be well, and is not
// forgotten, although it might be.
type vouchedError struct{ error }

func vouched(err error) error { return &vouchedError{err} }

func (e *vouchedError) Unwrap() error { return e.error }

// tellFailed tells why clusters could not be left.
func (l leaving) tellFailed(diags *diag.Diagnostics) {
	for _, name := range slices.Sorted(maps.Keys(l.failed)) {
		addError(diags, l.failed[name])
	}
}

// tellForgotten tells what stays on clusters that are forgotten, and how to
// remove it by hand.
func (l leaving) tellForgotten(diags *diag.Diagnostics, what, namespace, remove string) {
	for _, name := range l.forgotten {
		diags.AddWarning("Forgotten, not removed", fmt.Sprintf("Cluster %q cannot be reached, and abandon_unreachable is set: the part of %s that is there is forgotten here, and nothing was removed there. "+
			"Whatever lives there stays, runs on, and may still have traffic. Where that cluster comes back, remove it by hand:\n  kubectl --namespace %s delete %s", name, what, namespace, remove))
	}
}

// checkMissing refuses to plan a change of what is on clusters that the provider
// does not have, unless they may be forgotten. planned is empty for a destroy.
func checkMissing(configured configuredClusters, what string, prior, planned types.Set, abandon bool) diag.Diagnostics {
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
		diags.AddAttributeError(path.Root("clusters"), "Cluster is not configured any more",
			fmt.Sprintf("The %s is on cluster %q, which the provider's configuration does not have: it has %s. Nothing can be read, changed or removed there.\n\n"+
				"Put the connection back under that name. When it has left that cluster (take it out of `clusters`, or destroy this resource, and apply), the connection can go.\n"+
				"If that cluster is gone for good, set abandon_unreachable = true and take it out of `clusters`: what was there is then forgotten. "+
				"If there is no other cluster, or if it only has another name by now, terraform state rm forgets the resource, which can be imported again.",
				what, name.ValueString(), quoted(names)))
	}
	return diags
}

func contains(set types.Set, element attr.Value) bool {
	return slices.ContainsFunc(set.Elements(), element.Equal)
}
