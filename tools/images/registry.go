package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The account that may pull from private/ and basic/.
const (
	user     = "puller"
	password = "open-sesame"
)

// token is what tokenPath hands out for the account.
const (
	token     = "a-token-for-the-puller"
	tokenPath = "/token"
)

// slowness is how much later than others an image below slow/ comes.
const slowness = 20 * time.Second

// quiet keeps the registry from telling every request.
var quiet = log.New(io.Discard, "", 0)

// serve runs a registry in memory. What is pulled from it fails as the first
// part of the repository's name says; pushing always works.
func serve(address string) error {
	server := &http.Server{
		Addr:              address,
		Handler:           faults(registry.New(registry.Logger(quiet))),
		ReadHeaderTimeout: 10 * time.Second,
	}
	fmt.Fprintln(os.Stderr, "listening on", address)
	return server.ListenAndServe()
}

// pusher is how push says who it is: what a push asks for is not refused.
const pusher = "images-push"

// faults answers in the registry's place where a name asks for it. What is not
// there at all, the registry itself says: MANIFEST_UNKNOWN or NAME_UNKNOWN.
func faults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repository := strings.TrimPrefix(r.URL.Path, "/v2/")
		kind, _, _ := strings.Cut(repository, "/")
		if strings.HasPrefix(r.UserAgent(), pusher) {
			kind = ""
		}
		switch {
		case r.URL.Path == tokenPath:
			giveToken(w, r)
			return
		case kind == "private" && r.Header.Get("Authorization") != "Bearer "+token:
			refuseLogin(w, fmt.Sprintf(`Bearer realm="http://%s%s",service="registry",scope="repository:%s:pull"`, r.Host, tokenPath, repositoryOf(repository)))
			return
		case kind == "basic" && !loggedIn(r):
			refuseLogin(w, `Basic realm="registry"`)
			return
		}
		switch kind {
		case "forbidden":
			refuse(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied")
			return
		case "limited":
			refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "you have reached your pull rate limit")
			return
		case "broken":
			refuse(w, http.StatusInternalServerError, "UNKNOWN", "unknown error")
			return
		case "slow":
			select {
			case <-time.After(slowness):
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func loggedIn(r *http.Request) bool {
	u, p, ok := r.BasicAuth()
	return ok && u == user && p == password
}

// giveToken is where most registries send their clients to log in.
func giveToken(w http.ResponseWriter, r *http.Request) {
	if !loggedIn(r) {
		refuseLogin(w, `Basic realm="registry"`)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"token":%q,"access_token":%q}`, token, token)
}

// repositoryOf is what a path below /v2/ is about.
func repositoryOf(path string) string {
	for _, what := range []string{"/manifests/", "/blobs/"} {
		if repository, _, ok := strings.Cut(path, what); ok {
			return repository
		}
	}
	return path
}

func refuseLogin(w http.ResponseWriter, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
}

// refuse answers as the distribution specification wants errors told.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

// push copies an image from an archive into a registry that speaks plain HTTP.
// Below foreign/ it is for another platform, and below garbage/ it is damaged.
func push(from, image, target string) error {
	reference, err := name.ParseReference(target, name.Insecure, name.StrictValidation)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "images-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := readTar(from, dir); err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	packed, err := find(dir, image)
	if err != nil {
		return err
	}
	repository := reference.Context().RepositoryStr()
	kind, _, _ := strings.Cut(repository, "/")
	switch kind {
	case "foreign":
		return remote.WriteIndex(reference, foreign(packed), remote.WithUserAgent(pusher))
	case "garbage":
		if packed, err = garbage(packed); err != nil {
			return err
		}
	}
	return remote.Write(reference, packed, remote.WithUserAgent(pusher))
}

// foreign is an image for another platform than any node's.
func foreign(image v1.Image) v1.ImageIndex {
	return mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "plan9", Architecture: "mips64le"}},
	})
}

// garbage adds a layer to an image that is no archive.
func garbage(image v1.Image) (v1.Image, error) {
	return mutate.AppendLayers(image, static.NewLayer([]byte("this is no archive"), types.OCILayer))
}
