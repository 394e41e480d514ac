package rollout_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// claimPlaces have no volume for the pods.
var claimPlaces = map[string]place{
	"claim-missing": {
		edit: mounts, cause: health.CauseClaimMissing, class: health.Certain,
		tells: []string{`the PersistentVolumeClaim "data" that the pods use does not exist in namespace`, `persistentvolumeclaim "data" not found`, `create the claim "data"`},
	},
	"claim-pending-no-class": {
		prepare: func(t *testing.T, s *scene) { s.claim(t, nil, "") },
		edit:    mounts, cause: health.CauseClaimPending, class: health.Patient,
		tells: []string{`"data" has no volume yet: it asks for 1Gi, and names no storage class`, "no persistent volumes available for this claim and no storage class is set", "name a storage class"},
	},
	"claim-pending-class-missing": {
		prepare: func(t *testing.T, s *scene) { s.claim(t, new("fast"), "") },
		edit:    mounts, cause: health.CauseClaimPending, class: health.Patient,
		tells: []string{`it asks for 1Gi of storage class "fast"`, `storageclass.storage.k8s.io "fast" not found`, `see whether the storage class "fast" exists`},
	},
	"claim-pending-provisioner": {
		prepare: func(t *testing.T, s *scene) {
			s.claim(t, new(s.storageClass(t, "csi.example.com", storagev1.VolumeBindingImmediate)), "")
		},
		edit: mounts, cause: health.CauseClaimPending, class: health.Patient,
		tells: []string{`"data" has no volume yet`, "csi.example.com", "its provisioner runs"},
	},
	"claim-pending-volume-missing": {
		prepare: func(t *testing.T, s *scene) { s.claim(t, nil, "disk-1") },
		edit:    mounts, cause: health.CauseClaimPending, class: health.Patient,
		tells: []string{`it asks for 1Gi, of the volume "disk-1"`, `see whether the volume "disk-1" exists`},
	},
	"claim-lost": {
		prepare: func(t *testing.T, s *scene) {
			s.volume(t)
			s.claim(t, new(""), s.namespace)
			s.phase(t, corev1.ClaimBound)
			s.loseVolume(t)
			s.phase(t, corev1.ClaimLost)
		},
		edit: mounts, cause: health.CauseClaimLost, class: health.Certain,
		tells: []string{"the volume ", `behind the PersistentVolumeClaim "data" is gone`, "what was on it is lost"},
	},
	// A claim that waits for its pod to find a node is no finding.
	"claim-waits-for-its-pod": {
		prepare: func(t *testing.T, s *scene) {
			s.claim(t, new(s.storageClass(t, "csi.example.com", storagev1.VolumeBindingWaitForFirstConsumer)), "")
		},
		edit: func(t *testing.T, s *scene, d *appsv1.Deployment) {
			mounts(t, s, d)
			d.Spec.Template.Spec.Containers[0].Resources.Requests = of(corev1.ResourceCPU, "5k")
		},
		cause: health.CauseUnschedulable, class: health.Patient,
		tells: []string{"have too little cpu left"},
	},
	"claim-no-volume-fits": {
		prepare: func(t *testing.T, s *scene) {
			s.claim(t, new(s.storageClass(t, "kubernetes.io/no-provisioner", storagev1.VolumeBindingWaitForFirstConsumer)), "")
		},
		edit: mounts, cause: health.CauseUnschedulable, class: health.Patient,
		tells: []string{"have no volume to offer for a claim of the pod", "storage class"},
	},
	"claim-terminating": {
		prepare: func(t *testing.T, s *scene) {
			s.after = time.Minute
			s.claim(t, nil, "")
			claims := s.Client().CoreV1().PersistentVolumeClaims(s.namespace)
			if _, err := claims.Patch(t.Context(), "data", types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/backup"]}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := claims.Delete(t.Context(), "data", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { // or the namespace stays, too
				_, _ = claims.Patch(context.WithoutCancel(t.Context()), "data", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			})
		},
		edit: mounts, cause: health.CauseTerminating, class: health.Patient,
		tells: []string{`the PersistentVolumeClaim "data" was deleted and stays: it waits for its finalizers example.com/backup`, "see that the controller of the finalizer runs"},
	},
}

func mounts(_ *testing.T, _ *scene, d *appsv1.Deployment) {
	pod := &d.Spec.Template.Spec
	pod.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
	pod.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
}

func (s *scene) claim(t *testing.T, class *string, volume string) {
	t.Helper()
	_, err := s.Client().CoreV1().PersistentVolumeClaims(s.namespace).Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: class, VolumeName: volume,
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scene) storageClass(t *testing.T, provisioner string, mode storagev1.VolumeBindingMode) string {
	t.Helper()
	classes := s.Client().StorageV1().StorageClasses()
	_, err := classes.Create(t.Context(), &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}, Provisioner: provisioner, VolumeBindingMode: &mode}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = classes.Delete(context.WithoutCancel(t.Context()), s.namespace, metav1.DeleteOptions{})
	})
	return s.namespace
}

func (s *scene) volume(t *testing.T) {
	t.Helper()
	_, err := s.Client().CoreV1().PersistentVolumes().Create(t.Context(), &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			ClaimRef:                      &corev1.ObjectReference{Namespace: s.namespace, Name: "data"}, // or any other claim may take it
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/nowhere"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Client().CoreV1().PersistentVolumes().Delete(context.WithoutCancel(t.Context()), s.namespace, metav1.DeleteOptions{})
	})
}

// loseVolume takes away what a claim is bound to.
func (s *scene) loseVolume(t *testing.T) {
	t.Helper()
	volumes := s.Client().CoreV1().PersistentVolumes()
	err := volumes.Delete(t.Context(), s.namespace, metav1.DeleteOptions{})
	if err == nil {
		_, err = volumes.Patch(t.Context(), s.namespace, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scene) phase(t *testing.T, phase corev1.PersistentVolumeClaimPhase) {
	t.Helper()
	testcluster.Eventually(t, testcluster.Hang, "the claim to be "+string(phase), func() error {
		claim, err := s.Client().CoreV1().PersistentVolumeClaims(s.namespace).Get(t.Context(), "data", metav1.GetOptions{})
		if err == nil && claim.Status.Phase != phase {
			err = fmt.Errorf("it is %s", claim.Status.Phase)
		}
		return err
	})
}
