package promotion_test

import (
	"slices"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestForesee(t *testing.T) {
	t.Parallel()
	started := func(name string) release.Stay { return release.Stay{Name: name, State: release.StayStarted} }
	stopped := func(name string) release.Stay { return release.Stay{Name: name, State: release.StayStopped} }
	owned := func(name string) release.Stay {
		return release.Stay{Name: name, State: release.StayStarted, Owned: true}
	}
	known := func(stays ...release.Stay) promotion.Known {
		return promotion.Known{From: "web-2", Service: "web", Settled: true, Stays: stays}
	}
	open := known(started("web-1"))
	open.Settled = false
	left := known(started("web-1"))
	left.Left = "web-1"
	for name, tt := range map[string]struct {
		to, service string
		bake        time.Duration
		reversible  bool
		known       promotion.Known
		keep        int
		want        promotion.Outlook
		steps       string
	}{
		"the first release": {
			to: "web-1", keep: 1, want: promotion.Outlook{Action: promotion.ActionCreate}, steps: "ready, shift 100%, collect",
		},
		"a new version": {
			to: "web-3", keep: 1, known: known(started("web-1")),
			want:  promotion.Outlook{Action: promotion.ActionPromote, Keeps: []string{"web-2"}, Removes: []string{"web-1"}},
			steps: "ready, shift 100%, collect",
		},
		"a new version, watched": {
			to: "web-3", keep: 2, known: known(started("web-1"), started("web-0")), bake: 10 * time.Minute, reversible: true,
			want:  promotion.Outlook{Action: promotion.ActionPromote, Keeps: []string{"web-2", "web-1"}, Removes: []string{"web-0"}},
			steps: "ready, shift 100%, analyse 10m, commit, collect",
		},
		"what a Terraform state has does not go": {
			to: "web-3", keep: 1, known: known(owned("web-1")),
			want:  promotion.Outlook{Action: promotion.ActionPromote, Keeps: []string{"web-2"}},
			steps: "ready, shift 100%, collect",
		},
		"a failed attempt goes": {
			to: "web-4", keep: 2, known: known(started("web-1"), release.Stay{Name: "web-3", State: release.StayFailed}),
			want:  promotion.Outlook{Action: promotion.ActionPromote, Keeps: []string{"web-2", "web-1"}, Removes: []string{"web-3"}},
			steps: "ready, shift 100%, collect",
		},
		"a failed attempt, once more": {
			to: "web-3", keep: 1, known: known(release.Stay{Name: "web-3", State: release.StayFailed}),
			want:  promotion.Outlook{Action: promotion.ActionPromote, Keeps: []string{"web-2"}},
			steps: "ready, shift 100%, collect",
		},
		"back to what runs": {
			to: "web-1", keep: 1, known: known(started("web-1")),
			want:  promotion.Outlook{Action: promotion.ActionReturn, Warm: true, Keeps: []string{"web-2"}},
			steps: "ready, shift 100%, collect",
		},
		"to what somebody has taken the traffic from": {
			to: "web-1", keep: 1, known: left,
			want:  promotion.Outlook{Action: promotion.ActionPromote, Warm: true, Keeps: []string{"web-2"}},
			steps: "ready, shift 100%, collect",
		},
		"back to what has no pods": {
			to: "web-1", keep: 1, known: known(stopped("web-1")),
			want:  promotion.Outlook{Action: promotion.ActionReturn, Keeps: []string{"web-2"}},
			steps: "ready, shift 100%, collect",
		},
		"nothing is kept": {
			to: "web-3", known: known(),
			want:  promotion.Outlook{Action: promotion.ActionPromote},
			steps: "ready, shift 100%, collect",
		},
		"fewer are kept": {
			to: "web-2", known: known(started("web-1")),
			want:  promotion.Outlook{Action: promotion.ActionChange, Warm: true, Removes: []string{"web-1"}},
			steps: "shift 100%, collect",
		},
		"the address gets another name": {
			to: "web-2", service: "shop", keep: 1, known: known(started("web-1")),
			want:  promotion.Outlook{Action: promotion.ActionChange, Renames: "web", Warm: true, Keeps: []string{"web-1"}},
			steps: "shift 100%, rename, collect",
		},
		"what was left open": {
			to: "web-2", keep: 1, known: open,
			want:  promotion.Outlook{Action: promotion.ActionFinish, Warm: true, Keeps: []string{"web-1"}},
			steps: "shift 100%, collect",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.service == "" {
				tt.service = "web"
			}
			tt.want.To, tt.want.From = tt.to, tt.known.From
			want := promotion.Want{To: tt.to, Service: tt.service, Bake: tt.bake, Reversible: tt.reversible}
			got := promotion.Foresee(want, tt.known, release.Keep{Count: tt.keep, TTL: time.Nanosecond})
			if got.Action != tt.want.Action || got.From != tt.want.From || got.To != tt.want.To || got.Renames != tt.want.Renames || got.Warm != tt.want.Warm {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if !slices.Equal(got.Keeps, tt.want.Keeps) || !slices.Equal(got.Removes, tt.want.Removes) {
				t.Errorf("it keeps %q and removes %q, want %q and %q", got.Keeps, got.Removes, tt.want.Keeps, tt.want.Removes)
			}
			steps := ""
			for _, step := range got.Steps {
				if steps != "" {
					steps += ", "
				}
				steps += step.String()
			}
			if steps != tt.steps {
				t.Errorf("its steps are %q, want %q", steps, tt.steps)
			}
		})
	}
}
