package release

import (
	"strings"
	"testing"
)

func TestParseImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	for image, want := range map[string]Image{
		"nginx": {
			Registry: "docker.io", Repository: "library/nginx", Name: "docker.io/library/nginx", Version: "latest",
		},
		"acme/api:v1": {
			Registry: "docker.io", Repository: "acme/api", Name: "docker.io/acme/api", Tag: "v1", Version: "v1",
		},
		"ghcr.io/acme/api:v1.4.0@" + digest: {
			Registry: "ghcr.io", Repository: "acme/api", Name: "ghcr.io/acme/api", Tag: "v1.4.0", Digest: digest, Version: "v1.4.0",
		},
		"localhost:5000/api@" + digest: {
			Registry: "localhost:5000", Repository: "api", Name: "localhost:5000/api", Digest: digest, Version: "0123456789ab",
		},
	} {
		t.Run(image, func(t *testing.T) {
			got, err := ParseImage(image)
			if err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if version := DefaultVersion(image); got.Version != version {
				t.Errorf("version %q is not the default one, %q", got.Version, version)
			}
		})
	}
	for _, image := range []string{"", "ghcr.io/Acme/api:v1", "api:v1 ", "https://ghcr.io/acme/api", "api:", "api@sha256:1"} {
		if got, err := ParseImage(image); err == nil {
			t.Errorf("%q is taken for %+v", image, got)
		}
	}
}
