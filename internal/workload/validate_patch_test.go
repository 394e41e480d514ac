package workload_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// patchOf is a patch of the application's own container.
func patchOf(fields string) func(*release.Spec) {
	return onContent(func(c *content) { c.TemplatePatch = "spec: {containers: [{name: api, " + fields + "}]}" })
}

// TestValidatePatchedKinds: what a merge leaves beside what the patch brings is told with
// how to take it away.
func TestValidatePatchedKinds(t *testing.T) {
	const at = "pod_template_patch"
	runChecks(t, map[string]check{
		"a typed handler": {func(s *release.Spec) {
			s.Content.Container.PreStop = &release.Handler{Exec: []string{"drain"}}
			patchOf("lifecycle: {preStop: {httpGet: {port: 8080}}}")(s)
		}, at, []string{"spec.containers[api].lifecycle.preStop has exec and httpGet", "preStop: {exec: null, httpGet: …}"}},
		"a sleep beside":   {patchOf("lifecycle: {preStop: {sleep: {seconds: 3}, exec: {command: [x]}}}"), at, []string{"exec and sleep", "sleep: null"}},
		"a probe":          {patchOf("readinessProbe: {tcpSocket: {port: 8080}}"), at, []string{"readinessProbe has httpGet and tcpSocket", "readinessProbe: {httpGet: null, tcpSocket: …}"}},
		"a variable":       {patchOf("env: [{name: LOG_LEVEL, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]"), at, []string{"env[LOG_LEVEL]", "{name: LOG_LEVEL, value: null, valueFrom: …}"}},
		"a secret's":       {patchOf("env: [{name: DATABASE_URL, value: x}]"), at, []string{"valueFrom: null"}},
		"a port's name":    {patchOf("ports: [{containerPort: 8081, name: http}]"), at, []string{`two ports called "http"`, "$patch: replace"}},
		"a sleep too long": {onContent(func(c *content) { c.TemplatePatch = "spec: {terminationGracePeriodSeconds: 3}" }), at, []string{"sleeps for 5 s", "3 s to end", "pre_stop"}},
		"a volume": {onContent(func(c *content) {
			c.Volumes["tmp"] = release.Volume{EmptyDir: &release.EmptyDir{}}
			c.TemplatePatch = "spec: {volumes: [{name: tmp, hostPath: {path: /tmp}}]}"
		}), at, []string{"spec.volumes[tmp] has emptyDir and hostPath", "emptyDir: null"}},
		"a second document": {onContent(func(c *content) { c.TemplatePatch = "spec: {hostname: a}\n---\nspec: {subdomain: b}" }), at, []string{"more than one YAML document", "---"}},
	})
	for name, fields := range map[string]string{
		"a handler taken away":    "lifecycle: {preStop: {sleep: null, exec: {command: [x]}}}",
		"a probe taken away":      "readinessProbe: {httpGet: null, tcpSocket: {port: 8080}}",
		"a probe replaced":        "readinessProbe: {$patch: replace, tcpSocket: {port: 8080}}",
		"a handler after a start": "lifecycle: {postStart: {exec: {command: [x]}}}",
	} {
		spec := typical()
		patchOf(fields)(&spec)
		for _, p := range workload.Validate(spec) {
			t.Errorf("%s: %s", name, p)
		}
	}
}

// TestPatchedHandler: our own sleep gives way to the handler of a patch, and to nothing
// else.
func TestPatchedHandler(t *testing.T) {
	spec := typical()
	spec.Content.Sidecars = []release.Helper{{Name: "proxy", Image: "envoy:1"}}
	spec.Content.TemplatePatch = "spec: {containers: [{name: api, lifecycle: {preStop: {exec: {command: [drain]}}}}], initContainers: [{name: proxy, lifecycle: {preStop: {httpGet: {port: 1}}}}]}"
	d, err := workload.Deployment(spec)
	if err != nil {
		t.Fatal(err)
	}
	api, proxy := d.Spec.Template.Spec.Containers[0].Lifecycle.PreStop, d.Spec.Template.Spec.InitContainers[0].Lifecycle.PreStop
	if !slices.Equal(api.Exec.Command, []string{"drain"}) || api.Sleep != nil || proxy.HTTPGet == nil || proxy.Sleep != nil {
		t.Errorf("the handlers are %+v and %+v", api, proxy)
	}
	for fields, want := range map[string]*corev1.SleepAction{
		"lifecycle: {preStop: {sleep: {seconds: 9}}}":                         {Seconds: 9},
		"lifecycle: {postStart: {exec: {command: [x]}}}":                      {Seconds: workload.PreStopSeconds},
		"lifecycle: {preStop: {exec: null}}":                                  {Seconds: workload.PreStopSeconds},
		"lifecycle: {preStop: {$patch: replace, exec: {command: [x]}}}":       nil,
		"lifecycle: {preStop: {sleep: null, exec: {command: [x]}}}":           nil,
		"lifecycle: {$patch: replace, postStart: {exec: {command: [x]}}}":     nil,
		"lifecycle: {preStop: null}, terminationMessagePolicy: File":          nil,
		"lifecycle: {preStop: {sleep: {seconds: 2}}}, imagePullPolicy: Never": {Seconds: 2},
	} {
		spec := typical()
		patchOf(fields)(&spec)
		d, err := workload.Deployment(spec)
		if err != nil {
			t.Errorf("%s: %v", fields, err)
			continue
		}
		var got *corev1.SleepAction
		if l := d.Spec.Template.Spec.Containers[0].Lifecycle; l != nil && l.PreStop != nil {
			got = l.PreStop.Sleep
		}
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: sleeps %v, want %v", fields, got, want)
		}
	}
}
