package testnode

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// kernelSettings are the machine-wide settings that the kubelet insists on, and
// would set for everybody. It finds them set in files that hide the real ones.
// (k8s.io/kubernetes/pkg/kubelet/cm, setupKernelTunables)
var kernelSettings = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// mount gives the node the file system that it would have on a machine of its
// own: what is written outside of its directory goes into memory.
func (i *initProcess) mount() error {
	l := i.Layout
	do := func(source, target, kind string, flags uintptr, data string) error {
		if err := syscall.Mount(source, target, kind, flags, data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", source, target, err)
		}
		return nil
	}
	if err := do("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	var err error
	if i.before, err = mountPoints(); err != nil {
		return err
	}

	// The programs and the directory may be below what is hidden next.
	for name, program := range map[string]string{
		"devcluster": i.Programs.Devcluster,
		"kubelet":    i.Programs.Devnode,
		"kube-proxy": i.Programs.Devnode,
		"images":     i.Programs.Images,
		"app":        i.Programs.App,
	} {
		target := l.path("programs", name)
		if err := errors.Join(os.WriteFile(target, nil, 0o700), do(program, target, "", syscall.MS_BIND, "")); err != nil {
			return err
		}
	}
	dir, err := syscall.Open(l.Dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(dir) }()
	private := l.path("private")
	if err := do("tmpfs", private, "tmpfs", 0, "mode=0700"); err != nil {
		return err
	}
	upper, work := filepath.Join(private, "upper"), filepath.Join(private, "work")
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"overlay", "/var", "overlay", 0, "lowerdir=/var,upperdir=" + upper + ",workdir=" + work},
		{fmt.Sprintf("/proc/self/fd/%d", dir), l.Dir, "", syscall.MS_BIND | syscall.MS_REC, ""},
		{"tmpfs", "/run", "tmpfs", 0, "mode=0755"},
		{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
	} {
		if err := do(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Mkdir("/run/netns", 0o755), os.Mkdir("/run/lock", 0o755)); err != nil {
		return err
	}
	for setting, value := range kernelSettings {
		file := "/proc/sys/" + setting
		if !exists(file) {
			continue
		}
		mask := "/run/" + strings.ReplaceAll(setting, "/", ".")
		if err := errors.Join(os.WriteFile(mask, []byte(value+"\n"), 0o644), do(mask, file, "", syscall.MS_BIND, "")); err != nil {
			return err
		}
	}
	i.own, err = mountPoints()
	return err
}

// unmount undoes every mount that was made here since, so that the directory
// can be removed without touching what was mounted below it.
func (i *initProcess) unmount() error {
	if i.before == nil { // not even begun
		return nil
	}
	return unmountExcept(i.before)
}

func unmountExcept(keep []mountPoint) error {
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	slices.Reverse(mounts)
	for _, mount := range mounts {
		if slices.ContainsFunc(keep, func(b mountPoint) bool { return b.id == mount.id }) {
			continue
		}
		if err := syscall.Unmount(mount.path, syscall.MNT_DETACH|umountNoFollow); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("unmount %s: %w", mount.path, err)
		}
	}
	return nil
}

const umountNoFollow = 8 // UMOUNT_NOFOLLOW

// mountPoint is where something is mounted, and the mount's number.
type mountPoint struct{ id, path string }

// mountPoints are this process' mounts, in the order they were made.
func mountPoints() ([]mountPoint, error) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []mountPoint
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			points = append(points, mountPoint{id: fields[0], path: unescape.Replace(fields[4])})
		}
	}
	return points, nil
}
