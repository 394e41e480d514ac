package health

import "fmt"

// imageFinding: the kubelet cannot get the image. Its reasons are in
// k8s.io/kubernetes/pkg/kubelet/images and k8s.io/cri-api/pkg/errors. Why the
// registry refuses (401, 403, 404) is only in the text, so it is quoted.
func imageFinding(s subject) *Finding {
	image := s.status.Image
	if s.spec.Image != "" {
		image = s.spec.Image // the status may hold a resolved name
	}
	evidence := longest(s.waitingMessage(), messageOf(s.events.last(s.pod, s.status.Name, "Failed")))
	switch s.waitingFor() {
	case "InvalidImageName":
		return s.finding(CauseInvalidImageName, Certain, fmt.Sprintf("names an image that is not one: %s", image), evidence,
			"correct the image reference: registry/repository:tag, all lower case up to the tag")
	case "ErrImageNeverPull":
		return s.finding(CauseImageNeverPull, Certain, fmt.Sprintf("needs %s, which is not on the node and may not be pulled", image), evidence,
			"remove imagePullPolicy: Never from pod_template_patch, or load the image onto the nodes")
	case "SignatureValidationFailed":
		return s.finding(CauseImageSignature, Certain, fmt.Sprintf("cannot use %s: its signature is not accepted", image), evidence,
			"sign the image as the nodes' policy asks, or use one that is signed")
	case "ImageInspectError":
		return s.finding(CauseImageInspect, Patient, fmt.Sprintf("cannot use %s: the node cannot read it", image), evidence,
			"look at the node's container runtime and its disk")
	case "RegistryUnavailable":
		return s.finding(CauseRegistryUnavailable, Patient, fmt.Sprintf("cannot pull %s: the registry does not answer", image), evidence,
			"check that the registry is up and that the nodes can reach it; the kubelet goes on trying")
	case "ErrImagePull", "ImagePullBackOff":
		return s.finding(CauseImagePull, Certain, fmt.Sprintf("cannot pull %s", image), evidence, pullHint(s))
	}
	return nil
}

func pullHint(s subject) string {
	const exists = "check that the tag or digest exists in the registry"
	if len(s.pod.Spec.ImagePullSecrets) == 0 {
		return exists + "; a private registry also needs image_pull_secrets, and the pods have none"
	}
	return exists + fmt.Sprintf(" and that Secret %q may pull it", s.pod.Spec.ImagePullSecrets[0].Name)
}
