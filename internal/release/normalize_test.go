package release

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"
)

// rich uses every field of Content, so that none can be left out of the hash or
// of Normalize unnoticed.
func rich() Content {
	return Content{
		Application: "api",
		Version:     "v1.4.0",
		Triggers:    map[string]string{"config": "3"},
		Image:       "ghcr.io/acme/api:v1.4.0",
		Container: Container{
			Ports:     map[string]int32{"http": 8080, "metrics": 9090},
			Command:   []string{"/api"},
			Args:      []string{"--verbose"},
			Env:       map[string]string{"LOG_LEVEL": "info", "EMPTY": ""},
			SecretEnv: map[string]SecretKey{"DATABASE_URL": {Name: "api-db", Key: "url", Optional: true}},
			EnvFrom:   []EnvFrom{{ConfigMap: "settings", Prefix: "S_"}, {Secret: "more", Optional: true}},
			Resources: Resources{Requests: map[string]string{"cpu": "0.5", "memory": "1024Mi"}, Limits: map[string]string{"memory": "1Gi"}},
			ReadinessProbe: &Probe{
				HTTPGet:             &HTTPGet{Path: "/readyz", Port: "http", Scheme: "HTTP", Headers: map[string]string{"Accept": "text/plain"}},
				InitialDelaySeconds: new(int32(1)), PeriodSeconds: new(int32(2)), TimeoutSeconds: new(int32(3)),
				SuccessThreshold: new(int32(4)), FailureThreshold: new(int32(5)),
			},
			LivenessProbe: &Probe{TCPSocket: &TCPSocket{Port: "http"}},
			StartupProbe:  &Probe{Exec: []string{"/healthy"}},
			VolumeMounts:  map[string]Mount{"/data": {Volume: "data", SubPath: "api", ReadOnly: true}},
			SecurityContext: &SecurityContext{
				RunAsUser: new(int64(1000)), RunAsGroup: new(int64(1001)), RunAsNonRoot: new(true),
				ReadOnlyRootFilesystem: new(true), AllowPrivilegeEscalation: new(false), Privileged: new(false),
				AddCapabilities: []string{"NET_BIND_SERVICE"}, DropCapabilities: []string{"ALL"},
			},
		},
		InitContainers: []Helper{{Name: "migrate", Image: "ghcr.io/acme/api:v1.4.0", Container: Container{Args: []string{"migrate"}}}},
		Sidecars:       []Helper{{Name: "proxy", Image: "envoyproxy/envoy:v1.34", Container: Container{LivenessProbe: &Probe{GRPC: &GRPC{Port: "9000", Service: "envoy"}}}}},
		Volumes: VolumesByName{
			"data":   {Claim: &VolumeClaim{Name: "api-data", ReadOnly: true}},
			"tmp":    {EmptyDir: &EmptyDir{Medium: "Memory", SizeLimit: "0.5Gi"}},
			"files":  {ConfigMap: &FilesFrom{Name: "files", Items: map[string]string{"a": "b"}, Optional: true}},
			"secret": {Secret: &FilesFrom{Name: "secret", Items: map[string]string{"c": "d"}}},
		},
		ServiceAccount: "api",
		PullSecrets:    []string{"registry"},
		NodeSelector:   map[string]string{"disk": "ssd"},
		Tolerations:    []Toleration{{Key: "dedicated", Operator: "Equal", Value: "api", Effect: "NoExecute", Seconds: new(int64(60))}},
		GracePeriod:    new(int64(45)),
		Labels:         map[string]string{"team": "shop"},
		Annotations:    map[string]string{"example.com/scrape": "true"},
		TemplatePatch:  "spec:\n  priorityClassName: high\n",
		PodSecurity:    PodSecurityBaseline,
	}
}

// A change here renames the releases of every user at their next upgrade. Do not
// update these values: find out what changed the hash, and undo it.
func TestHashGolden(t *testing.T) {
	minimal := Content{Application: "api", Version: "1", Image: "nginx:1"}
	for name, tt := range map[string]struct {
		content Content
		want    string
	}{
		"minimal": {minimal, "618b75493f51bf60adc8b70e23bdbd12596f5049091726b4f654c7f91a861fae"},
		"rich":    {rich(), "14ba97d595d6b28d00ac8d105c92794009ae75ba5907dded4af3396617e5209d"},
	} {
		if got := tt.content.Normalize().Hash(); got != tt.want {
			t.Errorf("%s: the hash is %s, and was %s in every release so far", name, got, tt.want)
		}
	}
}

func TestNormalizeKeepsItsArgument(t *testing.T) {
	c := rich()
	n := c.Normalize()
	if diff := cmp.Diff(rich(), c); diff != "" {
		t.Errorf("Normalize changed its argument (-before +after):\n%s", diff)
	}
	// Whatever is done to the result must not reach the argument either.
	scribble(&n)
	if diff := cmp.Diff(rich(), c); diff != "" {
		t.Errorf("the result shares memory with the argument (-before +after):\n%s", diff)
	}
}

func scribble(c *Content) {
	clear(c.Triggers)
	clear(c.Container.Ports)
	clear(c.Container.Env)
	clear(c.Container.SecretEnv)
	clear(c.Container.Resources.Requests)
	clear(c.Container.Resources.Limits)
	clear(c.Container.VolumeMounts)
	clear(c.Container.ReadinessProbe.HTTPGet.Headers)
	clear(c.NodeSelector)
	clear(c.Labels)
	clear(c.Annotations)
	c.Container.Command[0], c.Container.Args[0], c.PullSecrets[0] = "x", "x", "x"
	c.Container.EnvFrom[0].Prefix = "x"
	c.Container.ReadinessProbe.HTTPGet.Path = "x"
	*c.Container.ReadinessProbe.PeriodSeconds = 99
	c.Container.LivenessProbe.TCPSocket.Port = "x"
	c.Container.StartupProbe.Exec[0] = "x"
	*c.Container.SecurityContext.RunAsUser = 99
	c.Container.SecurityContext.DropCapabilities[0] = "x"
	c.InitContainers[0].Args[0] = "x"
	c.Sidecars[0].LivenessProbe.GRPC.Port = "x"
	c.Tolerations[0].Key = "x"
	*c.Tolerations[0].Seconds = 99
	*c.GracePeriod = 99
	c.Volumes["tmp"].EmptyDir.Medium = "x"
	clear(c.Volumes["files"].ConfigMap.Items)
	clear(c.Volumes["secret"].Secret.Items)
	c.Volumes["data"].Claim.Name = "x"
}

func TestNormalizeSameMeaning(t *testing.T) {
	base := func() Content { return Content{Application: "api", Version: "1", Image: "nginx:1"} }
	with := func(change func(*Content)) Content {
		c := base()
		change(&c)
		return c
	}
	cpu := func(q string) Content {
		return with(func(c *Content) { c.Container.Resources.Requests = map[string]string{"cpu": q} })
	}
	probe := func(scheme string) Content {
		return with(func(c *Content) {
			c.Container.ReadinessProbe = &Probe{HTTPGet: &HTTPGet{Port: "80", Scheme: scheme}, Exec: []string{}}
		})
	}
	toleration := func(operator string) Content {
		return with(func(c *Content) { c.Tolerations = []Toleration{{Key: "a", Operator: operator}} })
	}
	dir := func(limit string) Content {
		return with(func(c *Content) { c.Volumes = VolumesByName{"tmp": {EmptyDir: &EmptyDir{SizeLimit: limit}}} })
	}
	for name, tt := range map[string]struct {
		a, b Content
		same bool
	}{
		"quantity half":            {cpu("0.5"), cpu("500m"), true},
		"quantity binary":          {dir("1024Mi"), dir("1Gi"), true},
		"quantity bytes":           {dir("1073741824"), dir("1Gi"), true},
		"quantity exponent":        {dir("1e3"), dir("1k"), true},
		"quantity differs":         {cpu("0.5"), cpu("501m"), false},
		"quantity beyond suffixes": {cpu("1e30"), cpu("1"), false},
		"quantity unparsable":      {cpu("a lot"), cpu("a bit"), false},
		"default security":         {with(func(c *Content) { c.PodSecurity = PodSecurityBaseline }), base(), true},
		"other security":           {with(func(c *Content) { c.PodSecurity = PodSecurityNone }), base(), false},
		"scheme":                   {probe("HTTP"), probe(""), true},
		"other scheme":             {probe("HTTPS"), probe(""), false},
		"operator":                 {toleration("Equal"), toleration(""), true},
		"other operator":           {toleration("Exists"), toleration(""), false},
		"empty security context":   {with(func(c *Content) { c.Container.SecurityContext = &SecurityContext{AddCapabilities: []string{}} }), base(), true},
		"empty collections": {with(func(c *Content) {
			c.Triggers, c.Labels, c.PullSecrets = map[string]string{}, map[string]string{}, []string{}
			c.Tolerations, c.Volumes, c.Sidecars = []Toleration{}, VolumesByName{}, []Helper{}
			c.Container = Container{Command: []string{}, Ports: map[string]int32{}, Resources: Resources{Limits: map[string]string{}}}
		}), base(), true},
		"empty directory is not nothing": {dir(""), base(), false},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := tt.a.Normalize(), tt.b.Normalize()
			if same := a.Hash() == b.Hash(); same != tt.same {
				t.Errorf("same hash: %v, want %v:\n%s", same, tt.same, cmp.Diff(a, b))
			}
		})
	}
}

func TestNormalizeProperties(t *testing.T) {
	texts := rapid.StringMatching(`[0-9]{1,7}(\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti|e[0-9]|)`)
	rapid.Check(t, func(t *rapid.T) {
		c := rich()
		requests := rapid.MapOfN(rapid.SampledFrom([]string{"cpu", "memory", "example.com/gpu"}), texts, 0, 3).Draw(t, "requests")
		c.Container.Resources.Requests = requests
		n := c.Normalize()
		if diff := cmp.Diff(n, n.Normalize()); diff != "" {
			t.Fatalf("normalizing twice is not normalizing once:\n%s", diff)
		}
		for name, typed := range requests {
			a, b := resource.MustParse(typed), resource.MustParse(n.Container.Resources.Requests[name])
			if a.Cmp(b) != 0 {
				t.Fatalf("%s became %s, which is another quantity", typed, n.Container.Resources.Requests[name])
			}
		}
		// What is stored is what was hashed.
		text, _ := json.Marshal(n)
		var back Content
		if err := json.Unmarshal(text, &back); err != nil || back.Hash() != n.Hash() {
			t.Fatalf("the hash does not survive JSON: %v", err)
		}
	})
}

// Equal values have one form, whatever unit they were typed in.
func TestNormalizeQuantityDependsOnTheValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<40).Draw(t, "n")
		var forms []string
		for _, format := range []resource.Format{resource.BinarySI, resource.DecimalSI, resource.DecimalExponent} {
			forms = append(forms, resource.NewQuantity(n, format).String())
		}
		want := normalizeQuantity(forms[0])
		for _, form := range forms {
			if got := normalizeQuantity(form); got != want {
				t.Fatalf("%s became %s, but %s became %s", form, got, forms[0], want)
			}
		}
	})
}

func TestDefaultVersion(t *testing.T) {
	const digest = "@sha256:9b2f5c0d1e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c"
	for image, want := range map[string]string{
		"nginx:1.27":                       "1.27",
		"ghcr.io/acme/api:v1.4.0":          "v1.4.0",
		"localhost:5000/api:v2":            "v2",
		"localhost:5000/api":               "latest",
		"nginx":                            "latest",
		"ghcr.io/acme/api" + digest:        "9b2f5c0d1e8a",
		"ghcr.io/acme/api:v1.4.0" + digest: "v1.4.0",
		"Not An Image":                     "latest",
		"":                                 "latest",
	} {
		if got := DefaultVersion(image); got != want {
			t.Errorf("DefaultVersion(%q) = %q, want %q", image, got, want)
		}
	}
}

// Every field that is empty is left out, so that a field which a later version
// adds renames nobody.
func TestEmptyFieldsAreNotHashed(t *testing.T) {
	text, _ := json.Marshal(Content{})
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"application": "", "version": "", "image": ""}
	if !maps.Equal(fields, want) {
		t.Errorf("empty content is hashed as %s", text)
	}
}
