//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// firstProcess is the name of a node's first process.
const firstProcess = "switchback-node-init"

// globalSettings are kernel settings that a kubelet or kube-proxy changes on a
// machine of its own.
var globalSettings = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
	"net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet", "net/ipv4/conf/all/rp_filter", "net/netfilter/nf_conntrack_max",
}

// hostPaths are what containers and kubelets leave on a machine.
var hostPaths = []string{
	"/etc/cni", "/opt/containerd", "/opt/cni", "/run/containerd", "/run/netns", "/run/runc", "/run/xtables.lock",
	"/usr/libexec/kubernetes", "/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods",
}

// footprint is what there is on the machine that a cluster could leave.
type footprint map[string]bool

// takeFootprint looks at the whole machine. What belongs to clusters in other
// slots is left out: they come and go beside this test.
func takeFootprint(t testing.TB) footprint {
	t.Helper()
	f := footprint{}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(err)
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		f["mount "+fields[4]] = true
	}
	links, err := net.Interfaces()
	must(err)
	for _, link := range links {
		f["link "+link.Name] = true
	}
	routes, err := os.ReadFile("/proc/net/route")
	must(err)
	for line := range strings.Lines(string(routes)) {
		f["route "+strings.Join(strings.Fields(line), " ")] = true
	}
	must(filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went while we looked
		}
		if err == nil && entry.IsDir() {
			f["cgroup "+path] = true
		}
		return err
	}))
	for _, setting := range globalSettings {
		value, err := os.ReadFile("/proc/sys/" + setting)
		if err == nil {
			f["setting "+setting+" "+strings.TrimSpace(string(value))] = true
		}
	}
	for _, path := range hostPaths {
		if _, err := os.Stat(path); err == nil {
			f["path "+path] = true
		}
	}
	return f
}

// since is what is there now and was not before, apart from other clusters'.
func (f footprint) since(before footprint, slot string) []string {
	var found []string
	for what := range f {
		if !before[what] && !otherCluster(what, slot) {
			found = append(found, what)
		}
	}
	for what := range before {
		if strings.HasPrefix(what, "setting ") && !f[what] {
			found = append(found, "no more "+what)
		}
	}
	slices.Sort(found)
	return found
}

// otherCluster tells whether something bears another slot's name.
func otherCluster(what, slot string) bool {
	for _, name := range []string{"link switchback", "route switchback", "/switchback-"} {
		if _, rest, ok := strings.Cut(what, name); ok {
			number := strings.FieldsFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
			return len(number) > 0 && number[0] != slot
		}
	}
	return false
}

// trace is what a running cluster is: to be gone when it is stopped.
type trace struct {
	slot       string
	dir        string
	first      int      // the first process
	processes  int      // how many there were
	namespaces []string // of all its processes, such as net:[4026532288]
}

var namespaceKinds = []string{"net", "pid", "mnt"}

// traceOf finds the processes of a cluster by its directory.
func traceOf(t testing.TB, dir string) trace {
	t.Helper()
	tr := trace{slot: filepath.Base(dir), dir: dir}
	parents := map[int]int{}
	for _, pid := range pids(t) {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if string(command) == firstProcess+"\x00"+dir+"\x00" {
			tr.first = pid
		}
		parents[pid] = parentOf(pid)
	}
	if tr.first == 0 {
		t.Fatalf("no first process for %s", dir)
	}
	ours := namespacesOf(os.Getpid())
	for pid := range parents {
		if !descends(pid, tr.first, parents) {
			continue
		}
		tr.processes++
		for _, namespace := range namespacesOf(pid) {
			if !slices.Contains(ours, namespace) && !slices.Contains(tr.namespaces, namespace) {
				tr.namespaces = append(tr.namespaces, namespace)
			}
		}
	}
	return tr
}

// dirOfChild is the directory of the cluster whose first process is a child of
// this one, or empty.
func dirOfChild(t testing.TB, parent int) string {
	t.Helper()
	for _, pid := range pids(t) {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if dir, ok := strings.CutPrefix(string(command), firstProcess+"\x00"); ok && parentOf(pid) == parent {
			return strings.TrimSuffix(dir, "\x00")
		}
	}
	return ""
}

func pids(t testing.TB) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

func parentOf(pid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "PPid:"); ok {
			parent, _ := strconv.Atoi(strings.TrimSpace(value))
			return parent
		}
	}
	return 0
}

func descends(pid, from int, parents map[int]int) bool {
	for range len(parents) {
		if pid == from {
			return true
		}
		if pid = parents[pid]; pid == 0 {
			return false
		}
	}
	return false
}

func namespacesOf(pid int) []string {
	var all []string
	for _, kind := range namespaceKinds {
		if name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind)); err == nil {
			all = append(all, name)
		}
	}
	return all
}

// mustBeGone waits until nothing is left of a cluster. Where nobody could wait
// for the kernel, it may take a moment.
func (tr trace) mustBeGone(t testing.TB, before footprint, within time.Duration) {
	t.Helper()
	testcluster.Eventually(t, within, "the cluster to be gone", func() error {
		left := takeFootprint(t).since(before, tr.slot)
		for _, path := range []string{tr.dir, tr.dir + ".lock"} {
			if _, err := os.Stat(path); err == nil {
				left = append(left, path)
			}
		}
		for _, pid := range pids(t) {
			for _, namespace := range namespacesOf(pid) {
				if slices.Contains(tr.namespaces, namespace) {
					command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
					left = append(left, fmt.Sprintf("process %d %q in %s", pid, command, namespace))
				}
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("still there:\n%s", strings.Join(left, "\n"))
		}
		return nil
	})
}
