package rollout_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// refusedPlaces do not let pods be made.
var refusedPlaces = map[string]place{
	"quota": {
		prepare: resourceQuota(of(corev1.ResourcePods, "1")),
		edit:    func(_ *testing.T, _ *scene, d *appsv1.Deployment) { d.Spec.Replicas = new(int32(2)) },
		cause:   health.CauseQuota, class: health.Certain,
		tells: []string{
			`ResourceQuota "small" has no room for the pods: one needs pods=1, and pods=1 of pods=1 are in use (there are 1 of 2)`,
			`ResourceQuota "small" now: pods 1 of 1`, "two versions side by side need room for both",
		},
	},
	"quota-unset": {
		prepare: resourceQuota(of(corev1.ResourceLimitsCPU, "1")),
		cause:   health.CauseQuota, class: health.Certain,
		tells: []string{`ResourceQuota "small" counts what the containers do not set: limits.cpu for: web`, "set that in resources of every container"},
	},
	"limit-range": {
		prepare: limitRange(corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: of(corev1.ResourceCPU, "100m")}),
		edit: edits(func(pod *corev1.PodSpec) {
			pod.Containers[0].Resources = corev1.ResourceRequirements{Requests: of(corev1.ResourceCPU, "1"), Limits: of(corev1.ResourceCPU, "1")}
		}),
		cause: health.CauseLimitRange, class: health.Certain,
		tells: []string{"forbids what the pods ask for: maximum cpu usage per Container is 100m, but limit is 1", `LimitRange "narrow": Container max cpu 100m`, "within what the LimitRange allows"},
	},
	"limit-range-ratio": {
		prepare: limitRange(corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, MaxLimitRequestRatio: of(corev1.ResourceCPU, "2")}),
		edit: edits(func(pod *corev1.PodSpec) {
			pod.Containers[0].Resources = corev1.ResourceRequirements{Requests: of(corev1.ResourceCPU, "100m"), Limits: of(corev1.ResourceCPU, "1")}
		}),
		cause: health.CauseLimitRange, class: health.Certain,
		tells: []string{"cpu max limit to request ratio per Container is 2, but provided ratio is 10", "closer together"},
	},
	"limit-range-default": {
		prepare: limitRange(corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: of(corev1.ResourceCPU, "100m")}),
		edit:    asks(of(corev1.ResourceCPU, "1")),
		cause:   health.CauseLimitRange, class: health.Certain,
		tells: []string{"a container asks for 1 of cpu, and a default limit of the namespace, 100m, is lower", "set resources.limits.cpu, too"},
	},
	"pod-security": {
		prepare: func(t *testing.T, s *scene) {
			patch := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"baseline"}}}`)
			if _, err := s.Client().CoreV1().Namespaces().Patch(t.Context(), s.namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		edit:  edits(func(pod *corev1.PodSpec) { pod.HostNetwork = true }),
		cause: health.CausePodSecurity, class: health.Certain,
		tells: []string{"allows only pods of the Pod Security level baseline", `violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)`, "take out what the message names"},
	},
	"webhook-denied": {
		prepare: func(t *testing.T, s *scene) {
			server := httptest.NewTLSServer(http.HandlerFunc(denies))
			t.Cleanup(server.Close)
			s.webhook(t, server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
		},
		cause: health.CauseAdmissionDenied, class: health.Certain,
		tells: []string{"the admission webhook policy.example.com refuses the pods", "denied the request: exceeded quota: images must come from registry.example", "who runs the policy"},
	},
	"webhook-down": {
		prepare: func(t *testing.T, s *scene) { s.webhook(t, "https://127.0.0.1:9", nil) },
		cause:   health.CauseAdmissionUnavailable, class: health.Patient,
		tells: []string{"the admission webhook policy.example.com, which must be asked for every pod, does not answer", "connection refused", "failurePolicy"},
	},
	"policy-denied": {
		prepare: validatingPolicy,
		cause:   health.CauseAdmissionDenied, class: health.Certain,
		tells: []string{"the ValidatingAdmissionPolicy", "refuses the pods", "denied request: only small ones"},
	},
	"service-account-missing": {
		edit:  edits(func(pod *corev1.PodSpec) { pod.ServiceAccountName = "robot" }),
		cause: health.CauseNoServiceAccount, class: health.Certain,
		tells: []string{`the ServiceAccount "robot", which is not in namespace`, `create the ServiceAccount "robot"`},
	},
	"priority-class-missing": {
		edit:  edits(func(pod *corev1.PodSpec) { pod.PriorityClassName = "urgent" }),
		cause: health.CausePodsRefused, class: health.Certain,
		tells: []string{`the PriorityClass "urgent", which does not exist`, `create the PriorityClass "urgent"`},
	},
	"runtime-class-missing": {
		edit:  edits(func(pod *corev1.PodSpec) { pod.RuntimeClassName = new("gvisor") }),
		cause: health.CausePodsRefused, class: health.Certain,
		tells: []string{`the RuntimeClass "gvisor", which does not exist`},
	},
}

func resourceQuota(hard corev1.ResourceList) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		quotas := s.Client().CoreV1().ResourceQuotas(s.namespace)
		_, err := quotas.Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		testcluster.Eventually(t, testcluster.Hang, "the quota to be counted", func() error {
			found, err := quotas.Get(t.Context(), "small", metav1.GetOptions{})
			if err == nil && len(found.Status.Used) == 0 {
				err = errors.New("it is not")
			}
			return err
		})
	}
}

func limitRange(item corev1.LimitRangeItem) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		r := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "narrow"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}}}
		if _, err := s.Client().CoreV1().LimitRanges(s.namespace).Create(t.Context(), r, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// denies is an admission webhook that never agrees, and talks like a quota.
func denies(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{
		UID: review.Request.UID, Result: &metav1.Status{Message: "exceeded quota: images must come from registry.example"},
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// webhook has the API server ask there for every pod of the scene.
func (s *scene) webhook(t *testing.T, url string, authority []byte) {
	t.Helper()
	rule := admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}
	webhooks := s.Client().AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err := webhooks.Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "policy.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: authority},
			Rules: []admissionregistrationv1.RuleWithOperations{rule}, NamespaceSelector: s.here(),
			SideEffects: new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = webhooks.Delete(context.WithoutCancel(t.Context()), s.namespace, metav1.DeleteOptions{}) })
	s.refuses(t)
}

// here selects the scene's namespace.
func (s *scene) here() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.namespace}}
}

func validatingPolicy(t *testing.T, s *scene) {
	api, meta := s.Client().AdmissionregistrationV1(), metav1.ObjectMeta{Name: s.namespace}
	_, err := api.ValidatingAdmissionPolicies().Create(t.Context(), &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "only small ones"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = api.ValidatingAdmissionPolicyBindings().Create(t.Context(), &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: meta,
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: meta.Name, MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: s.here()},
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = api.ValidatingAdmissionPolicyBindings().Delete(ctx, meta.Name, metav1.DeleteOptions{})
		_ = api.ValidatingAdmissionPolicies().Delete(ctx, meta.Name, metav1.DeleteOptions{})
	})
	s.refuses(t)
}

// nodePlaces let no node take the pod.
var nodePlaces = map[string]place{
	"unschedulable-cpu": {
		edit: edits(func(pod *corev1.PodSpec) {
			pod.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5k"), corev1.ResourceMemory: resource.MustParse("64Mi")}
			pod.Containers = append(pod.Containers, corev1.Container{Name: "helper", Image: "demo/helper:v1", Resources: corev1.ResourceRequirements{Requests: of(corev1.ResourceCPU, "1")}})
		}),
		cause: health.CauseUnschedulable, class: health.Patient,
		tells: []string{"no node takes the pod: ", "have too little cpu left", "; the pod asks for cpu 5001", "lower resources.requests for cpu or add nodes", "Insufficient cpu"},
	},
	"unschedulable-selector": {
		edit:  edits(func(pod *corev1.PodSpec) { pod.NodeSelector = map[string]string{"disk": "ssd", "zone": "a"} }),
		cause: health.CauseUnschedulable, class: health.Patient,
		tells: []string{"do not have the labels that the pod wants", "the pod asks for nodes with disk=ssd,zone=a", "correct node_selector"},
	},
	"unschedulable-taint": {
		prepare: func(t *testing.T, s *scene) { s.node(t, roomy) },
		edit: func(_ *testing.T, s *scene, d *appsv1.Deployment) {
			onItsOwn(s.namespace, &d.Spec.Template.Spec)
			d.Spec.Template.Spec.Tolerations = nil
		},
		cause: health.CauseUnschedulable, class: health.Patient,
		tells: []string{"have a taint that the pod does not tolerate", "do not have the labels that the pod wants", "add to tolerations", "correct node_selector"},
	},
	"unschedulable-cordoned": {
		prepare: func(t *testing.T, s *scene) {
			name := s.node(t, roomy)
			if _, err := s.Client().CoreV1().Nodes().Patch(t.Context(), name, types.MergePatchType, []byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		edit:  func(_ *testing.T, s *scene, d *appsv1.Deployment) { onItsOwn(s.namespace, &d.Spec.Template.Spec) },
		cause: health.CauseUnschedulable, class: health.Patient,
		tells: []string{"1 of ", "nodes are cordoned", "uncordon them"},
	},
	"unschedulable-affinity": {
		edit: edits(func(pod *corev1.PodSpec) {
			pod.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "cache"}}, TopologyKey: "kubernetes.io/hostname",
			}}}}
		}),
		cause: health.CauseUnschedulable, class: health.Patient,
		tells: []string{"pods that an affinity rule is about", "pod_affinity or pod_anti_affinity"},
	},
	"unschedulable-spread": {
		edit: edits(func(pod *corev1.PodSpec) {
			pod.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
				MaxSkew: 1, TopologyKey: "rack", WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": workloadName}},
			}}
		}),
		cause: health.CauseUnschedulable, class: health.Patient,
		tells: []string{"would make the pods' spread too uneven", "ScheduleAnyway"},
	},
	"unschedulable-host-port": {
		prepare: func(t *testing.T, s *scene) { s.node(t, roomy) },
		edit: func(t *testing.T, s *scene, d *appsv1.Deployment) {
			ownNode(t, s, d)
			d.Spec.Replicas = new(int32(2))
			d.Spec.Template.Spec.Containers[0].Ports[0].HostPort = 8080
		},
		cause: health.CauseUnschedulable, class: health.Patient,
		tells: []string{"have the pod's hostPort in use", "a node has each port once"},
	},
	"scheduling-gated": {
		edit: edits(func(pod *corev1.PodSpec) {
			pod.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/licence"}}
		}),
		cause: health.CauseSchedulingGated, class: health.Patient,
		tells: []string{"scheduling gates: example.com/licence"},
	},
}
