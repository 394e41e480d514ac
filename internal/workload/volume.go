package workload

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func volumes(declared release.VolumesByName, application string) ([]corev1.Volume, error) {
	var list []corev1.Volume
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		source, err := volumeSource(declared[name], application)
		if err != nil {
			return nil, fmt.Errorf("volume %q: %w", name, err)
		}
		list = append(list, corev1.Volume{Name: name, VolumeSource: source})
	}
	return list, nil
}

func volumeSource(v release.Volume, application string) (s corev1.VolumeSource, err error) {
	switch {
	case v.EmptyDir != nil:
		s.EmptyDir = &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMedium(v.EmptyDir.Medium)}
		if v.EmptyDir.SizeLimit != "" {
			limit, err := resource.ParseQuantity(v.EmptyDir.SizeLimit)
			if err != nil {
				return s, fmt.Errorf("size limit %q is not a quantity: %w", v.EmptyDir.SizeLimit, err)
			}
			s.EmptyDir.SizeLimit = &limit
		}
	case v.ConfigMap != nil:
		s.ConfigMap = &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: v.ConfigMap.Name},
			Items:                items(v.ConfigMap.Items),
			Optional:             optional(v.ConfigMap.Optional),
		}
	case v.Secret != nil:
		s.Secret = &corev1.SecretVolumeSource{
			SecretName: v.Secret.Name,
			Items:      items(v.Secret.Items),
			Optional:   optional(v.Secret.Optional),
		}
	case v.Claim != nil:
		s.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: v.Claim.Name, ReadOnly: v.Claim.ReadOnly}
	case len(v.Projected) > 0:
		s.Projected = projected(v.Projected, application)
	case v.CSI != nil:
		s.CSI = csi(v.CSI)
	case v.Ephemeral != nil:
		s.Ephemeral, err = claimOfPod(v.Ephemeral)
	default:
		return s, fmt.Errorf("it has no source")
	}
	return s, err
}

func items(paths map[string]string) []corev1.KeyToPath {
	var list []corev1.KeyToPath
	for _, key := range slices.Sorted(maps.Keys(paths)) {
		list = append(list, corev1.KeyToPath{Key: key, Path: paths[key]})
	}
	return list
}

func volumeMounts(mounts map[string]release.Mount) []corev1.VolumeMount {
	var list []corev1.VolumeMount
	for _, path := range slices.Sorted(maps.Keys(mounts)) {
		m := mounts[path]
		list = append(list, corev1.VolumeMount{MountPath: path, Name: m.Volume, SubPath: m.SubPath, ReadOnly: m.ReadOnly})
	}
	return list
}
