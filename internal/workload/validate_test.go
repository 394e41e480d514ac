package workload_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func TestValidateAccepts(t *testing.T) {
	good := rich()
	good.Content.Labels, good.Content.Annotations = map[string]string{"team": "shop", "app.kubernetes.io/component": "x"}, nil
	for name, spec := range map[string]release.Spec{
		"minimal": minimal(), "typical": typical(), "rich": good, "privileged": privileged(), "bare": bare(), "patched": patched(),
	} {
		for _, p := range workload.Validate(spec) {
			t.Errorf("%s: %s", name, p)
		}
	}
	// An admin port that only the kubelet asks need not be declared.
	spec := typical()
	spec.Content.Container.ReadinessProbe.HTTPGet.Port = "9999"
	for _, p := range workload.Validate(spec) {
		t.Errorf("numeric port: %s", p)
	}
}

type content = release.Content

// check is one wrong input, where it is reported, and words that must be in the
// detail: what is wrong and what to do.
type check struct {
	change func(*release.Spec)
	at     string
	words  []string
}

func onContent(change func(*content)) func(*release.Spec) {
	return func(s *release.Spec) { change(&s.Content) }
}

func TestValidateIdentity(t *testing.T) {
	runChecks(t, map[string]check{
		"application upper case": {onContent(func(c *content) { c.Application = "My_App" }), "application", []string{`"My_App"`, "lower case", `"my-app"`}},
		"application digit":      {onContent(func(c *content) { c.Application = "1api" }), "application", []string{"begins with a letter", `"api"`}},
		"application long":       {onContent(func(c *content) { c.Application = strings.Repeat("a", 53) }), "application", []string{"at most 52", "has 53"}},
		"application empty":      {onContent(func(c *content) { c.Application = "" }), "application", []string{`"app"`}},
		"namespace":              {func(s *release.Spec) { s.Namespace = "a.b" }, "namespace", []string{`"a.b"`, "existing namespace"}},
		"replicas":               {func(s *release.Spec) { s.Replicas = -1 }, "replicas", []string{"-1", "Set it"}},
		"image upper case":       {onContent(func(c *content) { c.Image = "ghcr.io/Acme/API:V1" }), "image", []string{"must be lowercase", "ghcr.io/acme/api:V1"}},
		"image empty":            {onContent(func(c *content) { c.Image = "" }), "image", []string{"Name the image"}},
		"image space":            {onContent(func(c *content) { c.Image = "nginx:1 " }), "image", []string{"white space"}},
		"image format":           {onContent(func(c *content) { c.Image = "nginx:" }), "image", []string{"invalid reference format", "registry/repository:tag"}},
		"pod security":           {onContent(func(c *content) { c.PodSecurity = "strict" }), "pod_security", []string{`"strict"`, "restricted, baseline"}},
		"grace":                  {onContent(func(c *content) { c.GracePeriod = new(int64(15)) }), "termination_grace_period_seconds", []string{"15 s is too short", "at least 16"}},
		"service account":        {onContent(func(c *content) { c.ServiceAccount = "A b" }), "service_account_name", []string{`"A b"`, "service account"}},
		"pull secret":            {onContent(func(c *content) { c.PullSecrets = []string{"ok", "Not"} }), "image_pull_secrets[1]", []string{`"Not"`}},
		"node selector key":      {onContent(func(c *content) { c.NodeSelector = map[string]string{"a b": "c"} }), `node_selector["a b"]`, []string{"node label"}},
		"node selector value":    {onContent(func(c *content) { c.NodeSelector = map[string]string{"a": "c d"} }), `node_selector["a"]`, []string{`"c d"`}},
		"label key":              {onContent(func(c *content) { c.Labels = map[string]string{"a b": "c"} }), `labels["a b"]`, []string{"another key"}},
		"label value":            {onContent(func(c *content) { c.Labels = map[string]string{"a": strings.Repeat("c", 64)} }), `labels["a"]`, []string{"annotation"}},
		"label reserved":         {onContent(func(c *content) { c.Labels = map[string]string{"app.kubernetes.io/name": "x"} }), `labels["app.kubernetes.io/name"]`, []string{"set by Switchback"}},
		"annotation reserved":    {onContent(func(c *content) { c.Annotations = map[string]string{"switchback.dev/x": "x"} }), `annotations["switchback.dev/x"]`, []string{"switchback.dev/"}},
		"annotation key":         {onContent(func(c *content) { c.Annotations = map[string]string{"a/b/c": "x"} }), `annotations["a/b/c"]`, []string{"another key"}},
		"patch":                  {onContent(func(c *content) { c.TemplatePatch = "spec: {prioritiClassName: x}" }), "pod_template_patch", []string{"prioritiClassName", "Correct it"}},
	})
}

// TestValidatePatchedPorts: strategic merge keys ports by their number alone, so
// that a patch may take away what a Service looks for.
func TestValidatePatchedPorts(t *testing.T) {
	patch := func(ports string) func(*release.Spec) {
		return onContent(func(c *content) { c.TemplatePatch = "spec: {containers: [{name: api, ports: " + ports + "}]}" })
	}
	replaced := func(now string) []string {
		return []string{`the port "http" (8080/TCP) of the container "api"`, "which has " + now, "$patch: replace"}
	}
	runChecks(t, map[string]check{
		"another protocol": {patch("[{containerPort: 8080, protocol: UDP}]"), "pod_template_patch", replaced("admin 9090/TCP, http 8080/UDP")},
		"another name":     {patch("[{containerPort: 8080, name: web}]"), "pod_template_patch", replaced("admin 9090/TCP, web 8080/TCP")},
		"replaced":         {patch("[{$patch: replace}, {containerPort: 9, name: x}]"), "pod_template_patch", replaced("x 9/TCP")},
		"none left":        {patch("[{$patch: replace}]"), "pod_template_patch", replaced("no ports")},
		"removed":          {patch("null"), "pod_template_patch", replaced("no ports")},
		"another container's": {
			onContent(func(c *content) {
				c.TemplatePatch = "spec: {containers: [{name: side, image: x/y:z, ports: [{containerPort: 9099, name: http}]}]}"
			}),
			"pod_template_patch",
			[]string{`container "side" comes before the container "api"`, `a port "http"`, "another name", "sidecars"},
		},
	})
	beside := typical()
	beside.Content.TemplatePatch = "spec: {containers: [{name: side, image: x/y:z, ports: [{containerPort: 9099, name: more}]}]}"
	for _, p := range workload.Validate(beside) {
		t.Errorf("a port of another container: %s", p)
	}
	for name, ports := range map[string]string{
		"one more":                  "[{containerPort: 9091, name: more}]",
		"over UDP, beside":          "[{containerPort: 5353, name: dns, protocol: UDP}]",
		"the same":                  "[{containerPort: 8080, hostPort: 80}]",
		"declared with another one": "[{$patch: replace}, {containerPort: 9090, name: admin}, {containerPort: 8080, name: http}, {containerPort: 8080, name: quic, protocol: UDP}]",
		"another number":            "[{$patch: replace}, {containerPort: 9091, name: admin}, {containerPort: 8081, name: http}]",
	} {
		spec := typical()
		patch(ports)(&spec)
		for _, p := range workload.Validate(spec) {
			t.Errorf("%s: %s", name, p)
		}
	}
}

func TestValidateTolerations(t *testing.T) {
	with := func(tol release.Toleration) func(*release.Spec) {
		return onContent(func(c *content) { c.Tolerations = []release.Toleration{tol} })
	}
	runChecks(t, map[string]check{
		"operator": {with(release.Toleration{Key: "a", Operator: "Like"}), "tolerations[0].operator", []string{`"Like"`, "Exists"}},
		"effect":   {with(release.Toleration{Key: "a", Effect: "Never"}), "tolerations[0].effect", []string{`"Never"`, "NoSchedule"}},
		"value":    {with(release.Toleration{Key: "a", Operator: "Exists", Value: "b"}), "tolerations[0].value", []string{"Remove value"}},
		"key":      {with(release.Toleration{Effect: "NoSchedule"}), "tolerations[0].key", []string{"Exists"}},
		"seconds":  {with(release.Toleration{Key: "a", Effect: "NoSchedule", Seconds: new(int64(1))}), "tolerations[0].toleration_seconds", []string{"NoExecute"}},
	})
}

func TestValidateContainers(t *testing.T) {
	app := func(change func(*release.Container)) func(*release.Spec) {
		return onContent(func(c *content) { change(&c.Container) })
	}
	helper := func(name, image string) release.Helper { return release.Helper{Name: name, Image: image} }
	runChecks(t, map[string]check{
		"port name":          {app(func(c *release.Container) { c.Ports["Web_UI"] = 80 }), `container.ports["Web_UI"]`, []string{"at most 15"}},
		"port number":        {app(func(c *release.Container) { c.Ports["web"] = 70000 }), `container.ports["web"]`, []string{"70000", "65535"}},
		"port twice":         {app(func(c *release.Container) { c.Ports["web"] = 8080 }), `container.ports["web"]`, []string{`container.ports["http"]`}},
		"port of a sidecar":  {onContent(func(c *content) { c.Sidecars[0].Ports = map[string]int32{"web": 8080} }), `sidecars[0].ports["web"]`, []string{`container.ports["http"]`}},
		"init port":          {onContent(func(c *content) { c.InitContainers[0].Ports = map[string]int32{"": 8080} }), `init_containers[0].ports[""]`, []string{"name a port"}},
		"env name":           {app(func(c *release.Container) { c.Env["1 A"] = "" }), `container.env["1 A"]`, []string{"Rename"}},
		"env reserved":       {app(func(c *release.Container) { c.Env["SWITCHBACK_X"] = "" }), `container.env["SWITCHBACK_X"]`, []string{"Rename"}},
		"env twice":          {app(func(c *release.Container) { c.Env["DATABASE_URL"] = "" }), `container.secret_env["DATABASE_URL"]`, []string{"Remove it from one"}},
		"secret env name":    {app(func(c *release.Container) { c.SecretEnv["A B"] = release.SecretKey{Name: "a", Key: "b"} }), `container.secret_env["A B"]`, []string{"Rename"}},
		"secret name":        {app(func(c *release.Container) { c.SecretEnv["A"] = release.SecretKey{Key: "b"} }), `container.secret_env["A"].name`, []string{"Secret"}},
		"secret key":         {app(func(c *release.Container) { c.SecretEnv["A"] = release.SecretKey{Name: "s", Key: "b/c"} }), `container.secret_env["A"].key`, []string{`Secret "s"`}},
		"env from none":      {app(func(c *release.Container) { c.EnvFrom = []release.EnvFrom{{}} }), "container.env_from[0]", []string{"exactly one", "two entries"}},
		"env from both":      {app(func(c *release.Container) { c.EnvFrom = []release.EnvFrom{{ConfigMap: "a", Secret: "b"}} }), "container.env_from[0]", []string{"exactly one"}},
		"env from map":       {app(func(c *release.Container) { c.EnvFrom = []release.EnvFrom{{ConfigMap: "A"}} }), "container.env_from[0].config_map", []string{"ConfigMap"}},
		"env from secret":    {app(func(c *release.Container) { c.EnvFrom = []release.EnvFrom{{Secret: "A"}} }), "container.env_from[0].secret", []string{"Secret"}},
		"env from prefix":    {app(func(c *release.Container) { c.EnvFrom = []release.EnvFrom{{Secret: "a", Prefix: "1"}} }), "container.env_from[0].prefix", []string{"Rename"}},
		"request over limit": {app(func(c *release.Container) { c.Resources.Requests["memory"] = "1Gi" }), `container.resources.requests["memory"]`, []string{"1Gi", "256Mi", "raise the limit"}},
		"quantity":           {app(func(c *release.Container) { c.Resources.Limits["cpu"] = "1 core" }), `container.resources.limits["cpu"]`, []string{`"250m"`}},
		"negative":           {app(func(c *release.Container) { c.Resources.Limits["cpu"] = "-1" }), `container.resources.limits["cpu"]`, []string{"less than nothing"}},
		"resource name":      {app(func(c *release.Container) { c.Resources.Limits["mem"] = "1" }), `container.resources.limits["mem"]`, []string{"nvidia.com/gpu"}},
		"privileged": {app(func(c *release.Container) {
			c.SecurityContext = &release.SecurityContext{Privileged: new(true), AllowPrivilegeEscalation: new(false)}
		}), "container.security_context.allow_privilege_escalation", []string{"Remove"}},
		"helper name":      {onContent(func(c *content) { c.Sidecars = append(c.Sidecars, helper("A", "a:1")) }), "sidecars[1].name", []string{"another name"}},
		"helper twice":     {onContent(func(c *content) { c.Sidecars = append(c.Sidecars, helper("migrate", "a:1")) }), "sidecars[1].name", []string{"init_containers[0]", "Rename one"}},
		"helper like app":  {onContent(func(c *content) { c.Sidecars = append(c.Sidecars, helper("api", "a:1")) }), "sidecars[1].name", []string{"named like the application"}},
		"helper image":     {onContent(func(c *content) { c.InitContainers[0].Image = "A" }), "init_containers[0].image", []string{"lower case"}},
		"init probe":       {onContent(func(c *content) { c.InitContainers[0].LivenessProbe = &release.Probe{Exec: []string{"x"}} }), "init_containers[0].liveness_probe", []string{"sidecars"}},
		"sidecar mounting": {onContent(func(c *content) { c.Sidecars[0].VolumeMounts = map[string]release.Mount{"/a": {Volume: "no"}} }), `sidecars[0].volume_mounts["/a"].volume`, []string{`"no"`, `"data"`}},
	})
}

func TestValidateProbes(t *testing.T) {
	readiness := func(p release.Probe) func(*release.Spec) {
		return onContent(func(c *content) { c.Container.ReadinessProbe = &p })
	}
	liveness := func(p release.Probe) func(*release.Spec) {
		return onContent(func(c *content) { c.Container.LivenessProbe = &p })
	}
	http := &release.HTTPGet{Port: "http"}
	runChecks(t, map[string]check{
		"undeclared": {readiness(release.Probe{HTTPGet: &release.HTTPGet{Port: "web"}}), "container.readiness_probe.http_get.port", []string{`"web"`, `declared: "admin" and "http"`}},
		"tcp":        {readiness(release.Probe{TCPSocket: &release.TCPSocket{Port: ""}}), "container.readiness_probe.tcp_socket.port", []string{"declared"}},
		"grpc":       {readiness(release.Probe{GRPC: &release.GRPC{Port: "grpc"}}), "container.readiness_probe.grpc.port", []string{`"grpc"`}},
		"number":     {readiness(release.Probe{HTTPGet: &release.HTTPGet{Port: "70000"}}), "container.readiness_probe.http_get.port", []string{"65535"}},
		"scheme":     {readiness(release.Probe{HTTPGet: &release.HTTPGet{Port: "http", Scheme: "https"}}), "container.readiness_probe.http_get.scheme", []string{"HTTPS"}},
		"no handler": {readiness(release.Probe{}), "container.readiness_probe", []string{"It has none"}},
		"two":        {readiness(release.Probe{HTTPGet: http, Exec: []string{"x"}}), "container.readiness_probe", []string{"http_get, exec"}},
		"delay":      {readiness(release.Probe{HTTPGet: http, InitialDelaySeconds: new(int32(-1))}), "container.readiness_probe.initial_delay_seconds", []string{"least is 0"}},
		"period":     {readiness(release.Probe{HTTPGet: http, PeriodSeconds: new(int32(0))}), "container.readiness_probe.period_seconds", []string{"least is 1"}},
		"timeout":    {readiness(release.Probe{HTTPGet: http, TimeoutSeconds: new(int32(0))}), "container.readiness_probe.timeout_seconds", []string{"least is 1"}},
		"failures":   {readiness(release.Probe{HTTPGet: http, FailureThreshold: new(int32(0))}), "container.readiness_probe.failure_threshold", []string{"least is 1"}},
		"successes":  {liveness(release.Probe{HTTPGet: http, SuccessThreshold: new(int32(2))}), "container.liveness_probe.success_threshold", []string{"only a readiness probe"}},
		"no ports": {onContent(func(c *content) {
			c.Sidecars[0].LivenessProbe = &release.Probe{HTTPGet: http}
			c.Sidecars[0].Ports = nil
		}), "sidecars[0].liveness_probe.http_get.port", []string{"declared: none"}},
		"one success": {liveness(release.Probe{HTTPGet: http, SuccessThreshold: new(int32(1)), Exec: []string{"x"}}), "container.liveness_probe", []string{"exactly one"}},
	})
}

func TestValidateVolumes(t *testing.T) {
	with := func(v release.Volume) func(*release.Spec) {
		return onContent(func(c *content) { c.Volumes["v"] = v })
	}
	mount := func(path string, m release.Mount) func(*release.Spec) {
		return onContent(func(c *content) { c.Container.VolumeMounts = map[string]release.Mount{path: m} })
	}
	runChecks(t, map[string]check{
		"name":       {onContent(func(c *content) { c.Volumes["A"] = c.Volumes["tmp"] }), `volumes["A"]`, []string{"another name"}},
		"no source":  {with(release.Volume{}), `volumes["v"]`, []string{"It has none", "pod_template_patch"}},
		"two":        {with(release.Volume{EmptyDir: &release.EmptyDir{}, Claim: &release.VolumeClaim{Name: "a"}}), `volumes["v"]`, []string{"empty_dir, persistent_volume_claim"}},
		"medium":     {with(release.Volume{EmptyDir: &release.EmptyDir{Medium: "RAM"}}), `volumes["v"].empty_dir.medium`, []string{"Memory"}},
		"size":       {with(release.Volume{EmptyDir: &release.EmptyDir{SizeLimit: "big"}}), `volumes["v"].empty_dir.size_limit`, []string{"64Mi"}},
		"config map": {with(release.Volume{ConfigMap: &release.FilesFrom{}}), `volumes["v"].config_map.name`, []string{"ConfigMap"}},
		"secret":     {with(release.Volume{Secret: &release.FilesFrom{Name: "A"}}), `volumes["v"].secret.name`, []string{"Secret"}},
		"claim":      {with(release.Volume{Claim: &release.VolumeClaim{}}), `volumes["v"].persistent_volume_claim.claim_name`, []string{"PersistentVolumeClaim"}},
		"items":      {with(release.Volume{Secret: &release.FilesFrom{Name: "a", Items: map[string]string{"k": "../x"}}}), `volumes["v"].secret.items["k"]`, []string{`such as "k"`}},
		"undeclared": {mount("/a", release.Mount{Volume: "no"}), `container.volume_mounts["/a"].volume`, []string{`"no"`, `"data", "files", "secret" and "tmp"`}},
		"path":       {mount("a:b", release.Mount{Volume: "tmp"}), `container.volume_mounts["a:b"]`, []string{"absolute path"}},
		"sub-path":   {mount("/a", release.Mount{Volume: "tmp", SubPath: "/x"}), `container.volume_mounts["/a"].sub_path`, []string{"relative"}},
	})
}

// runChecks wants exactly one problem for each, at the right place, with a
// detail that says enough.
func runChecks(t *testing.T, checks map[string]check) {
	t.Helper()
	for name, tt := range checks {
		t.Run(name, func(t *testing.T) {
			spec := rich()
			spec.Content.Labels, spec.Content.Annotations = nil, nil
			tt.change(&spec)
			problems := workload.Validate(spec)
			i := slices.IndexFunc(problems, func(p workload.Problem) bool { return p.At() == tt.at })
			if i < 0 || len(problems) != 1 {
				t.Fatalf("want one problem at %s, got %v", tt.at, problems)
			}
			p := problems[i]
			for _, word := range tt.words {
				if !strings.Contains(p.Detail, word) {
					t.Errorf("the detail lacks %q: %s", word, p.Detail)
				}
			}
			if p.Summary == "" || !strings.HasSuffix(p.Detail, ".") || strings.Contains(p.Detail, "%!") || strings.Count(p.Detail, ". ") < 1 {
				t.Errorf("the detail is not two sentences: %s", p)
			}
		})
	}
}

func TestProblemPathsDoNotShareMemory(t *testing.T) {
	spec := rich()
	spec.Content.Container.Env["1"], spec.Content.Container.Env["2"] = "", ""
	spec.Content.Labels, spec.Content.Annotations = nil, nil
	problems := workload.Validate(spec)
	if len(problems) != 2 || problems[0].At() != `container.env["1"]` || problems[1].At() != `container.env["2"]` {
		t.Errorf("got %v", problems)
	}
}

func TestAdvice(t *testing.T) {
	if got := workload.Advice(typical()); len(got) > 0 {
		t.Errorf("nothing to advise here: %v", got)
	}
	spec := typical()
	c := &spec.Content
	c.Image = "nginx"
	c.InitContainers = []release.Helper{{Name: "a", Image: "nginx:latest"}, {Name: "b", Image: "nginx@sha256:9b2f5c0d1e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c"}}
	c.Sidecars = []release.Helper{{Name: "c", Image: "nginx:latest"}, {Name: "d", Image: "Not An Image"}, {Name: "e", Image: "nginx:1"}}
	c.Container.ReadinessProbe = nil
	c.Container.Resources.Limits = nil
	var at []string
	for _, p := range workload.Advice(spec) {
		at = append(at, p.At())
	}
	want := []string{"image", "init_containers[0].image", "sidecars[0].image", "container.readiness_probe", "container.resources.limits"}
	if !slices.Equal(at, want) {
		t.Errorf("advice at %v, want %v", at, want)
	}
	c.Container.Ports = nil // then nobody sends it traffic
	if got := workload.Advice(spec); slices.ContainsFunc(got, func(p workload.Problem) bool { return p.At() == "container.readiness_probe" }) {
		t.Errorf("a probe is advised without a port: %v", got)
	}
}
