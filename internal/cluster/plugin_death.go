//go:build linux || freebsd

package cluster

import "syscall"

// endWithUs has the kernel end the plugin if we are killed. Only the plugin
// itself: its children must notice.
func endWithUs(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }
