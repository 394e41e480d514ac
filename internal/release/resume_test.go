package release_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestResume: an act lets the promotion go on that it is meant for, in the pause that it
// is in, once.
func TestResume(t *testing.T) {
	t.Parallel()
	pausedAt := func(at int) *release.Main {
		p := byShares(at)
		p.Paused = true
		return &release.Main{Deployment: "v1", Progress: p}
	}
	gate, asked := pausedAt(4), release.Resuming(byShares(4))
	earlier := asked
	earlier.From = "v0"
	for name, tt := range map[string]struct {
		main    *release.Main
		request *release.Request
		to      string
		want    release.Resumption
		refused string // says why
	}{
		"there is no address":          {nil, nil, "", release.ResumptionNone, ""},
		"no promotion is open":         {&release.Main{Deployment: "v1"}, nil, "v2", release.ResumptionNone, ""},
		"it is under way":              {&release.Main{Progress: byShares(4)}, nil, "", release.ResumptionNone, ""},
		"it is under way, to another":  {&release.Main{Progress: byShares(4)}, nil, "v3", "", "one to v2, not to v3"},
		"at a gate":                    {gate, nil, "", release.ResumptionDue, ""},
		"at a gate, by name":           {gate, nil, "v2", release.ResumptionDue, ""},
		"in a pause with a time":       {pausedAt(2), nil, "", release.ResumptionDue, ""},
		"somebody has asked":           {gate, &asked, "v2", release.ResumptionAsked, ""},
		"somebody has, of an earlier":  {gate, &earlier, "", release.ResumptionDue, ""},
		"somebody has, at the gate 4":  {pausedAt(2), &asked, "", release.ResumptionDue, ""},
		"another one is meant":         {gate, nil, "v3", "", "one to v2, not to v3"},
		"it waits for its group":       {&release.Main{Progress: new(byShares(4).Holding())}, nil, "", "", "other members of its group"},
		"it has what max_weight gives": {pausedAt(5), nil, "", "", "canary.max_weight"},
	} {
		got, err := release.Resume("prod", "shop/api", tt.main, tt.request, tt.to)
		var refused *release.ResumeError
		switch {
		case tt.refused == "" && (err != nil || got != tt.want):
			t.Errorf("%s: %s, %v", name, got, err)
		case tt.refused != "" && (!errors.As(err, &refused) || refused.Cluster != "prod" || !strings.Contains(err.Error(), tt.refused)):
			t.Errorf("%s: %v", name, err)
		}
	}
}
