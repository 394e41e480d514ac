package release_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestFloorOfAShare: what an autoscaler has to leave to a release, within what is typed.
func TestFloorOfAShare(t *testing.T) {
	t.Parallel()
	of := release.Autoscaling{Min: 2, Max: 10}
	for _, tt := range []struct {
		weight, needs int
		other, want   int32
	}{
		{25, 0, 8, 2}, {50, 0, 8, 4}, {51, 0, 8, 5}, {100, 0, 8, 8}, {100, 0, 20, 10}, {60, 0, 20, 10}, {1, 0, 1, 2}, {50, 0, 0, 2},
		{10, 5, 8, 5}, {10, 1, 8, 2}, {10, 30, 8, 10}, {100, 3, 8, 8},
	} {
		share := release.CanaryStep{Weight: tt.weight, Replicas: tt.needs}
		if got := share.Floor(of, tt.other); got != tt.want {
			t.Errorf("%+v beside %d takes %d, want %d", share, tt.other, got, tt.want)
		}
	}
}

// TestFloorsStayWithinWhatIsTyped, grow with the share, and are never less than it takes
// where that may be had.
func TestFloorsStayWithinWhatIsTyped(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		least := rapid.Int32Range(1, 50).Draw(t, "min")
		of := release.Autoscaling{Min: least, Max: rapid.Int32Range(least, 200).Draw(t, "max")}
		other := rapid.Int32Range(0, 500).Draw(t, "other")
		before := int32(0)
		for weight := 1; weight <= 100; weight++ {
			floor := release.CanaryStep{Weight: weight}.Floor(of, other)
			if floor < of.Min || floor > of.Max || floor < before {
				t.Fatalf("%d %% of %d takes %d, after %d, of %+v", weight, other, floor, before, of)
			}
			if takes := release.Portion(weight, other); floor < takes && floor != of.Max {
				t.Fatalf("%d %% of %d takes %d, not %d, of %+v", weight, other, takes, floor, of)
			}
			before = floor
		}
	})
}

// TestOlderProvidersRefuseRaisedFloors: they would leave them raised.
func TestOlderProvidersRefuseRaisedFloors(t *testing.T) {
	t.Parallel()
	p := byShares(2)
	p.Scales, p.Floors = true, []string{"v1"}
	main := &release.Main{Deployment: "v1", Progress: p}
	data, err := main.Marshal()
	if err != nil || !strings.Contains(data[release.ProgressKey], `"schema":4`) {
		t.Fatalf("%s (%v)", data[release.ProgressKey], err)
	}
	read, err := release.ParseMain(data)
	if err != nil || !slices.Equal(read.Progress.Floors, p.Floors) || !read.Raises("v1") || read.Raises("v2") {
		t.Errorf("read %+v (%v)", read, err)
	}
	if (*release.Main)(nil).Raises("v1") || (&release.Main{Deployment: "v1"}).Raises("v1") {
		t.Error("without a promotion, something is raised")
	}
}
