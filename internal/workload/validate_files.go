package workload

import (
	"maps"
	slashpath "path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// filesRoom is what all files of a release may hold: of the API server's limit for
// a ConfigMap something is left to its labels and keys.
const filesRoom = corev1.MaxSecretSize - 64<<10

// checkOwnFiles looks at the files of one container.
func checkOwnFiles(r *report, at path, c release.Container, volumes release.VolumesByName) {
	for _, file := range slices.Sorted(maps.Keys(c.Files)) {
		here := at.to(Key(file))
		if !strings.HasPrefix(file, "/") || file == "/" || slashpath.Clean(file) != file || strings.Contains(file, ":") {
			r.add(here, "Invalid file path",
				"%q cannot be the path of a file: it is absolute, names a file, and has neither \":\", nor \".\", \"..\" or empty parts. Use a path such as \"/etc/app/config.yaml\".", file)
			continue
		}
		for dir := slashpath.Dir(file); dir != "/"; dir = slashpath.Dir(dir) {
			if _, is := c.Files[dir]; is {
				r.add(here, "File within a file", "%q is one of files, and cannot be the directory of %q, too. Rename one of them.", dir, file)
			}
		}
		checkFileAmongMounts(r, here, file, c.VolumeMounts, volumes)
	}
}

// checkFileAmongMounts finds a volume that takes a file's place, needs it for a
// directory, or lets nobody make a file in it.
func checkFileAmongMounts(r *report, at path, file string, mounts map[string]release.Mount, volumes release.VolumesByName) {
	for _, mountPath := range slices.Sorted(maps.Keys(mounts)) {
		where, mount := slashpath.Clean(mountPath), mounts[mountPath]
		source := volumes[mount.Volume]
		switch {
		case where == file:
			r.add(at, "File and volume at one path", "Volume %q is mounted at %q, too. Rename the file, or mount the volume elsewhere.", mount.Volume, mountPath)
		case strings.HasPrefix(where, file+"/"):
			r.add(at, "Volume within a file", "Volume %q is mounted at %q, for which %q would be a directory. Rename the file, or mount the volume elsewhere.", mount.Volume, mountPath, file)
		case strings.HasPrefix(file, where+"/") && (mount.ReadOnly || source.ConfigMap != nil || source.Secret != nil):
			r.add(at, "File in a read-only volume",
				"Volume %q is mounted at %q and cannot be written to, so that the container would not start: no file can be put there. Put the file elsewhere, or mount single keys of the volume with sub_path.", mount.Volume, mountPath)
		}
	}
}

// checkAllFiles looks at what the files of all containers are together: one
// ConfigMap, and one volume.
func checkAllFiles(r *report, c release.Content) {
	if !c.HasFiles() {
		return
	}
	if _, taken := c.Volumes[filesVolumeName]; taken {
		r.add(path{"volumes", Key(filesVolumeName)}, "Reserved volume name", "The volume with the containers' files has this name. Choose another one.")
	}
	var largest path
	total, most := 0, -1
	weigh := func(at path, files map[string]string) {
		for _, file := range slices.Sorted(maps.Keys(files)) {
			size := len(files[file])
			if total += size; size > most {
				largest, most = at.to("files", Key(file)), size
			}
		}
	}
	weigh(path{"container"}, c.Container.Files)
	for i, h := range c.InitContainers {
		weigh(path{"init_containers", i}, h.Files)
	}
	for i, h := range c.Sidecars {
		weigh(path{"sidecars", i}, h.Files)
	}
	if total > filesRoom {
		r.add(largest, "Files too large",
			"It has %d bytes, and all files together %d. They are kept in one ConfigMap, which may hold %d. Make them smaller, put them into the image, or mount them from volumes.", most, total, filesRoom)
	}
}
