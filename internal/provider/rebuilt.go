package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// What a state remembers of its clusters, beside what is there: which ones they
// were, and how far their history went. By that, a cluster that was rebuilt or
// restored is told from one on which somebody has removed or moved something.

// seenKey is what every read and write leaves in private state: sights, in JSON.
const seenKey = "seen"

// sight is an application as it was last seen on a cluster.
type sight struct {
	Namespace string        `json:"namespace,omitempty"` // its uid; empty: it could not be read
	Last      release.Sight `json:"last,omitzero"`       // of the application's history
}

// sights are by cluster, namespace and application.
type sights map[string]sight

// looked is an application on a cluster, as a read has found it.
type looked struct {
	cluster, namespace, application string
	past                            release.Past
	outOfDate                       bool // it is held by an older claim than the state's
}

func (l looked) key() string { return l.cluster + "/" + l.namespace + "/" + l.application }

// keeper is the private state that something is to be kept in.
type keeper interface {
	privateState
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// compareSights tells, once in a run for each cluster, where a cluster is another
// one than was last seen, or older than that, and remembers what there is now.
func (s *session) compareSights(ctx context.Context, private keeper, found []looked, diags *diag.Diagnostics) {
	now := sightsIn(ctx, private, diags)
	for _, at := range found {
		uid, there, err := s.clusters.Connection(at.cluster).Namespace(ctx, at.namespace)
		if err != nil {
			continue // the reads tell of it
		}
		before := now[at.key()]
		if before.Namespace != "" && (!there || uid != "" && uid != before.Namespace) && s.told.first("another/"+at.cluster) {
			diags.AddWarning("Cluster is another one than before", anotherCluster(at, before.Namespace, uid))
		}
		if at.outOfDate || at.past.OutOfDate(before.Last) {
			s.tellRestored(ctx, at, before.Last, diags)
		}
		now[at.key()] = sight{Namespace: cmp.Or(uid, before.Namespace), Last: at.past.Last()}
	}
	s.keepSights(ctx, private, now, diags)
}

// sightsIn are those that private state has.
func sightsIn(ctx context.Context, private keeper, diags *diag.Diagnostics) sights {
	was := sights{}
	text, more := private.GetKey(ctx, seenKey)
	diags.Append(more...)
	if text != nil && json.Unmarshal(text, &was) != nil {
		return sights{} // a later version's: nothing follows from it
	}
	return was
}

// keepSights remembers what there is, for the next read to compare with.
func (s *session) keepSights(ctx context.Context, private keeper, now sights, diags *diag.Diagnostics) {
	text, err := json.Marshal(now)
	if err != nil { // strings and times: cannot happen
		diags.AddError("What was seen cannot be remembered", sentence(err.Error()))
		return
	}
	diags.Append(private.SetKey(ctx, seenKey, text)...)
}

func anotherCluster(at looked, was, is string) string {
	found, first := fmt.Sprintf("on cluster %q, the namespace %s is another one (its uid is %s) than when this state was last written (%s)", at.cluster, at.namespace, is, was), ""
	if is == "" {
		found, first = fmt.Sprintf("cluster %q has no namespace %s any more", at.cluster, at.namespace), " Create the namespace first; Switchback does not."
	}
	return sentence(found) + " So the cluster was rebuilt, or another one answers in its place, or the namespace was made anew. " +
		"If that is not meant, do not apply: correct the connection, and set expected_uid. " +
		"If it is, one apply makes what the plan shows, and takes up what it finds there." + first + " Former versions that were kept for going back are not there. " +
		"This is told once, for all resources on that cluster."
}

// tellRestored tells of a cluster that is older than the state, and of what is
// there of an application with an owner: what had gone since is back, and no
// resource that has forgotten it comes to remove it.
func (s *session) tellRestored(ctx context.Context, at looked, seen release.Sight, diags *diag.Diagnostics) {
	if s.told.first("restored/" + at.cluster) {
		why := fmt.Sprintf("the application %s/%s is held by an older claim than this state's, which took its place", at.namespace, at.application)
		if at.past.OutOfDate(seen) {
			why = fmt.Sprintf("the history of the application %s/%s ends at %s, and this state knows of what was done there later, at %s",
				at.namespace, at.application, at.past.Last().At.Format(time.RFC3339), seen.At.Format(time.RFC3339))
		}
		diags.AddWarning("Cluster was restored from a backup", fmt.Sprintf("On cluster %q, %s. "+
			"So what is remembered there is older than this state. The plan goes by what is there now: it shows what is missing, where each address leads, and in `drift` what an older claim holds. "+
			"One apply brings all of it to the configuration. A release that has the traffic keeps its pods until the traffic has moved. "+
			"This is told once, for all resources on that cluster.", at.cluster, why))
	}
	if !s.told.first("back/" + at.key()) {
		return
	}
	var owned []string
	for _, survey := range s.engine.Survey(ctx, s.reachable([]string{at.cluster}), at.namespace, at.application) {
		for _, one := range survey.Releases {
			if one.Record.Custody == release.CustodyOwned {
				owned = append(owned, one.ID.Name)
			}
		}
	}
	if len(owned) == 0 {
		return
	}
	slices.Sort(owned)
	var remove strings.Builder
	for _, name := range owned {
		fmt.Fprintf(&remove, "\n  kubectl --namespace %s delete %s", at.namespace, rollout.ByHand(name))
	}
	diags.AddWarning("Deployments are back from a backup", fmt.Sprintf("On cluster %q, these deployments of the application %s/%s belong to a Terraform state, as the backup has it: %s. "+
		"Switchback cannot see whether that state still has them. One that no state has any more runs on, and no apply removes it, unless its version is asked for again, which takes it up. "+
		"When it has no traffic any more, remove it:%s", at.cluster, at.namespace, at.application, strings.Join(owned, ", "), remove.String()))
}

// remember keeps the sights after a write: what the run's watch has of the
// histories, and the namespaces that were asked for before it.
func (s *session) remember(ctx context.Context, private keeper, names []string, namespace, application string, diags *diag.Diagnostics) {
	s.rememberAll(ctx, private, map[string][]string{mainID(namespace, application): names}, diags)
}

// rememberAll is remember for several applications: names of clusters, by
// namespace and application.
func (s *session) rememberAll(ctx context.Context, private keeper, all map[string][]string, diags *diag.Diagnostics) {
	now := sightsIn(ctx, private, diags)
	for _, at := range slices.Sorted(maps.Keys(all)) {
		id, err := release.ParseID(at)
		if err != nil {
			continue
		}
		for _, o := range s.engine.Pasts(ctx, s.reachable(all[at]), id.Namespace, id.Name) {
			uid, _, err := s.clusters.Connection(o.Cluster).Namespace(ctx, id.Namespace)
			if err != nil || o.Err != nil {
				continue // the next read sees it
			}
			now[looked{cluster: o.Cluster, namespace: id.Namespace, application: id.Name}.key()] = sight{Namespace: uid, Last: o.Past.Last()}
		}
	}
	s.keepSights(ctx, private, now, diags)
}

// lookedAt are the clusters on which a deployment could be read.
func (m *deploymentModel) lookedAt(observed []rollout.Observed) []looked {
	var found []looked
	for _, o := range observed {
		if o.Err == nil {
			found = append(found, looked{
				cluster: o.Cluster, namespace: m.Namespace.ValueString(), application: m.Application.ValueString(),
				past: o.Past, outOfDate: o.Record.OutOfDate(m.Owner.ValueString()),
			})
		}
	}
	return found
}

// lookedAt are the clusters on which an address could be read.
func (m *mainDeploymentModel) lookedAt(observed []rollout.ObservedMain) []looked {
	var found []looked
	for _, o := range observed {
		if o.Err == nil {
			found = append(found, looked{
				cluster: o.Cluster, namespace: m.Namespace.ValueString(), application: m.Application.ValueString(),
				past: o.Past, outOfDate: o.Main.OutOfDate(m.Owner.ValueString()),
			})
		}
	}
	return found
}

// takenBack is the drift of what is held by an older claim than the state's.
func takenBack(cluster, object string) driftModel {
	return driftModel{
		Cluster: types.StringValue(cluster), Object: types.StringValue(object),
		Expected: types.StringValue("held by this state's claim"), Actual: types.StringValue("held by an older claim"),
		Manager: types.StringValue("a backup; manager not recorded"),
	}
}
