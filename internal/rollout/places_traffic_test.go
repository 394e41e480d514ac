package rollout_test

import (
	"encoding/json"
	"path"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// trafficPlaces keep no pod from being healthy: they are warned of.
var trafficPlaces = map[string]place{
	"service-selector": {
		prepare: func(t *testing.T, s *scene) {
			s.service(t, map[string]string{"app": "shop", "tier": "front"}, intstr.FromString("http"))
		},
		cause: health.CauseNoEndpoints, class: health.Warning, healthy: true,
		tells: []string{`the Service "web" leads to no pod: it selects app=shop,tier=front, and the pods have app=web, the pods have no label tier`, "labels of the pods: app=web"},
	},
	"service-port": {
		prepare: func(t *testing.T, s *scene) {
			s.service(t, map[string]string{"app": workloadName}, intstr.FromString("web"))
		},
		cause: health.CauseNoEndpoints, class: health.Warning, healthy: true,
		tells: []string{`port "http" (80) of the Service "web" leads nowhere: it leads to the pods' port "web", and they have "http" (8080)`, "targetPort web"},
	},
	"service-port-number": {
		prepare: func(t *testing.T, s *scene) {
			s.service(t, map[string]string{"app": workloadName}, intstr.FromInt32(80))
		},
		cause: health.CauseNoEndpoints, class: health.Warning, healthy: true,
		tells: []string{`leads to the pods' port 80, which no container declares: they have "http" (8080)`, "correct the Service's targetPort"},
	},
	"budget": {
		edit: func(t *testing.T, s *scene, d *appsv1.Deployment) {
			d.Spec.Replicas = new(int32(2))
			none := intstr.FromInt32(0)
			_, err := s.Client().PolicyV1().PodDisruptionBudgets(s.namespace).Create(t.Context(), &policyv1.PodDisruptionBudget{
				ObjectMeta: metav1.ObjectMeta{Name: workloadName}, Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none, Selector: d.Spec.Selector},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
		},
		cause: health.CauseDisruption, class: health.Warning, healthy: true,
		tells: []string{`the PodDisruptionBudget "web" lets no pod go, although all are healthy: maxUnavailable is 0, of 2 pods`, "run more replicas"},
	},
	"autoscaler": {
		prepare: func(t *testing.T, s *scene) {
			_, err := s.Client().AutoscalingV2().HorizontalPodAutoscalers(s.namespace).Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
				ObjectMeta: metav1.ObjectMeta{Name: workloadName},
				Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
					ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: workloadName}, MaxReplicas: 3,
					Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
						Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))},
					}}},
				},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
		},
		cause: health.CauseAutoscaler, class: health.Warning, healthy: true,
		tells: []string{`the HorizontalPodAutoscaler "web" does not scale: FailedGetResourceMetric`, "get pods.metrics.k8s.io", "install the metrics server"},
	},
	"route-not-accepted": {
		prepare: func(t *testing.T, s *scene) {
			s.route(t, "public", []metav1.Condition{
				condition("Accepted", metav1.ConditionFalse, "NotAllowedByListeners", "no listener of Gateway infra/public allows routes of this namespace"),
			})
		},
		cause: health.CauseRouteNotAccepted, class: health.Warning, healthy: true,
		tells: []string{
			`the HTTPRoute "web" does not work: Gateway infra/public (listener https) does not accept it`,
			"NotAllowedByListeners: no listener of Gateway infra/public allows routes of this namespace", "a ReferenceGrant",
		},
	},
	"route-unresolved": {
		prepare: func(t *testing.T, s *scene) {
			s.route(t, "public", []metav1.Condition{
				condition("Accepted", metav1.ConditionTrue, "Accepted", ""),
				condition("ResolvedRefs", metav1.ConditionFalse, "BackendNotFound", "service web-canary not found"),
			})
		},
		cause: health.CauseRouteNotAccepted, class: health.Warning, healthy: true,
		tells: []string{"Gateway infra/public (listener https) cannot resolve what it leads to", "BackendNotFound: service web-canary not found"},
	},
	"route-unheard": {
		prepare: func(t *testing.T, s *scene) { s.route(t, "public", nil) },
		cause:   health.CauseRouteNotAccepted, class: health.Warning, healthy: true,
		tells: []string{"Gateway infra/public (listener https) has not said anything about it: is it there, and does its controller run?"},
	},
}

func (s *scene) service(t *testing.T, selector map[string]string, target intstr.IntOrString) {
	t.Helper()
	_, err := s.Client().CoreV1().Services(s.namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: workloadName}, Spec: corev1.ServiceSpec{Selector: selector, Ports: servicePort(80, target)},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: 1, LastTransitionTime: metav1.Now()}
}

// route makes an HTTPRoute to the workload's Service, and says what a Gateway
// would say of it.
func (s *scene) route(t *testing.T, gateway string, conditions []metav1.Condition) {
	t.Helper()
	s.HTTPRoutes(t)
	s.service(t, map[string]string{"app": workloadName}, intstr.FromString("http"))
	parent := gatewayv1.ParentReference{Namespace: new(gatewayv1.Namespace("infra")), Name: gatewayv1.ObjectName(gateway), SectionName: new(gatewayv1.SectionName("https"))}
	route := &gatewayv1.HTTPRoute{
		TypeMeta:   metav1.TypeMeta{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute"},
		ObjectMeta: metav1.ObjectMeta{Name: workloadName},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{parent}},
			Rules: []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
				BackendObjectReference: gatewayv1.BackendObjectReference{Name: workloadName, Port: new(gatewayv1.PortNumber(80))},
			}}}}},
		},
	}
	routes := path.Join("/apis/gateway.networking.k8s.io/v1/namespaces", s.namespace, "httproutes")
	client := s.Client().Discovery().RESTClient()
	spec, err := json.Marshal(route)
	if err == nil {
		err = client.Post().AbsPath(routes).Body(spec).Do(t.Context()).Error()
	}
	if err == nil && conditions != nil {
		var status []byte
		status, err = json.Marshal(map[string]any{"status": gatewayv1.HTTPRouteStatus{RouteStatus: gatewayv1.RouteStatus{
			Parents: []gatewayv1.RouteParentStatus{{ParentRef: parent, ControllerName: "example.com/gateway", Conditions: conditions}},
		}}})
		if err == nil {
			err = client.Patch(types.MergePatchType).AbsPath(path.Join(routes, workloadName, "status")).Body(status).Do(t.Context()).Error()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
