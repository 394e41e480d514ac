package workload_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// minimal is the least a user can write.
func minimal() release.Spec {
	return release.Spec{Namespace: "shop", Replicas: 1, Content: release.Content{Application: "job", Version: "1.27", Image: "nginx:1.27"}}
}

// typical is the example of the documentation.
func typical() release.Spec {
	return release.Spec{Namespace: "shop", Environment: "production", Replicas: 3, Content: release.Content{
		Application: "api", Version: "v1.4.0+build/7", Image: "ghcr.io/acme/api:v1.4.0",
		Container: release.Container{
			Ports:          map[string]int32{"http": 8080},
			Env:            map[string]string{"LOG_LEVEL": "info"},
			SecretEnv:      map[string]release.SecretKey{"DATABASE_URL": {Name: "api-db", Key: "url"}},
			Resources:      release.Resources{Requests: map[string]string{"cpu": "0.1", "memory": "128Mi"}, Limits: map[string]string{"memory": "256Mi"}},
			ReadinessProbe: &release.Probe{HTTPGet: &release.HTTPGet{Path: "/readyz", Port: "http"}},
		},
	}}
}

// rich uses everything.
func rich() release.Spec {
	spec := typical()
	spec.Environment = "production (Frankfurt)"
	c := &spec.Content
	c.Triggers = map[string]string{"config": "3"}
	c.PodSecurity = release.PodSecurityRestricted
	c.ServiceAccount = "api"
	c.PullSecrets = []string{"registry", "another"}
	c.NodeSelector = map[string]string{"disk": "ssd"}
	c.Tolerations = []release.Toleration{{Key: "dedicated", Operator: "Equal", Value: "api", Effect: "NoExecute", Seconds: new(int64(60))}, {Operator: "Exists"}}
	c.GracePeriod = new(int64(45))
	c.Labels = map[string]string{"team": "shop", "app.kubernetes.io/component": "backend", "app.kubernetes.io/name": "theirs"}
	c.Annotations = map[string]string{"example.com/scrape": "true", "switchback.dev/mine": "no"}
	c.Volumes = release.VolumesByName{
		"data":   {Claim: &release.VolumeClaim{Name: "api-data", ReadOnly: true}},
		"tmp":    {EmptyDir: &release.EmptyDir{Medium: "Memory", SizeLimit: "0.5Gi"}},
		"files":  {ConfigMap: &release.FilesFrom{Name: "files", Items: map[string]string{"b": "b.txt", "a": "a.txt"}, Optional: true}},
		"secret": {Secret: &release.FilesFrom{Name: "secret", Items: map[string]string{"c": "d"}}},
	}
	app := &c.Container
	app.Ports["admin"] = 9090
	app.Command, app.Args = []string{"/api"}, []string{"--verbose"}
	app.Env = map[string]string{"LOG_LEVEL": "info", "EMPTY": "", "A_URL": "http://$(Z_HOST):$(PORT)/", "Z_HOST": "db", "PORT": "1", "LOOP_A": "$(LOOP_B)", "LOOP_B": "$(LOOP_A)", "DSN": "$(DATABASE_URL)?x=1"}
	app.SecretEnv["OPTIONAL"] = release.SecretKey{Name: "api-db", Key: "opt", Optional: true}
	app.EnvFrom = []release.EnvFrom{{Secret: "more", Optional: true}, {ConfigMap: "settings", Prefix: "S_"}}
	app.ReadinessProbe.HTTPGet.Headers = map[string]string{"Accept": "text/plain", "A": "b"}
	app.ReadinessProbe.PeriodSeconds = new(int32(2))
	app.ReadinessProbe.SuccessThreshold = new(int32(2))
	app.LivenessProbe = &release.Probe{GRPC: &release.GRPC{Port: "http", Service: "live"}, InitialDelaySeconds: new(int32(3)), TimeoutSeconds: new(int32(4)), FailureThreshold: new(int32(5))}
	app.StartupProbe = &release.Probe{TCPSocket: &release.TCPSocket{Port: "9090"}}
	app.VolumeMounts = map[string]release.Mount{"/tmp": {Volume: "tmp"}, "/data": {Volume: "data", SubPath: "api", ReadOnly: true}, "/files": {Volume: "files"}, "/secret": {Volume: "secret"}}
	app.SecurityContext = &release.SecurityContext{RunAsUser: new(int64(1000)), RunAsGroup: new(int64(1001)), ReadOnlyRootFilesystem: new(true), AddCapabilities: []string{"NET_BIND_SERVICE"}}
	c.InitContainers = []release.Helper{
		{Name: "migrate", Image: "ghcr.io/acme/api:v1.4.0", Container: release.Container{Args: []string{"migrate"}, Env: map[string]string{"STEP": "all"}}},
		{Name: "check", Image: "ghcr.io/acme/api:v1.4.0"},
	}
	c.Sidecars = []release.Helper{{Name: "proxy", Image: "envoyproxy/envoy:v1.34.0", Container: release.Container{
		Ports: map[string]int32{"proxy": 9000}, Env: map[string]string{"MODE": "quiet"},
		LivenessProbe:   &release.Probe{Exec: []string{"/healthy"}},
		SecurityContext: &release.SecurityContext{DropCapabilities: []string{"NET_RAW"}},
	}}}
	return spec
}

// privileged needs what baseline forbids.
func privileged() release.Spec {
	spec := minimal()
	spec.Content.Application = "agent"
	spec.Content.Container.SecurityContext = &release.SecurityContext{Privileged: new(true)}
	spec.Content.Sidecars = []release.Helper{{Name: "mounter", Image: "nginx:1.27", Container: release.Container{
		SecurityContext: &release.SecurityContext{AddCapabilities: []string{"SYS_ADMIN"}, RunAsNonRoot: new(false)},
	}}}
	return spec
}

func bare() release.Spec {
	spec := minimal()
	spec.Content.PodSecurity = release.PodSecurityNone
	return spec
}

func patched() release.Spec {
	spec := typical()
	spec.Content.TemplatePatch = `
metadata:
  labels:
    extra: "yes"
spec:
  priorityClassName: high
  terminationGracePeriodSeconds: 60
  topologySpreadConstraints: []
  hostAliases:
    - ip: 10.0.0.1
      hostnames: [db]
  containers:
    - name: api
      env:
        - name: NODE_NAME
          valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
      lifecycle: null
    - name: extra
      image: busybox:1.36
`
	return spec
}

// autoscaled starts with more pods than it may be left with.
func autoscaled() release.Spec {
	spec := typical()
	spec.Autoscaling = &release.Autoscaling{Min: 2, Max: 10, CPU: new(int32(70)), Memory: new(int32(80))}
	return spec
}

// rolling changes its content in place.
func rolling() release.Spec {
	spec := typical()
	spec.Strategy = release.StrategyRolling
	spec.Rolling = release.Rolling{MaxSurge: "1", MaxUnavailable: "10%"}
	spec.Health = release.Health{MinReady: 5 * time.Second, ProgressDeadline: 90 * time.Second}
	return spec
}

func recreated() release.Spec {
	spec := minimal()
	spec.Strategy = release.StrategyRecreate
	return spec
}

func render(t *testing.T, spec release.Spec) string {
	t.Helper()
	d, err := workload.Deployment(spec)
	if err != nil {
		t.Fatal(err)
	}
	out, err := yaml.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if s := workload.Service(spec); s != nil {
		more, err := yaml.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		out = slices.Concat(out, []byte("---\n"), more)
	}
	if h := workload.Autoscaler(spec); h != nil {
		more, err := yaml.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		out = slices.Concat(out, []byte("---\n"), more)
	}
	if b := workload.DisruptionBudget(spec); b != nil {
		more, err := yaml.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		out = slices.Concat(out, []byte("---\n"), more)
	}
	return string(out)
}

func TestGolden(t *testing.T) {
	for name, spec := range map[string]release.Spec{
		"minimal": minimal(), "typical": typical(), "rich": rich(), "privileged": privileged(), "bare": bare(), "patched": patched(), "autoscaled": autoscaled(),
		"rolling": rolling(), "recreate": recreated(),
	} {
		t.Run(name, func(t *testing.T) {
			got := render(t, spec)
			file := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the objects have changed, which replaces pods of live releases at the next apply; if that is meant, run with -update (-want +got):\n%s", diff)
			}
		})
	}
}

// Maps have no order: a hundred renderings must agree.
func TestRenderingIsDeterministic(t *testing.T) {
	want := render(t, rich())
	for range 100 {
		if got := render(t, rich()); got != want {
			t.Fatalf("rendered differently:\n%s", cmp.Diff(want, got))
		}
	}
}

// What changes in place must not reach the pods.
func TestTemplateIgnoresWhatChangesInPlace(t *testing.T) {
	a, b := rich(), rich()
	b.Environment, b.Replicas, b.OnFailure, b.IgnoreDrift = "staging", 7, release.OnFailureKeep, []string{"spec"}
	b.Autoscaling = autoscaled().Autoscaling
	da, err := workload.Deployment(a)
	if err != nil {
		t.Fatal(err)
	}
	db, err := workload.Deployment(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(da.Spec.Template, db.Spec.Template); diff != "" {
		t.Errorf("the pod template depends on more than the content:\n%s", diff)
	}
	if da.Name != db.Name {
		t.Errorf("the name depends on more than the content: %s and %s", da.Name, db.Name)
	}
}

func TestSelectorsSelectOurPodsOnly(t *testing.T) {
	spec := rich()
	d, err := workload.Deployment(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := release.Selector(d.Name)
	s := workload.Service(spec)
	for what, got := range map[string]map[string]string{
		"workload": d.Spec.Selector.MatchLabels, "service": s.Spec.Selector,
		"spread": d.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	for key, value := range want {
		if d.Spec.Template.Labels[key] != value {
			t.Errorf("the pods lack %s=%s", key, value)
		}
	}
}

func TestEnvironmentOrder(t *testing.T) {
	d, err := workload.Deployment(rich())
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, v := range d.Spec.Template.Spec.Containers[0].Env {
		if _, twice := at[v.Name]; twice {
			t.Errorf("%s is there twice", v.Name)
		}
		at[v.Name] = i
	}
	for name, before := range map[string]string{"A_URL": "Z_HOST", "DSN": "DATABASE_URL"} {
		if at[before] > at[name] {
			t.Errorf("%s refers to %s, which is defined after it: Kubernetes would not expand it", name, before)
		}
	}
}

func TestPreStop(t *testing.T) {
	d, err := workload.Deployment(rich())
	if err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	for _, c := range slices.Concat(pod.Containers, pod.InitContainers) {
		isInit := c.Name == "migrate" || c.Name == "check"
		if sleeps := c.Lifecycle != nil && c.Lifecycle.PreStop.Sleep != nil && c.Lifecycle.PreStop.Exec == nil; sleeps == isInit {
			t.Errorf("container %s: sleeps before it stops: %v", c.Name, sleeps)
		}
	}
}

func TestDeploymentRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*release.Content)
		want   string
	}{
		"request":     {func(c *release.Content) { c.Container.Resources.Requests["cpu"] = "much" }, `container "api": requests: cpu "much"`},
		"limit":       {func(c *release.Content) { c.Sidecars[0].Resources.Limits = map[string]string{"cpu": "much"} }, `container "proxy": limits: cpu "much"`},
		"init limit":  {func(c *release.Content) { c.InitContainers[0].Resources.Limits = map[string]string{"cpu": "much"} }, `container "migrate": limits`},
		"readiness":   {func(c *release.Content) { c.Container.ReadinessProbe = &release.Probe{} }, "readiness probe: it has no handler"},
		"liveness":    {func(c *release.Content) { c.Container.LivenessProbe.GRPC.Port = "no" }, `liveness probe: port "no" is neither`},
		"startup":     {func(c *release.Content) { c.Container.StartupProbe = &release.Probe{} }, "startup probe: it has no handler"},
		"volume":      {func(c *release.Content) { c.Volumes["x"] = release.Volume{} }, `volume "x": it has no source`},
		"volume size": {func(c *release.Content) { c.Volumes["tmp"].EmptyDir.SizeLimit = "big" }, `volume "tmp": size limit "big"`},
		"patch":       {func(c *release.Content) { c.TemplatePatch = "[" }, "pod_template_patch is not a YAML object"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := rich()
			tt.change(&spec.Content)
			d, err := workload.Deployment(spec)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want an error with %q", d, err, tt.want)
			}
		})
	}
}

func TestTemplatePatch(t *testing.T) {
	for name, tt := range map[string]struct{ patch, want string }{
		"empty":                {" \n", ""},
		"nothing":              {"{}", ""},
		"scheduling":           {"spec: {priorityClassName: high}", ""},
		"other label":          {"metadata: {labels: {app.kubernetes.io/part-of: shop}}", ""},
		"new container":        {"spec: {containers: [{name: extra, image: busybox}]}", ""},
		"delete a directive":   {"spec: {initContainers: [{name: proxy, $patch: delete}]}", ""},
		"no yaml":              {"a: [", "not a YAML object"},
		"a list":               {"- a", "not a YAML object"},
		"twice":                {"spec: {}\nspec: {}", "not a YAML object"},
		"wrong root":           {"spec: {}\ntemplate: {}", `"template" is not one of them`},
		"our label":            {"metadata: {labels: {switchback.dev/deployment: other}}", `reserved labels key "switchback.dev/deployment"`},
		"our label removed":    {"metadata: {labels: {app.kubernetes.io/name: null}}", `reserved labels key "app.kubernetes.io/name"`},
		"our annotation":       {"metadata: {annotations: {switchback.dev/spec: x}}", `reserved annotations key "switchback.dev/spec"`},
		"all labels removed":   {"metadata: {labels: null}", "reserved label"},
		"labels replaced":      {"metadata: {labels: {$patch: replace, a: b}}", "reserved label"},
		"metadata removed":     {"metadata: null", "reserved label"},
		"misspelt container":   {"spec: {containers: [{name: apo, tty: true}]}", `spec.containers names "apo", which does not exist and brings no image of its own; there is "api"`},
		"misspelt init":        {"spec: {initContainers: [{name: x, tty: true}]}", `there is "migrate", "check" and "proxy"`},
		"app removed":          {"spec: {containers: [{name: api, $patch: delete}, {name: x, image: y:1}]}", "removes the application's own container"},
		"app replaced":         {"spec: {containers: [{$patch: replace}, {name: x, image: y:1}]}", "removes the application's own container"},
		"unknown field":        {"spec: {priorityClassNam: high}", `unknown field "spec.priorityClassNam"`},
		"unknown inner field":  {"spec: {containers: [{name: api, lifecycl: {preStop: {}}}]}", `unknown field "spec.containers[0].lifecycl"`},
		"wrong type":           {"spec: {containers: {name: api}}", "does not lead to a pod template"},
		"wrong scalar":         {"spec: {priority: high}", "spec.priority of type int32"},
		"containers all gone":  {"spec: {containers: null}", "removes the application's own container"},
		"item without a name":  {"spec: {containers: [{tty: true}]}", "cannot be merged"},
		"no named init at all": {"spec: {initContainers: [7]}", "pod_template_patch"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := rich()
			spec.Content.TemplatePatch = tt.patch
			_, err := workload.Deployment(spec)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestTemplatePatchOfAppWithoutHelpers(t *testing.T) {
	spec := minimal()
	spec.Content.TemplatePatch = "spec: {initContainers: [{name: x, tty: true}]}"
	if _, err := workload.Deployment(spec); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("got %v", err)
	}
}

// TestNamelessPods lack the one label, and nothing else; what is rendered of a
// release that is not is as it always was.
func TestNamelessPods(t *testing.T) {
	named, err := workload.Deployment(rich())
	if err != nil {
		t.Fatal(err)
	}
	spec := rich()
	spec.Nameless = true
	nameless, err := workload.Deployment(spec)
	if err != nil {
		t.Fatal(err)
	}
	if workload.Nameless(named) || !workload.Nameless(nameless) || nameless.Labels[release.LabelName] == "" {
		t.Errorf("the labels are %v and %v", named.Spec.Template.Labels, nameless.Spec.Template.Labels)
	}
	nameless.Spec.Template.Labels[release.LabelName] = named.Spec.Template.Labels[release.LabelName]
	if diff := cmp.Diff(named, nameless); diff != "" {
		t.Errorf("more than the label differs:\n%s", diff)
	}
}

func TestServiceWithoutPorts(t *testing.T) {
	if s := workload.Service(minimal()); s != nil {
		t.Errorf("an application without ports has a Service: %v", s)
	}
}

func TestArgumentsAreNotModified(t *testing.T) {
	spec := rich()
	d, err := workload.Deployment(spec)
	if err != nil {
		t.Fatal(err)
	}
	d.Spec.Template.Spec.Containers[0].Args[0] = "scribbled"
	d.Labels["scribbled"] = "yes"
	d.Spec.Template.Spec.NodeSelector["scribbled"] = "yes"
	if _, err := workload.SpecAnnotation(spec); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rich(), spec); diff != "" {
		t.Errorf("the spec was modified (-before +after):\n%s", diff)
	}
	if got := spec.Content.Container.Env["LOG_LEVEL"]; got != "info" {
		t.Errorf("the spec's env was blanked: %q", got)
	}
}
