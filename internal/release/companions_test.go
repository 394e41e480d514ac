package release_test

import (
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestCompanions: a release has what it is asked to have, and a budget for disruptions only
// where it has more than one pod.
func TestCompanions(t *testing.T) {
	t.Parallel()
	off := false
	files := release.Content{Container: release.Container{Files: map[string]string{"/etc/app": "a"}}}
	for name, test := range map[string]struct {
		spec  release.Spec
		least int32
		want  []release.Companion
	}{
		"one pod":      {release.Spec{Replicas: 1}, 1, nil},
		"two pods":     {release.Spec{Replicas: 2}, 2, []release.Companion{release.CompanionDisruptionBudget}},
		"no budget":    {release.Spec{Replicas: 2, Disruption: &release.Disruption{Enabled: &off}}, 2, nil},
		"from one on":  {release.Spec{Autoscaling: &release.Autoscaling{Min: 1, Max: 5}}, 1, []release.Companion{release.CompanionAutoscaler}},
		"from two on":  {release.Spec{Replicas: 1, Autoscaling: &release.Autoscaling{Min: 2, Max: 5}}, 2, []release.Companion{release.CompanionAutoscaler, release.CompanionDisruptionBudget}},
		"with a file":  {release.Spec{Replicas: 1, Content: files}, 1, []release.Companion{release.CompanionFiles}},
		"it shall not": {release.Spec{DesiredState: release.DesiredStopped, Replicas: 1, Autoscaling: &release.Autoscaling{Min: 1, Max: 2}}, 1, []release.Companion{release.CompanionAutoscaler}},
	} {
		if got := test.spec.Companions(); !slices.Equal(got, test.want) || test.spec.LeastPods() != test.least {
			t.Errorf("%s: it has %v and at least %d pods, want %v and %d", name, got, test.spec.LeastPods(), test.want, test.least)
		}
		if want := test.spec.Autoscaling != nil && name != "it shall not"; test.spec.Autoscaled() != want {
			t.Errorf("%s: an autoscaler decides: %t", name, !want)
		}
	}
}

// TestCompanionsAreRemembered until they are gone: each once, and what is no longer asked for
// may still be there.
func TestCompanionsAreRemembered(t *testing.T) {
	t.Parallel()
	before := release.Record{Companions: []release.Companion{release.CompanionAutoscaler}}
	now := before
	now.Expect(release.CompanionAutoscaler, release.CompanionFiles)
	if want := []release.Companion{release.CompanionAutoscaler, release.CompanionFiles}; !slices.Equal(now.Companions, want) {
		t.Errorf("it may have %v, want %v", now.Companions, want)
	}
	if before.Expects(release.CompanionFiles) || !now.Expects(release.CompanionFiles) {
		t.Errorf("files before: %t, and now: %t", before.Expects(release.CompanionFiles), now.Expects(release.CompanionFiles))
	}
	if got := now.Unwanted([]release.Companion{release.CompanionFiles}); !slices.Equal(got, []release.Companion{release.CompanionAutoscaler}) {
		t.Errorf("unwanted are %v", got)
	}
}
