package release_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestBreachRefuses: the same release is tried again with a token that was not tried,
// and with no other.
func TestBreachRefuses(t *testing.T) {
	t.Parallel()
	breach := func(token string) *release.Breach { return &release.Breach{To: "v2", RetryToken: token} }
	for name, c := range map[string]struct {
		breach    *release.Breach
		to, token string
		refuses   bool
	}{
		"nothing was seen":            {nil, "v2", "", false},
		"another release":             {breach(""), "v3", "", false},
		"the same":                    {breach(""), "v2", "", true},
		"with a token":                {breach(""), "v2", "once", false},
		"with the same token":         {breach("once"), "v2", "once", true},
		"with another one":            {breach("once"), "v2", "twice", false},
		"without the one that failed": {breach("once"), "v2", "", true},
	} {
		if got := c.breach.Refuses(c.to, c.token); got != c.refuses {
			t.Errorf("%s: it refuses: %t", name, got)
		}
	}
}
