package promotion_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
)

func TestBackInParts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sides promotion.Sides
		want  int
	}{
		"all of its pods":              {promotion.Sides{Share: 75, Needs: 8, Enough: 7, Ready: 8, Other: 2}, 100},
		"all but one":                  {promotion.Sides{Share: 75, Needs: 8, Enough: 7, Ready: 7, Other: 2}, 100},
		"the only one":                 {promotion.Sides{Share: 50, Needs: 1, Enough: 1, Ready: 1, Other: 1}, 100},
		"half of them":                 {promotion.Sides{Share: 25, Needs: 8, Enough: 7, Ready: 4, Other: 8}, 50},
		"half, and the other has few":  {promotion.Sides{Share: 25, Needs: 8, Enough: 7, Ready: 4, Other: 3}, 50}, // each serves 17 %, and not each of the four 25 %
		"half, and the other has less": {promotion.Sides{Share: 25, Needs: 8, Enough: 7, Ready: 4, Other: 2}, 100},
		"it has more than it carries":  {promotion.Sides{Share: 90, Needs: 8, Enough: 7, Ready: 4, Other: 1}, 90},
		"the other has none":           {promotion.Sides{Share: 90, Needs: 8, Enough: 7, Ready: 4}, 100},
		"a third":                      {promotion.Sides{Needs: 3, Enough: 2, Ready: 1, Other: 2}, 33},
		"none":                         {promotion.Sides{Share: 50, Needs: 8, Enough: 7, Other: 4}, 50},
		"nobody has any":               {promotion.Sides{Share: 50, Needs: 8, Enough: 7}, 100},
		"it is asked to have none":     {promotion.Sides{Share: 50, Enough: 1, Other: 4}, 50},
	} {
		if got := tt.sides.Back(); got != tt.want {
			t.Errorf("%s: it gets %d %% back, want %d %%", name, got, tt.want)
		}
	}
}

// TestBackInPartsTakesNothing: whatever is ready, a way back takes nothing from who gets the
// traffic back. It is in parts beside a release that has all of the pods, and in one write
// beside one that has none.
func TestBackInPartsTakesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		needs := rapid.Int32Range(0, 50).Draw(t, "needs")
		s := promotion.Sides{
			Share: rapid.IntRange(0, 99).Draw(t, "share"), Needs: needs, Enough: max(1, needs-1),
			Ready: rapid.Int32Range(0, 50).Draw(t, "ready"), Other: rapid.Int32Range(0, 50).Draw(t, "other"),
		}
		got := s.Back()
		if got < s.Share || got > 100 {
			t.Errorf("of %+v, it gets %d %% back", s, got)
		}
		if s.Other == 0 && got < 100 || s.Other >= max(1, needs) && s.Ready < s.Enough && got == 100 {
			t.Errorf("of %+v, it gets %d %% back", s, got)
		}
	})
}
