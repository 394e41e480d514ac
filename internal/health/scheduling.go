package health

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// obstacles are why nodes do not take a pod, in the scheduler's words: see
// k8s.io/kubernetes/pkg/scheduler/framework/plugins. What fits none is quoted.
// What the pod asks for comes first, and what is so for every pod last: some nodes
// are always for others.
var obstacles = []struct {
	says  *regexp.Regexp
	means string // after "3 of 5 nodes"; with what the pattern caught
	try   string // the same
}{
	{regexp.MustCompile(`^Insufficient (\S+)$`), "have too little $1 left", "lower resources.requests for $1 or add nodes"},
	{regexp.MustCompile(`^Too many pods$`), "run as many pods as they may", "add nodes"},
	{regexp.MustCompile(`^node\(s\) didn't match (?:Pod's node affinity|scheduler-enforced node affinity)`), "do not have the labels that the pod wants", "correct node_selector or affinity, or label a node"},
	{regexp.MustCompile(`^node\(s\) didn't match the requested node name$`), "are not the node that the pod names", "take nodeName out of pod_template_patch"},
	{regexp.MustCompile(`^node\(s\) didn't (?:match pod (?:anti-)?affinity rules|satisfy existing pods anti-affinity rules)$`), "run, or do not run, pods that an affinity rule is about", "correct pod_affinity or pod_anti_affinity, or add nodes"},
	{regexp.MustCompile(`^node\(s\) didn't match pod topology spread constraints`), "would make the pods' spread too uneven", "loosen topologySpreadConstraints in pod_template_patch (whenUnsatisfiable: ScheduleAnyway), or add nodes where pods are missing"},
	{regexp.MustCompile(`^node\(s\) didn't have free ports`), "have the pod's hostPort in use", "take hostPort out of pod_template_patch: a node has each port once"},
	{regexp.MustCompile(`^node\(s\) (?:had no available volume zone|didn't match PersistentVolume's node affinity|had volume node affinity conflict)$`), "are in another zone, or are another node, than a volume of the pod", "add nodes where the volume is, or make a new claim"},
	{regexp.MustCompile(`^node\(s\) (?:didn't find available persistent volumes to bind|did not have enough free storage)$`), "have no volume to offer for a claim of the pod", "see what the claim's storage class can make, and where"},
	{regexp.MustCompile(`^node\(s\) exceed max volume count$`), "have as many volumes attached as they can", "add nodes"},
	{regexp.MustCompile(`^node\(s\) (?:unavailable due to PersistentVolumeClaim with ReadWriteOncePod|had no available disk)`), "cannot have a volume that another pod uses alone", "two versions side by side cannot share this volume: use strategy = \"recreate\", or a claim that may be shared"},
	{regexp.MustCompile(`^node\(s\) had untolerated taint \{([^}]*?)(?:: )?\}$`), "have the taint $1, which the pod does not tolerate", "add $1 to tolerations if the pod may run there"},
	{regexp.MustCompile(`^node\(s\) had (?:untolerated taint|taints that the pod didn't tolerate)`), "have a taint that the pod does not tolerate", "see the nodes' taints, and add to tolerations what the pod may run on"},
	{regexp.MustCompile(`^node\(s\) were unschedulable$`), "are cordoned", "uncordon them when their maintenance is over"},
	{regexp.MustCompile(`^node\(s\) had unknown conditions$`), "are in an unknown condition", "ask who runs the nodes"},
}

// aboutClaims are what the scheduler says of a pod's claims before it looks at
// any node. The claims are the cause then.
var aboutClaims = regexp.MustCompile(`^(?:pod has unbound immediate PersistentVolumeClaims|persistentvolumeclaim "|waiting for ephemeral volume controller to create the persistentvolumeclaim|node\(s\) unavailable due to one or more pvc\(s\))`)

// schedulingFinding: no node takes the pod. Patient, because an autoscaler may
// be adding one.
func schedulingFinding(pod *corev1.Pod, _ eventsByPod) *Finding {
	c := condition(pod, corev1.PodScheduled)
	if c == nil || c.Status != corev1.ConditionFalse {
		return nil
	}
	f := &Finding{Class: Patient, Object: aPod + pod.Name, Evidence: strings.TrimSpace(c.Message)}
	switch c.Reason {
	case corev1.PodReasonUnschedulable:
		reasons := nodeReasons(c.Message)
		if len(reasons) > 0 && !slices.ContainsFunc(reasons, func(r nodeReason) bool { return !aboutClaims.MatchString(r.text) }) {
			return nil // the claims are found by themselves
		}
		f.Cause = CauseUnschedulable
		f.Sentence, f.Hint = unschedulable(pod, reasons)
	case corev1.PodReasonSchedulingGated:
		f.Cause, f.Sentence = CauseSchedulingGated, "the pod waits for its scheduling gates"
		f.Hint = try(CauseSchedulingGated)
		if gates := gateNames(pod); gates != "" {
			f.Sentence += ": " + gates
		}
	default:
		return nil
	}
	return f
}

func gateNames(pod *corev1.Pod) string {
	var names []string
	for _, gate := range pod.Spec.SchedulingGates {
		names = append(names, gate.Name)
	}
	return strings.Join(names, ", ")
}

// nodeReason is why some nodes, of all, do not take a pod. No nodes: it is about
// the pod.
type nodeReason struct {
	text      string
	nodes, of int
}

var (
	availability = regexp.MustCompile(`^\s*\d+/(\d+) nodes are available: `)
	counted      = regexp.MustCompile(`^(\d+) (.+)$`)
)

// nodeReasons takes apart "0/5 nodes are available: 3 Insufficient cpu, 2 node(s)
// had untolerated taint(s). preemption: …", the most frequent reason first.
func nodeReasons(message string) []nodeReason {
	head := availability.FindStringSubmatch(message)
	if head == nil {
		return nil
	}
	all, _ := strconv.Atoi(head[1])
	// What follows is about preemption, which would not help either.
	text, _, _ := strings.Cut(message[len(head[0]):]+" ", ". ")
	var reasons []nodeReason
	for _, part := range strings.Split(strings.TrimSpace(text), ", ") {
		part = strings.TrimSuffix(part, ".")
		if n := counted.FindStringSubmatch(part); n != nil {
			nodes, _ := strconv.Atoi(n[1])
			reasons = append(reasons, nodeReason{n[2], nodes, all})
		} else if last := len(reasons) - 1; last >= 0 {
			reasons[last].text += ", " + part
		} else if part != "" {
			reasons = append(reasons, nodeReason{text: part})
		}
	}
	slices.SortStableFunc(reasons, func(a, b nodeReason) int { return cmp.Compare(b.nodes, a.nodes) })
	return reasons
}

// unschedulable sums the nodes' reasons up, and says what to do about each.
func unschedulable(pod *corev1.Pod, reasons []nodeReason) (sentence, hint string) {
	slices.SortStableFunc(reasons, func(a, b nodeReason) int { return cmp.Compare(a.obstacle(), b.obstacle()) })
	var sums, tries, wants []string
	for _, r := range reasons {
		means, todo := r.text, ""
		if i := r.obstacle(); i < len(obstacles) {
			o := obstacles[i]
			at := o.says.FindStringSubmatchIndex(r.text)
			means = string(o.says.ExpandString(nil, o.means, r.text, at))
			todo = string(o.says.ExpandString(nil, o.try, r.text, at))
		}
		switch {
		case r.of > 0 && todo != "":
			means = fmt.Sprintf("%d of %d nodes %s", r.nodes, r.of, means)
		case r.of > 0:
			means = fmt.Sprintf("%d of %d nodes: %s", r.nodes, r.of, means)
		}
		sums, tries, wants = append(sums, means), append(tries, todo), append(wants, wanted(pod, r.text))
	}
	empty := func(s string) bool { return s == "" }
	tries, wants = slices.Compact(slices.DeleteFunc(tries, empty)), slices.DeleteFunc(wants, empty)
	sentence = "no node takes the pod"
	if len(sums) > 0 {
		sentence += ": " + strings.Join(sums, ", ")
	}
	if len(wants) > 0 {
		sentence += "; the pod asks for " + strings.Join(wants, ", ")
	}
	if len(tries) == 0 {
		return sentence, try(CauseUnschedulable)
	}
	const most = 3
	return sentence, strings.Join(tries[:min(most, len(tries))], "; ")
}

// obstacle is where the reason stands in the table; its length if nowhere.
func (r nodeReason) obstacle() int {
	for i, o := range obstacles {
		if o.says.MatchString(r.text) {
			return i
		}
	}
	return len(obstacles)
}

// wanted is what of the pod a reason is about.
func wanted(pod *corev1.Pod, reason string) string {
	if name, ok := strings.CutPrefix(reason, "Insufficient "); ok {
		quantity := requests(pod, corev1.ResourceName(name))
		return name + " " + quantity.String()
	}
	if strings.Contains(reason, "node affinity/selector") && len(pod.Spec.NodeSelector) > 0 {
		return "nodes with " + labelled(pod.Spec.NodeSelector)
	}
	return ""
}

// labelled is a selector as kubectl takes it.
func labelled(labels map[string]string) string {
	var all []string
	for key, value := range labels {
		all = append(all, key+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// requests is how much of a resource the scheduler looks for: what the containers
// need together, or an init container with the sidecars that run by then.
func requests(pod *corev1.Pod, name corev1.ResourceName) resource.Quantity {
	var running, most resource.Quantity
	for _, c := range pod.Spec.InitContainers {
		needs := c.Resources.Requests[name]
		if initKind(c) == "sidecar" {
			running.Add(needs)
			continue
		}
		needs = needs.DeepCopy()
		needs.Add(running)
		if needs.Cmp(most) > 0 {
			most = needs
		}
	}
	for _, c := range pod.Spec.Containers {
		running.Add(c.Resources.Requests[name])
	}
	if running.Cmp(most) > 0 {
		most = running
	}
	most.Add(pod.Spec.Overhead[name])
	return most
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
