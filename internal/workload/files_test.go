package workload_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// filed has files in every kind of container, two of them at one path.
func filed() release.Spec {
	spec := minimal()
	c := &spec.Content
	c.Container.Files = map[string]string{"/etc/app/config.yaml": "level: info\n", "/opt/ä b/" + strings.Repeat("x", 300): "", "/etc/app/extra": "more"}
	c.Container.VolumeMounts = map[string]release.Mount{"/etc/app": {Volume: "scratch"}}
	c.Volumes = release.VolumesByName{"scratch": {EmptyDir: &release.EmptyDir{}}}
	c.InitContainers = []release.Helper{{Name: "init", Image: "i", Container: release.Container{Files: map[string]string{"/etc/app/config.yaml": "level: debug\n"}}}}
	c.Sidecars = []release.Helper{{Name: "proxy", Image: "p", Container: release.Container{Files: map[string]string{"/etc/proxy.yaml": "a: b"}}}}
	return spec
}

// TestFilesAndBack: what is typed is in the ConfigMap, mounted where it was typed, and an
// import finds it again with and without the annotation, which has no text of it.
func TestFilesAndBack(t *testing.T) {
	spec := filed()
	for _, p := range workload.Validate(spec) {
		t.Error(p)
	}
	d, err := workload.Deployment(spec)
	if err != nil {
		t.Fatal(err)
	}
	cm := workload.Files(spec)
	if cm.Name != d.Name+"-files" || workload.FilesOf(d) != cm.Name || !*cm.Immutable || len(cm.Data) != 5 || cm.Labels[release.LabelRole] != release.RoleFiles {
		t.Fatalf("the ConfigMap is %+v", cm)
	}
	for key := range cm.Data {
		if bad := validation.IsConfigMapKey(key); len(bad) > 0 {
			t.Errorf("%q cannot be a key: %v", key, bad)
		}
	}
	at := map[string]string{}
	for _, c := range append(d.Spec.Template.Spec.InitContainers, d.Spec.Template.Spec.Containers...) {
		for _, m := range c.VolumeMounts {
			if m.Name != "scratch" && (!m.ReadOnly || m.Name != "switchback-files") {
				t.Errorf("%+v", m)
			}
			at[c.Name+m.MountPath] = cm.Data[m.SubPath]
		}
	}
	if at["init/etc/app/config.yaml"] != "level: debug\n" || at[spec.Content.Application+"/etc/app/config.yaml"] != "level: info\n" || at["proxy/etc/proxy.yaml"] != "a: b" {
		t.Errorf("the files are %v", at)
	}
	if strings.Contains(d.Annotations[release.AnnotationSpec], "level") {
		t.Errorf("the annotation repeats a file: %s", d.Annotations[release.AnnotationSpec])
	}
	other := cm.DeepCopy()
	other.Name, other.Data = "another-files", nil
	for _, how := range []string{"annotated", "bare"} {
		got, exact, err := workload.FromDeployment(d, other, cm)
		if err != nil || !exact {
			t.Errorf("%s: exact: %v, error: %v", how, exact, err)
		}
		if diff := cmp.Diff(spec.Content.Normalize(), got.Content.Normalize()); diff != "" {
			t.Errorf("%s: the import differs (-typed +imported):\n%s", how, diff)
		}
		got, exact, err = workload.FromDeployment(d)
		if err != nil || exact || got.Content.HasFiles() {
			t.Errorf("%s, without the ConfigMap: exact: %v, error: %v, files: %v", how, exact, err, got.Content.Container.Files)
		}
		delete(d.Annotations, release.AnnotationSpec)
		d.Spec.Template.Spec.DNSPolicy = corev1.DNSClusterFirst // as the server does
	}
}

// TestFilesInPlace: other files have another name, so that both are there while pods are
// replaced; the same ones have the same, whatever else changes.
func TestFilesInPlace(t *testing.T) {
	spec := filed()
	spec.Strategy = release.StrategyRolling
	name := workload.Files(spec).Name
	spec.Content.Version = "next"
	if got := workload.Files(spec).Name; got != name || !strings.HasPrefix(name, spec.Name()+"-files-") {
		t.Errorf("the ConfigMap is %s, and was %s", got, name)
	}
	spec.Content.Container.Files = map[string]string{"/etc/app/config.yaml": "other"}
	if got := workload.Files(spec).Name; got == name {
		t.Errorf("other files are in %s, too", got)
	}
	if workload.Files(minimal()) != nil {
		t.Error("there is a ConfigMap without a file")
	}
}

// TestFilesAreMasked: what a file holds is told nowhere.
func TestFilesAreMasked(t *testing.T) {
	wanted := workload.Files(filed())
	live := wanted.DeepCopy()
	baseline := map[string]string{}
	for key := range wanted.Data {
		baseline["data["+key+"]"] = "00000000"
		live.Data[key] = "hunter2"
	}
	drift := workload.Drift(live, wanted, baseline, nil)
	if len(drift) != len(wanted.Data) {
		t.Errorf("drift is %v", drift)
	}
	for _, d := range drift {
		if d.Actual != "(value not shown)" || d.Expected != "(value not shown)" {
			t.Errorf("%s", d)
		}
	}
}

func TestValidateFiles(t *testing.T) {
	files := func(more ...string) func(*content) {
		return func(c *content) {
			c.Container.Files = map[string]string{}
			for _, file := range more {
				c.Container.Files[file] = "x"
			}
		}
	}
	mounted := func(file, at string, m release.Mount, v release.Volume) func(*content) {
		return func(c *content) {
			files(file)(c)
			m.Volume = "data"
			c.Container.VolumeMounts, c.Volumes = map[string]release.Mount{at: m}, release.VolumesByName{"data": v}
		}
	}
	scratch := release.Volume{EmptyDir: &release.EmptyDir{}}
	runChecks(t, map[string]check{
		"relative":        {onContent(files("etc/a")), `container.files["etc/a"]`, []string{"absolute"}},
		"not clean":       {onContent(files("/etc/../a")), `container.files["/etc/../a"]`, []string{"is absolute, names a file"}},
		"a directory":     {onContent(files("/etc/")), `container.files["/etc/"]`, []string{"names a file"}},
		"the root":        {onContent(files("/")), `container.files["/"]`, []string{"names a file"}},
		"a colon":         {onContent(files("/a:b")), `container.files["/a:b"]`, []string{"is absolute, names a file"}},
		"within a file":   {onContent(files("/etc/a", "/etc/a/b/c")), `container.files["/etc/a/b/c"]`, []string{`"/etc/a" is one of files`}},
		"at a mount":      {onContent(mounted("/etc/a", "/etc/a/", release.Mount{}, scratch)), `container.files["/etc/a"]`, []string{`Volume "data"`}},
		"around a mount":  {onContent(mounted("/etc/a", "/etc/a/b", release.Mount{}, scratch)), `container.files["/etc/a"]`, []string{"would be a directory"}},
		"read-only mount": {onContent(mounted("/etc/a", "/etc", release.Mount{ReadOnly: true}, scratch)), `container.files["/etc/a"]`, []string{"cannot be written to"}},
		"in a ConfigMap": {onContent(mounted("/etc/a", "/etc", release.Mount{}, release.Volume{ConfigMap: &release.FilesFrom{Name: "c"}})),
			`container.files["/etc/a"]`, []string{"cannot be written to"}},
		"a sidecar's": {onContent(func(c *content) {
			c.Sidecars = []release.Helper{{Name: "s", Image: "s", Container: release.Container{Files: map[string]string{"a": ""}}}}
		}), `sidecars[0].files["a"]`, []string{"absolute"}},
		"our volume": {onContent(func(c *content) {
			files("/a")(c)
			c.Volumes["switchback-files"] = scratch
		}), `volumes["switchback-files"]`, []string{"Choose another"}},
		"too large": {onContent(func(c *content) {
			files("/a")(c)
			c.InitContainers = []release.Helper{{Name: "i", Image: "i", Container: release.Container{Files: map[string]string{"/b": strings.Repeat("b", 983040)}}}}
		}), `init_containers[0].files["/b"]`, []string{"983040 bytes", "983041", "may hold 983040"}},
	})
}

// TestAttributeOfFiles: what an API server says of files leads to them.
func TestAttributeOfFiles(t *testing.T) {
	spec := filed()
	onlySidecar, onlyInit := filed(), filed()
	onlyInit.Content.Container.Files = nil
	onlySidecar.Content.Container.Files, onlySidecar.Content.InitContainers = nil, nil
	for _, tt := range []struct {
		spec              release.Spec
		kind, field, want string
	}{
		{spec, "ConfigMap", "data", "container.files"},
		{onlyInit, "ConfigMap", "data", "init_containers[0].files"},
		{onlySidecar, "ConfigMap", "data", "sidecars[0].files"},
		{minimal(), "ConfigMap", "data", ""},
		{spec, "Pod", "spec.containers[0].volumeMounts[0].mountPath", `container.volume_mounts["/etc/app"]`},
		{spec, "Pod", "spec.containers[0].volumeMounts[1].mountPath", `container.files["/etc/app/config.yaml"]`},
	} {
		if got := (workload.Problem{Path: workload.AttributeOf(tt.spec, tt.kind, tt.field)}).At(); got != tt.want {
			t.Errorf("%s's %s is from %q, want %q", tt.kind, tt.field, got, tt.want)
		}
	}
}
