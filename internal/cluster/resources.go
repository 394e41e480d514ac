package cluster

import (
	"fmt"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1alpha2 "sigs.k8s.io/gateway-api/apis/v1alpha2"

	"github.com/switchback-dev/terraform-provider-switchback/internal/externaldns"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Object is any Kubernetes object of the typed API.
type Object = release.Object

// resource is where a kind lives in the API.
type resource struct {
	gv     schema.GroupVersion
	kind   string
	plural string
	list   reflect.Type // *corev1.PodList's element type
}

// The kinds we use, by Go type. A table instead of discovery: no request, and
// nothing to go stale. Lists are found by their own type.
var (
	scheme         = runtime.NewScheme()
	codecs         = serializer.NewCodecFactory(scheme).WithoutConversion()
	parameterCodec = runtime.NewParameterCodec(scheme)
	resources      = map[reflect.Type]resource{}
)

// gatewayVersion is where the Gateway API serves its routes: custom resources.
// TCPRoutes were there only as gatewayAlpha before its release 1.6.
var (
	gatewayVersion = schema.GroupVersion(gatewayv1.GroupVersion)
	gatewayAlpha   = schema.GroupVersion(gatewayv1alpha2.GroupVersion)
)

// custom says that a group's kinds are custom resources, which are JSON only.
func custom(gv schema.GroupVersion) bool {
	return gv == externaldns.GroupVersion || gv == gatewayVersion || gv == gatewayAlpha
}

func init() {
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, discoveryv1.AddToScheme, coordinationv1.AddToScheme,
		eventsv1.AddToScheme, autoscalingv2.AddToScheme, policyv1.AddToScheme, authorizationv1.AddToScheme, authenticationv1.AddToScheme,
		externaldns.AddToScheme, gatewayv1.Install, gatewayv1alpha2.Install, networkingv1.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	register(corev1.SchemeGroupVersion, "ConfigMap", "configmaps", &corev1.ConfigMap{}, &corev1.ConfigMapList{})
	register(corev1.SchemeGroupVersion, "Event", "events", &corev1.Event{}, &corev1.EventList{})
	register(corev1.SchemeGroupVersion, "LimitRange", "limitranges", &corev1.LimitRange{}, &corev1.LimitRangeList{})
	register(corev1.SchemeGroupVersion, "Namespace", "namespaces", &corev1.Namespace{}, &corev1.NamespaceList{})
	register(corev1.SchemeGroupVersion, "PersistentVolumeClaim", "persistentvolumeclaims", &corev1.PersistentVolumeClaim{}, &corev1.PersistentVolumeClaimList{})
	register(corev1.SchemeGroupVersion, "Pod", "pods", &corev1.Pod{}, &corev1.PodList{})
	register(corev1.SchemeGroupVersion, "ResourceQuota", "resourcequotas", &corev1.ResourceQuota{}, &corev1.ResourceQuotaList{})
	register(corev1.SchemeGroupVersion, "Service", "services", &corev1.Service{}, &corev1.ServiceList{})
	register(corev1.SchemeGroupVersion, "ServiceAccount", "serviceaccounts", &corev1.ServiceAccount{}, &corev1.ServiceAccountList{})
	register(appsv1.SchemeGroupVersion, "Deployment", "deployments", &appsv1.Deployment{}, &appsv1.DeploymentList{})
	register(appsv1.SchemeGroupVersion, "ReplicaSet", "replicasets", &appsv1.ReplicaSet{}, &appsv1.ReplicaSetList{})
	register(discoveryv1.SchemeGroupVersion, "EndpointSlice", "endpointslices", &discoveryv1.EndpointSlice{}, &discoveryv1.EndpointSliceList{})
	register(coordinationv1.SchemeGroupVersion, "Lease", "leases", &coordinationv1.Lease{}, &coordinationv1.LeaseList{})
	register(eventsv1.SchemeGroupVersion, "Event", "events", &eventsv1.Event{}, &eventsv1.EventList{})
	register(autoscalingv2.SchemeGroupVersion, "HorizontalPodAutoscaler", "horizontalpodautoscalers", &autoscalingv2.HorizontalPodAutoscaler{}, &autoscalingv2.HorizontalPodAutoscalerList{})
	register(policyv1.SchemeGroupVersion, "PodDisruptionBudget", "poddisruptionbudgets", &policyv1.PodDisruptionBudget{}, &policyv1.PodDisruptionBudgetList{})
	register(authorizationv1.SchemeGroupVersion, "SelfSubjectAccessReview", "selfsubjectaccessreviews", &authorizationv1.SelfSubjectAccessReview{}, nil)
	register(authorizationv1.SchemeGroupVersion, "SelfSubjectRulesReview", "selfsubjectrulesreviews", &authorizationv1.SelfSubjectRulesReview{}, nil)
	register(authenticationv1.SchemeGroupVersion, "SelfSubjectReview", "selfsubjectreviews", &authenticationv1.SelfSubjectReview{}, nil)
	register(networkingv1.SchemeGroupVersion, "Ingress", "ingresses", &networkingv1.Ingress{}, &networkingv1.IngressList{})
	register(gatewayVersion, "Gateway", "gateways", &gatewayv1.Gateway{}, &gatewayv1.GatewayList{})
	register(gatewayVersion, "GatewayClass", "gatewayclasses", &gatewayv1.GatewayClass{}, &gatewayv1.GatewayClassList{})
	register(gatewayVersion, "Gateway", "gateways", &gatewayv1.Gateway{}, &gatewayv1.GatewayList{})
	register(gatewayVersion, "HTTPRoute", "httproutes", &gatewayv1.HTTPRoute{}, &gatewayv1.HTTPRouteList{})
	register(gatewayVersion, "GRPCRoute", "grpcroutes", &gatewayv1.GRPCRoute{}, &gatewayv1.GRPCRouteList{})
	register(gatewayVersion, "TCPRoute", "tcproutes", &gatewayv1.TCPRoute{}, &gatewayv1.TCPRouteList{})
	register(gatewayAlpha, "TCPRoute", "tcproutes", &gatewayv1alpha2.TCPRoute{}, &gatewayv1alpha2.TCPRouteList{})
	register(externaldns.GroupVersion, externaldns.Kind, externaldns.Plural, &externaldns.DNSEndpoint{}, &externaldns.DNSEndpointList{})
}

func register(gv schema.GroupVersion, kind, plural string, object, list runtime.Object) {
	r := resource{gv: gv, kind: kind, plural: plural}
	if list != nil {
		r.list = reflect.TypeOf(list).Elem()
		resources[reflect.TypeOf(list)] = r
	}
	resources[reflect.TypeOf(object)] = r
}

func resourceOf(obj runtime.Object) (resource, error) {
	r, ok := resources[reflect.TypeOf(obj)]
	if !ok {
		return resource{}, fmt.Errorf("package cluster does not know the kind of %T", obj)
	}
	return r, nil
}

func (r resource) newList() runtime.Object { return reflect.New(r.list).Interface().(runtime.Object) }

// fresh is an empty object of obj's type. Replies are decoded into it and then
// moved: decoding into a filled object would merge maps, so that a label that
// was removed would stay.
func fresh(obj runtime.Object) runtime.Object {
	return reflect.New(reflect.TypeOf(obj).Elem()).Interface().(runtime.Object)
}

func move(from, to runtime.Object) { reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem()) }
