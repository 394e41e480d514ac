// Package testnode gives end-to-end tests a real Kubernetes cluster: a control
// plane (tools/devcluster) and one real node, where containers run, probes
// probe, and kube-proxy forwards. It needs root on Linux, and no virtual
// machine, no container engine and no network.
//
// All of the node lives in network, process and mount namespaces of its own,
// below one process that is the first in them. That process holds one end of a
// pipe; when the other end closes, because the test is over or was killed, it
// kills everything in the namespaces, removes what they left (cgroups, the
// state directory) and ends; and with the namespaces go all mounts and links.
// If it is killed itself, the kernel kills the rest, and the test, or the next
// cluster that starts, removes what was left. The machine's own settings are
// never changed: what the kubelet would set is hidden from it.
//
// Nodes, pods and Services have addresses that are routed from this machine and
// nowhere else: a test's requests to a Service go through kube-proxy as any
// client's do. Several clusters run side by side. Names are not resolved: there
// is no DNS.
//
// [Cluster.Gateway] is a data plane of the Gateway API, for routes of any namespace:
// one more program on the node, at the node's address.
//
// The cluster's registry, at [Cluster.Registry], is where images are pulled
// from: [Cluster.Push] puts one there. What a repository's name begins with
// makes pulling fail: private/ needs the account [RegistryUser] and
// [RegistryPassword], for a token as most registries do, and basic/ needs it
// without one; forbidden/ answers 403, limited/ 429, broken/ 500, and slow/
// takes 20 seconds a request. What is pushed below foreign/ is for another
// platform, and below garbage/ it is damaged. [AppImage] and [StockImage] are on
// the node from the start; their /no-program cannot be executed.
package testnode
