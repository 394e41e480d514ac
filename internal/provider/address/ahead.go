package address

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Ahead tells, at plan, what an apply of an address would meet on its clusters. It only
// adds diagnostics. What may be otherwise when the apply comes is a warning.
type Ahead struct {
	Session *session.Session
	Place   explain.Place
	Planned *Model
	Prior   *Model // nil: the address is made
	MayGoOn bool   // the apply goes on with the clusters on which it can be made
	Diags   *diag.Diagnostics
}

// Look asks the clusters.
func (a Ahead) Look(ctx context.Context) {
	m := a.Planned
	if a.Session == nil || !attrs.Known(m.ID) || !attrs.Known(m.DeploymentID) || !attrs.WhollyKnown(ctx, m.Traffic) || !attrs.WhollyKnown(ctx, m.Clusters) {
		return
	}
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	want, to := m.Service(ctx, &quiet), nameOf(m.DeploymentID)
	clusters := a.Session.Reachable(m.ClusterNames(ctx, &quiet))
	if quiet.HasError() || to == "" || len(clusters) == 0 {
		return
	}
	look, cancel := a.Session.Looking(ctx)
	defer cancel()
	pod := a.pod(look, clusters, want.Namespace, to)
	if pod != nil {
		want.Protocols = traffic.ProtocolsOf(pod)
		if a.checkPorts(want, pod); a.Diags.HasError() {
			return
		}
	}
	if route := m.Route(ctx, &quiet); route != nil {
		if a.lookAtRoute(look, clusters, *route, pod); a.Diags.HasError() {
			return
		}
	}
	if want.Adopt && pod != nil {
		a.tellUnresolved(look, clusters, want, pod)
	}
	if a.Prior == nil {
		if taken := a.tellWhatIsThere(look, clusters, want, to); taken {
			return
		}
	}
	a.ask(ctx, clusters, want, to)
}

// pod is one of the release's: as this run plans it, or else as a cluster has it; nil
// where neither does.
func (a Ahead) pod(ctx context.Context, clusters []rollout.Cluster, namespace, to string) *corev1.PodSpec {
	if planned := a.Session.Planned.Pod(a.Planned.DeploymentID.ValueString()); planned != nil {
		return planned
	}
	for _, o := range observe.Releases(ctx, clusters, release.ID{Namespace: namespace, Name: to}) {
		if o.Workload != nil {
			return &o.Workload.Spec.Template.Spec
		}
	}
	return nil
}

// checkPorts refuses what the promotion would refuse of the Service's ports.
func (a Ahead) checkPorts(want traffic.ServiceSpec, pod *corev1.PodSpec) {
	for _, fault := range want.PortFaults(pod) {
		a.Diags.AddAttributeError(a.Place.At(attrs.ServicePath.AtName("ports").AtMapKey(fault.Name)), "Port does not fit the deployment",
			fmt.Sprintf("The deployment %s cannot have this address: %s.", a.Planned.DeploymentID.ValueString(), fault.Reason))
	}
}

// tellUnresolved tells that an adopted Service has a port that leads nowhere in the
// release's pods. Its ports are somebody else's, who may change them before the apply.
func (a Ahead) tellUnresolved(ctx context.Context, clusters []rollout.Cluster, want traffic.ServiceSpec, pod *corev1.PodSpec) {
	for _, c := range clusters {
		svc, err := observe.AnyService(ctx, c, want.Namespace, want.Name)
		if err != nil || svc == nil {
			continue // it cannot be told, or is told elsewhere
		}
		if why := traffic.Unresolved(svc, pod); why != "" {
			a.Diags.AddAttributeWarning(a.Place.At(attrs.ServicePath.AtName("adopt")), "Adopted Service leads nowhere",
				fmt.Sprintf("The apply of this plan will be refused for the deployment %s. On cluster %q, %s.", a.Planned.DeploymentID.ValueString(), c.Name(), why))
		}
	}
}

// tellWhatIsThere tells of what an address that is to be made finds on its clusters: a
// Service that is somebody else's, one that is handed over, and a claim on the
// application. It says whether there is a Service of that name.
func (a Ahead) tellWhatIsThere(ctx context.Context, clusters []rollout.Cluster, want traffic.ServiceSpec, to string) (taken bool) {
	for _, o := range observe.Mains(ctx, clusters, want.Namespace, want.Application, want.Name) {
		if o.Err != nil {
			continue
		}
		if o.Main != nil {
			a.tellClaim(o, to)
		}
		i := slices.IndexFunc(clusters, func(c rollout.Cluster) bool { return c.Name() == o.Cluster })
		svc, err := observe.AnyService(ctx, clusters[i], want.Namespace, want.Name)
		if err != nil {
			continue
		}
		taken = taken || svc != nil
		if want.Adopt {
			a.tellAdoption(ctx, clusters[i], svc, want, to)
		} else if svc != nil {
			a.tellForeign(o.Cluster, svc, want)
		}
	}
	return taken
}

// tellClaim tells that the application has a main deployment already.
func (a Ahead) tellClaim(o observe.Main, to string) {
	id := a.Planned.ID.ValueString()
	switch release.DecidePointer(o.Main, release.PointerClaim{To: to}) {
	case release.PointerTakeOver:
		a.Diags.AddAttributeWarning(a.Place.Named("application"), "Main deployment is there already",
			fmt.Sprintf("On cluster %q, the address of %s is held by another claim, and leads to %s. The apply takes it over: whichever state holds it now can no longer change or remove it. "+
				"To take it into this state without that, import it: terraform import <address> %s", o.Cluster, id, release.OrNothing(o.Main.Deployment), id))
	case release.PointerRefuseOwned:
		summary, detail, _ := explain.Of(&release.MainOwnedError{Cluster: o.Cluster, ID: id, Deployment: o.Main.Deployment})
		a.Diags.AddAttributeWarning(a.Place.Named("application"), summary, "The apply of this plan will be refused. "+detail)
	case release.PointerFree, release.PointerOurs, release.PointerTakeBack, release.PointerRefuseStale:
	case release.PointerRefuseMember: // it may leave its group in this same apply
	}
}

// tellAdoption announces what becomes of a Service that is handed over.
func (a Ahead) tellAdoption(ctx context.Context, c rollout.Cluster, svc *corev1.Service, want traffic.ServiceSpec, to string) {
	at, cluster := a.Place.At(attrs.ServicePath.AtName("adopt")), c.Name()
	if unfit := unadoptable(ctx, c, svc, want); unfit != nil {
		summary, detail, _ := explain.Of(unfit)
		if unfit.Other == "" {
			a.Diags.AddAttributeError(at, summary, detail)
			return
		}
		a.Diags.AddAttributeWarning(at, summary, "Unless that application lets go of it in this same apply, the apply of this plan will be refused. "+detail)
		return
	}
	switch {
	case svc == nil:
		a.Diags.AddAttributeWarning(at, "Service to adopt is not there",
			fmt.Sprintf("Cluster %q has no Service %s/%s yet. Unless this same apply makes it first, the apply of this plan will be refused: correct `traffic.service.name`, or leave `adopt` out and let Switchback make the Service.",
				cluster, want.Namespace, want.Name))
	case !traffic.SelectsOurs(svc, want.Application) && len(svc.Spec.Selector) > 0:
		a.Diags.AddAttributeWarning(at, "Service will be adopted",
			fmt.Sprintf("On cluster %q, the Service %s/%s selects %s. The apply hands its spec.selector over, leads it to %s once that is ready, and changes nothing else of it. Destroying the main deployment gives the selector back.",
				cluster, want.Namespace, want.Name, labels.Set(svc.Spec.Selector), to))
	}
}

// unadoptable says why a Service cannot be handed over; nil where it can, is not there, or
// cannot be told about.
func unadoptable(ctx context.Context, c rollout.Cluster, svc *corev1.Service, want traffic.ServiceSpec) (unfit *release.AdoptionError) {
	if svc == nil || errors.As(release.Adoptable(c.Name(), svc, want.Application), &unfit) {
		return unfit
	}
	errors.As(observe.Unclaimed(ctx, c, svc, want.Application), &unfit)
	return unfit
}

// tellForeign tells of a Service that is somebody else's.
func (a Ahead) tellForeign(cluster string, svc *corev1.Service, want traffic.ServiceSpec) {
	foreign := release.Foreign(cluster, "Service", svc, want.Application)
	if foreign == nil {
		return
	}
	summary, detail, _ := explain.Of(foreign)
	a.Diags.AddAttributeWarning(a.Place.At(attrs.ServicePath), summary, "The apply of this plan will be refused, unless that is gone by then. "+detail)
}

// ask sends the Service that would be written, as a dry run, where it is another one
// than before. Of an adopted one only the selector is ours, and who has it is the
// apply's to say.
func (a Ahead) ask(ctx context.Context, clusters []rollout.Cluster, want traffic.ServiceSpec, to string) {
	if want.Adopt || !a.Session.Asks() {
		return
	}
	creates := a.Prior == nil
	if !creates {
		var quiet diag.Diagnostics
		was := a.Prior.Service(ctx, &quiet)
		was.Protocols = want.Protocols // they are the pods'
		if quiet.HasError() || was.Same(want) {
			return
		}
		creates = was.Name != want.Name
	}
	a.Session.Ask(ctx, clusters, session.Asking{
		What: "address", Objects: []rollout.Object{want.Object(to)}, Creates: creates, MayGoOn: a.MayGoOn,
		At: func(_ rollout.Object, field string) path.Path { return a.Place.At(attributeOf(field)) },
	}, a.Diags)
}

// serviceFields are the attributes that fields of the Service come from.
var serviceFields = []struct{ field, attribute string }{
	{"spec.ports", "ports"},
	{"spec.type", "type"},
	{"spec.sessionAffinity", "session_affinity"},
	{"spec.loadBalancerClass", "load_balancer_class"},
	{"spec.externalTrafficPolicy", "external_traffic_policy"},
	{"spec.loadBalancerSourceRanges", "load_balancer_source_ranges"},
	{"spec.ipFamilies", "ip_families"},
	{"spec.clusterIPs", "ip_families"},
	{"spec.ipFamilyPolicy", "ip_family_policy"},
	{"spec.trafficDistribution", "traffic_distribution"},
	{"metadata.annotations", "annotations"},
	{"metadata.name", "name"},
}

// attributeOf is where a field of the Service comes from.
func attributeOf(field string) path.Path {
	for _, known := range serviceFields {
		if strings.HasPrefix(field, known.field) {
			return attrs.ServicePath.AtName(known.attribute)
		}
	}
	return attrs.ServicePath
}
