package workload

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What volumes are besides the plain kinds, and the way back from it.

// projected puts several sources into one directory. Resources are those of the
// application's own container.
func projected(list []release.Projection, application string) *corev1.ProjectedVolumeSource {
	return &corev1.ProjectedVolumeSource{Sources: each(list, func(p release.Projection) (out corev1.VolumeProjection) {
		if f := p.ConfigMap; f != nil {
			out.ConfigMap = &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: f.Name}, Items: items(f.Items), Optional: optional(f.Optional),
			}
		}
		if f := p.Secret; f != nil {
			out.Secret = &corev1.SecretProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: f.Name}, Items: items(f.Items), Optional: optional(f.Optional),
			}
		}
		if len(p.DownwardAPI) > 0 {
			out.DownwardAPI = &corev1.DownwardAPIProjection{}
			for _, path := range slices.Sorted(maps.Keys(p.DownwardAPI)) {
				out.DownwardAPI.Items = append(out.DownwardAPI.Items, fieldFile(path, p.DownwardAPI[path], application))
			}
		}
		if t := p.Token; t != nil {
			out.ServiceAccountToken = &corev1.ServiceAccountTokenProjection{Path: t.Path, Audience: t.Audience, ExpirationSeconds: t.ExpirationSeconds}
		}
		return out
	})}
}

func fieldFile(path, field, application string) corev1.DownwardAPIVolumeFile {
	if isContainerResource(field) {
		return corev1.DownwardAPIVolumeFile{Path: path, ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: application, Resource: field}}
	}
	return corev1.DownwardAPIVolumeFile{Path: path, FieldRef: &corev1.ObjectFieldSelector{FieldPath: field}}
}

// fromProjected says nothing where a source is of a kind that has no attribute.
func fromProjected(v *corev1.ProjectedVolumeSource) []release.Projection {
	return each(v.Sources, func(s corev1.VolumeProjection) (p release.Projection) {
		switch {
		case s.ConfigMap != nil:
			p.ConfigMap = filesFrom(s.ConfigMap.Name, s.ConfigMap.Items, s.ConfigMap.Optional)
		case s.Secret != nil:
			p.Secret = filesFrom(s.Secret.Name, s.Secret.Items, s.Secret.Optional)
		case s.DownwardAPI != nil:
			p.DownwardAPI = map[string]string{}
			for _, item := range s.DownwardAPI.Items {
				if item.FieldRef != nil {
					p.DownwardAPI[item.Path] = item.FieldRef.FieldPath
				} else if item.ResourceFieldRef != nil {
					p.DownwardAPI[item.Path] = item.ResourceFieldRef.Resource
				}
			}
		case s.ServiceAccountToken != nil:
			t := s.ServiceAccountToken
			p.Token = &release.TokenFile{Path: t.Path, Audience: t.Audience, ExpirationSeconds: t.ExpirationSeconds}
		}
		return p
	})
}

func csi(v *release.CSIVolume) *corev1.CSIVolumeSource {
	out := &corev1.CSIVolumeSource{Driver: v.Driver, ReadOnly: optional(v.ReadOnly), FSType: nonEmpty(v.FSType), VolumeAttributes: v.Attributes}
	if v.Secret != "" {
		out.NodePublishSecretRef = &corev1.LocalObjectReference{Name: v.Secret}
	}
	return out
}

func fromCSI(v *corev1.CSIVolumeSource) *release.CSIVolume {
	out := &release.CSIVolume{Driver: v.Driver, ReadOnly: isTrue(v.ReadOnly), FSType: deref(v.FSType), Attributes: v.VolumeAttributes}
	if v.NodePublishSecretRef != nil {
		out.Secret = v.NodePublishSecretRef.Name
	}
	return out
}

func claimOfPod(c *release.ClaimOfPod) (*corev1.EphemeralVolumeSource, error) {
	storage, err := resource.ParseQuantity(c.Storage)
	if err != nil {
		return nil, fmt.Errorf("storage %q is not a quantity: %w", c.Storage, err)
	}
	return &corev1.EphemeralVolumeSource{VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{
		ObjectMeta: metav1.ObjectMeta{Labels: c.Labels, Annotations: c.Annotations},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      each(c.AccessModes, func(mode string) corev1.PersistentVolumeAccessMode { return corev1.PersistentVolumeAccessMode(mode) }),
			StorageClassName: c.StorageClass,
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: storage}},
		},
	}}, nil
}

func fromClaimOfPod(v *corev1.EphemeralVolumeSource) *release.ClaimOfPod {
	if v.VolumeClaimTemplate == nil {
		return nil
	}
	template := v.VolumeClaimTemplate
	storage := template.Spec.Resources.Requests[corev1.ResourceStorage]
	return &release.ClaimOfPod{
		Storage: storage.String(), StorageClass: template.Spec.StorageClassName, Labels: template.Labels, Annotations: template.Annotations,
		AccessModes: each(template.Spec.AccessModes, func(mode corev1.PersistentVolumeAccessMode) string { return string(mode) }),
	}
}
