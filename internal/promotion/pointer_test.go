package promotion_test

import (
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestRestoredAsksForWhatWasBefore: what goes back is not remembered as it was asked
// for by what has failed.
func TestRestoredAsksForWhatWasBefore(t *testing.T) {
	t.Parallel()
	before := release.Main{Deployment: "api-1", Service: "api", Asked: &release.Asked{Bake: "1m"}}
	tried := release.Main{Deployment: "api-2", Previous: []string{"api-1"}, Service: "api", Asked: &release.Asked{Bake: "9m"}}
	start := promotion.Start{Before: before, Progress: release.Progress{From: "api-1", To: "api-2"}}
	if got := promotion.Restored(start, tried, time.Now()); got.Asked == nil || got.Asked.Bake != "1m" {
		t.Errorf("it asks for %+v", got.Asked)
	}
}
