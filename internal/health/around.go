package health

import corev1 "k8s.io/api/core/v1"

// aroundFindings are what is wrong with the objects around a workload, beyond
// what its pods say of them.
func aroundFindings(Input, []*corev1.Pod) []Finding { return nil }
