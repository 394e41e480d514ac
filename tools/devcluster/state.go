package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// maxDir is what unix socket paths leave for the directory: they end at 104
// bytes on macOS (108 on Linux), and etcd's socket lies in this directory.
const maxDir = 104 - len("/client.sock") - 1

// state is the directory with everything the cluster remembers, locked
// against a second devcluster.
type state struct {
	dir       string
	temporary bool
	lock      *os.File
}

// openState makes and locks the state directory. Without a directory, a
// temporary one is made, below /tmp where the usual place has too long a name.
func openState(dir string) (*state, error) {
	s := &state{dir: dir}
	if dir == "" {
		parent := os.TempDir()
		if len(parent) > maxDir-len("/devcluster-")-10 {
			parent = "/tmp"
		}
		made, err := os.MkdirTemp(parent, "devcluster-")
		if err != nil {
			return nil, err
		}
		s.dir, s.temporary = made, true
	}
	abs, err := filepath.Abs(s.dir)
	if err != nil {
		return nil, err
	}
	s.dir = abs
	if len(s.dir) > maxDir {
		return nil, fmt.Errorf("the directory's path %s is too long: a unix socket in it can have at most %d bytes", s.dir, maxDir)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	s.lock, err = os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	// The kernel drops the lock when the process ends, however it ends.
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = s.lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the directory %s is in use by another devcluster", s.dir)
		}
		return nil, fmt.Errorf("lock %s: %w", s.lock.Name(), err)
	}
	return s, nil
}

// close removes a temporary directory. The components still write to it, so
// one attempt can meet a directory that is being refilled.
func (s *state) close() {
	if !s.temporary {
		return
	}
	for range 10 {
		if os.RemoveAll(s.dir) == nil {
			return
		}
	}
}
