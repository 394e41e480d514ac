package testnode

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

// containerdConfig leaves out the snapshotters that are not used, and AppArmor
// and OOM scores, which a node inside of something else may not set.
const containerdConfig = `version = 2
root = "%[1]s/containerd/root"
state = "%[1]s/containerd/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt",
]

[grpc]
  address = "%[2]s"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[3]s"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "%[1]s/registries"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "%[4]s"
    conf_dir = "%[1]s/cni"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = "%[5]s"
`

// configure writes the configuration of everything on the node.
func (l layout) configure(found machine, options Options) error {
	kubelet := l.kubeletConfig()
	maps.Copy(kubelet, options.Kubelet)
	files := map[string]any{
		"containerd.toml":        fmt.Sprintf(containerdConfig, l.Dir, l.socket(), pauseImage, found.cni, found.runc),
		"kubelet.json":           kubelet,
		"kube-proxy.json":        l.kubeProxyConfig(),
		"images.json":            images(),
		"cni/10-bridge.conflist": l.networkConfig(),
		"resolv.conf":            "nameserver " + l.dns() + "\n",
		"registries/" + l.registry() + "/hosts.toml": fmt.Sprintf("server = \"http://%[1]s\"\n\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", l.registry()),
	}
	for name, content := range files {
		text, ok := content.(string)
		if !ok {
			encoded, err := json.MarshalIndent(content, "", "  ")
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			text = string(encoded)
		}
		path := l.path(filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (l layout) kubeletConfig() map[string]any {
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",

		"address":                  l.node(),
		"port":                     10250,
		"healthzPort":              0,
		"authentication":           map[string]any{"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": false}, "x509": map[string]any{"clientCAFile": l.path("control-plane", "pki", "ca.crt")}},
		"authorization":            map[string]any{"mode": "AlwaysAllow"}, // whoever has a certificate
		"containerRuntimeEndpoint": "unix://" + l.socket(),
		"podLogsDir":               l.path("pod-logs"),
		"volumePluginDir":          l.path("volume-plugins"),

		// The machine's cgroups are taken as they are, old or new, below one of
		// ours; and its memory and disk, which others use too.
		"cgroupDriver":           "cgroupfs",
		"cgroupRoot":             "/" + l.cgroup(),
		"enforceNodeAllocatable": []string{},
		"failCgroupV1":           false,
		// Else content that one test pulled with a Secret is refused to the others.
		"imagePullCredentialsVerificationPolicy": "NeverVerify",
		"failSwapOn":                             false,
		"localStorageCapacityIsolation":          true,
		"evictionHard":                           map[string]string{"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
		"imageGCHighThresholdPercent":            100,

		// Nothing answers there, but without it every pod gets a warning.
		"clusterDNS":    []string{l.dns()},
		"clusterDomain": "cluster.local",
		"resolvConf":    l.path("resolv.conf"),

		// As quick as tests like it.
		"nodeStatusUpdateFrequency": "5s",
		"syncFrequency":             "5s",
		"maxPods":                   100,
		"crashLoopBackOff":          map[string]any{"maxContainerRestartPeriod": "10s"},
	}
}

func (l layout) kubeProxyConfig() map[string]any {
	return map[string]any{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "nftables",
		"clientConnection":   map[string]any{"kubeconfig": l.kubeconfig()},
		"clusterCIDR":        l.pods(),
		"hostnameOverride":   NodeName,
		"bindAddress":        "127.0.0.1",
		"healthzBindAddress": "127.0.0.1:10256",
		"metricsBindAddress": "127.0.0.1:10249",
		"conntrack":          map[string]any{"maxPerCore": 0, "min": 0}, // the whole machine's limit
		"nftables":           map[string]any{"minSyncPeriod": "100ms", "syncPeriod": "30s"},
	}
}

func (l layout) networkConfig() map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "pods",
		"plugins": []map[string]any{
			{
				"type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
				"ipam": map[string]any{
					"type": "host-local", "dataDir": l.path("cni-addresses"),
					"ranges": [][]map[string]string{{{"subnet": l.pods()}}},
					"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}
}
