package session

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

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
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

// Looked is an application on a cluster, as a read has found it.
type Looked struct {
	Cluster, Namespace, Application string
	Past                            release.Past
	OutOfDate                       bool // it is held by an older claim than the state's
}

func (l Looked) key() string { return l.Cluster + "/" + l.Namespace + "/" + l.Application }

// Keeper is the private state that something is to be kept in.
type Keeper interface {
	privateState
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// CompareSights tells, once in a run for each cluster, where a cluster is another
// one than was last seen, or older than that, and remembers what there is now.
func (s *Session) CompareSights(ctx context.Context, private Keeper, found []Looked, diags *diag.Diagnostics) {
	now := sightsIn(ctx, private, diags)
	for _, at := range found {
		uid, there, err := s.Clusters.Connection(at.Cluster).Namespace(ctx, at.Namespace)
		if err != nil {
			continue // the reads tell of it
		}
		before := now[at.key()]
		if before.Namespace != "" && (!there || uid != "" && uid != before.Namespace) && s.Told.First("another/"+at.Cluster) {
			diags.AddWarning("Cluster is another one than before", anotherCluster(at, before.Namespace, uid))
		}
		if at.OutOfDate || at.Past.OutOfDate(before.Last) {
			s.tellRestored(ctx, at, before.Last, diags)
		}
		now[at.key()] = sight{Namespace: cmp.Or(uid, before.Namespace), Last: at.Past.Last()}
	}
	s.keepSights(ctx, private, now, diags)
}

// sightsIn are those that private state has.
func sightsIn(ctx context.Context, private Keeper, diags *diag.Diagnostics) sights {
	was := sights{}
	text, more := private.GetKey(ctx, seenKey)
	diags.Append(more...)
	if text != nil && json.Unmarshal(text, &was) != nil {
		return sights{} // a later version's: nothing follows from it
	}
	return was
}

// keepSights remembers what there is, for the next read to compare with.
func (s *Session) keepSights(ctx context.Context, private Keeper, now sights, diags *diag.Diagnostics) {
	text, err := json.Marshal(now)
	if err != nil { // strings and times: cannot happen
		diags.AddError("What was seen cannot be remembered", explain.Sentence(err.Error()))
		return
	}
	diags.Append(private.SetKey(ctx, seenKey, text)...)
}

func anotherCluster(at Looked, was, is string) string {
	found, first := fmt.Sprintf("on cluster %q, the namespace %s is another one (its uid is %s) than when this state was last written (%s)", at.Cluster, at.Namespace, is, was), ""
	if is == "" {
		found, first = fmt.Sprintf("cluster %q has no namespace %s any more", at.Cluster, at.Namespace), " Create the namespace first; Switchback does not."
	}
	return explain.Sentence(found) + " So the cluster was rebuilt, or another one answers in its place, or the namespace was made anew. " +
		"If that is not meant, do not apply: correct the connection, and set expected_uid. " +
		"If it is, one apply makes what the plan shows, and takes up what it finds there." + first + " Former versions that were kept for going back are not there. " +
		"This is told once, for all resources on that cluster."
}

// tellRestored tells of a cluster that is older than the state, and of what is
// there of an application with an owner: what had gone since is back, and no
// resource that has forgotten it comes to remove it.
func (s *Session) tellRestored(ctx context.Context, at Looked, seen release.Sight, diags *diag.Diagnostics) {
	if s.Told.First("restored/" + at.Cluster) {
		why := fmt.Sprintf("the application %s/%s is held by an older claim than this state's, which took its place", at.Namespace, at.Application)
		if at.Past.OutOfDate(seen) {
			why = fmt.Sprintf("the history of the application %s/%s ends at %s, and this state knows of what was done there later, at %s",
				at.Namespace, at.Application, at.Past.Last().At.Format(time.RFC3339), seen.At.Format(time.RFC3339))
		}
		diags.AddWarning("Cluster was restored from a backup", fmt.Sprintf("On cluster %q, %s. "+
			"So what is remembered there is older than this state. The plan goes by what is there now: it shows what is missing, where each address leads, and in `drift` what an older claim holds. "+
			"One apply brings all of it to the configuration. A release that has the traffic keeps its pods until the traffic has moved. "+
			"This is told once, for all resources on that cluster.", at.Cluster, why))
	}
	if !s.Told.First("back/" + at.key()) {
		return
	}
	owned := map[string]bool{} // whether it may have a preview
	for _, survey := range observe.Surveys(ctx, s.Reachable([]string{at.Cluster}), at.Namespace, at.Application) {
		for _, one := range survey.Releases {
			if one.Record.Custody == release.CustodyOwned {
				owned[one.ID.Name] = one.Record.Expects(release.CompanionPreview)
			}
		}
	}
	if len(owned) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(owned))
	var remove strings.Builder
	for _, name := range names {
		fmt.Fprintf(&remove, "\n  kubectl --namespace %s delete %s", at.Namespace, rollout.ByHand(name, owned[name]))
	}
	diags.AddWarning("Deployments are back from a backup", fmt.Sprintf("On cluster %q, these deployments of the application %s/%s belong to a Terraform state, as the backup has it: %s. "+
		"Switchback cannot see whether that state still has them. One that no state has any more runs on, and no apply removes it, unless its version is asked for again, which takes it up. "+
		"When it has no traffic any more, remove it:%s", at.Cluster, at.Namespace, at.Application, strings.Join(names, ", "), remove.String()))
}

// Remember keeps the sights after a write: what the run's watch has of the
// histories, and the namespaces that were asked for before it.
func (s *Session) Remember(ctx context.Context, private Keeper, names []string, namespace, application string, diags *diag.Diagnostics) {
	s.RememberAll(ctx, private, map[string][]string{attrs.MainID(namespace, application): names}, diags)
}

// RememberAll is remember for several applications: names of clusters, by
// namespace and application.
func (s *Session) RememberAll(ctx context.Context, private Keeper, all map[string][]string, diags *diag.Diagnostics) {
	now := sightsIn(ctx, private, diags)
	for _, at := range slices.Sorted(maps.Keys(all)) {
		id, err := release.ParseID(at)
		if err != nil {
			continue
		}
		for _, o := range observe.Pasts(ctx, s.Reachable(all[at]), id.Namespace, id.Name) {
			uid, _, err := s.Clusters.Connection(o.Cluster).Namespace(ctx, id.Namespace)
			if err != nil || o.Err != nil {
				continue // the next read sees it
			}
			now[Looked{Cluster: o.Cluster, Namespace: id.Namespace, Application: id.Name}.key()] = sight{Namespace: uid, Last: o.Past.Last()}
		}
	}
	s.keepSights(ctx, private, now, diags)
}
