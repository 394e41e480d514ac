package main

import (
	"archive/tar"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const packed = "example.test/app:v1"

// archive is what pack makes of a small file.
func archive(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!"), 0o700); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "images.tar")
	specs := `[{"name":"example.test/other:v1"},{"name":"` + packed + `","args":["serve"],"env":["A=b"],"user":"1:1","expose":"80/tcp"}]`
	if err := pack(strings.NewReader(specs), program, out); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "layout-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("packing leaves %v, %v", left, err)
	}
	return out
}

func TestPackedImageIsAsSpecified(t *testing.T) {
	dir := t.TempDir()
	if err := readTar(archive(t), dir); err != nil {
		t.Fatal(err)
	}
	image, err := find(dir, packed)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if c.User != "1:1" || c.Entrypoint[0] != "/app" || c.Cmd[0] != "serve" || c.Env[0] != "A=b" || len(c.ExposedPorts) != 1 || file.OS != "linux" {
		t.Errorf("the image is %+v", file)
	}
	if _, err := find(dir, "example.test/none:v1"); err == nil || !strings.Contains(err.Error(), packed) {
		t.Errorf("an image that is not there: %v", err)
	}
}

func TestRegistryRefusesAsNamesSay(t *testing.T) {
	server := httptest.NewServer(faults(registry.New(registry.Logger(quiet))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	from := archive(t)
	account := &authn.Basic{Username: user, Password: password}
	for _, tc := range []struct {
		repository string
		auth       authn.Authenticator
		want       int // 0: it can be pulled
	}{
		{"shop/app", authn.Anonymous, 0},
		{"private/app", account, 0},
		{"private/app", authn.Anonymous, http.StatusUnauthorized},
		{"private/app", &authn.Basic{Username: user, Password: "wrong"}, http.StatusUnauthorized},
		{"basic/app", authn.Anonymous, http.StatusUnauthorized},
		{"forbidden/app", account, http.StatusForbidden},
		{"limited/app", account, http.StatusTooManyRequests},
		{"broken/app", account, http.StatusInternalServerError},
	} {
		target := host + "/" + tc.repository + ":v1"
		if err := push(from, packed, target); err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v2/"+tc.repository+"/manifests/v1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.want != 0 {
			if basic, ok := tc.auth.(*authn.Basic); ok {
				request.SetBasicAuth(basic.Username, basic.Password)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != tc.want {
				t.Errorf("%s: %s, want %d", tc.repository, response.Status, tc.want)
			}
			continue
		}
		reference, err := name.ParseReference(target, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		if tc.repository == "private/app" {
			// As a client that was sent for a token; this one asks for one
			// only where the whole registry wants it.
			request.Header.Set("Authorization", "Bearer "+token)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("%s with the token: %s", tc.repository, response.Status)
			}
			continue
		}
		if _, err := remote.Image(reference, remote.WithAuth(tc.auth)); err != nil {
			t.Errorf("%s: %v", tc.repository, err)
		}
	}
}

func TestPushedImagesAreAsNamesSay(t *testing.T) {
	server := httptest.NewServer(faults(registry.New(registry.Logger(quiet))))
	defer server.Close()
	host, from := strings.TrimPrefix(server.URL, "http://"), archive(t)
	pulled := func(repository string) (*remote.Descriptor, name.Reference) {
		t.Helper()
		target := host + "/" + repository + ":v1"
		if err := push(from, packed, target); err != nil {
			t.Fatal(err)
		}
		reference, err := name.ParseReference(target, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		got, err := remote.Get(reference)
		if err != nil {
			t.Fatal(err)
		}
		return got, reference
	}

	index, _ := pulled("foreign/app")
	if image, err := index.Image(); err == nil {
		t.Errorf("there is an image for this platform: %v", image)
	}
	damaged, reference := pulled("garbage/app")
	if _, err := damaged.Image(); err != nil {
		t.Error(err)
	}
	image, err := remote.Image(reference)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	if content, err := layers[1].Uncompressed(); err == nil {
		if _, err := tar.NewReader(content).Next(); err == nil {
			t.Error("the layer is an archive")
		}
	}
}
