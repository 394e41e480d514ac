package health

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Input is everything a verdict is made of. With less to look at, less is said.
type Input struct {
	// Workload is nil where nothing is known but pods: then all of them count, and
	// WantReplicas does not.
	Workload *appsv1.Deployment
	// WantReplicas is how many pods were asked for. Where the Workload asks for another
	// number, somebody else has changed it since.
	WantReplicas int32
	// Generation is that of the API server's reply to our own write: what was
	// observed of an older one says nothing about ours. A watch may lag behind.
	Generation int64
	// ReplicaSets are those of the workload. Without them all Pods count as
	// pods of the current template.
	ReplicaSets []*appsv1.ReplicaSet
	Pods        []*corev1.Pod
	// Events are those of the workload's objects; events.k8s.io writes the same
	// ones.
	Events []*corev1.Event
	// Around is what only explains: it is looked at when something is wrong.
	Around Around
	// Limits are where patience ends; zero ones are the defaults.
	Limits Limits
	// Now is when this was looked at. Without it, nothing is said of what should be
	// gone by now.
	Now time.Time
}

// Around are the objects around a workload that may be why it is not healthy.
// What is nil was not looked at, or is not there.
type Around struct {
	Claims          []*corev1.PersistentVolumeClaim
	Quotas          []*corev1.ResourceQuota
	LimitRanges     []*corev1.LimitRange
	ServiceAccounts []*corev1.ServiceAccount
	Services        []*corev1.Service // that lead, or should lead, to its pods
	Endpoints       []*discoveryv1.EndpointSlice
	Autoscaler      *autoscalingv2.HorizontalPodAutoscaler
	Disruption      *policyv1.PodDisruptionBudget
	Routes          []*gatewayv1.HTTPRoute // that lead to one of Services
	// Logs are the ends of logs, by whose they are, as they were read: Compute
	// redacts them.
	Logs map[PodRef]string
}

// Limits are the counts from which on something is no accident any more, and how
// much of it is shown.
type Limits struct {
	Crashes  int32 // restarts of one container; 0: CrashThreshold
	LogLines int32 // of one log that are shown; 0: DefaultLogLines
}

// LimitsOf is where a release's own settings end patience.
func LimitsOf(h release.Health) Limits {
	return Limits{Crashes: h.CrashLimit, LogLines: h.Lines()}
}

// State is what became of a release.
type State string

// States.
const (
	Progressing State = "progressing"
	Healthy     State = "healthy"
	Failed      State = "failed"
)

// States lists every State.
func States() []State { return []State{Progressing, Healthy, Failed} }

// Verdict is the judgement at one moment.
type Verdict struct {
	State State
	// Class is the first finding's. A healthy release has none but warnings. With State Failed it says when to give up: at
	// once where it is Repeated; after the cause has lasted for a grace period,
	// which the caller measures, where it is Certain.
	Class    Class
	Findings []Finding // the most likely cause first
	Ready    int32     // pods of the current template that are available
	Want     int32

	// Certain are the places where waiting does not help, each pod for itself: see
	// Patience.
	Certain []Place `json:"-"`
}

// Compute judges a release.
func Compute(in Input) Verdict {
	if in.Workload == nil {
		return computePods(in)
	}
	status := in.Workload.Status
	v := Verdict{State: Progressing, Want: in.want()}
	if status.ObservedGeneration < max(in.Workload.Generation, in.Generation) {
		return v // all that is known is about an older spec
	}
	pods, old := current(in)
	v.Ready = min(status.AvailableReplicas, status.UpdatedReplicas)
	if status.Replicas > status.UpdatedReplicas && len(pods) > 0 { // of the old ones, some may be available, too
		v.Ready = min(v.Ready, readyPods(pods))
	}
	if len(old) == 0 && in.has() >= in.WantReplicas && complete(status, v.Want) {
		v.State = Healthy
		v.tell(in, pods, healthyFindings(in, pods))
		return v
	}
	if noPodsYet(in) {
		pods = nil
	}
	v.explain(in, pods, rolloutFindings(in))
	return v
}

// readyPods is how many of the pods are ready.
func readyPods(pods []*corev1.Pod) int32 {
	n := int32(0)
	for _, pod := range pods {
		if c := condition(pod, corev1.PodReady); c != nil && c.Status == corev1.ConditionTrue {
			n++
		}
	}
	return n
}

// explain says why a release is not healthy, beginning with what is known of it
// as a whole.
func (v *Verdict) explain(in Input, pods []*corev1.Pod, found []Finding) {
	events := eventIndex(in.Events)
	for _, pod := range pods {
		found = append(found, podFindings(in, pod, events)...)
	}
	found = append(found, aroundFindings(in, pods)...)
	v.Certain = certainPlaces(found)
	v.tell(in, pods, found)
	if v.Class == Certain || v.Class == Repeated {
		v.State = Failed
	}
}

// tell puts what was found into order, and the first one's class on top.
func (v *Verdict) tell(in Input, pods []*corev1.Pod, found []Finding) {
	if slices.ContainsFunc(found, func(f Finding) bool { return f.Cause != CauseDeadline && f.Class != Warning }) {
		// That the deadline has passed only echoes the others.
		found = slices.DeleteFunc(found, func(f Finding) bool { return f.Cause == CauseDeadline })
	}
	v.Findings = merge(found, len(pods))
	for i := range v.Findings {
		v.Findings[i].takeLog(in.Around.Logs, in.Limits.LogLines)
	}
	if len(v.Findings) > 0 {
		v.Class = v.Findings[0].Class
	}
}

// Restarts is how often containers of the current template's pods have been
// restarted, all together, but for init containers: they end anyway.
func Restarts(in Input) int32 {
	pods, _ := current(in)
	sum := int32(0)
	for _, pod := range pods {
		for _, s := range subjects(pod, nil) {
			if s.kind != initContainer {
				sum += s.status.RestartCount
			}
		}
	}
	return sum
}

func complete(s appsv1.DeploymentStatus, want int32) bool {
	return s.Replicas == want && s.UpdatedReplicas == want && s.ReadyReplicas == want && s.AvailableReplicas == want
}

// current divides the pods that are not being deleted into those of the current
// template, by name, and older ones.
func current(in Input) (pods, old []*corev1.Pod) {
	var newest *appsv1.ReplicaSet
	if in.Workload != nil {
		newest = newestReplicaSet(in.ReplicaSets, in.Workload.UID)
	}
	for _, pod := range in.Pods {
		switch {
		case pod.DeletionTimestamp != nil:
		case newest == nil || pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == newest.Labels[appsv1.DefaultDeploymentUniqueLabelKey]:
			pods = append(pods, pod)
		case pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded: // those linger until they are collected
			old = append(old, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return pods, old
}

// revisionAnnotation is where the Deployment controller counts its templates.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// newestReplicaSet is the one with the highest revision: going back to an older
// template raises an old ReplicaSet's revision, so age does not tell.
func newestReplicaSet(sets []*appsv1.ReplicaSet, owner types.UID) *appsv1.ReplicaSet {
	var newest *appsv1.ReplicaSet
	highest := -1
	for _, set := range sets {
		owned := slices.ContainsFunc(set.OwnerReferences, func(ref metav1.OwnerReference) bool {
			return ref.Controller != nil && *ref.Controller && ref.UID == owner
		})
		revision, err := strconv.Atoi(set.Annotations[revisionAnnotation])
		if owned && err == nil && revision > highest {
			newest, highest = set, revision
		}
	}
	return newest
}
