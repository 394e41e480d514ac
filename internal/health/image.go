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

// pullHint covers every answer of a registry: which one it was, only the text
// says.
func pullHint(s subject) string {
	refused := "name a Secret with a login in image_pull_secrets, the pods have none"
	if secrets := s.pod.Spec.ImagePullSecrets; len(secrets) > 0 {
		refused = fmt.Sprintf("see what Secret %q in namespace %q may pull", secrets[0].Name, s.pod.Namespace)
	}
	return "if it was not found, correct the tag or digest; if it was refused (401, 403), " + refused +
		"; anything else is between the node and the registry"
}
