package testnode

import (
	"encoding/json"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// stat finds everything but what is named.
func stat(missing ...string) func(string) (os.FileInfo, error) {
	return func(path string) (os.FileInfo, error) {
		for _, name := range missing {
			if strings.HasSuffix(path, "/"+name) {
				return nil, fs.ErrNotExist
			}
		}
		return nil, nil
	}
}

func TestWhatIsMissingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		system string
		uid    int
		stat   func(string) (os.FileInfo, error)
		want   []string
	}{
		"not Linux": {"darwin", 0, stat(), []string{"needs Linux", "darwin", "make demo KUBECONFIG="}},
		"not root":  {"linux", 1000, stat(), []string{"needs root", "sudo", "make demo KUBECONFIG="}},
		"programs": {"linux", 0, stat("runc", "ctr", "containerd", "bridge"), []string{
			"containerd, ctr, runc, the network plugins", "apt-get install -y --no-install-recommends containerd runc containernetworking-plugins",
		}},
		"no cgroups": {"linux", 0, stat("cgroup"), []string{"/sys/fs/cgroup"}},
	} {
		_, err := inspect(tc.system, tc.uid, tc.stat)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is missing in: %v", name, want, err)
			}
		}
	}
	found, err := inspect("linux", 0, stat())
	if err != nil || found.runc == "" || found.cni != cniDirs[0] {
		t.Errorf("with everything there: %+v, %v", found, err)
	}
}

func TestEachSlotHasItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for number := 1; number <= slots; number++ {
		l := layoutOf(number)
		if len(l.link()) > 15 { // IFNAMSIZ
			t.Errorf("%s is too long for a link's name", l.link())
		}
		if len(l.socket()) > 100 {
			t.Errorf("%s is too long for a socket's name", l.socket())
		}
		for _, name := range []string{l.Dir, l.link(), l.cgroup(), l.network()} {
			if other := seen[name]; other != 0 {
				t.Errorf("the slots %d and %d share %s", other, number, name)
			}
			seen[name] = number
		}
	}
	if last := layoutOf(slots).network(); last != "10.252.0.0/16" {
		t.Errorf("the last network is %s", last)
	}
}

func TestConfigurationIsComplete(t *testing.T) {
	t.Parallel()
	l := layout{Slot: 3, Dir: t.TempDir()}
	if err := l.configure(machine{runc: "/sbin/runc", cni: "/cni"}, Options{Kubelet: map[string]any{"maxPods": 7}}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(l.path("kubelet.json"))
	if err != nil {
		t.Fatal(err)
	}
	var kubelet struct {
		MaxPods    int
		CgroupRoot string
	}
	if err := json.Unmarshal(content, &kubelet); err != nil || kubelet.MaxPods != 7 || kubelet.CgroupRoot != "/switchback-3" {
		t.Errorf("the kubelet's configuration is %+v, %v", kubelet, err)
	}
	containerd, err := os.ReadFile(l.path("containerd.toml"))
	if err != nil || strings.Contains(string(containerd), "%!") || !strings.Contains(string(containerd), `BinaryName = "/sbin/runc"`) {
		t.Errorf("containerd's configuration is %s, %v", containerd, err)
	}
	if _, err := os.Stat(l.path("registries", "10.195.0.2:5000", "hosts.toml")); err != nil {
		t.Error(err)
	}
}
