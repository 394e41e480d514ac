package health

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// mountTexts are failures of volumes of which only the text tells what they are:
// the kubelet's, of k8s.io/kubernetes/pkg/volume, and the attacher's. What fits
// none is FailedMount.
var mountTexts = []struct {
	says     *regexp.Regexp
	cause    Cause
	class    Class
	sentence string
	hint     string
}{
	{
		regexp.MustCompile(`for volume "([^"]+)" : .*?\b(configmap|secret) "([^"]+)" not found`), CauseVolumeSource, Certain,
		`volume "$1" is made of the $2 "$3", which does not exist`, `create the $2 "$3", or correct its name in volumes`,
	},
	{
		regexp.MustCompile(`for volume "([^"]+)" : .*?references non-existent (config|secret) key: (\S+)`), CauseVolumeSource, Certain,
		`volume "$1" wants the $2 key $3, which does not exist`, `add the key $3, or correct it in volumes`,
	},
	{
		regexp.MustCompile(`Multi-Attach error for volume "([^"]+)"`), CauseVolume, Patient,
		`volume "$1" is attached to another node`, `a volume with access mode ReadWriteOnce is on one node at a time: use strategy = "recreate", or a claim that may be shared`,
	},
}

// ownVolume is what the API server adds to every pod. Its ConfigMap is made
// along with the namespace, a moment later.
const ownVolume = "kube-api-access-"

// mountFinding: the pod is on a node, but what its containers need around them
// is not there. The status says only ContainerCreating; events say why. Patient,
// because the kubelet tries again, and what is missing may come; but what a
// volume is made of has to be made by somebody.
func mountFinding(pod *corev1.Pod, events eventsByPod) *Finding {
	if pod.Status.Phase != corev1.PodPending || !creating(pod) {
		return nil
	}
	// The sandbox is made once the volumes are there. After that, the same status
	// is that of a pull, and the events are old.
	sandbox := condition(pod, corev1.PodReadyToStartContainers)
	if sandbox != nil && sandbox.Status == corev1.ConditionTrue {
		return nil
	}
	if failures := events.all(pod, "", "FailedMount", "FailedAttachVolume", "FailedMapVolume"); len(failures) > 0 {
		return volumeFinding(pod, failures, sandbox != nil)
	}
	if e := events.last(pod, "", "FailedCreatePodSandBox"); e != nil {
		return &Finding{
			Cause: CauseSandbox, Class: Patient, Object: aPod + pod.Name,
			Sentence: "the node cannot set up the pod's network", Evidence: quote(e), Hint: try(CauseSandbox),
		}
	}
	return nil
}

// volumeFinding takes the newest failure of which it is known what it is; the
// kubelet also sums them up. sure says that the volumes are not there by now.
func volumeFinding(pod *corev1.Pod, failures []*corev1.Event, sure bool) *Finding {
	for _, e := range failures {
		for _, t := range mountTexts {
			at := t.says.FindStringSubmatchIndex(e.Message)
			if at == nil || strings.Contains(e.Message, `volume "`+ownVolume) {
				continue
			}
			f := &Finding{
				Cause: t.cause, Class: t.class, Object: aPod + pod.Name, Evidence: quote(e),
				Sentence: string(t.says.ExpandString(nil, t.sentence, e.Message, at)),
				Hint:     string(t.says.ExpandString(nil, t.hint, e.Message, at)),
			}
			if !sure {
				f.Class = Patient
			}
			return f
		}
	}
	return &Finding{
		Cause: CauseVolume, Class: Patient, Object: aPod + pod.Name,
		Sentence: "a volume cannot be mounted", Evidence: quote(failures[0]),
		Hint: fmt.Sprintf("create the ConfigMap, Secret or claim it names in namespace %q, or correct the name", pod.Namespace),
	}
}

// creating says that some container waits for what is around it.
func creating(pod *corev1.Pod) bool {
	for _, s := range subjects(pod, nil) {
		switch s.waitingFor() {
		case "ContainerCreating", "PodInitializing":
			return true
		}
	}
	return false
}
