package testnode

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// otherwise is the way for whoever cannot have a node of their own.
const otherwise = `To try Switchback on a cluster of yours, in namespaces that are removed afterwards:
  make demo KUBECONFIG=path CONTEXT=name`

// machine is what was found of what a node needs.
type machine struct {
	runc string
	cni  string // the directory with the network plugins
}

// requirement is a program that a node needs, and Debian's package with it.
type requirement struct{ program, pkg string }

var requirements = []requirement{
	{"containerd", "containerd"}, {"containerd-shim-runc-v2", "containerd"}, {"ctr", "containerd"},
	{"runc", "runc"}, {"iptables", "iptables"}, {"nft", "nftables"}, {"conntrack", "conntrack"},
	{"ipset", "ipset"}, {"socat", "socat"}, {"ip", "iproute2"}, {"nsenter", "util-linux"},
	{"mount", "mount"}, // the kubelet uses it
}

const cniPackage = "containernetworking-plugins"

// Packages are the Debian packages with everything that a node needs.
func Packages() []string {
	packages := []string{cniPackage}
	for _, r := range requirements {
		packages = append(packages, r.pkg)
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// cniDirs are where distributions have the network plugins.
var cniDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

var cniPlugins = []string{"bridge", "host-local", "loopback", "portmap"}

// searchPath is where a node's programs are, whatever PATH says: root's is
// often without the directories for root's programs.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Check tells why a node cannot run here, all of it at once, or nil.
func Check() error {
	_, err := inspect(runtime.GOOS, os.Geteuid(), os.Stat)
	return err
}

// findProgram is a program's path, or empty.
func findProgram(name string, exists func(string) bool) string {
	for _, dir := range filepath.SplitList(searchPath) {
		if path := filepath.Join(dir, name); exists(path) {
			return path
		}
	}
	return ""
}

func inspect(system string, uid int, stat func(string) (os.FileInfo, error)) (machine, error) {
	if system != "linux" {
		return machine{}, fmt.Errorf("a real node needs Linux, and this is %s.\n%s", system, otherwise)
	}
	if uid != 0 {
		return machine{}, fmt.Errorf("a real node needs root, for its namespaces, mounts and cgroups. Run it again with sudo.\n%s", otherwise)
	}
	exists := func(path string) bool { _, err := stat(path); return err == nil }
	find := func(program string) string { return findProgram(program, exists) }
	found := machine{runc: find("runc")}
	var programs, packages []string
	missing := func(program, pkg string) {
		programs = append(programs, program)
		if !slices.Contains(packages, pkg) {
			packages = append(packages, pkg)
		}
	}
	for _, r := range requirements {
		if find(r.program) == "" {
			missing(r.program, r.pkg)
		}
	}
	for _, dir := range cniDirs {
		if !slices.ContainsFunc(cniPlugins, func(plugin string) bool { return !exists(filepath.Join(dir, plugin)) }) {
			found.cni = dir
			break
		}
	}
	if found.cni == "" {
		missing("the network plugins "+strings.Join(cniPlugins, ", "), cniPackage)
	}
	if len(programs) > 0 {
		return found, fmt.Errorf("a real node needs programs that are not here: %s. On Debian or Ubuntu:\n  apt-get install -y --no-install-recommends %s",
			strings.Join(programs, ", "), strings.Join(packages, " "))
	}
	for _, file := range []string{"/sys/fs/cgroup", "/proc/sys/net/ipv4/ip_forward"} {
		if !exists(file) {
			return found, errors.New("a real node needs " + file + ", which is not mounted here")
		}
	}
	return found, nil
}
