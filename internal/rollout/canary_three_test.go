package rollout_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// oneOfThreeFails at a step, after a share that it had: the others are enough, and go on.
func oneOfThreeFails(t *testing.T, s *sharedSpan) {
	s.planes[1].Say(t, s.refusing(50))
	done, err := s.share(t.Context(), "v2", steps(10, 50), nil, continuing(2))
	if text := s.ended(done); err != nil || done.Status != release.MainRunning || text != "finalized v2, rolled_back v1!, finalized v2" {
		t.Fatalf("it ends as %s, on the clusters as %s: %v", done.Status, text, err)
	}
	s.on[0].wantMain("v2", "v1")
	s.back(1)
	s.on[2].wantMain("v2", "v1")
	s.planes[1].Say(t, testcluster.Accepting)
	s.must(s.share(t.Context(), "v2", steps(10, 50), nil, continuing(2)))
	s.settled("v2")
}

// twoOfThreeFail at different steps: with the second one too few are left, and the one that
// had half of the traffic goes back with it.
func twoOfThreeFail(t *testing.T, s *sharedSpan) {
	s.planes[1].Say(t, s.refusing(10))
	s.planes[2].Say(t, s.refusing(50))
	var halfOnFirst atomic.Bool // the clusters tell at once
	done, err := s.share(t.Context(), "v2", steps(10, 50), func(line string) {
		if strings.HasPrefix(line, "a: moving 50 %") {
			halfOnFirst.Store(true)
		}
	}, continuing(2))
	if text := s.ended(done); err == nil || done.Moved || text != "rolled_back v1, rolled_back v1!, rolled_back v1!" {
		t.Fatalf("it ends as %s, on the clusters as %s: %v", done.Status, text, err)
	}
	if !halfOnFirst.Load() {
		t.Error("the others did not go on without the first that failed")
	}
	s.back(0, 1, 2)
	for _, plane := range s.planes {
		plane.Say(t, testcluster.Accepting)
	}
	s.must(s.share(t.Context(), "v2", steps(10, 50), nil, continuing(2)))
	s.settled("v2")
}

// oneOfThreeBreaches in a pause, in which it has no pod that is ready: it alone goes back,
// and it is not tried there again.
func oneOfThreeBreaches(t *testing.T, s *sharedSpan) {
	canary := steps(10, 50)
	canary.Steps[0].Pause = shortBake
	var fails sync.Once
	broken := func(line string) {
		if strings.HasPrefix(line, "watching") {
			fails.Do(s.on[1].failReady)
		}
	}
	done, err := s.share(t.Context(), "v2", canary, broken, continuing(2))
	if text := s.ended(done); err != nil || done.Status != release.MainRunning || text != "finalized v2, rolled_back v1!, finalized v2" {
		t.Fatalf("it ends as %s, on the clusters as %s: %v", done.Status, text, err)
	}
	var breach *rollout.BakeError
	if !errors.As(done.Clusters[1].Err, &breach) || breach.Share != 10 {
		t.Errorf("on b it ends with: %v", done.Clusters[1].Err)
	}
	s.back(1)
	done, err = s.share(t.Context(), "v2", canary, nil, continuing(2))
	var refused *release.TakenBackError
	if err != nil || done.Status != release.MainRunning || !errors.As(done.Clusters[1].Err, &refused) {
		t.Errorf("the next run ends as %s, on b with: %v (%v)", done.Status, done.Clusters[1].Err, err)
	}
	s.back(1)
}
