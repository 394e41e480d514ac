package workload

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func checkVolumes(r *report, volumes release.VolumesByName) {
	for _, name := range slices.Sorted(maps.Keys(volumes)) {
		at := path{"volumes", Key(name)}
		if bad := validation.IsDNS1123Label(name); len(bad) > 0 {
			r.add(at, "Invalid volume name", "%q cannot name a volume: %s. Choose another name.", name, reasons(bad))
		}
		checkVolume(r, at, volumes[name])
	}
}

func checkVolume(r *report, at path, v release.Volume) {
	var sources []string
	if v.EmptyDir != nil {
		sources = append(sources, "empty_dir")
		checkEmptyDir(r, at.to("empty_dir"), *v.EmptyDir)
	}
	if v.ConfigMap != nil {
		sources = append(sources, "config_map")
		checkFiles(r, at.to("config_map"), "ConfigMap", *v.ConfigMap)
	}
	if v.Secret != nil {
		sources = append(sources, "secret")
		checkFiles(r, at.to("secret"), "Secret", *v.Secret)
	}
	if v.Claim != nil {
		sources = append(sources, "persistent_volume_claim")
		checkObjectName(r, at.to("persistent_volume_claim", "claim_name"), "PersistentVolumeClaim", v.Claim.Name)
	}
	if len(v.Projected) > 0 {
		sources = append(sources, "projected")
		checkProjections(r, at.to("projected"), v.Projected)
	}
	if v.CSI != nil {
		sources = append(sources, "csi")
		checkCSI(r, at.to("csi"), *v.CSI)
	}
	if v.Ephemeral != nil {
		sources = append(sources, "ephemeral")
		checkClaimOfPod(r, at.to("ephemeral"), *v.Ephemeral)
	}
	if len(sources) != 1 {
		r.add(at, "Not exactly one volume source",
			"A volume comes from exactly one of empty_dir, config_map, secret, persistent_volume_claim, projected, csi and ephemeral. %s Keep one; for other kinds use pod_template_patch.", hasText(sources))
	}
}

func checkEmptyDir(r *report, at path, e release.EmptyDir) {
	if e.Medium != "" && e.Medium != "Memory" {
		r.add(at.to("medium"), "Unknown medium", "There is no medium %q. Use \"Memory\", or leave it out for the node's disk.", e.Medium)
	}
	if e.SizeLimit == "" {
		return
	}
	if q, err := resource.ParseQuantity(e.SizeLimit); err != nil || q.Sign() < 0 {
		r.add(at.to("size_limit"), "Invalid quantity", "%q is not a size. Write a number with an optional unit, such as \"64Mi\" or \"1Gi\".", e.SizeLimit)
	}
}

func checkFiles(r *report, at path, kind string, f release.FilesFrom) {
	checkObjectName(r, at.to("name"), kind, f.Name)
	for _, key := range slices.Sorted(maps.Keys(f.Items)) {
		if file := f.Items[key]; badFile(file) {
			r.add(at.to("items", Key(key)), "Invalid file path",
				"%q cannot be where key %q is put: the path is relative to the mount and may not contain \"..\". Use a file name such as %q.", file, key, key)
		}
	}
}

func checkMount(r *report, at path, mountPath string, m release.Mount, volumes release.VolumesByName) {
	if mountPath == "" || strings.Contains(mountPath, ":") {
		r.add(at, "Invalid mount path", "%q cannot be a mount path: it must not be empty and not contain \":\". Use an absolute path such as \"/data\".", mountPath)
	}
	if _, ok := volumes[m.Volume]; !ok {
		r.add(at.to("volume"), "Mount of an undeclared volume",
			"No volume is named %q; declared: %s. Use one of these names, or add it to volumes.", m.Volume, quotedList(slices.Sorted(maps.Keys(volumes))))
	}
	if strings.HasPrefix(m.SubPath, "/") || slices.Contains(strings.Split(m.SubPath, "/"), "..") {
		r.add(at.to("sub_path"), "Invalid sub-path", "%q must be relative to the volume and may not contain \"..\". Remove the leading \"/\" or the \"..\".", m.SubPath)
	}
}
