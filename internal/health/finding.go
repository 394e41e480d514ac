package health

import (
	"slices"
	"strings"
)

// Class is how sure a finding is, and so what a caller does about it.
type Class string

// Classes, surest first.
const (
	// Certain: waiting does not help. It is fatal once it has lasted for a grace
	// period, which the caller measures: registries and admission have moments.
	Certain Class = "certain"
	// Repeated: it happened so often that it will go on. Fatal at once.
	Repeated Class = "repeated"
	// Patient: it may heal by itself. Wait to the deadline, but say so.
	Patient Class = "patient"
)

// Classes lists every Class, surest first.
func Classes() []Class { return []Class{Certain, Repeated, Patient} }

// Cause is why a release is not healthy, in Kubernetes' own word where it has
// one. It titles errors, and it stays the same while the kubelet alternates
// between the reasons of one cause (ErrImagePull and ImagePullBackOff), so that
// a grace period can be measured by it.
type Cause string

// Causes, those that lead to others first.
const (
	CausePodsRefused         Cause = "FailedCreate"
	CauseInvalidImageName    Cause = "InvalidImageName"
	CauseImageNeverPull      Cause = "ErrImageNeverPull"
	CauseImageSignature      Cause = "SignatureValidationFailed"
	CauseImageInspect        Cause = "ImageInspectError"
	CauseImagePull           Cause = "ImagePullBackOff"
	CauseContainerConfig     Cause = "CreateContainerConfigError"
	CauseContainerCreate     Cause = "CreateContainerError"
	CauseContainerRun        Cause = "RunContainerError"
	CauseContainerHook       Cause = "ContainerHookError"
	CauseOutOfMemory         Cause = "OOMKilled"
	CauseCrashLoop           Cause = "CrashLoopBackOff"
	CauseUnschedulable       Cause = "Unschedulable"
	CauseSchedulingGated     Cause = "SchedulingGated"
	CauseVolume              Cause = "FailedMount"
	CauseSandbox             Cause = "FailedCreatePodSandBox"
	CauseRegistryUnavailable Cause = "RegistryUnavailable"
	CausePodFailed           Cause = "PodFailed"
	CauseInitRunning         Cause = "InitContainerRunning"
	CauseNotStarted          Cause = "StartupProbeFailing"
	CauseNotReady            Cause = "NotReady"
	CauseReadinessGate       Cause = "ReadinessGatesNotReady"
	CauseDeadline            Cause = "ProgressDeadlineExceeded"
)

// Causes lists every Cause, those that lead to others first; findings of one
// class are shown in this order.
func Causes() []Cause {
	return []Cause{
		CausePodsRefused, CauseInvalidImageName, CauseImageNeverPull, CauseImageSignature, CauseImageInspect,
		CauseImagePull, CauseContainerConfig, CauseContainerCreate, CauseContainerRun, CauseContainerHook,
		CauseOutOfMemory, CauseCrashLoop, CauseUnschedulable, CauseSchedulingGated, CauseVolume, CauseSandbox,
		CauseRegistryUnavailable, CausePodFailed, CauseInitRunning, CauseNotStarted, CauseNotReady, CauseReadinessGate, CauseDeadline,
	}
}

// Finding is one cause, with everything a person needs to act on it. Its texts
// are redacted.
type Finding struct {
	Cause     Cause
	Class     Class
	Object    string // "pod api-7f3c9a1e-6c9f8-x2x8d": the first of those it concerns
	Container string
	Sentence  string // what is wrong
	Evidence  string // what the cluster says about it, verbatim
	Hint      string // what to do
	Affected  int    // how many pods, of
	Of        int    // how many; both zero where it is not about pods
	LogsOf    *PodRef
}

// aPod begins the Object of a finding about a pod.
const aPod = "pod "

// PodRef is whose log shows more.
type PodRef struct {
	Pod       string
	Container string
	Previous  bool // of the container that ran before the present one
}

// merge makes one finding of the same cause in many pods, and sorts: sure ones
// first, and causes before their echoes.
func merge(found []Finding, pods int) []Finding {
	type key struct {
		cause     Cause
		container string
	}
	var merged []Finding
	at := map[key]int{}
	for _, f := range found {
		k := key{f.Cause, f.Container}
		i, known := at[k]
		if !known {
			at[k] = len(merged)
			if strings.HasPrefix(f.Object, aPod) {
				f.Affected, f.Of = 1, pods
			}
			merged = append(merged, f)
			continue
		}
		first := &merged[i]
		affected := first.Affected + 1
		if rank(f.Class) < rank(first.Class) { // the pod that shows it most clearly speaks for the others
			of := first.Of
			*first = f
			first.Of = of
		}
		first.Affected = affected
	}
	order := Causes()
	slices.SortStableFunc(merged, func(a, b Finding) int {
		if byClass := rank(a.Class) - rank(b.Class); byClass != 0 {
			return byClass
		}
		return slices.Index(order, a.Cause) - slices.Index(order, b.Cause)
	})
	for i := range merged {
		merged[i].Sentence = Redact(merged[i].Sentence)
		merged[i].Evidence = shorten(Redact(merged[i].Evidence))
	}
	return merged
}

func rank(c Class) int { return slices.Index(Classes(), c) }
