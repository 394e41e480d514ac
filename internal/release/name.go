package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// HashLength is how many characters of the content hash end a release's name.
const HashLength = 8

// MaxApplicationLength keeps <application>-switchback and <application>-<hash>
// within a DNS label.
const MaxApplicationLength = 52

// contentSchema is part of what is hashed: raising it renames every release.
const contentSchema = "switchback-content/1"

// Hash is the full content hash: 64 hexadecimal characters. Content must be
// normalized (see Content.Normalize); it covers what the user typed, never what
// was rendered from it, so server defaults and newer provider versions do not
// change it.
func (c Content) Hash() string {
	canonical, err := json.Marshal(c) // maps are written in key order
	if err != nil {
		panic(fmt.Sprintf("content cannot be marshalled: %v", err)) // plain data: cannot happen
	}
	h := sha256.New()
	h.Write([]byte(contentSchema + "\n"))
	h.Write(canonical)
	return hex.EncodeToString(h.Sum(nil))
}

// Name is the release's name: <application>-<8 characters of the content hash>.
// All its objects carry it.
func (c Content) Name() string { return NameOf(c.Application, c.Hash()) }

// NameOf is the name of the application's release with this full content hash.
func NameOf(application, hash string) string {
	return application + "-" + hash[:HashLength]
}

// ID is how a release is addressed across namespaces and on import.
type ID struct{ Namespace, Name string }

func (id ID) String() string { return id.Namespace + "/" + id.Name }

// ParseID reads "namespace/name".
func ParseID(s string) (ID, error) {
	namespace, name, ok := strings.Cut(s, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return ID{}, fmt.Errorf("%q is not of the form namespace/name", s)
	}
	return ID{namespace, name}, nil
}

// ApplicationOf is the application part of a release's name, and false where
// the name does not end in a content hash.
func ApplicationOf(name string) (string, bool) {
	i := len(name) - HashLength - 1
	if i < 1 || name[i] != '-' || strings.Trim(name[i+1:], "0123456789abcdef") != "" {
		return "", false
	}
	return name[:i], true
}

// MainName is the name of the ConfigMap and of the Lease of an application.
func MainName(application string) string { return application + "-switchback" }

// OrNothing is a name in a sentence, where there may be none.
func OrNothing(name string) string {
	if name == "" {
		return "nothing"
	}
	return name
}
