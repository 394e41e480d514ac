package promotion_test

import (
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestEnd: what ends an address, in its order.
func TestEnd(t *testing.T) {
	t.Parallel()
	main := &release.Main{Deployment: "api-7f3c9a1e"}
	for name, tt := range map[string]struct {
		seen promotion.Ending
		want []promotion.EndStep
	}{
		"our own": {promotion.Ending{Main: main}, []promotion.EndStep{"remove", "retire", "collect", "forget"}},
		"our own, of which nothing is remembered": {promotion.Ending{}, []promotion.EndStep{"remove", "retire", "collect", "forget"}},
		"half of a replacement":                   {promotion.Ending{Main: main, Successor: true, Adopted: true, Leads: true}, []promotion.EndStep{"disown"}},
		"adopted": {
			promotion.Ending{Main: main, Adopted: true, Leads: true, TakesBack: true},
			[]promotion.EndStep{"hand back", "drain", "let go", "retire", "collect", "forget"},
		},
		"adopted, and handing it back would be an outage": {
			promotion.Ending{Main: main, Adopted: true, Leads: true},
			[]promotion.EndStep{"let go", "keep", "collect", "leave"},
		},
		"adopted, and handed back by a run that was killed": {
			promotion.Ending{Main: main, Adopted: true},
			[]promotion.EndStep{"drain", "let go", "retire", "collect", "forget"},
		},
		"adopted, and retired by a run that was killed": {
			promotion.Ending{Main: &release.Main{}, Adopted: true},
			[]promotion.EndStep{"let go", "retire", "collect", "forget"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := promotion.End(tt.seen); !slices.Equal(got, tt.want) {
				t.Errorf("the steps are %q, want %q", got, tt.want)
			}
		})
	}
}
