package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	slashpath "path"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// filesVolumeName is the volume with a release's files, in its pods.
const filesVolumeName = "switchback-files"

// Files renders the ConfigMap with the files of a release's containers, or nil
// where they have none. It is immutable: other files are another content.
func Files(spec release.Spec) *corev1.ConfigMap {
	c := spec.Content.Normalize()
	if !c.HasFiles() {
		return nil
	}
	labels := Labels(spec)
	labels[release.LabelRole] = release.RoleFiles
	immutable := true
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: string(release.CompanionFiles)},
		ObjectMeta: metav1.ObjectMeta{Namespace: spec.Namespace, Name: filesName(c, spec.NameFor(c.Hash())), Labels: labels},
		Immutable:  &immutable,
		Data:       textsOf(c),
	}
}

// filesName is the ConfigMap's name. What changes its content in place has the old
// files and the new ones at once, while its pods are replaced.
func filesName(c release.Content, name string) string {
	if !release.NamedInPlace(name) {
		return name + filesSuffix
	}
	h := sha256.New()
	texts := textsOf(c)
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		sum := sha256.Sum256([]byte(texts[key]))
		h.Write([]byte(key))
		h.Write(sum[:])
	}
	return name + filesSuffix + "-" + hex.EncodeToString(h.Sum(nil))[:release.HashLength]
}

const filesSuffix = "-files"

// textsOf are what all files of a release hold, by their keys in the ConfigMap.
func textsOf(c release.Content) map[string]string {
	texts := map[string]string{}
	add := func(container string, files map[string]string) {
		for file, text := range files {
			texts[fileKey(container, file)] = text
		}
	}
	add(c.Application, c.Container.Files)
	for _, h := range slices.Concat(c.InitContainers, c.Sidecars) {
		add(h.Name, h.Files)
	}
	return texts
}

var notInKey = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// fileKey is the ConfigMap's key of one container's file: containers may have
// different files at one path, and a key has no slashes. People see the file's name.
func fileKey(container, file string) string {
	const longest = 200 // of the 253 that a key may have
	sum := sha256.Sum256([]byte(container + "\x00" + file))
	name := notInKey.ReplaceAllString(slashpath.Base(file), "_")
	return hex.EncodeToString(sum[:8]) + "-" + name[:min(len(name), longest)]
}

// filesVolume is the ConfigMap in the pods.
func filesVolume(c release.Content, name string) corev1.Volume {
	return corev1.Volume{Name: filesVolumeName, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: filesName(c, name)},
	}}}
}

// fileMounts puts each file at its path, one by one: what the image has beside it
// stays visible.
func fileMounts(container string, files map[string]string) []corev1.VolumeMount {
	var list []corev1.VolumeMount
	for _, file := range slices.Sorted(maps.Keys(files)) {
		list = append(list, corev1.VolumeMount{Name: filesVolumeName, MountPath: file, SubPath: fileKey(container, file), ReadOnly: true})
	}
	return list
}

// FilesOf is the name of the ConfigMap with the files of what lives; empty where it
// has none.
func FilesOf(d *appsv1.Deployment) string {
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.Name == filesVolumeName && v.ConfigMap != nil && strings.HasPrefix(v.ConfigMap.Name, d.Name+filesSuffix) {
			return v.ConfigMap.Name
		}
	}
	return ""
}

// textsFor are what the files of a workload hold, by their keys, from the one of some
// ConfigMaps that is its.
func textsFor(d *appsv1.Deployment, files []*corev1.ConfigMap) map[string]string {
	name := FilesOf(d)
	for _, cm := range files {
		if cm.Name == name {
			return cm.Data
		}
	}
	return nil
}

// restoreFiles fills in what a container's files hold; those that are gone are
// dropped.
func restoreFiles(files map[string]string, container string, texts map[string]string) {
	for file := range files {
		if text, ok := texts[fileKey(container, file)]; ok {
			files[file] = text
		} else {
			delete(files, file)
		}
	}
}

// takeFiles makes files of those of a container's mounts that are ours.
func takeFiles(c *release.Container, d *appsv1.Deployment, texts map[string]string) {
	if FilesOf(d) == "" {
		return
	}
	for at, mount := range c.VolumeMounts {
		if mount.Volume != filesVolumeName {
			continue
		}
		delete(c.VolumeMounts, at)
		if text, ok := texts[mount.SubPath]; ok {
			if c.Files == nil {
				c.Files = map[string]string{}
			}
			c.Files[at] = text
		}
	}
}

// withoutTexts is c with empty files: what they hold is not in the Deployment.
func withoutTexts(c release.Content) release.Content {
	c.Container.Files = blank(c.Container.Files)
	c.InitContainers, c.Sidecars = slices.Clone(c.InitContainers), slices.Clone(c.Sidecars)
	for _, list := range [][]release.Helper{c.InitContainers, c.Sidecars} {
		for i := range list {
			list[i].Files = blank(list[i].Files)
		}
	}
	return c
}

// attributeOfFiles is where the files are: the first container's that has some.
func attributeOfFiles(c release.Content) path {
	if len(c.Container.Files) > 0 {
		return path{"container", "files"}
	}
	for i, h := range c.InitContainers {
		if len(h.Files) > 0 {
			return path{"init_containers", i, "files"}
		}
	}
	for i, h := range c.Sidecars {
		if len(h.Files) > 0 {
			return path{"sidecars", i, "files"}
		}
	}
	return nil
}
