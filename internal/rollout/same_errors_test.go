package rollout_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// What several clusters tell alike is told once, with the clusters named.
func TestAlike(t *testing.T) {
	failed := func(cluster string, ready int32, cause health.Cause, sentence string) *rollout.StartError {
		return &rollout.StartError{Cluster: cluster, ID: release.ID{Namespace: "shop", Name: "api-1"}, Version: "v2", Verdict: health.Verdict{
			Ready: ready, Want: 3,
			Findings: []health.Finding{{Cause: cause, Container: "api", Object: "pod api-1-" + cluster, Sentence: sentence, Hint: "read its log"}},
		}}
	}
	a := failed("a", 0, health.CauseCrashLoop, "ended with exit code 1 and was restarted 3 times")
	b := failed("b", 0, health.CauseCrashLoop, "ended with exit code 1 and was restarted 12 times")
	other := failed("c", 0, health.CauseImageNotFound, "cannot pull")
	elsewhere := errors.New("connection refused")
	got := rollout.Alike([]error{a, elsewhere, b, other})
	if len(got) != 3 || !errors.Is(got[1], elsewhere) {
		t.Fatalf("got %v", got)
	}
	text := got[0].Error()
	if !strings.Contains(text, `on clusters "a" and "b": 0 of 3 pods are available`) || strings.Count(text, "Try:") != 1 {
		t.Errorf("got %s", text)
	}
	if got := got[2].Error(); !strings.Contains(got, `on cluster "c": 0 of 3 pods`) {
		t.Errorf("got %s", got)
	}
	if got := a.Error(); strings.Contains(got, `"b"`) {
		t.Errorf("what is told of one cluster alone: %s", got)
	}

	d := failed("d", 2, health.CauseCrashLoop, "ended with exit code 1 and was restarted once")
	three := rollout.Alike([]error{a, b, d})
	if len(three) != 1 || !strings.Contains(three[0].Error(), `on clusters "a", "b" and "d": 0 of 3, 0 of 3, 2 of 3 pods are available`) {
		t.Errorf("got %v", three)
	}

	for name, different := range map[string]*rollout.StartError{
		"exit code": failed("b", 0, health.CauseCrashLoop, "ended with exit code 2 and was restarted 3 times"),
		"traffic":   {Cluster: "b", ID: a.ID, Version: a.Version, Verdict: a.Verdict, Traffic: "unchanged"},
		"end":       {Cluster: "b", ID: a.ID, Version: a.Version, Verdict: a.Verdict, Err: elsewhere},
		"restart":   {Cluster: "b", ID: a.ID, Version: a.Version, Verdict: a.Verdict, Restart: true},
		"nothing":   {Cluster: "b", ID: a.ID, Version: a.Version},
	} {
		if got := rollout.Alike([]error{a, different}); len(got) != 2 {
			t.Errorf("%s: they are not alike: %v", name, got)
		}
	}
	if got := rollout.Alike([]error{fmt.Errorf("and so on: %w", a), a}); len(got) != 2 {
		t.Errorf("what wraps one tells more: %v", got)
	}
}
