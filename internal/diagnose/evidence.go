package diagnose

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Subject is whose health is asked for: a Deployment, ours or not, or the pods
// that a selector selects.
type Subject struct {
	Namespace string
	Workload  string // a Deployment's name; empty: Selector says which pods
	Selector  string // of pods; with Workload, where its own is known before: then nothing waits for it to be read
}

// Unread is what would have explained more, but could not be read.
type Unread struct {
	Resource string // in the API's words: "events"
	Err      error
}

// Gather reads live everything that a verdict can be made of, at once. Only the
// workload must be readable; of the rest, what is forbidden or fails is named.
func Gather(ctx context.Context, c Cluster, s Subject) (health.Input, []Unread, error) {
	g := &gathering{ctx: ctx, cluster: c, subject: s, selector: s.Selector}
	var failed error
	find := func() { failed = g.find() }
	switch {
	case s.Workload == "":
		find = func() {}
	case s.Selector == "":
		if find(); failed != nil {
			return health.Input{}, nil, failed
		}
		g.selector = metav1.FormatLabelSelector(g.in.Workload.Spec.Selector)
		find = func() {}
	}
	if g.read(find); failed != nil {
		return health.Input{}, nil, failed
	}
	g.in.Now = c.Now()
	return g.in, g.unread, nil
}

// find reads the workload.
func (g *gathering) find() error {
	d := &appsv1.Deployment{}
	if err := g.cluster.Get(g.ctx, g.subject.Namespace, g.subject.Workload, d); err != nil {
		return err
	}
	g.in.Workload, g.in.WantReplicas, g.in.Generation = d, 1, d.Generation
	if n := d.Spec.Replicas; n != nil {
		g.in.WantReplicas = *n
	}
	return nil
}

// gathering is one call of Gather under way.
type gathering struct {
	ctx      context.Context //nolint:containedctx // it lives as long as the call
	cluster  Cluster
	subject  Subject
	selector string

	in health.Input

	mu     sync.Mutex
	unread []Unread
}

// read lists everything, beside what finds the workload, and keeps what has to do with
// that. A namespace may be full of strangers' objects.
func (g *gathering) read(find func()) {
	var (
		events      []*corev1.Event
		endpoints   []*discoveryv1.EndpointSlice
		autoscalers []*autoscalingv2.HorizontalPodAutoscaler
		budgets     []*policyv1.PodDisruptionBudget
		routes      []*gatewayv1.HTTPRoute
	)
	in, around := &g.in, &g.in.Around
	var wg sync.WaitGroup
	for _, list := range []func(){
		find,
		func() { in.Pods = listed[corev1.Pod](g, "pods", g.selector, &corev1.PodList{}) },
		func() {
			in.ReplicaSets = listed[appsv1.ReplicaSet](g, "replicasets", g.selector, &appsv1.ReplicaSetList{})
		},
		func() { events = listed[corev1.Event](g, "events", "", &corev1.EventList{}) },
		func() {
			around.Claims = listed[corev1.PersistentVolumeClaim](g, "persistentvolumeclaims", "", &corev1.PersistentVolumeClaimList{})
		},
		func() {
			around.Quotas = listed[corev1.ResourceQuota](g, "resourcequotas", "", &corev1.ResourceQuotaList{})
		},
		func() {
			around.LimitRanges = listed[corev1.LimitRange](g, "limitranges", "", &corev1.LimitRangeList{})
		},
		func() {
			around.ServiceAccounts = listed[corev1.ServiceAccount](g, "serviceaccounts", "", &corev1.ServiceAccountList{})
		},
		// What follows a failure asks live who selects its pods. An API server that
		// was asked for the same kind less than 100 ms ago lets that wait.
		// https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/2340-Consistent-reads-from-cache
		func() {
			around.Services = listedBy[corev1.Service](g, g.cluster.Recent, "services", "", &corev1.ServiceList{})
		},
		func() {
			endpoints = listed[discoveryv1.EndpointSlice](g, "endpointslices.discovery.k8s.io", "", &discoveryv1.EndpointSliceList{})
		},
		func() {
			autoscalers = listed[autoscalingv2.HorizontalPodAutoscaler](g, "horizontalpodautoscalers.autoscaling", "", &autoscalingv2.HorizontalPodAutoscalerList{})
		},
		func() {
			budgets = listed[policyv1.PodDisruptionBudget](g, "poddisruptionbudgets.policy", "", &policyv1.PodDisruptionBudgetList{})
		},
		func() {
			routes = listed[gatewayv1.HTTPRoute](g, "httproutes.gateway.networking.k8s.io", "", &gatewayv1.HTTPRouteList{})
		},
	} {
		wg.Go(list)
	}
	wg.Wait()

	around.Claims = slices.DeleteFunc(around.Claims, func(c *corev1.PersistentVolumeClaim) bool { return !g.mounts(c.Name) })
	around.ServiceAccounts = slices.DeleteFunc(around.ServiceAccounts, func(a *corev1.ServiceAccount) bool { return !g.runsAs(a.Name) })
	around.Services = slices.DeleteFunc(around.Services, func(s *corev1.Service) bool { return !g.reachedBy(s) })
	around.Endpoints = slices.DeleteFunc(endpoints, func(e *discoveryv1.EndpointSlice) bool {
		return !named(around.Services, e.Labels[discoveryv1.LabelServiceName])
	})
	around.Routes = slices.DeleteFunc(routes, func(r *gatewayv1.HTTPRoute) bool { return !leadsTo(r, around.Services) })
	for _, a := range autoscalers {
		if target := a.Spec.ScaleTargetRef; in.Workload != nil && target.Kind == "Deployment" && target.Name == in.Workload.Name {
			around.Autoscaler = a
		}
	}
	for _, b := range budgets {
		if selects(b.Spec.Selector, g.podLabels()) {
			around.Disruption = b
		}
	}
	concerned := g.uids()
	in.Events = slices.DeleteFunc(events, func(e *corev1.Event) bool {
		ofPod := e.InvolvedObject.Kind == "Pod" && in.Workload != nil && strings.HasPrefix(e.InvolvedObject.Name, in.Workload.Name+"-") // one that is gone
		return !concerned[e.InvolvedObject.UID] && !ofPod
	})
	slices.SortFunc(g.unread, func(a, b Unread) int { return strings.Compare(a.Resource, b.Resource) })
}

// listed are the namespace's objects of one kind. A kind that the cluster does
// not have has none.
func listed[T any](g *gathering, resource, selector string, into runtime.Object) []*T {
	return listedBy[T](g, g.cluster.List, resource, selector, into)
}

func listedBy[T any](g *gathering, list func(ctx context.Context, namespace, selector string, into runtime.Object) error, resource, selector string, into runtime.Object) []*T {
	err := list(g.ctx, g.subject.Namespace, selector, into)
	var all []*T
	if err == nil {
		err = meta.EachListItem(into, func(o runtime.Object) error {
			all = append(all, any(o).(*T))
			return nil
		})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.unread = append(g.unread, Unread{resource, err})
	}
	return all
}

// podSpecs are those of the workload's template and of its pods.
func (g *gathering) podSpecs() []corev1.PodSpec {
	var specs []corev1.PodSpec
	if g.in.Workload != nil {
		specs = append(specs, g.in.Workload.Spec.Template.Spec)
	}
	for _, pod := range g.in.Pods {
		specs = append(specs, pod.Spec)
	}
	return specs
}

func (g *gathering) podLabels() map[string]string {
	switch {
	case g.in.Workload != nil:
		return g.in.Workload.Spec.Template.Labels
	case len(g.in.Pods) > 0:
		return g.in.Pods[0].Labels
	}
	return nil
}

func (g *gathering) mounts(claim string) bool {
	own := slices.ContainsFunc(g.in.Pods, func(pod *corev1.Pod) bool { // a claim that is made for one pod
		return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Ephemeral != nil && pod.Name+"-"+v.Name == claim })
	})
	return own || slices.ContainsFunc(g.podSpecs(), func(spec corev1.PodSpec) bool {
		return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
			return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim
		})
	})
}

func (g *gathering) runsAs(account string) bool {
	return slices.ContainsFunc(g.podSpecs(), func(spec corev1.PodSpec) bool { return cmp.Or(spec.ServiceAccountName, "default") == account })
}

// reachedBy says that a Service leads to the pods, or is meant to: it is named
// or labelled as they are.
func (g *gathering) reachedBy(s *corev1.Service) bool {
	pods := g.podLabels()
	if len(s.Spec.Selector) > 0 && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pods)) {
		return true
	}
	if ours := s.Labels[release.LabelDeployment]; ours != "" && ours == pods[release.LabelDeployment] {
		return true
	}
	return g.in.Workload != nil && s.Name == g.in.Workload.Name
}

func named(services []*corev1.Service, name string) bool {
	return slices.ContainsFunc(services, func(s *corev1.Service) bool { return s.Name == name })
}

func leadsTo(route *gatewayv1.HTTPRoute, services []*corev1.Service) bool {
	return slices.ContainsFunc(route.Spec.Rules, func(rule gatewayv1.HTTPRouteRule) bool {
		return slices.ContainsFunc(rule.BackendRefs, func(ref gatewayv1.HTTPBackendRef) bool { return named(services, string(ref.Name)) })
	})
}

func selects(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && len(set) > 0 && parsed.Matches(labels.Set(set))
}

// uids are those of everything that was gathered.
func (g *gathering) uids() map[types.UID]bool {
	uids := map[types.UID]bool{}
	if g.in.Workload != nil {
		uids[g.in.Workload.UID] = true
	}
	addUIDs(uids, g.in.ReplicaSets)
	addUIDs(uids, g.in.Pods)
	addUIDs(uids, g.in.Around.Claims)
	addUIDs(uids, g.in.Around.Services)
	addUIDs(uids, g.in.Around.Routes)
	if a := g.in.Around.Autoscaler; a != nil {
		uids[a.UID] = true
	}
	if b := g.in.Around.Disruption; b != nil {
		uids[b.UID] = true
	}
	return uids
}

func addUIDs[T metav1.Object](to map[types.UID]bool, objects []T) {
	for _, o := range objects {
		to[o.GetUID()] = true
	}
}
