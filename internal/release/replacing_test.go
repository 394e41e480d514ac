package release_test

import (
	"slices"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestReplacing: what was tried when a promotion was cut off takes the place of
// nothing that was main.
func TestReplacing(t *testing.T) {
	t.Parallel()
	before := &release.Main{Deployment: "v1", Previous: []string{"v0"}, Left: map[string]time.Time{"v0": {}}}
	tried := release.Main{Deployment: "v2", Previous: []string{"v1", "v0"}, Service: "api", Progress: open("v1", "v2", release.MainFinalizing, before)}
	over, unmoved, same := tried, tried, tried
	over.Progress = open("v1", "v2", release.MainFinalizing, nil)
	unmoved.Deployment, unmoved.Previous = "v1", []string{"v0"}
	for name, c := range map[string]struct {
		main  release.Main
		to    string
		after []string
		tried string
	}{
		"cut off in its bake":         {tried, "v3", []string{"v1", "v0"}, "v2"},
		"back to what was before":     {tried, "v1", []string{"v0"}, "v2"},
		"the same again":              {same, "v2", []string{"v1", "v0"}, ""},
		"cut off after its bake":      {over, "v3", []string{"v2", "v1", "v0"}, ""},
		"cut off before it had moved": {unmoved, "v3", []string{"v1", "v0"}, ""},
		"nothing was cut off":         {release.Main{Deployment: "v1"}, "v3", []string{"v1"}, ""},
	} {
		was, found := c.main.Replacing(c.to)
		if next := was.Promoted(c.to); found != c.tried || !slices.Equal(next.Previous, c.after) || next.Service != c.main.Service {
			t.Errorf("%s: %s was tried, and after it there are %v", name, found, next.Previous)
		}
	}
	if tried.Deployment != "v2" || len(tried.Previous) != 2 {
		t.Errorf("it has changed what it was given: %+v", tried)
	}
}
