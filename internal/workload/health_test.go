package workload_test

import (
	"math"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func TestValidateHealth(t *testing.T) {
	with := func(h release.Health) func(*release.Spec) { return func(s *release.Spec) { s.Health = h } }
	runChecks(t, map[string]check{
		"negative ready":          {with(release.Health{MinReady: -time.Second}), "health.min_ready", []string{"-1s", `"10s"`}},
		"deadline negative":       {with(release.Health{ProgressDeadline: -time.Second}), "health.progress_deadline", []string{`"5m"`}},
		"deadline too long":       {with(release.Health{ProgressDeadline: math.MaxInt64}), "health.progress_deadline", []string{`"5m"`}},
		"deadline too short":      {with(release.Health{MinReady: time.Minute, ProgressDeadline: time.Minute}), "health.progress_deadline", []string{"min_ready (1m)", "progress_deadline (1m)"}},
		"longer than its default": {with(release.Health{MinReady: 10 * time.Minute}), "health.min_ready", []string{"progress_deadline (10m, Kubernetes' default)"}},
		"the same second":         {with(release.Health{MinReady: 900 * time.Millisecond, ProgressDeadline: time.Second}), "health.progress_deadline", []string{"min_ready (900ms)"}},
		"grace":                   {with(release.Health{FailFastGrace: new(-time.Second)}), "health.fail_fast_grace", []string{"-1s", `"0s"`}},
		"crash limit":             {with(release.Health{CrashLimit: -1}), "health.crash_limit", []string{"1 or more"}},
		"too many lines":          {with(release.Health{LogTail: new(int32(201))}), "health.log_tail", []string{"201", "200"}},
		"fewer than no lines":     {with(release.Health{LogTail: new(int32(-1))}), "health.log_tail", []string{"-1", "0 (none)"}},
	})
	for _, h := range []release.Health{{}, {MinReady: time.Minute, ProgressDeadline: 61 * time.Second}, {FailFastGrace: new(time.Duration(0)), CrashLimit: 1, LogTail: new(release.MaxLogTail)}} {
		spec := typical()
		spec.Health = h
		for _, p := range workload.Validate(spec) {
			t.Errorf("%+v: %s", h, p)
		}
	}
}

// Every strategy has them, and they shape no pod.
func TestHealthIsInPlace(t *testing.T) {
	for _, plain := range []release.Spec{typical(), rolling(), recreated()} {
		spec := plain
		plain.Health, spec.Health = release.Health{}, release.Health{MinReady: 1500 * time.Millisecond, ProgressDeadline: 5 * time.Minute, FailFastGrace: new(time.Second), CrashLimit: 9, LogTail: new(int32(0))}
		d, err := workload.Deployment(spec)
		if err != nil {
			t.Fatal(err)
		}
		if d.Spec.MinReadySeconds != 2 || *d.Spec.ProgressDeadlineSeconds != 300 {
			t.Errorf("%s: %d, %d", spec.Strategy, d.Spec.MinReadySeconds, *d.Spec.ProgressDeadlineSeconds)
		}
		if plain.Name() != spec.Name() || plain.Content.Hash() != spec.Content.Hash() {
			t.Errorf("%s: it names another release", spec.Strategy)
		}
		bare, err := workload.Deployment(plain)
		if err != nil {
			t.Fatal(err)
		}
		if bare.Spec.MinReadySeconds != 0 || bare.Spec.ProgressDeadlineSeconds != nil {
			t.Errorf("%s without: %+v", spec.Strategy, bare.Spec)
		}
	}
}

// What lives has the last word, in the words that are remembered for it.
func TestHealthOf(t *testing.T) {
	remembered := release.Health{MinReady: 1500 * time.Millisecond, ProgressDeadline: 10 * time.Minute, FailFastGrace: new(time.Minute), CrashLimit: 7, LogTail: new(int32(3))}
	live := func(ready int32, deadline *int32) *appsv1.Deployment {
		return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{MinReadySeconds: ready, ProgressDeadlineSeconds: deadline}}
	}
	changed := func(ready, deadline time.Duration) release.Health {
		h := remembered
		h.MinReady, h.ProgressDeadline = ready, deadline
		return h
	}
	for name, c := range map[string]struct {
		live             *appsv1.Deployment
		remembered, want release.Health
	}{
		"as remembered":       {live(2, new(int32(600))), remembered, remembered},
		"somebody's own":      {live(4, new(int32(90))), remembered, changed(4*time.Second, 90*time.Second)},
		"taken away":          {live(0, nil), changed(time.Second, time.Minute), changed(0, 0)},
		"nothing remembered":  {live(5, new(int32(300))), release.Health{}, release.Health{MinReady: 5 * time.Second, ProgressDeadline: 5 * time.Minute}},
		"the default is none": {live(0, new(int32(600))), release.Health{}, release.Health{}},
	} {
		if got := workload.HealthOf(c.live, c.remembered); got != c.want {
			t.Errorf("%s: %+v\nwant %+v", name, got, c.want)
		}
	}
}
