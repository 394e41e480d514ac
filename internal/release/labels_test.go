package release

import (
	"maps"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
)

func TestLabelValue(t *testing.T) {
	long := strings.Repeat("a", 64)
	for text, want := range map[string]string{
		"v1.4.0":       "v1.4.0",
		"1.0.0+build7": "1.0.0_build7",
		"feature/x":    "feature_x",
		"":             "",
		"a b":          "a_b",
	} {
		if got := LabelValue(text); got != want {
			t.Errorf("LabelValue(%q) = %q, want %q", text, got, want)
		}
	}
	if got := LabelValue(strings.Repeat("a", 55) + "-"); len(got) > 63 {
		t.Errorf("%q is too long", got)
	}
	if got := LabelValue(long); !strings.HasPrefix(got, strings.Repeat("a", 54)+"-") || len(got) != 63 {
		t.Errorf("a long value became %q", got)
	}
	if LabelValue(long) == LabelValue(long+"a") {
		t.Error("two long values became the same")
	}
}

func TestLabelValueIsAlwaysValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[-._a-z]{0,80}`)).Draw(t, "text")
		v := LabelValue(text)
		if bad := validation.IsValidLabelValue(v); len(bad) > 0 {
			t.Fatalf("%q became %q: %v", text, v, bad)
		}
		if again := LabelValue(v); again != v {
			t.Fatalf("%q became %q, and that %q", text, v, again)
		}
	})
}

func TestSelector(t *testing.T) {
	got := Selector("api-7f3c9a1e")
	want := map[string]string{"switchback.dev/deployment": "api-7f3c9a1e", "switchback.dev/role": "app"}
	if !maps.Equal(got, want) {
		t.Errorf("the selector of live workloads is immutable: it is %v, and must stay %v", got, want)
	}
}
