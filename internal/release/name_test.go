package release

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
)

func TestParseID(t *testing.T) {
	for text, want := range map[string]ID{
		"shop/api-7f3c9a1e": {"shop", "api-7f3c9a1e"},
		"a/b":               {"a", "b"},
	} {
		got, err := ParseID(text)
		if err != nil || got != want {
			t.Errorf("ParseID(%q) = %v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
	for _, text := range []string{"", "api", "/api", "shop/", "a/b/c"} {
		if got, err := ParseID(text); err == nil {
			t.Errorf("ParseID(%q) = %v, want an error", text, got)
		} else if !strings.Contains(err.Error(), "namespace/name") {
			t.Errorf("ParseID(%q) does not say the form: %v", text, err)
		}
	}
}

func TestApplicationOf(t *testing.T) {
	for name, want := range map[string]string{
		"api-7f3c9a1e":       "api",
		"api-v2-7f3c9a1e":    "api-v2",
		"api":                "",
		"-7f3c9a1e":          "",
		"7f3c9a1e":           "",
		"api-7f3c9a1":        "",
		"api-7f3c9a1g":       "",
		"api_7f3c9a1e":       "",
		"api-7F3C9A1E":       "",
		"api-switchback":     "",
		"api-7f3c9a1e-extra": "",
	} {
		if got, ok := ApplicationOf(name); got != want || ok != (want != "") {
			t.Errorf("ApplicationOf(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
}

func TestNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		application := rapid.StringMatching(`[a-z]([a-z0-9-]{0,50}[a-z0-9])?`).Draw(t, "application")
		c := Content{Application: application, Version: rapid.String().Draw(t, "version"), Image: "nginx"}
		name := c.Name()
		for _, n := range []string{name, MainName(application)} {
			if bad := validation.IsDNS1035Label(n); len(bad) > 0 {
				t.Fatalf("%q cannot name a Service: %v", n, bad)
			}
		}
		if got, ok := ApplicationOf(name); !ok || got != application {
			t.Fatalf("the application of %q is %q", name, got)
		}
		if name != NameOf(application, c.Hash()) || !strings.HasPrefix(c.Hash(), name[len(application)+1:]) {
			t.Fatalf("%q does not end in the hash %s", name, c.Hash())
		}
	})
}
