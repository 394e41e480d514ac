package workload_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// captured reads what a real API server answered (see testdata/README.md).
func captured(t *testing.T, name string) []*appsv1.Deployment {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*appsv1.Deployment
	for _, part := range strings.Split(string(text), "---\n") {
		d := &appsv1.Deployment{}
		if err := yaml.UnmarshalStrict([]byte(part), d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func TestImportOfCaptured(t *testing.T) {
	for name, spec := range map[string]release.Spec{
		"minimal": minimal(), "typical": typical(), "rich": rich(), "privileged": privileged(), "bare": bare(), "patched": patched(),
	} {
		t.Run(name, func(t *testing.T) {
			live := captured(t, "live-"+name)[0]
			spec.Namespace = live.Namespace
			got, exact, err := workload.FromDeployment(live)
			if err != nil || !exact {
				t.Errorf("exact: %v, error: %v", exact, err)
			}
			if diff := cmp.Diff(spec, got); diff != "" {
				t.Errorf("the import differs (-typed +imported):\n%s", diff)
			}
		})
	}
}

// Without the annotation, what the server and we added must come off again.
func TestImportWithoutAnnotation(t *testing.T) {
	reduced := rich() // what the template cannot tell
	reduced.Content.Triggers = nil
	delete(reduced.Content.Labels, "app.kubernetes.io/name")
	delete(reduced.Content.Annotations, "switchback.dev/mine")
	reduced.Content.Container.LivenessProbe.GRPC.Port = "8080"
	withoutPatch := patched()
	withoutPatch.Content.TemplatePatch = ""
	withoutPatch.Content.Labels = map[string]string{"extra": "yes"}
	withoutPatch.Content.GracePeriod = new(int64(60))
	withoutPatch.Content.PriorityClass, withoutPatch.Content.HostAliases = "high", map[string][]string{"10.0.0.1": {"db"}}
	withoutPatch.Content.Container.EnvFromField = map[string]string{"NODE_NAME": "spec.nodeName"}
	withoutPatch.Content.Container.PreStop = &release.Handler{SleepSeconds: new(int64)}
	for name, tt := range map[string]struct {
		spec  release.Spec
		exact bool
	}{
		"minimal": {minimal(), true}, "typical": {typical(), true}, "bare": {bare(), true}, "privileged": {privileged(), true},
		"rich": {reduced, false}, "patched": {withoutPatch, false},
	} {
		t.Run(name, func(t *testing.T) {
			live := captured(t, "live-"+name)[0]
			tt.spec.Namespace = live.Namespace
			tt.spec.Content = tt.spec.Content.Normalize()
			for what, annotation := range map[string]string{"missing": "", "broken": `{"application":`, "of another application": `{"application":"other","version":"1","image":"nginx"}`, "empty": "{}"} {
				live.Annotations[release.AnnotationSpec] = annotation
				if annotation == "" {
					delete(live.Annotations, release.AnnotationSpec)
				}
				got, exact, err := workload.FromDeployment(live)
				if err != nil || exact != tt.exact {
					t.Errorf("%s: exact: %v, error: %v", what, exact, err)
				}
				if diff := cmp.Diff(tt.spec, got); diff != "" {
					t.Errorf("%s: the import differs (-typed +imported):\n%s", what, diff)
				}
			}
		})
	}
}

func TestImportOfChangedEnv(t *testing.T) {
	live := captured(t, "live-typical")[0]
	app := &live.Spec.Template.Spec.Containers[0]
	for i := range app.Env {
		if app.Env[i].Name == "LOG_LEVEL" {
			app.Env[i].Value = "debug"
		}
	}
	app.Env = append(app.Env, corev1.EnvVar{Name: "INJECTED", Value: "by a webhook"})
	got, exact, err := workload.FromDeployment(live)
	if err != nil || exact {
		t.Errorf("exact: %v, error: %v", exact, err)
	}
	if diff := cmp.Diff(map[string]string{"LOG_LEVEL": "debug"}, got.Content.Container.Env); diff != "" {
		t.Error(diff)
	}
	app.Env = nil
	got, exact, err = workload.FromDeployment(live)
	if err != nil || exact || len(got.Content.Container.Env) != 0 {
		t.Errorf("exact: %v, error: %v, env: %v", exact, err, got.Content.Container.Env)
	}
}

func TestImportOfForeign(t *testing.T) {
	if _, _, err := workload.FromDeployment(&appsv1.Deployment{}); err == nil || !strings.Contains(err.Error(), "no containers") {
		t.Errorf("got %v", err)
	}
	// Made by hand: no label, no annotation, other volumes and variables.
	foreign := &appsv1.Deployment{}
	foreign.Name = "web"
	foreign.Spec.Template.Spec = corev1.PodSpec{
		Containers: []corev1.Container{
			{Name: "first", Image: "nginx:1.27", Ports: []corev1.ContainerPort{{ContainerPort: 80}, {Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP}, {Name: "http", ContainerPort: 8080}},
				Env: []corev1.EnvVar{{Name: "NODE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}}}},
			{Name: "second", Image: "nginx"},
		},
		Volumes:            []corev1.Volume{{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}},
		ServiceAccountName: "default",
	}
	got, exact, err := workload.FromDeployment(foreign)
	want := release.Spec{Replicas: 1, Content: release.Content{
		Application: "web", Version: "1.27", Image: "nginx:1.27", PodSecurity: release.PodSecurityNone,
		Container: release.Container{
			Ports: map[string]int32{"http": 8080, "dns": 53}, PortProtocols: map[string]string{"dns": "UDP"}, EnvFromField: map[string]string{"NODE": "spec.nodeName"}, PreStop: &release.Handler{SleepSeconds: new(int64)},
		},
		TopologySpread: &[]release.TopologySpread{},
	}}
	if diff := cmp.Diff(want, got); diff != "" || exact || err != nil {
		t.Errorf("exact: %v, error: %v\n%s", exact, err, diff)
	}
	foreign.Name = "second-7f3c9a1e" // then its application is in the name
	if got, _, _ := workload.FromDeployment(foreign); got.Content.Application != "second" || got.Content.Image != "nginx" {
		t.Errorf("got %+v", got.Content)
	}
	foreign.Labels = map[string]string{release.LabelApplication: "first", release.LabelVersion: "7"}
	if got, _, _ := workload.FromDeployment(foreign); got.Content.Application != "first" || got.Content.Version != "7" {
		t.Errorf("got %+v", got.Content)
	}
}

// No env value may be in the annotation, whatever container it is of.
func TestSpecAnnotationHoldsNoEnvValues(t *testing.T) {
	c := rich().Content
	c.Container.Env = map[string]string{"A": "s3cret-1"}
	c.InitContainers[0].Env = map[string]string{"A": "s3cret-2"}
	c.Sidecars[0].Env = map[string]string{"A": "s3cret-3"}
	text, err := workload.SpecAnnotation(release.Spec{Content: c})
	if err != nil || strings.Contains(text, "s3cret") {
		t.Errorf("error %v, annotation %s", err, text)
	}
	var back release.Content
	if err := json.Unmarshal([]byte(text), &back); err != nil || len(back.Sidecars[0].Env) != 1 {
		t.Errorf("the names are lost: %v, %s", err, text)
	}
}
