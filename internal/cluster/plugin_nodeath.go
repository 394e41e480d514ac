//go:build unix && !linux && !freebsd

package cluster

import "syscall"

// endWithUs is more than this system's kernel can do.
func endWithUs(*syscall.SysProcAttr) {}
