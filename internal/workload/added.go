package workload

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// A Service of ours has the ports that its configuration says, and no others: what
// somebody adds leads to the pods, too, and an apply would leave it. What a cluster or a
// cloud adds by itself are fields, such as a port of the nodes, and no ports.

const servicePorts = "spec.ports"

// HasPort says that a baseline has a port of a Service, such as spec.ports[80/TCP].
func HasPort(baseline map[string]string, port string) bool {
	for path := range baseline {
		if Within(path, port) {
			return true
		}
	}
	return false
}

// HasPorts says that a baseline has any.
func HasPorts(baseline map[string]string) bool {
	for path := range baseline {
		if strings.HasPrefix(path, servicePorts+"[") {
			return true
		}
	}
	return false
}

// listsPorts says that an object's ports are ours as a whole. An adopted Service's are
// somebody else's.
func listsPorts(wanted Object) bool {
	svc, ok := wanted.(*corev1.Service)
	return ok && len(svc.Spec.Ports) > 0
}

// addedDrift are the ports of a live Service that nobody asks for, where the API server
// recorded who has them: a webhook's are in every reply.
func addedDrift(live Object, liveFields, wantedFields map[string]any, baseline map[string]string, ignore []string) (drifts []FieldDrift) {
	for _, path := range slices.Sorted(maps.Keys(liveFields)) {
		if parentOf(path) != servicePorts || Ignored(path, ignore) || HasPort(baseline, path) {
			continue
		}
		if _, asked := wantedFields[path]; asked {
			continue
		}
		for _, entry := range live.GetManagedFields() {
			if owns(entry, path) {
				drifts = append(drifts, FieldDrift{Field: path, Actual: printable(path, liveFields[path]), Manager: managerOf(path, live.GetManagedFields()), Added: true})
				break
			}
		}
	}
	return drifts
}

// Added are the ports that somebody has added to a Service, as blockers of an apply that
// shall leave none beside ours.
func Added(live, want Object) (added []Blocker) {
	if !listsPorts(want) {
		return nil
	}
	was, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	is, err2 := runtime.DefaultUnstructuredConverter.ToUnstructured(want)
	if err != nil || err2 != nil {
		return nil
	}
	b := blocking{entries: live.GetManagedFields()}
	wanted := itemsOf("ports", portsIn(is))
	for _, l := range itemsOf("ports", portsIn(was)) {
		if !slices.ContainsFunc(wanted, func(w item) bool { return w.text == l.text }) {
			at := join(fieldpath.MakePathOrDie("spec", "ports"), l.step)
			b.note(at, at)
		}
	}
	return slices.DeleteFunc(b.found, func(b Blocker) bool { return b.Wanted.Manager == "" })
}

func portsIn(service map[string]any) any {
	spec, _ := service["spec"].(map[string]any)
	return spec["ports"]
}
