// Package auth stands in for the passwords of Traefik's middlewares. Upstream
// replaces the real package by a version of its own that module proxies do not
// have. This one knows no users: every check fails.
package auth

import "net/http"

type BasicAuth struct {
	Realm   string
	Secrets func(user, realm string) string
}

func (*BasicAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "authentication is not built into this binary", http.StatusUnauthorized)
}

func CheckSecret(_, _ string) bool { return false }

type DigestAuth struct{ BasicAuth }

func NewDigestAuthenticator(string, func(user, realm string) string) *DigestAuth {
	return &DigestAuth{}
}

func (*DigestAuth) CheckAuth(*http.Request) (string, *string) { return "", nil }

func (d *DigestAuth) RequireAuthStale(w http.ResponseWriter, r *http.Request) { d.RequireAuth(w, r) }

func DigestAuthParams(string) map[string]string { return nil }
