package rollout

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestEveryCompanionHasAKind: what a release may have beside it can be made, read
// and removed.
func TestEveryCompanionHasAKind(t *testing.T) {
	t.Parallel()
	for _, kind := range release.Companions() {
		k, ok := companions[kind]
		if !ok {
			t.Errorf("nothing is known of %s", kind)
			continue
		}
		if k.empty() == nil || k.render == nil || k.apply == nil {
			t.Errorf("%s: %+v", kind, k)
		}
	}
	if len(companions) != len(release.Companions()) {
		t.Errorf("there are %d kinds, and %d companions", len(companions), len(release.Companions()))
	}
}
