//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// failuresOfPlaces are what goes wrong around a pod, beside those that need no
// node: TestPlaces of internal/rollout has all of these.
var failuresOfPlaces = []failure{
	{
		name: "limit-range", cause: health.CauseLimitRange, class: health.Certain,
		config: config{container: `resources = { requests = { cpu = "1" }, limits = { cpu = "1" } }`},
		prepare: func(t *testing.T, w *workspace) {
			r := &corev1.LimitRange{
				ObjectMeta: metav1.ObjectMeta{Name: "narrow"},
				Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
					Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")},
				}}},
			}
			if _, err := w.cluster.Client().CoreV1().LimitRanges(w.namespace).Create(t.Context(), r, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		tells: []string{"a LimitRange of the namespace forbids what the pods ask for: maximum cpu usage per Container is 100m, but limit is 1", `LimitRange "narrow": Container max cpu 100m`},
	},
	{
		name: "webhook-down", timeout: "15s", cause: health.CauseAdmissionUnavailable, class: health.Patient,
		prepare: func(t *testing.T, w *workspace) { w.webhook(t, "https://127.0.0.1:9") },
		tells:   []string{"the admission webhook policy.example.com, which must be asked for every pod, does not answer", "connection refused", "see whether the webhook's pods run"},
	},
	{
		name: "service-account-missing", cause: health.CauseNoServiceAccount, class: health.Certain,
		config: config{deployment: `service_account_name = "robot"`},
		tells:  []string{`the pods shall run as the ServiceAccount "robot"`, `serviceaccount "robot" not found`, `create the ServiceAccount "robot", or correct service_account_name`},
	},
	{
		name: "claim-missing", cause: health.CauseClaimMissing, class: health.Certain,
		config: mountsClaim,
		tells:  []string{`the PersistentVolumeClaim "data" that the pods use does not exist`, `persistentvolumeclaim "data" not found`, `create the claim "data"`},
	},
	{
		name: "claim-pending", timeout: "15s", cause: health.CauseClaimPending, class: health.Patient,
		config: mountsClaim,
		prepare: func(t *testing.T, w *workspace) {
			claim := &corev1.PersistentVolumeClaim{
				ObjectMeta: metav1.ObjectMeta{Name: "data"},
				Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, StorageClassName: new("fast"),
					Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
				},
			}
			if _, err := w.cluster.Client().CoreV1().PersistentVolumeClaims(w.namespace).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		tells: []string{`the PersistentVolumeClaim "data" has no volume yet: it asks for 1Gi of storage class "fast"`, `storageclass.storage.k8s.io "fast" not found`, `see whether the storage class "fast" exists`},
	},
	{
		name: "unschedulable-selector", timeout: "15s", cause: health.CauseUnschedulable, class: health.Patient,
		config: config{deployment: `node_selector = { disk = "ssd" }`},
		tells:  []string{"no node takes the pod: 1 of 1 nodes do not have the labels that the pod wants; the pod asks for nodes with disk=ssd", "correct node_selector"},
	},
	{
		// The kubelet looks at what volumes hold once a minute. It drops events of a
		// pod that has many, such as those of a probe that fails: there is none here.
		name: "evicted", timeout: "1m25s", cause: health.CauseEvicted, class: health.Patient,
		config: config{deployment: fmt.Sprintf(`
volumes         = { cache = { empty_dir = { size_limit = "1Mi" } } }
init_containers = [{ name = "warm", image = %q, env = { APP_FILL_DIR = "/cache" }, volume_mounts = { "/cache" = { volume = "cache" } } }]`, testnode.AppImage("v2"))},
		tells: []string{`the pod was evicted: it wrote more than 1Mi into its volume "cache"`, `Usage of EmptyDir volume "cache" exceeds the limit "1Mi"`, "raise size_limit"},
	},
}

var mountsClaim = config{
	deployment: `volumes = { data = { persistent_volume_claim = { claim_name = "data" } } }`,
	container:  `volume_mounts = { "/data" = { volume = "data" } }`,
}

// webhook has the API server ask there for every pod of the namespace.
func (w *workspace) webhook(t *testing.T, url string) {
	t.Helper()
	webhooks := w.cluster.Client().AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err := webhooks.Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "policy.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
			SideEffects:       new(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = webhooks.Delete(context.WithoutCancel(t.Context()), w.namespace, metav1.DeleteOptions{}) })
}
