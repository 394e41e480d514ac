package workload

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Merging leaves what a patch does not name. Where only one of several may be, that
// makes two: the API server refuses them in words about something that the user
// did not write.

// checkPatchedKinds finds what a patch has put beside something that is there, in
// handlers, probes, volumes, variables and ports.
func checkPatchedKinds(r *report, before, after *corev1.PodTemplateSpec) {
	for _, list := range []struct {
		field      string
		was, after []corev1.Container
	}{
		{"containers", before.Spec.Containers, after.Spec.Containers},
		{"initContainers", before.Spec.InitContainers, after.Spec.InitContainers},
	} {
		for _, c := range list.after {
			was := corev1.Container{}
			if i := slices.IndexFunc(list.was, func(w corev1.Container) bool { return w.Name == c.Name }); i >= 0 {
				was = list.was[i]
			}
			checkPatchedContainer(r, fmt.Sprintf("spec.%s[%s]", list.field, c.Name), was, c)
		}
	}
	checkPatchedSleep(r, after.Spec)
	for _, v := range after.Spec.Volumes {
		was := corev1.Volume{}
		if i := slices.IndexFunc(before.Spec.Volumes, func(w corev1.Volume) bool { return w.Name == v.Name }); i >= 0 {
			was = before.Spec.Volumes[i]
		}
		checkOneKind(r, "spec.volumes["+v.Name+"]", "{name: "+v.Name+", ", kinds(was.VolumeSource), kinds(v.VolumeSource))
	}
}

func checkPatchedContainer(r *report, at string, was, is corev1.Container) {
	before, after := handlersOf(was), handlersOf(is)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		checkOneKind(r, at+"."+name, name[strings.LastIndexByte(name, '.')+1:]+": {", before[name], after[name])
	}
	for _, v := range is.Env {
		if v.Value != "" && v.ValueFrom != nil {
			before := []string{"value"}
			if i := slices.IndexFunc(was.Env, func(w corev1.EnvVar) bool { return w.Name == v.Name }); i >= 0 && was.Env[i].ValueFrom != nil {
				before = []string{"valueFrom"}
			}
			checkOneKind(r, at+".env["+v.Name+"]", "{name: "+v.Name+", ", before, []string{"value", "valueFrom"})
		}
	}
	seen := map[string]bool{}
	for _, p := range is.Ports {
		if p.Name != "" && seen[p.Name] {
			r.add(path{"pod_template_patch"}, "Pod template patch adds a port",
				"%s.ports has two ports called %q then: %s. Ports merge by their number, so that one of another number is one more. Replace the list: begin it with `- $patch: replace`, and name every port.",
				at, p.Name, portTexts(is.Ports))
		}
		seen[p.Name] = true
	}
}

// checkPatchedSleep: the API server wants a sleep to fit into the grace period, and
// a patch may change either.
func checkPatchedSleep(r *report, pod corev1.PodSpec) {
	for _, c := range slices.Concat(pod.Containers, pod.InitContainers) {
		if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil || pod.TerminationGracePeriodSeconds == nil {
			continue
		}
		if sleep, grace := c.Lifecycle.PreStop.Sleep.Seconds, *pod.TerminationGracePeriodSeconds; sleep > grace {
			r.add(path{"pod_template_patch"}, "Pod template patch leaves a sleep that is too long",
				"The container %q sleeps for %d s before it ends, and the pod has %d s to end. Make terminationGracePeriodSeconds longer, or set sleep_seconds of the container's pre_stop.",
				c.Name, sleep, grace)
			return // one is enough
		}
	}
}

// checkOneKind reports that there are two of what may be one; head is how the
// object begins in YAML.
func checkOneKind(r *report, at, head string, before, after []string) {
	if len(after) < 2 || len(before) > 1 {
		return
	}
	var fields []string
	for _, kind := range after {
		if slices.Contains(before, kind) {
			fields = append(fields, kind+": null")
		} else {
			fields = append(fields, kind+": …")
		}
	}
	r.add(path{"pod_template_patch"}, "Pod template patch leaves two of one",
		"%s has %s then, and may have one of them. A merge leaves what the patch does not name. Take away what is not wanted: %s%s}.",
		at, strings.Join(after, " and "), head, strings.Join(fields, ", "))
}

// handlersOf are the kinds of each of a container's handlers and probes, by where
// they are.
func handlersOf(c corev1.Container) map[string][]string {
	found := map[string][]string{}
	if l := c.Lifecycle; l != nil {
		for name, h := range map[string]*corev1.LifecycleHandler{"lifecycle.preStop": l.PreStop, "lifecycle.postStart": l.PostStart} {
			if h != nil {
				found[name] = kinds(*h)
			}
		}
	}
	for name, p := range map[string]*corev1.Probe{"livenessProbe": c.LivenessProbe, "readinessProbe": c.ReadinessProbe, "startupProbe": c.StartupProbe} {
		if p != nil {
			found[name] = kinds(p.ProbeHandler)
		}
	}
	return found
}

// kinds are the names of the fields that are set, of a struct of which one may be.
func kinds(union any) []string {
	var set []string
	v := reflect.ValueOf(union)
	for field, value := range v.Fields() {
		if !value.IsNil() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			set = append(set, name)
		}
	}
	slices.Sort(set)
	return set
}
