package release_test

import (
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestPodsOfAShare: rounded up, in whole numbers, and never more than there may be.
func TestPodsOfAShare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		weight, needs    int
		all, other, want int32
	}{
		{25, 0, 10, 10, 3}, {33, 0, 10, 10, 4}, {99, 0, 10, 10, 10}, {7, 0, 10, 10, 1}, {0, 0, 10, 10, 0}, {7, 0, 100, 100, 7}, {100, 0, 10, 3, 10},
		{25, 0, 4, 0, 1}, {25, 0, 8, 4, 2}, {25, 0, 4, 8, 2}, {60, 0, 4, 20, 4}, {40, 0, 10, 4, 4}, {1, 0, 1, 1, 1},
		{10, 3, 10, 10, 3}, {10, 30, 10, 10, 10}, {100, 3, 10, 10, 10},
	} {
		share := release.CanaryStep{Weight: tt.weight, Replicas: tt.needs}
		if got := share.Pods(tt.all, tt.other); got != tt.want {
			t.Errorf("%+v of %d beside %d takes %d, want %d", share, tt.all, tt.other, got, tt.want)
		}
	}
}

// TestFirstShare: only one that is not all is a share.
func TestFirstShare(t *testing.T) {
	t.Parallel()
	if got := (release.Canary{Scales: true, Steps: []release.CanaryStep{{Weight: 10, Replicas: 2, Gate: release.GateManual}, {Weight: 50}}}).FirstShare(); got == nil || *got != (release.CanaryStep{Weight: 10, Replicas: 2}) {
		t.Errorf("it is %+v", got)
	}
	for name, c := range map[string]release.Canary{
		"not asked for": {Steps: []release.CanaryStep{{Weight: 10}}}, "all at once": {Scales: true, Steps: []release.CanaryStep{{Weight: 100}}}, "no steps": {Scales: true},
	} {
		if got := c.FirstShare(); got != nil {
			t.Errorf("%s: it is %+v", name, got)
		}
	}
}

// TestShareOf: for which share a release has pods, as the pointer says.
func TestShareOf(t *testing.T) {
	t.Parallel()
	main := func(open *release.Progress, edit ...func(*release.Main)) *release.Main {
		m := &release.Main{Deployment: "v1", Previous: []string{"v0"}, FirstShare: &release.CanaryStep{Weight: 5}, Progress: open}
		for _, edit := range edit {
			edit(m)
		}
		return m
	}
	scaling := func(at int) *release.Progress {
		p := byShares(at)
		p.Scales = true
		return p
	}
	moved := func(m *release.Main) { m.Deployment, m.Previous = "v2", []string{"v1"} }
	back := scaling(4)
	back.Direction = release.DirectionBack
	for name, tt := range map[string]struct {
		main *release.Main
		of   string
		want int // percent; 0: all pods
	}{
		"nothing is known":                       {nil, "v2", 0},
		"nothing is main":                        {&release.Main{FirstShare: &release.CanaryStep{Weight: 5}}, "v2", 0},
		"a new one":                              {main(nil), "v2", 5},
		"main":                                   {main(nil), "v1", 0},
		"a former main":                          {main(nil), "v0", 0},
		"its promotion has not begun to move":    {main(scaling(0)), "v2", 10},
		"its first share is being written":       {main(scaling(1)), "v2", 10},
		"it has its first share":                 {main(scaling(2)), "v2", 10},
		"its second share is being written":      {main(scaling(3)), "v2", 50},
		"it has its second share, and is paused": {main(scaling(5)), "v2", 50},
		"it is being given everything":           {main(scaling(6)), "v2", 0},
		"it loses its second share":              {main(back), "v2", 50},
		"a promotion with all pods":              {main(byShares(2)), "v2", 0},
		"the other side":                         {main(scaling(3)), "v1", 0},
		"a third one, meanwhile":                 {main(scaling(3)), "v3", 5},
		"what has everything, in its bake":       {main(scaling(7), moved), "v2", 0},
		"the other side of that":                 {main(scaling(7), moved), "v1", 0},
	} {
		got := 0
		if share := tt.main.ShareOf(tt.of); share != nil {
			got = share.Weight
		}
		if got != tt.want {
			t.Errorf("%s: %d %%, want %d", name, got, tt.want)
		}
	}
}

// TestOlderProvidersRefuseScaledPods: they would give everything to the pods of a share.
func TestOlderProvidersRefuseScaledPods(t *testing.T) {
	t.Parallel()
	p := byShares(2)
	p.Scales = true
	data, err := (&release.Main{Deployment: "v1", FirstShare: &release.CanaryStep{Weight: 10}, Progress: p}).Marshal()
	if err != nil || !strings.Contains(data[release.ProgressKey], `"schema":3`) {
		t.Fatalf("%s (%v)", data[release.ProgressKey], err)
	}
	read, err := release.ParseMain(data)
	if err != nil || !read.Progress.Scales || read.FirstShare == nil || read.FirstShare.Weight != 10 || read.AsBefore().FirstShare != read.FirstShare {
		t.Errorf("read %+v (%v)", read, err)
	}
}

// TestOlderProvidersRefuseTheirs: they would take the rest of the traffic for nobody's. One
// that knows them reads what was written before there were any.
func TestOlderProvidersRefuseTheirs(t *testing.T) {
	t.Parallel()
	p := byShares(2)
	p.From, p.Theirs = "", "old+older"
	data, err := (&release.Main{Progress: p}).Marshal()
	if err != nil || !strings.Contains(data[release.ProgressKey], `"schema":5`) {
		t.Fatalf("%s (%v)", data[release.ProgressKey], err)
	}
	read, err := release.ParseMain(data)
	if err != nil || read.Progress.Side() != "old+older" {
		t.Errorf("read %+v (%v)", read, err)
	}
	entry := release.Entry{Operation: release.OperationPromote, To: "api-1", Theirs: "old", Outcome: release.OutcomeSucceeded}
	if said := entry.Sentence(); !strings.Contains(said, "promote from old to api-1") {
		t.Errorf("the history says %q", said)
	}
}
