package health

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// claimTexts are what the scheduler says of single claims: only the text names
// them. See k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumebinding.
var claimTexts = []struct {
	says  *regexp.Regexp
	cause Cause
}{
	{regexp.MustCompile(`persistentvolumeclaim "([^"]+)" not found`), CauseClaimMissing},
	{regexp.MustCompile(`persistentvolumeclaim "([^"]+)" bound to non-existent persistentvolume`), CauseClaimLost},
	{regexp.MustCompile(`persistentvolumeclaim "([^"]+)" is being deleted`), CauseTerminating},
}

// unboundText says that a claim has no volume, and not which one.
const unboundText = "pod has unbound immediate PersistentVolumeClaims"

// pendingReasons are the events of a claim that waits for more than its pod.
var pendingReasons = []string{"FailedBinding", "ProvisioningFailed", "ExternalProvisioning", "Provisioning", "VolumeMismatch"}

// claimFindings: a pod waits for a volume. A claim that waits for its pod to find
// a node is no finding.
func claimFindings(in Input, pods []*corev1.Pod) []Finding {
	var found []Finding
	judged := map[string]bool{}
	for _, pod := range pods {
		if pod.Status.Phase != corev1.PodPending {
			continue
		}
		said := ""
		if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
			said = strings.TrimSpace(c.Message)
		}
		names := claimNames(pod)
		for _, name := range names {
			if judged[name] {
				continue
			}
			if f := claimFinding(in, pod, name, len(names) == 1, said); f != nil {
				judged[name] = true
				f.Object = "PersistentVolumeClaim " + name
				found = append(found, *f)
			}
		}
		if len(found) == 0 && len(in.Around.Claims) == 0 && strings.Contains(said, unboundText) {
			found = append(found, Finding{
				Cause: CauseClaimPending, Class: Patient, Object: "PersistentVolumeClaim " + strings.Join(names, ", "), Evidence: said,
				Sentence: "one of the pods' PersistentVolumeClaims has no volume yet: " + strings.Join(names, ", "), Hint: try(CauseClaimPending),
			})
		}
	}
	return found
}

// claimNames are the claims that a pod uses, those that are made for it too.
func claimNames(pod *corev1.Pod) []string {
	var names []string
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		case v.Ephemeral != nil:
			names = append(names, pod.Name+"-"+v.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func claimFinding(in Input, pod *corev1.Pod, name string, only bool, said string) *Finding {
	texts := map[Cause]bool{}
	for _, t := range claimTexts {
		for _, match := range t.says.FindAllStringSubmatch(said, -1) {
			texts[t.cause] = texts[t.cause] || match[1] == name
		}
	}
	claim := claimNamed(in.Around.Claims, name)
	switch {
	case claim != nil && claim.DeletionTimestamp != nil:
		f := terminatingClaim(in, claim)
		return &f
	case claim == nil && texts[CauseTerminating]:
		return &Finding{
			Cause: CauseTerminating, Class: Patient, Evidence: said, Hint: try(CauseTerminating),
			Sentence: fmt.Sprintf("the PersistentVolumeClaim %q was deleted and stays", name),
		}
	case claim == nil && texts[CauseClaimMissing]:
		return &Finding{
			Cause: CauseClaimMissing, Class: Certain, Evidence: said,
			Sentence: fmt.Sprintf("the PersistentVolumeClaim %q that the pods use does not exist in namespace %q", name, pod.Namespace),
			Hint:     fmt.Sprintf("create the claim %q, or correct its name in volumes", name),
		}
	case claim != nil && claim.Status.Phase == corev1.ClaimLost, texts[CauseClaimLost] && (claim == nil || claim.Status.Phase != corev1.ClaimBound):
		f := &Finding{
			Cause: CauseClaimLost, Class: Certain, Evidence: said, Hint: try(CauseClaimLost),
			Sentence: fmt.Sprintf("the volume behind the PersistentVolumeClaim %q is gone", name),
		}
		if claim != nil {
			f.Sentence = fmt.Sprintf("the volume %q behind the PersistentVolumeClaim %q is gone", claim.Spec.VolumeName, name)
			if e := lastEvent(in.Events, claim, "PersistentVolumeClaim", "ClaimLost", "ClaimMisbound"); e != nil {
				f.Evidence = quote(e)
			}
		}
		return f
	case claim != nil && claim.Status.Phase == corev1.ClaimPending:
		return pendingClaim(in, claim, only, said)
	}
	return nil
}

func claimNamed(claims []*corev1.PersistentVolumeClaim, name string) *corev1.PersistentVolumeClaim {
	for _, c := range claims {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// pendingClaim: a claim has no volume. That is normal for one that waits for its
// pod to find a node: it is a finding where the scheduler waits for the claim, or
// where an attempt to find a volume is told.
func pendingClaim(in Input, claim *corev1.PersistentVolumeClaim, only bool, said string) *Finding {
	e := lastEvent(in.Events, claim, "PersistentVolumeClaim", pendingReasons...)
	scheduler := strings.Contains(said, unboundText)
	if e == nil && !scheduler {
		return nil
	}
	if e == nil && !only && lastEvent(in.Events, claim, "PersistentVolumeClaim", "WaitForFirstConsumer", "WaitForPodScheduled") != nil {
		return nil // another one is meant
	}
	size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	f := &Finding{
		Cause: CauseClaimPending, Class: Patient, Evidence: said,
		Sentence: fmt.Sprintf("the PersistentVolumeClaim %q has no volume yet: it asks for %s", claim.Name, size.String()),
		Hint:     "name a storage class in the claim, have a default one made, or make a PersistentVolume for it",
	}
	if e != nil {
		f.Evidence = quote(e)
	}
	switch class := claim.Spec.StorageClassName; {
	case class != nil && *class != "":
		f.Sentence += fmt.Sprintf(" of storage class %q", *class)
		f.Hint = fmt.Sprintf("see whether the storage class %q exists and its provisioner runs", *class)
	case claim.Spec.VolumeName != "":
		f.Sentence += fmt.Sprintf(", of the volume %q", claim.Spec.VolumeName)
		f.Hint = fmt.Sprintf("see whether the volume %q exists, is free, and fits the claim's size and access modes", claim.Spec.VolumeName)
	default:
		f.Sentence += ", and names no storage class"
	}
	return f
}
