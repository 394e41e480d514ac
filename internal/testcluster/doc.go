// Package testcluster gives tests a real Kubernetes API server, with all its
// controllers, in seconds: a devcluster (tools/devcluster), built at first use.
// Its nodes are simulated: pods become ready at once, or fail as their image's
// name asks (a word of missing, crash, oom, unready, slow).
//
// [Shared] is one cluster for the whole test process; tests get a [Cluster.Namespace]
// each and run in parallel. [Clusters] are several that tests share, [Routed] are those of
// them that know HTTPRoutes, [Start] is a
// further one, which the test may stop or pause. [Cluster.Proxy] puts faults on the wire between a client and
// the API server, and [Cluster.WatchMain] proves that an address never lost its
// last ready pod.
//
// kwok's nodes have no logs. [Cluster.Kubelet] is a node that has, with pods whose
// statuses the test writes: the API server in front of it, its authorization and
// the wire are real.
//
// The environment variable SWITCHBACK_TEST_KUBECONFIG names clusters to use
// instead of starting some. The command testrun starts them once for the tests of
// all packages: what a test makes that has no namespace carries the name of the
// test's namespace, and concerns that namespace alone.
package testcluster
