package attrs

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestEveryStrategyIsDescribed(t *testing.T) {
	t.Parallel()
	for _, v := range release.Strategies() {
		if strategyMeaning[v] == "" {
			t.Errorf("strategy %q has no meaning", v)
		}
	}
}
