//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// pause keeps a pod's namespaces and takes in the processes whose parents have
// died: it is the first in their namespace.
func pause() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
