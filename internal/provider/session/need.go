package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// What each operation needs to be allowed to do by itself.
var (
	deployFeatures    = []cluster.Feature{cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeatureLock, cluster.FeatureDiagnose, cluster.FeatureTell}
	terminateFeatures = []cluster.Feature{cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeatureTerminate, cluster.FeatureLock, cluster.FeatureTell}

	// promoteFeatures are for moving traffic, which also removes what only waited
	// for that.
	promoteFeatures = []cluster.Feature{
		cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeaturePromote, cluster.FeatureTerminate, cluster.FeatureLock, cluster.FeatureTell,
	}
)

// laterFeatures are for what comes after a deployment: its promotion, what that
// collects, and its end.
var laterFeatures = []cluster.Feature{cluster.FeaturePromote, cluster.FeatureTerminate}

// companionFeatures are for the objects that only some deployments have.
var companionFeatures = map[release.Companion]cluster.Feature{
	release.CompanionAutoscaler:       cluster.FeatureAutoscale,
	release.CompanionDisruptionBudget: cluster.FeatureDisrupt,
	release.CompanionFiles:            cluster.FeatureDeploy, // a ConfigMap, as its record is
	release.CompanionPreview:          cluster.FeatureHTTPRoute,
}

// withCompanions adds what the companions need that one of the releases asks for.
func withCompanions(features []cluster.Feature, specs ...release.Spec) []cluster.Feature {
	all := slices.Clone(features)
	for _, spec := range specs {
		for _, companion := range spec.Companions() {
			all = append(all, companionFeatures[companion])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// promoteFeaturesFor adds what an adopted address takes: to see whether it can
// be handed back.
func promoteFeaturesFor(service traffic.ServiceSpec) []cluster.Feature {
	if service.Adopt {
		return append(slices.Clone(promoteFeatures), cluster.FeatureAdopt)
	}
	return promoteFeatures
}

// Need is what must be allowed in a namespace before the first write there. A
// resource does not see the others of its run. So it also asks for what these will
// need, as far as it can be known: from its own configuration, and from what the
// application has in the cluster.
type Need struct {
	namespace string
	features  []cluster.Feature

	application string // what it has counts, too; empty: not known
	release     string // only what this one has counts; empty: all that the application has
	later       bool   // a deployment is made, which others of the run will promote, collect and end
	ends        bool   // the release goes: where it is main, another one is to be promoted
	withdraws   bool   // the application's address goes, and its name across clusters with it
}

// ToDeploy is for making or changing a deployment, whose specs are before and after.
func ToDeploy(specs ...release.Spec) Need {
	return Need{
		namespace: specs[0].Namespace, application: specs[0].Content.Application,
		features: withCompanions(deployFeatures, specs...), later: true,
	}
}

// ToTerminate is for taking a deployment away.
func ToTerminate(id release.ID, spec release.Spec) Need {
	return Need{
		namespace: id.Namespace, application: spec.Content.Application, release: id.Name,
		features: withCompanions(terminateFeatures, spec), ends: true,
	}
}

// ToAct is for an action on one deployment.
func ToAct(id release.ID) Need {
	application, _ := release.ApplicationOf(id.Name)
	return Need{namespace: id.Namespace, application: application, release: id.Name, features: deployFeatures}
}

// ToAsk is for asking whoever promotes for something, beside the pointer of an
// application.
func ToAsk(namespace string) Need {
	return Need{namespace: namespace, features: []cluster.Feature{cluster.FeatureRefresh, cluster.FeatureDeploy}}
}

// ToLock is for changing what is remembered of an application's promotion, under its Lease.
func ToLock(namespace string) Need {
	return Need{namespace: namespace, features: []cluster.Feature{cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeatureLock}}
}

// Before is n where another deployment takes the place of the one that goes: it is
// made after that, and has such companions.
func (n Need) Before(planned []release.Companion) Need {
	n.later, n.features = true, slices.Clone(n.features)
	for _, companion := range planned {
		n.features = append(n.features, companionFeatures[companion])
	}
	return n
}

// ToPromote is for moving the traffic of an application, or for taking its address
// away. named says that the address has a name across clusters, before or after.
func ToPromote(service traffic.ServiceSpec, named bool) Need {
	features := promoteFeaturesFor(service)
	if named {
		features = append(slices.Clone(features), cluster.FeatureDNS)
	}
	return Need{namespace: service.Namespace, application: service.Application, features: features}
}

// routeFeatures are what an address's route takes.
var routeFeatures = map[traffic.RouteKind]cluster.Feature{
	traffic.HTTPRoute: cluster.FeatureHTTPRoute, traffic.GRPCRoute: cluster.FeatureGRPCRoute, traffic.TCPRoute: cluster.FeatureTCPRoute,
}

// adoptedFeatures are what a route takes of which a rule is adopted.
var adoptedFeatures = map[traffic.RouteKind]cluster.Feature{
	traffic.HTTPRoute: cluster.FeatureAdoptHTTPRoute, traffic.GRPCRoute: cluster.FeatureAdoptGRPCRoute, traffic.TCPRoute: cluster.FeatureAdoptTCPRoute,
}

// And adds the route of an address; nil where it has none.
func (n Need) And(route *traffic.RouteSpec) Need {
	switch {
	case route == nil:
	case route.Adopt:
		n.features = append(slices.Clone(n.features), adoptedFeatures[route.Kind])
	default:
		n.features = append(slices.Clone(n.features), routeFeatures[route.Kind])
	}
	return n
}

// ToWithdraw is for taking an application's address away.
func ToWithdraw(service traffic.ServiceSpec, named bool) Need {
	n := ToPromote(service, named)
	n.withdraws = true
	return n
}

// with adds what the application has. What is beside is for whoever may do some of
// it: a name is made and removed by the main deployment, which may be somebody
// else's, and what a name in DNS takes is more than its deployments should have to
// be given.
func (n Need) with(has release.Holdings) (needed, beside []cluster.Feature) {
	needed = slices.Clone(n.features)
	only := n.release
	if n.follows(has) {
		only, needed = "", append(needed, laterFeatures...)
		if has.Adopted() {
			needed = append(needed, cluster.FeatureAdopt)
		}
		if has.Named() {
			beside = append(beside, cluster.FeatureDNS)
		}
	}
	if n.withdraws && has.Named() {
		needed = append(needed, cluster.FeatureDNS)
	}
	for _, companion := range release.Companions() {
		if has.Having(companion, only) != "" {
			needed = append(needed, companionFeatures[companion])
		}
	}
	slices.Sort(needed)
	return slices.Compact(needed), beside
}

// follows says that a promotion is to come: of a deployment that is made or
// replaced, and of another one where the main deployment goes.
func (n Need) follows(has release.Holdings) bool {
	return n.later || n.ends && has.Main(n.release)
}

// why explains what is asked for although the resource itself does not need it.
func (n Need) why(gaps []cluster.Gap, has release.Holdings) string {
	lacks := func(f cluster.Feature) bool {
		return !slices.Contains(n.features, f) && slices.ContainsFunc(gaps, func(g cluster.Gap) bool { return g.Feature == f })
	}
	var later, notes []string
	for _, f := range append(slices.Clone(laterFeatures), cluster.FeatureAdopt, cluster.FeatureDNS) {
		if n.follows(has) && lacks(f) {
			later = append(later, string(f))
		}
	}
	if len(later) > 0 {
		notes = append(notes, fmt.Sprintf("What comes after this step (%s) is asked for now, so that a run does not stop halfway: "+
			"a deployment is promoted, what it replaces is collected, and it ends some day.", strings.Join(later, ", ")))
	}
	for _, companion := range release.Companions() {
		if f := companionFeatures[companion]; lacks(f) {
			notes = append(notes, fmt.Sprintf("The deployment %s/%s has a %s, which this run may have to change or remove (%s).", n.namespace, has.Having(companion, ""), companion, f))
		}
	}
	return strings.Join(notes, "\n")
}

// permitted makes sure that a cluster allows what is needed.
func (s *Session) permitted(ctx context.Context, c rollout.Cluster, n Need) error {
	var has release.Holdings
	if n.application != "" {
		var err error
		if has, err = observe.Holdings(ctx, c, n.namespace, n.application); err != nil && !apierrors.IsForbidden(err) {
			return err
		}
	}
	needed, beside := n.with(has)
	_, err := s.Clusters.Connection(c.Name()).Preflight(ctx, n.namespace, needed, beside...)
	var missing *cluster.MissingPermissionsError
	if errors.As(err, &missing) && missing.Note == "" {
		told := *missing // others may have been given the same one
		told.Note = n.why(missing.Gaps, has)
		return &told
	}
	return err
}
