package deployment

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func ptr[T any](v T) *T { return &v }

// everything says something of every field of a spec, in the normalized spelling.
func everything() release.Spec {
	container := release.Container{
		Ports:   map[string]int32{"http": 8080, "grpc": 9090},
		Command: []string{"/app"}, Args: []string{"--fast", ""},
		Env:       map[string]string{"A": "1", "EMPTY": ""},
		SecretEnv: map[string]release.SecretKey{"URL": {Name: "db", Key: "url"}, "MAYBE": {Name: "db", Key: "maybe", Optional: true}},
		EnvFrom:   []release.EnvFrom{{ConfigMap: "all", Prefix: "X_"}, {Secret: "more", Optional: true}},
		Resources: release.Resources{Requests: map[string]string{"cpu": "500m"}, Limits: map[string]string{"memory": "1Gi"}},
		ReadinessProbe: &release.Probe{
			HTTPGet:             &release.HTTPGet{Path: "/readyz", Port: "http", Scheme: "HTTPS", Headers: map[string]string{"Host": "x"}},
			InitialDelaySeconds: ptr[int32](0), PeriodSeconds: ptr[int32](5), TimeoutSeconds: ptr[int32](2), SuccessThreshold: ptr[int32](2), FailureThreshold: ptr[int32](4),
		},
		LivenessProbe: &release.Probe{TCPSocket: &release.TCPSocket{Port: "8080"}},
		StartupProbe:  &release.Probe{GRPC: &release.GRPC{Port: "grpc", Service: "health"}},
		VolumeMounts:  map[string]release.Mount{"/data": {Volume: "data", SubPath: "a", ReadOnly: true}, "/tmp": {Volume: "tmp"}},
		SecurityContext: &release.SecurityContext{
			RunAsUser: ptr[int64](0), RunAsGroup: ptr[int64](7), RunAsNonRoot: ptr(false), ReadOnlyRootFilesystem: ptr(true),
			AllowPrivilegeEscalation: ptr(false), Privileged: ptr(false), AddCapabilities: []string{"NET_BIND_SERVICE"}, DropCapabilities: []string{"ALL"},
		},
	}
	return release.Spec{
		Namespace: "shop", Environment: "staging", Replicas: 3, OnFailure: release.OnFailureKeep, IgnoreDrift: []string{"spec.replicas"},
		Health:       release.Health{FailFastGrace: ptr[time.Duration](0), CrashLimit: 5, LogTail: ptr[int32](0)},
		DesiredState: release.DesiredStopped, RestartTriggers: map[string]string{"secret": "2", "empty": ""},
		Autoscaling: &release.Autoscaling{Min: 2, Max: 9, CPU: ptr[int32](80), Memory: ptr[int32](60)},
		Content: release.Content{
			Application: "api", Version: "1.4.0+build", Triggers: map[string]string{"again": "1"}, Image: "ghcr.io/acme/api:1.4.0",
			Container:      container,
			InitContainers: []release.Helper{{Name: "migrate", Image: "m:1", Container: release.Container{Args: []string{"up"}}}},
			Sidecars:       []release.Helper{{Name: "proxy", Image: "p:1", Container: container}, {Name: "plain", Image: "q:1"}},
			Volumes: release.VolumesByName{
				"tmp":  {EmptyDir: &release.EmptyDir{}},
				"ram":  {EmptyDir: &release.EmptyDir{Medium: "Memory", SizeLimit: "64Mi"}},
				"conf": {ConfigMap: &release.FilesFrom{Name: "conf", Items: map[string]string{"a": "b"}}},
				"keys": {Secret: &release.FilesFrom{Name: "keys", Optional: true}},
				"data": {Claim: &release.VolumeClaim{Name: "data", ReadOnly: true}},
				"all": {Projected: []release.Projection{
					{ConfigMap: &release.FilesFrom{Name: "conf", Items: map[string]string{"a": "b"}}}, {Secret: &release.FilesFrom{Name: "keys"}},
					{DownwardAPI: map[string]string{"labels": "metadata.labels"}},
					{Token: &release.TokenFile{Path: "t", Audience: "vault", ExpirationSeconds: ptr[int64](600)}},
				}},
				"csi":   {CSI: &release.CSIVolume{Driver: "d", ReadOnly: true, FSType: "ext4", Attributes: map[string]string{"a": ""}, Secret: "s"}},
				"claim": {Ephemeral: &release.ClaimOfPod{Storage: "1Gi", AccessModes: []string{"ReadWriteMany"}, StorageClass: ptr(""), Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}}},
			},
			ServiceAccount: "runner", PullSecrets: []string{"pull"}, NodeSelector: map[string]string{"disk": "ssd"},
			Tolerations: []release.Toleration{{Key: "a", Value: "b", Effect: "NoExecute", Seconds: ptr[int64](0)}, {Operator: "Exists"}},
			GracePeriod: ptr[int64](60), Labels: map[string]string{"team": "shop"}, Annotations: map[string]string{"note": ""},
			TemplatePatch: "spec: {}", PodSecurity: release.PodSecurityRestricted,
			Affinity: &release.Affinity{
				Node: &release.NodeAffinity{
					Required:  []release.NodeTerm{{Expressions: []release.Requirement{{Key: "disk", Operator: "In", Values: []string{"ssd"}}}}, {Fields: []release.Requirement{{Key: "metadata.name", Operator: "NotIn", Values: []string{"a"}}}}},
					Preferred: []release.PreferredNode{{Weight: 5, Preference: release.NodeTerm{Expressions: []release.Requirement{{Key: "gpu", Operator: "Exists"}}}}},
				},
				Pod:     &release.PodAffinity{Preferred: []release.PreferredPod{{Weight: 6, Term: release.PodTerm{TopologyKey: "zone", Namespaces: []string{"x"}, NamespaceSelector: &release.LabelSelector{}}}}},
				PodAnti: &release.PodAffinity{Required: []release.PodTerm{{TopologyKey: "host", Selector: &release.LabelSelector{Labels: map[string]string{"a": ""}, Expressions: []release.Requirement{{Key: "b", Operator: "Exists"}}}}}},
			},
		},
	}
}

func TestSpecSurvivesTheModel(t *testing.T) {
	probed := everything()
	probed.Content.Container.ReadinessProbe = &release.Probe{Exec: []string{"true"}}
	specs := map[string]release.Spec{
		"everything": everything(),
		"exec probe": probed,
		"autoscaled": {
			Namespace: "shop", Replicas: 2, OnFailure: release.OnFailureStop, DesiredState: release.DesiredStarted, Autoscaling: &release.Autoscaling{Min: 2, Max: 8, CPU: ptr[int32](70)},
			Content: release.Content{Application: "api", Version: "1", Image: "api:1"},
		},
		"rolling": {
			Namespace: "shop", Replicas: 2, OnFailure: release.OnFailureStop, DesiredState: release.DesiredStarted, Strategy: release.StrategyRolling,
			Rolling: release.Rolling{MaxSurge: "1", MaxUnavailable: "10%"}, Health: release.Health{MinReady: 3 * time.Second, ProgressDeadline: 90 * time.Minute},
			Content: release.Content{Application: "api", Version: "1", Image: "api:1"},
		},
		"recreate": {
			Namespace: "shop", Replicas: 2, OnFailure: release.OnFailureStop, DesiredState: release.DesiredStarted, Strategy: release.StrategyRecreate,
			Content: release.Content{Application: "api", Version: "1", Image: "api:1"},
		},
		"nothing": {
			Namespace: "shop", Replicas: 1, OnFailure: release.OnFailureStop, DesiredState: release.DesiredStarted,
			Content: release.Content{Application: "api", Version: "1", Image: "api:1"},
		},
	}
	for name, want := range specs {
		t.Run(name, func(t *testing.T) {
			m := newModel()
			if diags := m.fromSpec(t.Context(), want); diags.HasError() {
				t.Fatal(diags)
			}
			m.setIdentity(want, want.Content.Hash())
			// Through a state, as an import does: every field must have its type.
			s := deploymentSchema(t.Context())
			state := tfsdk.State{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(t.Context()), nil)}
			if diags := state.Set(t.Context(), m); diags.HasError() {
				t.Fatal(diags)
			}
			var read model
			if diags := state.Get(t.Context(), &read); diags.HasError() {
				t.Fatal(diags)
			}
			got, diags := read.spec(t.Context())
			if diags.HasError() {
				t.Fatal(diags)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An import must look like the configuration of a user who leaves out defaults.
func TestImportedDefaultsAreNull(t *testing.T) {
	m := newModel()
	spec := release.Spec{Namespace: "shop", Replicas: 1, Content: release.Content{Application: "api", Version: "1", Image: "api:1", Container: release.Container{Env: map[string]string{}}}}
	if diags := m.fromSpec(t.Context(), spec); diags.HasError() {
		t.Fatal(diags)
	}
	p := deploymentPlanner(t)
	s := deploymentSchema(t.Context())
	var diags diag.Diagnostics
	m.setIdentity(spec, spec.Content.Normalize().Hash())
	if m.setURLs(t.Context(), &diags); diags.HasError() {
		t.Fatal(diags)
	}
	m.Status, m.Drift = types.StringValue("started"), attrs.NoDrift()
	m.Clusters, _ = types.SetValueFrom(t.Context(), types.StringType, []string{"prod"})
	state := tfsdk.State{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(t.Context()), nil)}
	if diags := state.Set(t.Context(), m); diags.HasError() {
		t.Fatal(diags)
	}
	p.Plan(plantest.Obj{"application": "api", "namespace": "shop", "image": "api:1"}, &state.Raw).OK().WantNoChange(state.Raw)
}

// modelOf decodes a configuration.
func modelOf(t *testing.T, config plantest.Obj) model {
	t.Helper()
	s := deploymentSchema(t.Context())
	raw := plantest.TFValue(t, s.Type().TerraformType(t.Context()), config)
	var m model
	if diags := (tfsdk.Config{Schema: s, Raw: raw}).Get(t.Context(), &m); diags.HasError() {
		t.Fatal(diags)
	}
	return m
}

func TestNullsInMapsAreLeftOut(t *testing.T) {
	m := modelOf(t, plantest.Deployment(plantest.Obj{
		"container": plantest.Obj{"env": plantest.Obj{"A": "1", "B": nil}, "ports": plantest.Obj{"http": 80, "none": nil}, "secret_env": plantest.Obj{"S": nil}, "volume_mounts": plantest.Obj{"/x": nil}},
		"labels":    plantest.Obj{"a": nil}, "volumes": plantest.Obj{"v": nil},
	}))
	spec, diags := m.spec(t.Context())
	if diags.HasError() {
		t.Fatal(diags)
	}
	want := release.Container{Env: map[string]string{"A": "1"}, Ports: map[string]int32{"http": 80}}
	if diff := cmp.Diff(want, spec.Content.Container); diff != "" {
		t.Error(diff)
	}
	if spec.Content.Labels != nil || spec.Content.Volumes != nil {
		t.Errorf("labels %v, volumes %v", spec.Content.Labels, spec.Content.Volumes)
	}
}

func TestUnknownInputsAreFoundHoweverDeep(t *testing.T) {
	tests := map[string]struct {
		change plantest.Obj
		want   []path.Path
	}{
		"none":          {},
		"not content":   {change: plantest.Obj{"replicas": plantest.AfterApply{}, "clusters": plantest.AfterApply{}, "namespace": plantest.AfterApply{}, "timeouts": plantest.AfterApply{}}},
		"text":          {plantest.Obj{"image": plantest.AfterApply{}}, []path.Path{path.Root("image")}},
		"whole object":  {plantest.Obj{"container": plantest.AfterApply{}}, []path.Path{path.Root("container")}},
		"map element":   {plantest.Obj{"container": plantest.Obj{"env": plantest.Obj{"A": plantest.AfterApply{}}}}, []path.Path{path.Root("container")}},
		"in a list":     {plantest.Obj{"sidecars": []any{plantest.Obj{"name": "a", "image": plantest.AfterApply{}}}}, []path.Path{path.Root("sidecars")}},
		"two, in order": {plantest.Obj{"labels": plantest.AfterApply{}, "image": plantest.AfterApply{}}, []path.Path{path.Root("image"), path.Root("labels")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := modelOf(t, plantest.Deployment(plantest.Obj{"version": "1"}, test.change))
			if got := m.unknownInputs(t.Context()); !slices.EqualFunc(got, test.want, path.Path.Equal) {
				t.Errorf("unknown inputs %v, want %v", got, test.want)
			}
			if _, diags := m.spec(t.Context()); diags.HasError() != (len(test.want) > 0) {
				t.Errorf("spec: %v", diags)
			}
		})
	}
}

// Whoever adds an attribute decides here whether it is content.
func TestEveryInputIsContentOrChangesInPlace(t *testing.T) {
	for name, a := range deploymentSchema(t.Context()).Attributes {
		content := slices.ContainsFunc(contentInputs, func(in input) bool { return in.name == name })
		configurable := a.IsRequired() || a.IsOptional()
		description := a.GetMarkdownDescription()
		switch {
		case name == "strategy": // either, see switches
		case !configurable && content:
			t.Errorf("%s is computed and content", name)
		case configurable && (content || name == "namespace") != strings.HasSuffix(description, attrs.Replaces),
			configurable && (content || name == "namespace") == strings.HasSuffix(description, attrs.InPlace):
			t.Errorf("%s: content %v, but described %q", name, content, description)
		}
	}
}

func TestEveryValueIsDescribed(t *testing.T) {
	for _, v := range release.OnFailures() {
		if onFailureMeaning[v] == "" {
			t.Errorf("on_failure %q has no meaning", v)
		}
	}
	for _, v := range release.DesiredStates() {
		if desiredStateMeaning[v] == "" {
			t.Errorf("desired_state %q has no meaning", v)
		}
	}
	for _, v := range release.PodSecurities() {
		if podSecurityMeaning[v] == "" {
			t.Errorf("pod_security %q has no meaning", v)
		}
	}
}
