package testnode

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// StateRoot is where the clusters' directories are: on a disk, root's alone,
// and with a short name (the path of a unix socket ends at 108 bytes).
const StateRoot = "/var/lib/switchback"

// slots are how many clusters can run side by side.
const slots = 60

// layout is where a cluster has what: its directory, its addresses and the
// names of what it makes outside of its namespaces. All follow from a number.
type layout struct {
	Slot int
	Dir  string
}

func layoutOf(slot int) layout {
	return layout{Slot: slot, Dir: filepath.Join(StateRoot, strconv.Itoa(slot))}
}

// KubeconfigIn is the administrator's kubeconfig in a cluster's directory.
func KubeconfigIn(dir string) string { return filepath.Join(dir, "control-plane", "kubeconfig") }

func (l layout) path(parts ...string) string {
	return filepath.Join(append([]string{l.Dir}, parts...)...)
}

func (l layout) lock() string       { return l.Dir + ".lock" }
func (l layout) kubeconfig() string { return KubeconfigIn(l.Dir) }
func (l layout) socket() string     { return l.path("containerd.sock") }

// The names of the host's end of the cable, and of the cgroups.
func (l layout) link() string   { return fmt.Sprintf("switchback%d", l.Slot) }
func (l layout) cgroup() string { return fmt.Sprintf("switchback-%d", l.Slot) }

// All addresses of a cluster are in one network, that is routed to its node.
func (l layout) address(rest string) string { return fmt.Sprintf("10.%d.%s", 192+l.Slot, rest) }
func (l layout) network() string            { return l.address("0.0/16") }
func (l layout) host() string               { return l.address("0.1") }
func (l layout) node() string               { return l.address("0.2") }
func (l layout) pods() string               { return l.address("1.0/24") }
func (l layout) services() string           { return l.address("128.0/17") }
func (l layout) dns() string                { return l.address("128.10") }
func (l layout) registry() string           { return l.node() + ":5000" }
