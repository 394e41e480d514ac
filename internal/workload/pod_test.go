package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// pods is a release that says of its pods what can be said without a patch.
func pods() release.Spec {
	spec := minimal()
	c := &spec.Content
	c.Container.EnvFromField = map[string]string{"POD_IP": "status.podIP", "TEAM": "metadata.labels['team']", "MEMORY": "limits.memory"}
	c.Container.Ports = map[string]int32{"dns": 53, "dns-tcp": 53, "sctp": 9000}
	c.Container.PortProtocols = map[string]string{"dns": "UDP", "sctp": "SCTP"}
	c.Container.PreStop = &release.Handler{Exec: []string{"/app", "drain"}}
	c.Container.PostStart = &release.Handler{HTTPGet: &release.HTTPGet{Path: "/warm", Port: "8080", Headers: map[string]string{"X-Warm": "1"}}}
	c.Sidecars = []release.Helper{{Name: "proxy", Image: "envoy:1", Container: release.Container{PreStop: &release.Handler{SleepSeconds: new(int64(9))}}}}
	c.PriorityClass, c.RuntimeClass = "high", "gvisor"
	c.HostAliases = map[string][]string{"10.0.0.5": {"db.internal", "db"}, "::1": {"me"}}
	c.DNS = &release.PodDNS{Policy: "None", Nameservers: []string{"1.1.1.1"}, Searches: []string{"shop.svc"}, Options: map[string]string{"ndots": "2", "edns0": ""}}
	c.TopologySpread = &[]release.TopologySpread{
		{TopologyKey: "topology.kubernetes.io/zone", MaxSkew: 2, WhenUnsatisfiable: "DoNotSchedule", MinDomains: new(int32(3))},
		{TopologyKey: "kubernetes.io/hostname"},
	}
	return spec
}

// TestPodsAndBack: what is typed is in the pods, and an import that has nothing but them
// finds it again.
func TestPodsAndBack(t *testing.T) {
	nothing := minimal()
	nothing.Content.Container.PreStop = &release.Handler{SleepSeconds: new(int64)}
	nothing.Content.TopologySpread = &[]release.TopologySpread{}
	for name, spec := range map[string]release.Spec{"all": pods(), "the defaults": minimal(), "nothing of the defaults": nothing} {
		t.Run(name, func(t *testing.T) {
			for _, p := range workload.Validate(spec) {
				t.Error(p)
			}
			d, err := workload.Deployment(spec)
			if err != nil {
				t.Fatal(err)
			}
			delete(d.Annotations, release.AnnotationSpec)
			d.Spec.Template.Spec.DNSPolicy = corev1.DNSPolicy(orText(string(d.Spec.Template.Spec.DNSPolicy), "ClusterFirst")) // as the server does
			got, exact, err := workload.FromDeployment(d)
			if err != nil || !exact {
				t.Errorf("exact: %v, error: %v", exact, err)
			}
			if diff := cmp.Diff(spec.Content.Normalize(), got.Content); diff != "" {
				t.Errorf("the import differs (-typed +imported):\n%s", diff)
			}
		})
	}
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// TestPodsAreRendered: a few of the fields, as the API has them.
func TestPodsAreRendered(t *testing.T) {
	d, err := workload.Deployment(pods())
	if err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	app, proxy := pod.Containers[0], pod.InitContainers[0]
	if app.Lifecycle.PreStop.Exec == nil || app.Lifecycle.PreStop.Sleep != nil || app.Lifecycle.PostStart.HTTPGet.Path != "/warm" || proxy.Lifecycle.PreStop.Sleep.Seconds != 9 {
		t.Errorf("the handlers are %+v and %+v", app.Lifecycle, proxy.Lifecycle)
	}
	for i, want := range []corev1.Protocol{"UDP", "TCP", "SCTP"} {
		if got := workload.Service(pods()).Spec.Ports[i]; got.Protocol != want || app.Ports[i].Protocol != want || got.Name != app.Ports[i].Name {
			t.Errorf("port %d is %+v, behind %+v", i, app.Ports[i], got)
		}
	}
	for _, v := range app.Env {
		if v.Name == "MEMORY" && v.ValueFrom.ResourceFieldRef.Resource != "limits.memory" || v.Name == "POD_IP" && v.ValueFrom.FieldRef.FieldPath != "status.podIP" {
			t.Errorf("%+v", v)
		}
	}
	if len(pod.TopologySpreadConstraints) != 2 || pod.TopologySpreadConstraints[0].LabelSelector == nil || *pod.RuntimeClassName != "gvisor" || len(pod.DNSConfig.Options) != 2 {
		t.Errorf("%+v", pod)
	}
}

func TestValidatePods(t *testing.T) {
	runChecks(t, map[string]check{
		"two handlers": {onContent(func(c *content) {
			c.Container.PreStop = &release.Handler{Exec: []string{"x"}, SleepSeconds: new(int64(1))}
		}), "container.pre_stop", []string{"exec, sleep_seconds", "Keep one"}},
		"no handler":     {onContent(func(c *content) { c.Container.PostStart = &release.Handler{} }), "container.post_start", []string{"It has none"}},
		"a long sleep":   {onContent(func(c *content) { c.Container.PreStop = &release.Handler{SleepSeconds: new(int64(60))} }), "termination_grace_period_seconds", []string{"45 s is too short", "at least 71"}},
		"handler's port": {onContent(func(c *content) { c.Container.PreStop = &release.Handler{HTTPGet: &release.HTTPGet{Port: "nope"}} }), "container.pre_stop.http_get.port", []string{"nope"}},
		"init container": {onContent(func(c *content) {
			c.InitContainers = []release.Helper{{Name: "i", Image: "i", Container: release.Container{PreStop: &release.Handler{SleepSeconds: new(int64)}}}}
		}), "init_containers[0].pre_stop", []string{"init container"}},
		"a protocol": {onContent(func(c *content) { c.Container.PortProtocols = map[string]string{"http": "udp"} }), `container.port_protocols["http"]`, []string{`"udp"`, "SCTP"}},
		"a protocol of nothing": {onContent(func(c *content) { c.Sidecars[0].PortProtocols = map[string]string{"dns": "UDP"} }),
			`sidecars[0].port_protocols["dns"]`, []string{`named "dns"`, "add it to ports"}},
		"a socket twice": {onContent(func(c *content) {
			c.Container.Ports["dns"], c.Container.PortProtocols = 5353, map[string]string{"dns": "UDP"}
			c.Sidecars[0].Ports, c.Sidecars[0].PortProtocols = map[string]int32{"dns": 5353}, map[string]string{"dns": "UDP"}
		}), `sidecars[0].ports["dns"]`, []string{"for each protocol"}},
		"a field": {onContent(func(c *content) { c.Container.EnvFromField = map[string]string{"IP": "status.ip"} }), `container.env_from_field["IP"]`, []string{"status.podIP", "limits.NAME"}},
		"a variable twice": {onContent(func(c *content) {
			c.Container.EnvFromField, c.Container.Env = map[string]string{"IP": "status.podIP"}, map[string]string{"IP": "1"}
		}), `container.env_from_field["IP"]`, []string{"one value"}},
		"an address":     {onContent(func(c *content) { c.HostAliases = map[string][]string{"db": {"db"}} }), `host_aliases["db"]`, []string{"no IP address"}},
		"a host name":    {onContent(func(c *content) { c.HostAliases = map[string][]string{"10.0.0.1": {"a b"}} }), `host_aliases["10.0.0.1"][0]`, []string{"no host name"}},
		"a DNS policy":   {onContent(func(c *content) { c.DNS = &release.PodDNS{Policy: "Sometimes"} }), "dns.policy", []string{"ClusterFirst"}},
		"no name server": {onContent(func(c *content) { c.DNS = &release.PodDNS{Policy: "None"} }), "dns.nameservers", []string{"Name one"}},
		"a spread's action": {onContent(func(c *content) {
			c.TopologySpread = &[]release.TopologySpread{{TopologyKey: "zone", WhenUnsatisfiable: "Never"}}
		}), "topology_spread[0].when_unsatisfiable", []string{"DoNotSchedule"}},
		"useless domains": {onContent(func(c *content) {
			c.TopologySpread = &[]release.TopologySpread{{TopologyKey: "zone", MinDomains: new(int32(2))}}
		}), "topology_spread[0].min_domains", []string{"DoNotSchedule"}},
		"a priority class": {onContent(func(c *content) { c.PriorityClass = "A b" }), "priority_class_name", []string{"PriorityClass"}},
	})
}

// TestAttributeOf: a field that an API server names leads to the attribute it is from.
func TestAttributeOf(t *testing.T) {
	spec := rich()
	patch := minimal()
	patch.Content.TemplatePatch = "spec: { hostNetwork: true, containers: [{ name: " + patch.Content.Application + ", stdin: true }] }"
	for _, tt := range []struct {
		spec              release.Spec
		kind, field, want string
	}{
		{spec, "Deployment", "spec.template.spec.containers[0].image", "image"},
		{spec, "Pod", "spec.containers[0].resources.limits[memory]", "container.resources.limits"},
		{spec, "Pod", "spec.containers[0].livenessProbe.periodSeconds", "container.liveness_probe"},
		{spec, "Deployment", "spec.template.spec.initContainers[0].image", "init_containers[0].image"},
		{spec, "Deployment", "spec.template.spec.nodeSelector", "node_selector"},
		{spec, "Deployment", "spec.template.metadata.labels", "labels"},
		{spec, "Deployment", "spec.replicas", "replicas"},
		{spec, "Service", "spec.ports[0].port", "container.ports"},
		{spec, "HorizontalPodAutoscaler", "spec.maxReplicas", "autoscaling"},
		{pods(), "Pod", "spec.containers[0].lifecycle.preStop.exec", "container.pre_stop"},
		{pods(), "Pod", "spec.dnsConfig.nameservers[0]", "dns"},
		{patch, "Deployment", "spec.template.spec.hostNetwork", "pod_template_patch"},
		{patch, "Pod", "spec.containers[0].stdin", "pod_template_patch"},
		{patch, "Pod", "spec.containers[0].image", "image"},
		{spec, "Deployment", "spec.selector", ""},
		{spec, "Deployment", "", ""},
	} {
		if got := (workload.Problem{Path: workload.AttributeOf(tt.spec, tt.kind, tt.field)}).At(); got != tt.want {
			t.Errorf("%s's %s is from %q, want %q", tt.kind, tt.field, got, tt.want)
		}
	}
}
