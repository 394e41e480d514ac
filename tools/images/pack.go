package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nameAnnotation is where containerd's import finds an image's full name.
const nameAnnotation = "io.containerd.image.name"

// spec says what an image is, apart from the program.
type spec struct {
	Name   string   `json:"name"` // full, with registry and tag
	Args   []string `json:"args,omitempty"`
	Env    []string `json:"env,omitempty"`
	User   string   `json:"user,omitempty"` // empty: root, as in many a stock image
	Expose string   `json:"expose,omitempty"`
}

// pack writes an archive of images that share one layer.
func pack(specs io.Reader, program, out string) error {
	var images []spec
	if err := json.NewDecoder(specs).Decode(&images); err != nil {
		return fmt.Errorf("the specification: %w", err)
	}
	files, err := rootfs(program)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(1),
	)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), "layout-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	for _, s := range images {
		image, err := s.image(layer)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		if err := path.AppendImage(image, layout.WithAnnotations(map[string]string{nameAnnotation: s.Name})); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return writeTar(dir, out)
}

func (s spec) image(layer v1.Layer) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Created = v1.Time{Time: time.Unix(0, 0)}
	file.Config = v1.Config{Entrypoint: []string{"/app"}, Cmd: s.Args, Env: s.Env, User: s.User}
	if s.Expose != "" {
		file.Config.ExposedPorts = map[string]struct{}{s.Expose: {}}
	}
	return mutate.ConfigFile(image, file)
}

// noProgram is a file that may be executed, and cannot be: no format that a
// kernel knows, as a program for another processor.
const noProgram = "this is no program\n"

// rootfs is the one layer: the program, what is none, and the directories that
// programs expect to be there.
func rootfs(program string) ([]byte, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	contents := map[string][]byte{"app": content, "no-program": []byte(noProgram)}
	for _, header := range []tar.Header{
		{Name: "app", Mode: 0o755, Typeflag: tar.TypeReg},
		{Name: "no-program", Mode: 0o755, Typeflag: tar.TypeReg},
		{Name: "run/", Mode: 0o755, Typeflag: tar.TypeDir},
		{Name: "tmp/", Mode: 0o1777, Typeflag: tar.TypeDir},
		{Name: "var/", Mode: 0o755, Typeflag: tar.TypeDir},
		{Name: "var/cache/", Mode: 0o755, Typeflag: tar.TypeDir},
	} {
		header.ModTime, header.Size = time.Unix(0, 0), int64(len(contents[header.Name]))
		if err := archive.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(contents[header.Name]); err != nil {
			return nil, err
		}
	}
	return buffer.Bytes(), archive.Close()
}

// writeTar archives a directory, under a temporary name until it is complete.
func writeTar(dir, out string) error {
	file, err := os.Create(out + ".part")
	if err != nil {
		return err
	}
	archive := tar.NewWriter(file)
	err = errors.Join(archive.AddFS(os.DirFS(dir)), archive.Close(), file.Close())
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), out)
}

// readTar unpacks what writeTar wrote.
func readTar(from, dir string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for archive := tar.NewReader(file); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeDir {
			if err := root.Mkdir(header.Name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			continue
		}
		if err := extract(root, header.Name, archive); err != nil {
			return err
		}
	}
}

func extract(root *os.Root, name string, content io.Reader) error {
	file, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// find returns one image of an archive's unpacked layout.
func find(dir, name string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range manifest.Manifests {
		if m.Annotations[nameAnnotation] == name {
			return index.Image(m.Digest)
		}
		names = append(names, m.Annotations[nameAnnotation])
	}
	return nil, fmt.Errorf("no image %s, only %q", name, names)
}
