package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// storing is a release with every volume that is more than a plain source.
func storing() release.Spec {
	spec := minimal()
	spec.Content.Volumes = release.VolumesByName{
		"all": {Projected: []release.Projection{
			{ConfigMap: &release.FilesFrom{Name: "conf", Items: map[string]string{"a": "b", "c": "d"}}},
			{Secret: &release.FilesFrom{Name: "keys", Optional: true}},
			{DownwardAPI: map[string]string{"labels": "metadata.labels", "memory": "limits.memory", "team": "metadata.annotations['team']"}},
			{Token: &release.TokenFile{Path: "token", Audience: "vault", ExpirationSeconds: new(int64(7200))}},
			{Token: &release.TokenFile{Path: "own"}},
		}},
		"keys":  {CSI: &release.CSIVolume{Driver: "secrets-store.csi.k8s.io", ReadOnly: true, FSType: "ext4", Attributes: map[string]string{"a": "b"}, Secret: "creds"}},
		"tmp":   {Ephemeral: &release.ClaimOfPod{Storage: "1Gi", AccessModes: []string{"ReadWriteMany"}, StorageClass: new("fast"), Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}}},
		"plain": {Ephemeral: &release.ClaimOfPod{Storage: "500M", AccessModes: []string{"ReadWriteOnce"}}},
	}
	return spec
}

// TestVolumesAndBack: what is typed is in the pods, and an import that has nothing but
// them finds it again.
func TestVolumesAndBack(t *testing.T) {
	spec := storing()
	for _, p := range workload.Validate(spec) {
		t.Error(p)
	}
	d, err := workload.Deployment(spec)
	if err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	for _, item := range pod.Volumes[0].Projected.Sources[2].DownwardAPI.Items {
		if item.Path == "memory" && item.ResourceFieldRef.ContainerName != "job" {
			t.Errorf("the memory is that of %q", item.ResourceFieldRef.ContainerName)
		}
	}
	delete(d.Annotations, release.AnnotationSpec)
	d.Spec.Template.Spec.DNSPolicy = "ClusterFirst" // as the server does
	got, exact, err := workload.FromDeployment(d)
	if err != nil || !exact {
		t.Errorf("exact: %v, error: %v", exact, err)
	}
	if diff := cmp.Diff(spec.Content.Normalize(), got.Content); diff != "" {
		t.Errorf("the import differs (-typed +imported):\n%s", diff)
	}
}

func TestValidateProjections(t *testing.T) {
	volume := func(v release.Volume) func(*release.Spec) {
		return onContent(func(c *content) { c.Volumes["v"] = v })
	}
	sources := func(list ...release.Projection) func(*release.Spec) { return volume(release.Volume{Projected: list}) }
	claim := func(c release.ClaimOfPod) func(*release.Spec) {
		if c.AccessModes == nil {
			c.AccessModes = []string{"ReadWriteOnce"}
		}
		return volume(release.Volume{Ephemeral: &c})
	}
	const source, own = `volumes["v"].projected.sources[0]`, `volumes["v"].ephemeral`
	runChecks(t, map[string]check{
		"two kinds":    {volume(release.Volume{EmptyDir: &release.EmptyDir{}, CSI: &release.CSIVolume{Driver: "d"}}), `volumes["v"]`, []string{"empty_dir, csi", "Keep one"}},
		"no kind":      {volume(release.Volume{}), `volumes["v"]`, []string{"It has none", "ephemeral"}},
		"two sources":  {sources(release.Projection{Token: &release.TokenFile{Path: "t"}, Secret: &release.FilesFrom{Name: "s"}}), source, []string{"secret, service_account_token"}},
		"no source":    {sources(release.Projection{}), source, []string{"It has none"}},
		"a name":       {sources(release.Projection{ConfigMap: &release.FilesFrom{Name: "A b"}}), source + ".config_map.name", []string{"ConfigMap"}},
		"a path":       {sources(release.Projection{Token: &release.TokenFile{Path: "../t"}}), source + ".service_account_token.path", []string{"relative"}},
		"one path":     {sources(release.Projection{Token: &release.TokenFile{Path: "t"}}, release.Projection{Secret: &release.FilesFrom{Name: "s", Items: map[string]string{"k": "t"}}}), `volumes["v"].projected.sources[1].secret.items["k"]`, []string{source, "another path"}},
		"a field":      {sources(release.Projection{DownwardAPI: map[string]string{"ip": "status.podIP"}}), source + `.downward_api.items["ip"]`, []string{"metadata.labels", "limits.NAME"}},
		"a short time": {sources(release.Projection{Token: &release.TokenFile{Path: "t", ExpirationSeconds: new(int64(60))}}), source + ".service_account_token.expiration_seconds", []string{"600"}},
		"a driver":     {volume(release.Volume{CSI: &release.CSIVolume{Driver: "a b"}}), `volumes["v"].csi.driver`, []string{"CSIDriver"}},
		"its secret":   {volume(release.Volume{CSI: &release.CSIVolume{Driver: "d", Secret: "A b"}}), `volumes["v"].csi.node_publish_secret_ref.name`, []string{"Secret"}},
		"no size":      {claim(release.ClaimOfPod{Storage: "much"}), own + ".storage", []string{`"much"`, "1Gi"}},
		"nothing":      {claim(release.ClaimOfPod{Storage: "0"}), own + ".storage", []string{"size"}},
		"no mode":      {claim(release.ClaimOfPod{Storage: "1", AccessModes: []string{}}), own + ".access_modes", []string{"ReadWriteOnce"}},
		"a mode":       {claim(release.ClaimOfPod{Storage: "1", AccessModes: []string{"Write"}}), own + ".access_modes[0]", []string{"ReadWriteOnce"}},
		"modes":        {claim(release.ClaimOfPod{Storage: "1", AccessModes: []string{"ReadWriteOncePod", "ReadWriteOnce"}}), own + ".access_modes", []string{"one pod alone"}},
		"a class":      {claim(release.ClaimOfPod{Storage: "1", StorageClass: new("A b")}), own + ".storage_class_name", []string{"StorageClass"}},
		"a label":      {claim(release.ClaimOfPod{Storage: "1", Labels: map[string]string{"a": "b c"}}), own + `.labels["a"]`, []string{`"b c"`}},
		"a note":       {claim(release.ClaimOfPod{Storage: "1", Annotations: map[string]string{"a b": ""}}), own + `.annotations["a b"]`, []string{"annotation"}},
	})
}
