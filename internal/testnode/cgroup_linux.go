package testnode

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroupHierarchies are the machine's: one where version 2 is in use, one for
// each controller with version 1.
func cgroupHierarchies() ([]string, error) {
	if exists(cgroupRoot + "/cgroup.controllers") {
		return []string{cgroupRoot}, nil
	}
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, entry := range entries { // links are second names of directories
		if dir := filepath.Join(cgroupRoot, entry.Name()); entry.IsDir() && exists(dir+"/cgroup.procs") {
			all = append(all, dir)
		}
	}
	return all, nil
}

func makeCgroups(name string) error {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	for _, dir := range hierarchies {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	// With version 1, a new group has no processors and no memory to use.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		content, err := os.ReadFile(filepath.Join(cgroupRoot, "cpuset", file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(cgroupRoot, "cpuset", name, file), content, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups removes the groups, the innermost first. They can be removed
// when no process is left in them.
func removeCgroups(name string) error {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	return eventually(busyTimeout, func() error {
		var errs []error
		for _, dir := range hierarchies {
			errs = append(errs, removeCgroup(filepath.Join(dir, name)))
		}
		return errors.Join(errs...)
	})
}

func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeCgroup(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("remove the cgroup %s: %w", dir, err)
	}
	return nil
}
