package testnode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	busyTimeout  = 10 * time.Second // for what is being torn down to be gone
	busyInterval = 20 * time.Millisecond
)

// slot is the right to use a layout: an exclusive lock on a file, which the
// kernel drops when all who have it open have ended, however they end.
type slot struct {
	layout
	file *os.File
}

// takeSlot takes the first slot that is free and whose addresses nobody else
// here uses.
func takeSlot(ctx context.Context) (*slot, error) {
	var why error
	for number := 1; number <= slots; number++ {
		s, err := lockSlot(layoutOf(number))
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue // in use
		}
		err = s.removeLeftovers(ctx)
		if err == nil {
			err = s.unrouted()
		}
		if err == nil {
			return s, nil
		}
		why = errors.Join(why, err, s.unlock())
	}
	return nil, fmt.Errorf("no room for a cluster: %w", errors.Join(why, fmt.Errorf("at most %d run side by side", slots)))
}

// Sweep removes what clusters left that were killed in a way that nobody could
// clean up after them. Clusters that run are not touched.
func Sweep(ctx context.Context) error {
	var errs []error
	for number := 1; number <= slots; number++ {
		l := layoutOf(number)
		if !exists(l.Dir) && !exists(l.lock()) {
			continue
		}
		s, err := lockSlot(l)
		errs = append(errs, err)
		if s != nil {
			errs = append(errs, s.removeLeftovers(ctx), s.unlock())
		}
	}
	return errors.Join(errs...)
}

// lockSlot returns nil where the slot is in use.
func lockSlot(l layout) (*slot, error) {
	for range 10 { // others remove the file and its directory when they are done
		if err := os.MkdirAll(StateRoot, 0o700); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(l.lock(), os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, nil
			}
			return nil, fmt.Errorf("lock %s: %w", l.lock(), err)
		}
		if s := (&slot{layout: l, file: file}); s.held() {
			return s, nil
		}
		_ = file.Close()
	}
	return nil, fmt.Errorf("%s comes and goes", l.lock())
}

// held tells whether the file that is locked is the one others find.
func (s *slot) held() bool {
	ours, err1 := s.file.Stat()
	current, err2 := os.Stat(s.lock())
	return err1 == nil && err2 == nil && os.SameFile(ours, current)
}

// unlock gives the slot back. The file goes first, while it is ours.
func (s *slot) unlock() error {
	var err error
	if s.held() {
		err = os.Remove(s.lock())
	}
	_ = os.Remove(StateRoot) // fails while there are others
	return errors.Join(err, s.file.Close())
}

// release removes what is left of the cluster and gives the slot back.
func (s *slot) release() error {
	if !s.held() { // somebody else may have it by now
		return s.file.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), busyTimeout+linkTimeout)
	defer cancel()
	return errors.Join(s.removeLeftovers(ctx), s.unlock())
}

// removeLeftovers removes what a cluster leaves that was killed with its first
// process. Its namespaces, with all mounts, links and processes, may still be
// on their way out.
func (s *slot) removeLeftovers(ctx context.Context) error {
	if exists("/sys/class/net/" + s.link()) {
		_ = ip(ctx, "link", "delete", s.link()) // or it has just gone
	}
	return errors.Join(removeCgroups(s.cgroup()), s.removeDir(), waitUntilGone("/sys/class/net/"+s.link(), linkTimeout))
}

// removeDir removes the state directory, but never through a mount: below one
// are other people's files.
func (s *slot) removeDir() error {
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		if within(mount.path, s.Dir) {
			return fmt.Errorf("%s is still mounted", mount.path)
		}
	}
	return eventually(busyTimeout, func() error { return os.RemoveAll(s.Dir) })
}

func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func waitUntilGone(path string, timeout time.Duration) error {
	return eventually(timeout, func() error {
		if exists(path) {
			return fmt.Errorf("%s is still there", path)
		}
		return nil
	})
}

// eventually tries until it works: what the kernel takes down stays busy for a
// moment.
func eventually(timeout time.Duration, try func() error) error {
	deadline := time.After(timeout)
	tick := time.NewTicker(busyInterval)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return err
		}
	}
}
