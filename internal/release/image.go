package release

import "github.com/distribution/reference"

// Image is an image reference taken apart, with what the container runtimes
// assume where it says nothing.
type Image struct {
	Registry   string // docker.io where none is named
	Repository string // library/… for Docker Hub's own images
	Name       string // registry/repository
	Tag        string // empty: none
	Digest     string // sha256:…; empty: none

	// Version is DefaultVersion of the reference.
	Version string
}

// ParseImage takes an image reference apart.
func ParseImage(image string) (Image, error) {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return Image{}, err
	}
	parsed := Image{
		Registry: reference.Domain(ref), Repository: reference.Path(ref), Name: ref.Name(), Version: DefaultVersion(image),
	}
	if tagged, ok := ref.(reference.Tagged); ok {
		parsed.Tag = tagged.Tag()
	}
	if digested, ok := ref.(reference.Digested); ok {
		parsed.Digest = digested.Digest().String()
	}
	return parsed, nil
}
