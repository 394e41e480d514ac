package provider_test

import "testing"

// TestPodsWithoutAPatch: what is said of the pods is applied, is no drift, and comes back
// by an import.
func TestPodsWithoutAPatch(t *testing.T) {
	l := newLab(t)
	p := l.speak()
	config := l.advised()
	config["container"] = changed(config["container"].(data), data{
		"env_from_field": data{"POD_IP": "status.podIP", "MEMORY": "limits.memory"},
		"post_start":     data{"exec": data{"command": []any{"/app", "warm"}}},
		"pre_stop":       data{"http_get": data{"path": "/drain", "port": "http"}},
	})
	config["sidecars"] = []any{data{"name": "proxy", "image": "demo/proxy:1", "pre_stop": data{"sleep_seconds": 0}}}
	config["host_aliases"] = data{"10.0.0.5": []any{"db.internal"}}
	config["dns"] = data{"searches": []any{"shop.svc"}, "options": data{"ndots": "2"}}
	config["topology_spread"] = []any{}
	made := p.change(t.Context(), deploymentType, config, nil)
	p.fine(made.diagnostics)
	typ := p.resourceType(deploymentType)
	read := p.read(deploymentType, p.pack(typ, made.state), nil, nil)
	p.fine(read.diagnostics)
	imported := p.importBy(deploymentType, made.state["id"].(string), nil)
	p.fine(imported.diagnostics)
	for _, attribute := range []string{"container", "sidecars", "host_aliases", "dns", "topology_spread", "drift", "status"} {
		wantSame(t, attribute+", read", read.state[attribute], made.state[attribute])
		wantSame(t, attribute+", imported", imported.state[attribute], made.state[attribute])
	}
	pod := l.workload(made.state["name"].(string)).Spec.Template.Spec
	if len(pod.TopologySpreadConstraints) != 0 || pod.Containers[0].Lifecycle.PreStop.HTTPGet == nil || pod.InitContainers[0].Lifecycle != nil {
		t.Errorf("the pods are %+v", pod)
	}
}
