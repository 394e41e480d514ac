package release

import corev1 "k8s.io/api/core/v1"

// VariablesOf are the values of the environment variables of a pod's containers:
// what is said of the pod must not repeat them; see mask.Values.
func VariablesOf(pod *corev1.PodSpec) []string {
	var values []string
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			for _, v := range containers[i].Env {
				if v.Value != "" {
					values = append(values, v.Value)
				}
			}
		}
	}
	return values
}
