package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stored is a content with the volumes that are more than a plain source.
func stored() Content {
	return Content{Application: "api", Version: "1", Image: "nginx:1", Volumes: VolumesByName{
		"all": {Projected: []Projection{
			{ConfigMap: &FilesFrom{Name: "conf", Items: map[string]string{"a": "b"}}},
			{Secret: &FilesFrom{Name: "keys", Optional: true}},
			{DownwardAPI: map[string]string{"labels": "metadata.labels", "memory": "limits.memory"}},
			{Token: &TokenFile{Path: "token", Audience: "vault", ExpirationSeconds: new(int64(7200))}},
		}},
		"keys": {CSI: &CSIVolume{Driver: "secrets-store.csi.k8s.io", ReadOnly: true, FSType: "ext4", Attributes: map[string]string{"a": "b"}, Secret: "creds"}},
		"tmp":  {Ephemeral: &ClaimOfPod{Storage: "1Gi", AccessModes: []string{"ReadWriteMany"}, StorageClass: new("fast"), Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}}},
	}}
}

// TestHashGoldenOfVolumes: as TestHashGolden.
func TestHashGoldenOfVolumes(t *testing.T) {
	const want = "d95437fab2bcc4cfe55bec0221b13e5de4df32dd1f07f0e1361fce4267658457"
	if got := stored().Normalize().Hash(); got != want {
		t.Errorf("the hash is %s, and was %s in every release so far", got, want)
	}
}

// TestNormalizeVolumes: a default that is written out, and another spelling of a size, are
// no other content; no class is another one than the default one.
func TestNormalizeVolumes(t *testing.T) {
	with := func(v Volume) Content {
		return Content{Application: "api", Version: "1", Image: "nginx:1", Volumes: VolumesByName{"v": v}}.Normalize()
	}
	token := func(seconds *int64) Volume {
		return Volume{Projected: []Projection{{Token: &TokenFile{Path: "t", ExpirationSeconds: seconds}}}}
	}
	claim := func(c ClaimOfPod) Volume { return Volume{Ephemeral: &c} }
	for name, pair := range map[string][2]Volume{
		"an hour":    {token(nil), token(new(DefaultTokenSeconds))},
		"a size":     {claim(ClaimOfPod{Storage: "1Gi"}), claim(ClaimOfPod{Storage: "1024Mi"})},
		"empty maps": {claim(ClaimOfPod{Storage: "1"}), claim(ClaimOfPod{Storage: "1", Labels: map[string]string{}, Annotations: map[string]string{}})},
		"attributes": {{CSI: &CSIVolume{Driver: "d"}}, {CSI: &CSIVolume{Driver: "d", Attributes: map[string]string{}}}},
		"items":      {{Projected: []Projection{{Secret: &FilesFrom{Name: "s"}}}}, {Projected: []Projection{{Secret: &FilesFrom{Name: "s", Items: map[string]string{}}}}}},
	} {
		if with(pair[0]).Hash() != with(pair[1]).Hash() {
			t.Errorf("%s: another content", name)
		}
	}
	if with(claim(ClaimOfPod{Storage: "1"})).Hash() == with(claim(ClaimOfPod{Storage: "1", StorageClass: new("")})).Hash() {
		t.Error("no class is the default one")
	}

	typed := stored()
	n := typed.Normalize()
	sources := n.Volumes["all"].Projected
	clear(sources[0].ConfigMap.Items)
	clear(sources[2].DownwardAPI)
	*sources[3].Token.ExpirationSeconds = 1
	clear(n.Volumes["keys"].CSI.Attributes)
	*n.Volumes["tmp"].Ephemeral.StorageClass = "x"
	n.Volumes["tmp"].Ephemeral.AccessModes[0] = "x"
	clear(n.Volumes["tmp"].Ephemeral.Labels)
	if diff := cmp.Diff(stored(), typed); diff != "" {
		t.Errorf("the result shares memory with the argument:\n%s", diff)
	}
}
