// Package testcluster gives tests a real Kubernetes API server, with all its
// controllers, in seconds: a devcluster (tools/devcluster), built at first use.
// Its nodes are simulated: pods become ready at once, or fail as their image's
// name asks (a word of missing, crash, oom, unready, slow).
//
// [Shared] is one cluster for the whole test process; tests get a [Cluster.Namespace]
// each and run in parallel. [Start] is a further cluster, which the test may
// stop or pause. [Cluster.Proxy] puts faults on the wire between a client and
// the API server, and [Cluster.WatchMain] proves that an address never lost its
// last ready pod.
//
// kwok's nodes have no logs. [Cluster.Kubelet] is a node that has, with pods whose
// statuses the test writes: the API server in front of it, its authorization and
// the wire are real.
//
// The environment variable SWITCHBACK_TEST_KUBECONFIG names a cluster to use
// instead of the shared one.
package testcluster
